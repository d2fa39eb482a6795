"""MLflow's own process: what it shows is what `tracking.sync` shows, and nothing that befalls it harms a run.

Rules: [S8.7, audit 13.4].
"""

from __future__ import annotations

import os
import signal
import sqlite3
import time
import tracemalloc
from contextlib import closing
from pathlib import Path

import pytest

from backtest.tracking import background, journal
from backtest.tracking.background import Tracker
from tests.backtest.tracking.test_mlflow_sync import written

pytestmark = pytest.mark.slow


def tags(runs: Path) -> dict[str, str]:
    """The tags of the one run in the store, read without MLflow."""
    with closing(sqlite3.connect(runs / "mlflow.db")) as base:
        assert base.execute("SELECT count(*) FROM runs").fetchall() == [(1,)]
        return dict(base.execute("SELECT key, value FROM tags").fetchall())


def test_a_new_store_is_made_while_the_run_goes_on_and_holds_its_journal(tmp_path: Path) -> None:
    served = Tracker(tmp_path, None)
    served.prepare()
    path = written(tmp_path)

    assert served.sync(path) == ""
    assert tags(tmp_path)["cme.synced"] == journal.read(path).head


def test_a_tracker_that_is_killed_costs_a_warning_and_is_caught_up_later(tmp_path: Path) -> None:
    """Killed before the journal, and while it makes the store: the command goes on, and the next run shows its own."""
    served = Tracker(tmp_path, None)
    served.prepare()
    assert served._syncer is not None
    os.kill(served._syncer.pid, signal.SIGKILL)
    served._syncer.wait()
    path = written(tmp_path)

    assert "cme track sync" in served.sync(path)
    assert journal.read(path).exit_code == 0
    assert Tracker(tmp_path, None).sync(path) == ""
    assert tags(tmp_path)["cme.synced"] == journal.read(path).head


SETUP = "import sys; sys.path.insert(0, sys.argv.pop(1)); import time, os; "  # as the door does, then a fault
SETUP += "from backtest.tracking import background, mlflow_sync; "
SETUP += "reached = lambda: os.close(os.open(sys.argv[1] + '/reached', os.O_CREAT))"
HANGS = {
    "at its start": "import time; time.sleep(600)",
    "in an import": f"{SETUP}\nsys.modules['mlflow'] = None\nclass Slow:\n"
    " def find_spec(self, name, *more):\n  if name.startswith('mlflow'): reached(); time.sleep(600)\n"
    "del sys.modules['mlflow']\nsys.meta_path.insert(0, Slow())\nbackground.main(*sys.argv[1:])",
    "opening the store": f"{SETUP}\nmlflow_sync.reach = lambda uri: [reached(), time.sleep(600)]\n"
    "background.main(*sys.argv[1:])",
    "while it syncs": f"{SETUP}\nimport contextlib\n"
    "mlflow_sync.client_of = contextlib.contextmanager(lambda *given: iter([reached()]))\n"
    "mlflow_sync._sync_one = lambda *given: time.sleep(600)\nbackground.main(*sys.argv[1:])",
    "saying it works": f"{SETUP}\nreached()\nwhile True: os.write(1, b'stage \"adrift\"\\n'); time.sleep(.1)",
    "flooding": "import os\nwhile True: os.write(1, b'x' * 65536)",
    "flooding with beats": "import os\nwhile True: os.write(1, b'working\\n' * 512)",
    "after half an answer": "import os, time; os.write(1, b'answer'); time.sleep(600)",
}
SAYS = {"at its start": "starting", "in an import": "importing MLflow", "opening the store": "reaching the store",
        "while it syncs": "syncing", "saying it works": "adrift"}  # fmt: skip


def wait_for(path: Path) -> None:
    """Return when ``path`` is there, however busy the machine is."""
    until = time.monotonic() + 120
    while not path.exists():
        assert time.monotonic() < until, path
        time.sleep(0.01)


@pytest.mark.parametrize("stage", HANGS)
def test_a_tracker_that_hangs_is_left_behind_wherever_it_hangs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stage: str
) -> None:
    """It costs the patience and a warning with its stage and its process, which goes on; nothing is kept of a flood."""
    monkeypatch.setattr(background, "PATIENCE_S", 0.8)
    monkeypatch.setattr(background, "MOST_S", 2.0)
    monkeypatch.setattr(background, "DOOR", HANGS[stage])
    served = Tracker(tmp_path, None)
    path = written(tmp_path)
    served.prepare()
    assert served._syncer is not None
    if stage in ("in an import", "while it syncs", "opening the store", "saying it works"):
        wait_for(tmp_path / "reached")  # as a run does, which has other things to do meanwhile
    began = time.monotonic()
    tracemalloc.start()
    warning = served.sync(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert time.monotonic() - began < 30
    assert peak < 4_000_000
    assert SAYS.get(stage, "") in warning
    assert f"process {served._syncer.pid}" in warning
    assert "cme track sync" in warning
    if stage not in ("saying it works", "flooding", "flooding with beats"):  # whose pipe breaks
        assert served._syncer.poll() is None  # it goes on: it might be migrating
    served._syncer.kill()
    served._syncer.wait()


def test_what_hangs_after_its_answer_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    door = "import os, time; input(); os.write(1, b'answer \"\"\\n'); time.sleep(600)"
    monkeypatch.setattr(background, "DOOR", door)
    served = Tracker(tmp_path, None)
    assert served.sync(written(tmp_path)) == ""
    assert served._syncer is not None
    served._syncer.kill()
    served._syncer.wait()


@pytest.mark.parametrize("said", ["", "what?\\n", "answer\\n", "stage 7\\nstage [[[\\n", "\\xff\\x00\\n"])
def test_a_process_that_ends_without_an_answer_is_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str
) -> None:
    monkeypatch.setattr(background, "DOOR", f"import os; input(); os.write(1, b'{said}')")
    warning = Tracker(tmp_path, None).sync(written(tmp_path))
    assert "ended without an answer" in warning
    assert "cme track sync" in warning


def test_seconds_of_work_are_waited_for_beyond_the_patience(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine so slow that the imports take longer than the patience is no fault: they compute all the time."""
    door = (
        f"{SETUP}\ndef slow(*given):\n import threading\n until = time.process_time() + 3\n"
        " while time.process_time() < until: pass\n return ''\n"
        "background.sync = lambda *given: 0\nbackground.sync_after = slow\nbackground.main(*sys.argv[1:])"
    )
    monkeypatch.setattr(background, "DOOR", door)
    monkeypatch.setattr(background, "PATIENCE_S", 2.5)
    assert Tracker(tmp_path, None).sync(written(tmp_path)) == ""


def test_one_that_was_left_behind_finishes_by_itself_and_both_make_one_run(
    tmp_path: Path, template: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command gave up, `cme track sync` came first, and the process left behind wakes up: one run, not two."""
    # With a store that is there: a command that waits for three seconds must not wait for its migration.
    (tmp_path / "mlflow.db").write_bytes(template)
    go = tmp_path / "go"
    door = (
        f"{SETUP}\nwhole = background.sync_after\ndef late(*given):\n"
        f" while not os.path.exists({str(go)!r}): time.sleep(.05)\n return whole(*given)\n"
        "background.sync_after = late\nbackground.main(*sys.argv[1:])"
    )
    monkeypatch.setattr(background, "DOOR", door)
    monkeypatch.setattr(background, "PATIENCE_S", 2.0)
    path = written(tmp_path)
    served = Tracker(tmp_path, None)
    assert "left to go on" in served.sync(path)
    assert served._syncer is not None
    monkeypatch.undo()
    until = time.monotonic() + 120
    while (again := Tracker(tmp_path, None).sync(path)) and "another process" in again:
        assert time.monotonic() < until, again
    assert again == ""
    go.touch()
    assert served._syncer.wait(120) == 0  # the pipe that it answers into is closed
    assert tags(tmp_path)["cme.synced"] == journal.read(path).head


def test_without_a_process_to_spare_this_one_tries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it says is what `sync_after` says: here, that the server is down."""

    def refused(*_args: object, **_options: object) -> None:
        raise BlockingIOError("no process")

    monkeypatch.setattr(background.subprocess, "Popen", refused)
    assert "within 3 s" in Tracker(tmp_path, "http://127.0.0.1:9").sync(written(tmp_path))


def test_a_server_that_is_down_is_named_in_the_warning(tmp_path: Path) -> None:
    served = Tracker(tmp_path, "http://127.0.0.1:9")
    served.prepare()
    assert "expected MLflow's store at http://127.0.0.1:9 within 3 s" in served.sync(written(tmp_path))
