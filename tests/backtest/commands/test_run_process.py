"""`cme run` as a process among others: ended by signals, begun twice, asked again, its folder taken away.

Rules: [audit 8.3, 13.1, interface].
"""

from __future__ import annotations

import contextlib
import json
import os
import pty
import select
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from backtest.registration.load import load_registration
from backtest.rundir import checksums, staging
from backtest.rundir.plan_lock import sole_runner
from backtest.tracking import journal
from tests.helpers.cli import DOWN, RunCommand
from tests.helpers.small_run import ROOT, Tiny

pytestmark = pytest.mark.slow
BOUND_S = 300
"""A machine may be busy; what waits longer is a failure."""


@pytest.fixture
def out(tiny: Tiny, tmp_path: Path) -> Path:
    """An output folder that has the market already."""
    folder = tmp_path / "runs"
    (folder / "data").mkdir(parents=True)
    (folder / "data" / tiny.dataset.path.name).symlink_to(tiny.dataset.path)
    return folder


START = (
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    "signal.signal(signal.SIGHUP, signal.SIG_DFL); from cme import main; main()"
)
"""Tests that run in the background inherit ignored signals, which the command would leave ignored."""


Begin = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def begin(tiny: Tiny, out: Path) -> Iterator[Begin]:
    """A function that begins the command with the words it is given; what a failure leaves running is killed."""
    begun: list[subprocess.Popen[str]] = []

    def begin(*more: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", START, "run", str(tiny.config), "--out", str(out), *more]
        running = subprocess.Popen(
            [*command, "--tracking", DOWN], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            start_new_session=True,
        )  # fmt: skip
        begun.append(running)
        return running

    yield begin
    for running in begun:
        if running.poll() is None:
            os.killpg(running.pid, signal.SIGKILL)
            running.communicate()


def wait_for(out: Path, pattern: str, running: subprocess.Popen[str]) -> None:
    """Return when a file of ``pattern`` is below ``out``."""
    until = time.monotonic() + BOUND_S
    while not list(out.glob(pattern)):
        assert running.poll() is None, running.communicate()
        assert time.monotonic() < until, pattern
        time.sleep(0.01)


def session_of(leader: int) -> list[int]:
    """Return the processes of a session, the leader left out, that have not ended."""
    members = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = path.read_text().rpartition(")")[2].split()
            if int(fields[3]) == leader and fields[0] != "Z" and int(path.parent.name) != leader:
                members.append(int(path.parent.name))
    return members


def folders_in_memory(pid: int) -> list[str]:
    return [path.name for path in Path("/dev/shm").iterdir() if f"_{pid}_" in path.name or f"-{pid}-" in path.name]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL], ids=lambda s: s.name)
def test_a_signal_ends_the_run_and_every_process_of_it(begin: Begin, out: Path, number: signal.Signals) -> None:
    """The workers end although the signal reaches the command alone; pipes and /dev/shm are free, the journal ends."""
    running = begin("--workers", "2")
    wait_for(out, ".work/*/*.piece", running)
    children = session_of(running.pid)
    assert len(children) >= 2
    os.kill(running.pid, number)
    begun = time.monotonic()
    said_out, said = running.communicate(timeout=BOUND_S)  # until every writer has closed its end
    took_s = time.monotonic() - begun
    while session_of(running.pid):
        assert time.monotonic() < begun + BOUND_S
        time.sleep(0.01)

    assert took_s < 10  # 3 on a machine that is not shared
    assert folders_in_memory(running.pid) == []
    assert said_out == ""
    (path,) = journal.journals(out)
    record = journal.read(path)
    if number == signal.SIGKILL:
        assert (running.returncode, record.exit_code) == (-signal.SIGKILL, None)
        return
    code = 128 + number
    assert (running.returncode, record.exit_code) == (code, code)
    lines = [line for line in said.splitlines() if line]
    assert lines[0] == f"cme: {number.name}: closing the worker processes and the journal"
    assert lines[1].startswith("cme: interrupted; what was finished is kept")
    assert len(lines) == 2


def test_a_finished_run_stays_whole_until_its_successor_is_complete(
    tiny: Tiny, out: Path, begin: Begin, run_command: RunCommand
) -> None:
    """Repeated and killed when the new directory has its verdicts: the old one, byte for byte.  Then asked again."""
    run = out / tiny.folder.name
    shutil.copytree(tiny.folder, run)
    before = state(run)
    running = begin("--workers", "1", "--again")
    wait_for(out, f".{run.name}.unfinished/verdicts.json", running)
    os.killpg(running.pid, signal.SIGKILL)
    running.communicate()

    assert state(run) == before
    assert staging.staged_path(out, run.name).is_dir()

    asked = run_command("run", tiny.config, "--out", out, "--json")
    assert asked.code == 0
    assert "is finished and stays as it is: --again runs it anew" in asked.err
    assert json.loads(asked.out)["runs"][0]["path"] == str(run)
    assert state(run) == before

    assert run_command("run", tiny.config, "--out", out, "--workers", "1", "--again", "--quiet").code == 0
    assert state(run) != before
    assert checksums.holds(run)
    assert (run / "digest.txt").read_bytes() == (tiny.folder / "digest.txt").read_bytes()
    assert not [path.name for path in out.iterdir() if path.name.endswith((".unfinished", ".lock", ".previous"))]


def state(run: Path) -> dict[str, tuple[int, bytes]]:
    """Return the time and the bytes of every file."""
    paths = [path for path in run.rglob("*") if path.is_file()]
    return {str(path.relative_to(run)): (path.stat().st_mtime_ns, path.read_bytes()) for path in paths}


def test_a_damaged_run_is_not_called_finished(tiny: Tiny, tmp_path: Path) -> None:
    run = tmp_path / tiny.folder.name
    shutil.copytree(tiny.folder, run)
    assert checksums.holds(run)
    (run / "extra.txt").write_text("")
    assert not checksums.holds(run)
    (run / "extra.txt").unlink()
    (run / "digest.txt").unlink()
    assert not checksums.holds(run)


@pytest.mark.parametrize("exchange", [True, False])
def test_a_staged_run_takes_the_place_of_the_one_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, exchange: bool
) -> None:
    """In one step, or in two where the file system has no exchange."""
    if not exchange:
        monkeypatch.setattr(staging, "_exchanged", lambda *_: False)
    for text in ("first", "second"):
        staged = staging.staged_path(tmp_path, "run-1")
        staged.mkdir()
        (staged / "text").write_text(text)
        assert staging.publish(staged) == tmp_path / "run-1"
        assert {path.name: path.read_text() for path in tmp_path.rglob("*") if path.is_file()} == {"text": text}
    assert [path.name for path in tmp_path.iterdir()] == ["run-1"]


def test_a_run_cut_off_between_two_renames_comes_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run, staged = tmp_path / "run-1", staging.staged_path(tmp_path, "run-1")
    run.mkdir()
    (run / "text").write_text("first")
    staged.mkdir()
    renames = iter(range(1))
    whole = Path.rename

    def cut_off(path: Path, target: Path) -> Path:
        if next(renames, None) is None:
            raise KeyboardInterrupt
        return whole(path, target)

    with monkeypatch.context() as patched:
        patched.setattr(staging, "_exchanged", lambda *_: False)
        patched.setattr(Path, "rename", cut_off)
        with pytest.raises(KeyboardInterrupt):
            staging.publish(staged)
    assert not run.exists()
    staging.restore(tmp_path)

    assert (run / "text").read_text() == "first"


def test_a_plan_that_another_process_runs_is_refused_with_that_process(tiny: Tiny, out: Path, begin: Begin) -> None:
    """42 with pid, host and time; with the lock free, or left by a process that was killed, the plan runs."""
    with sole_runner(out, load_registration(tiny.config), 1_764_547_200_000_000):
        running = begin("--quiet")
        said_out, said = running.communicate(timeout=BOUND_S)

    assert running.returncode == 42
    assert said_out == ""
    assert f"process {os.getpid()} on host {socket.gethostname()}, since 2025-12-01 00:00:00 UTC" in said
    assert "--out" in said
    (path,) = journal.journals(out)
    assert journal.read(path).exit_code == 42
    assert list(out.glob("*.lock")) == []


def test_of_four_equal_runs_at_once_one_runs(tiny: Tiny, out: Path, begin: Begin) -> None:
    """The others say which process has the plan (42), or that it is finished; the run is whole."""
    processes = [begin("--workers", "1") for _ in range(4)]
    ended = [(process, *process.communicate(timeout=BOUND_S)) for process in processes]

    pids = [process.pid for process, _, said in ended if process.returncode == 0 and "is finished and" not in said]
    assert len(pids) == 1, ended
    others = [(process.returncode, said) for process, _, said in ended if process.pid not in pids]
    for code, said in others:
        assert (code, f"was process {pids[0]} on host" in said) == (42, True) or (code, "finished" in said) == (0, True)
    assert checksums.holds(out / tiny.folder.name)
    assert (out / tiny.folder.name / "digest.txt").read_bytes() == (tiny.folder / "digest.txt").read_bytes()


def test_locks_left_by_a_killed_process_keep_nobody_away(tiny: Tiny, out: Path) -> None:
    """The file stays, the lock does not."""
    registration = load_registration(tiny.config)
    with sole_runner(out, registration, 0):
        (lock,) = out.glob(".*.lock")
    lock.write_text("not json")
    with sole_runner(out, registration, 0):
        assert json.loads(lock.read_bytes())["pid"] == os.getpid()


def test_a_folder_removed_while_a_run_works_is_exit_5(out: Path, begin: Begin) -> None:
    """It says that the folder was taken away, wherever the run met it; nothing of it is called a defect."""
    running = begin("--workers", "1", "--quiet")
    wait_for(out, ".work/*/*.piece", running)
    out.rename(out.with_name("elsewhere"))
    said_out, said = running.communicate(timeout=BOUND_S)

    assert running.returncode == 5, said
    assert said_out == ""
    assert f"expected the folder {out} to stay while a run writes there" in said
    assert len(said.splitlines()) == 1


def read_until(stream: int, word: bytes) -> bytes:
    """Return what a terminal shows up to ``word``."""
    seen, until = b"", time.monotonic() + BOUND_S
    while word not in seen:
        ready, _, _ = select.select([stream], [], [], max(0.0, until - time.monotonic()))
        assert ready, seen
        seen += os.read(stream, 65_536)
    return seen


@pytest.fixture
def terminal() -> Iterator[tuple[int, int]]:
    """A pseudo-terminal: our end, and the command's."""
    ours, theirs = pty.openpty()
    yield ours, theirs
    os.close(ours)


def test_the_first_line_is_on_the_screen_before_anything_heavy_is_imported(
    tiny: Tiny, out: Path, terminal: tuple[int, int]
) -> None:
    """On a terminal; the import times, which Python prints to the same stream, give the order."""
    ours, theirs = terminal
    command = [sys.executable, "-X", "importtime", "-m", "cme", "run", str(tiny.config), "--out", str(out)]
    running = subprocess.Popen([*command, "--tracking", DOWN], cwd=ROOT, stderr=theirs, stdout=theirs)
    os.close(theirs)
    seen = read_until(ours, b"numpy")
    running.kill()
    running.wait()

    assert b"cme run: reading" in seen
    assert b"pandas" not in seen.partition(b"cme run: reading")[0]
