"""The writers of the daily operation on a disk that is full from the n-th call on, for every n and two ways of filling.

Run as ``python -m tests.helpers.disk_full OPERATION FOLDER`` with `disk_full.c` preloaded (`results` does both).  A
first child counts the calls that need room.  For each of them, and for a disk that takes nothing of it and one that
takes half of it, a child does the operation on a copy of the same state; then there is room again and another child
does it once more.  Prints one JSON object: calls, exit codes by number, and every broken promise as a sentence.
"""

from __future__ import annotations

import ctypes
import io
import json
import os
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import cme
from backtest.data.format.dataset import open_dataset
from backtest.data.raw.control_log import control_files, control_path
from backtest.data.raw.segment_chain import CONTROL, check_file, read_segment_chain
from backtest.data.raw.segments import RecordKind, read_records, segment_path, segments_of
from backtest.live import emit as emit_module
from backtest.live import resolve as resolve_module
from backtest.live.day_chain import read_days
from backtest.live.live_folder import LiveFolder
from backtest.record import disk_writer
from backtest.record.clocks import Clocks
from backtest.record.disk_writer import Batch, DiskWriter
from backtest.record.recording import open_recording
from engine.errors import WriteError
from engine.ledger.checkpoint import parse_checkpoint
from engine.ledger.verification.verify import verify_ledger
from tests.helpers import five_days

SOURCE = Path(__file__).with_suffix(".c")
AT_NS = 1_770_000_000_000_000_000
"""The time of every call: what is written twice is the same."""
FOR_EVER = 1 << 40
LEFT = (".writing", ".building", ".sealing")
"""Endings of what is being written beside its final name; nothing of it is left by a call that ends well."""
Operate = Callable[[Path], int]


@dataclass(frozen=True)
class Operation:
    """A state to begin with, what is done in a copy of it, and the files whose bytes must come out, by name."""

    begin: Callable[[Path], None]
    operate: Operate
    published: tuple[str, ...]
    check: Callable[[Path], list[str]]
    calls: int = FOR_EVER
    """How many calls the full disk refuses before there is room again."""
    halves: tuple[int, ...] = ()
    """The ways of filling at each call; in turns where none is named."""


def results(folder: Path, operation: str, step: int = 1) -> dict[str, Any]:
    """Return what `main` prints, run in a process with the library preloaded, which is compiled below ``folder``."""
    library = folder / "disk_full.so"
    subprocess.run(["cc", "-O2", "-shared", "-fPIC", "-Wno-nonnull", "-o", library, SOURCE, "-ldl"], check=True)
    done = subprocess.run(
        [sys.executable, "-m", "tests.helpers.disk_full", operation, str(folder), str(step)],
        check=True, capture_output=True,
        env={**os.environ, "LD_PRELOAD": str(library), "CME_JOURNALS": str(folder / "other"), "CME_TRACKING": "off"},
        cwd=SOURCE.parents[2],
    )  # fmt: skip
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _commanded(*words: object) -> int:
    """Call ``cme`` with its output put away; a code of 5 has to say what to do."""
    said = io.StringIO()
    with redirect_stderr(said), redirect_stdout(io.StringIO()):
        try:
            cme.main([str(word) for word in words])
        except SystemExit as ended:
            code = int(ended.code or 0)
    if code and ("room" not in said.getvalue() or "Traceback" in said.getvalue()):
        raise AssertionError(f"exit {code} without what to do: {said.getvalue()[-600:]}")
    return code


def _forked(work: Callable[[], int]) -> tuple[int, str]:
    """Return what ``work`` returns in a child, and the sentence of what it raised; its code is 99 then."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read)
        answer = [99, "was killed"]
        try:
            answer = [work(), ""]
        except BaseException as error:
            answer = [99, f"{type(error).__name__}: {error}"[:800]]
        finally:
            os.write(write, json.dumps(answer).encode())
            os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as stream:
        code, sentence = json.loads(stream.read())
    os.waitpid(child, 0)
    return code, sentence


def run_all(operation: Operation, folder: Path, step: int) -> dict[str, Any]:
    """Fill the disk at each ``step``-th call of the operation, in both ways or in turns; see the module."""
    library = ctypes.CDLL(None)
    library.disk_full_from.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_char_p, ctypes.c_int]
    start = folder / "start"
    start.mkdir()
    operation.begin(start)
    place = folder / "place"

    def prepared(n: int, half: int) -> Callable[[], int]:
        def work() -> int:
            library.disk_full_from(n, operation.calls, str(place).encode(), half)
            return operation.operate(place)

        return work

    def counted() -> int:
        prepared(0, 0)()
        return int(library.disk_full_calls())

    def fresh() -> None:
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(start, place)
        (folder / "acknowledged").write_text("0 5")

    # Once here, with room: the children are born with every module imported and with what the engine replays.
    fresh()
    prepared(0, 0)()
    fresh()
    calls, sentence = _forked(counted)
    if sentence:
        raise AssertionError(sentence)
    wanted = _hashes(place, operation.published)
    broken: list[str] = []
    codes: Counter[int] = Counter()
    for n in range(1, calls + 1, step):
        for half in operation.halves or (n // step % 2,):
            where = f"call {n} of {calls}, {'half' if half else 'nothing'} taken"
            fresh()
            before = {
                name: (place / name).read_bytes()
                for name in operation.published
                if name.endswith("l") and (place / name).is_file()
            }
            code, sentence = _forked(prepared(n, half))
            codes[code] += 1
            if code not in (0, 5):
                broken.append(f"{where}: exit {code} {sentence}")
            broken += [f"{where}: {name} lost what it had" for name, body in before.items()
                       if not (place / name).read_bytes().startswith(body)]  # fmt: skip
            broken += [f"{where}: {problem}" for problem in operation.check(place)]
            code, sentence = _forked(prepared(0, 0))
            if code or _hashes(place, operation.published) != wanted:
                broken.append(f"{where}: with room again, exit {code} {sentence}, other files {_other(place, wanted)}")
            broken += [f"{where}, with room again: {problem}" for problem in operation.check(place)]
            broken += [f"{where}: {path.name} was left" for path in place.rglob(".*") if path.name.endswith(LEFT)]
    return {"calls": calls, "codes": dict(codes), "broken": broken}


def _hashes(place: Path, published: tuple[str, ...]) -> dict[str, str]:
    return {
        name: sha256((place / name).read_bytes()).hexdigest() if (place / name).is_file() else "" for name in published
    }


def _other(place: Path, wanted: Mapping[str, str]) -> list[str]:
    now = _hashes(place, tuple(wanted))
    return [name for name in wanted if now[name] != wanted[name]]


def _live_problems(place: Path) -> list[str]:
    """What is there under its final name is whole: days with their chain, ledgers, checkpoints."""
    problems = []
    live = place / "live"
    try:
        chain = read_days(live / "days")
        for row in chain.rows:
            if open_dataset(chain.folder / row["day"]).dataset_hash != row["dataset_hash"]:
                problems.append(f"{row['day']} is not as sealed")
            chain.evidence(row)
        for export in live.glob("ledgers/*/*.jsonl"):
            claims = [(path.name, parse_checkpoint(path.read_text()))
                      for path in sorted(export.parent.glob(f"checkpoints/{_origin(export)}/*.ckpt"))]  # fmt: skip
            report = verify_ledger(io.BytesIO(export.read_bytes()), checkpoints=claims).report
            if report.exit:
                problems.append(f"{export.parent.name}/{export.name}: exit {report.exit} {report.reason}")
    except Exception as error:
        problems.append(f"{type(error).__name__}: {error}"[:500])
    return problems


def _origin(export: Path) -> str:
    return str(json.loads(export.read_bytes().split(b"\n", 1)[0])["row"]["ledger_id"])


def _words(place: Path, study: five_days.Study) -> dict[str, tuple[object, ...]]:
    live = ("--live", place / "live", "--workers", 1, "--quiet")
    return {
        "emit": ("emit", study.plan, "--days-of", study.market.path, "--until", "2026-01-07", *live),
        "resolve": ("resolve", study.plan, *live),
        "join": ("data", "join", place / "live" / "days", "--out", place / "set", "--quiet"),
    }


def _of_command(name: str, folder: Path, days: int, published: tuple[str, ...]) -> Operation:
    """A command of the daily operation; what the engine replays is computed once, since it writes nothing."""
    study = five_days.make(folder / "study")

    def begin(start: Path) -> None:
        made = five_days.Study(study.plan, study.market, LiveFolder(start / "live"))
        five_days.emitted(made, days)
        for module in (emit_module, resolve_module):
            module.emit_window = _once(module.emit_window)  # type: ignore[attr-defined]

    return Operation(begin, lambda place: _commanded(*_words(place, study)[name]), published, _live_problems)


def _once(call: Callable[..., Any]) -> Callable[..., Any]:
    """Return ``call`` with its results kept by the end of what it replays."""
    kept: dict[object, Any] = {}

    def found(*arguments: Any, **options: Any) -> Any:
        key = options["until_ns"], options["with_history"]
        if key not in kept:
            kept[key] = call(*arguments, **options)
        return kept[key]

    return found


def _recorded(place: Path, patience_s: float) -> int:
    """Record three batches of two feeds over an hour's end; write into a file outside what was acknowledged."""
    hour = 3_600 * 10**9
    at = AT_NS // hour * hour + hour - 3 * 10**6
    now = iter(range(at, at + 10**9, 10**5))
    clocks = Clocks(lambda: next(now), lambda: next(now))
    disk_writer.RETRY_S = 0.001  # type: ignore[misc]
    code = acknowledged = 0
    try:
        with open_recording(place / "raw", clocks.wall_ns) as recording:
            writer = DiskWriter(recording, clocks)
            writer.start()
            try:
                for turn in range(3):
                    for feed in ("a-stream-0", "b-stream-0"):
                        records = [(at + turn * 2 * 10**6 + n, n, int(RecordKind.TEXT), b"%d" % n) for n in range(5)]
                        writer.put(Batch(feed, 2 * os.getpid() + (feed < "b"), 5 * turn, records, 100, None))
                    writer.log("disk", state="ok", free_bytes=turn)
                    while writer.written_bytes < 200 * (turn + 1) and not (writer.full or writer.problem):
                        time.sleep(0.0005)
            finally:
                try:
                    writer.stop(patience_s)
                finally:
                    acknowledged = writer.acknowledged
    except WriteError:
        code = 5
    (place.parent / "acknowledged").write_text(f"{acknowledged} {code}")
    return code


def _recording_problems(place: Path) -> list[str]:
    """What was acknowledged can be read, in order; what is in the chain is as it was closed."""
    problems = []
    try:
        stored = sum(1 for one in segments_of(place / "raw") for _ in read_records(one.path))
        acknowledged, code = map(int, (place.parent / "acknowledged").read_text().split())
        if stored < acknowledged:
            problems.append(f"{acknowledged} records were acknowledged, {stored} are there")
        lines = read_segment_chain(place / "raw")
        for line in lines:
            folder = control_path if line.connection == CONTROL else segment_path
            names = () if line.connection == CONTROL else (line.connection,)
            check_file(line, folder(place / "raw", *names, line.hour, line.part))
        known = {(line.connection, line.hour, line.part) for line in lines}
        closed = [(one.feed, one.hour, one.part) for one in segments_of(place / "raw")]
        closed += [(CONTROL, one.hour, one.part) for one in control_files(place / "raw")]
        problems += [f"{name} is in no line of the chain" for name in closed if not code and name not in known]
        # each number of a connection once and in order, whatever was refused in between
        numbers: dict[int, list[int]] = {}
        for one in segments_of(place / "raw"):
            for record in read_records(one.path):
                numbers.setdefault(record.connection, []).append(record.number)
        problems += [f"numbers {found}" for found in numbers.values() if found != list(range(len(found)))]
    except Exception as error:
        problems.append(f"{type(error).__name__}: {error}"[:500])
    return problems


def operation_of(name: str, folder: Path) -> Operation:
    """Return one of emit, resolve, join, record and "record, room again"; sealing is the first half of emit.

    Where there is room again the recorder goes on by itself, so a call has to end well unless it was refused as it
    began or ended.
    """
    ledgers = tuple(f"live/ledgers/{study}/{kind}.jsonl" for study in ("five-history", "five")
                    for kind in ("emit", "resolution"))  # fmt: skip
    if name == "emit":
        return _of_command(name, folder, 2, ("live/days/days.jsonl", *ledgers, "live/ledgers/five/judged.json"))
    if name == "resolve":
        return _of_command(name, folder, 3, ledgers)
    if name == "join":
        return _of_command(name, folder, 2, ("live/days/days.jsonl", "set/manifest.json"))
    again = name == "record, room again"
    return Operation(
        lambda _: None, lambda place: _recorded(place, 5.0 if again else 0.02), (), _recording_problems,
        3 if again else FOR_EVER, (0, 1),
    )  # fmt: skip


def main(name: str, folder: Path, step: int) -> dict[str, Any]:
    """Run one operation in ``folder`` at a time that does not move."""
    time.time_ns = lambda: AT_NS
    return run_all(operation_of(name, folder), folder, step)


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))))  # noqa: T201  # read by the test
