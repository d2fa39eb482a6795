"""Checks a recording: chain, files, whole frames, running numbers, gaps.  [live L1]"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from backtest.data.raw.control_log import FOLDER, ControlEvent, control_files, control_path, read_control
from backtest.data.raw.gap_ledger import GapRow, gap_rows, gap_sentences
from backtest.data.raw.segment_chain import CHAIN_FILE, CONTROL, CommittedFile, check_file, read_segment_chain
from backtest.data.raw.segments import read_records, segment_path, segments_of, torn_bytes
from engine.errors import CmeError, DataError


@dataclass(frozen=True, slots=True)
class RecordingReport:
    """What a recording holds; ``exit_code`` is 0 if every file is as committed to and every hole has its drop.

    ``open_files`` are not committed to yet: their hour is not over, or their recorder was killed.  ``torn_bytes`` lie
    behind the last whole frame of their files.  ``gaps`` are lines for people, ``rows`` the gaps themselves.
    """

    exit_code: int
    problems: tuple[str, ...]
    files: int
    open_files: int
    records: int
    dropped: int
    torn_bytes: int
    chain_head: str
    gaps: tuple[str, ...]
    rows: tuple[GapRow, ...]


def is_recording(folder: Path) -> bool:
    """Return whether ``folder`` is one that `cme record` writes."""
    return (folder / CHAIN_FILE).is_file() or (folder / FOLDER).is_dir()


def check_recording(folder: Path, on_progress: Callable[[str, int, int | None], None]) -> RecordingReport:
    """Return the report on the recording in ``folder``; every file is read.

    Problems of files are in the report: 3 a file that is gone, 21 one that differs from the chain, 4 damage, or a hole
    in the numbers of a connection without a drop.  Raises ``DataError`` (4) for a broken chain.
    """
    lines = read_segment_chain(folder)
    problems = [problem for line in lines if (problem := _problem_of(folder, line))]
    committed = {(line.connection, line.hour, line.part) for line in lines}
    events, last_ns = list[ControlEvent](), 0
    for file in control_files(folder):
        try:
            events += read_control(file.path)
        except CmeError as error:
            problems.append(error)
    drops = _drops(events)
    records, torn, numbers = 0, 0, dict[int, int]()
    found = segments_of(folder)
    for place, segment in enumerate(found):
        on_progress(segment.path.name, place, len(found))
        try:
            for record in read_records(segment.path):
                expected = numbers.get(record.connection, 0)
                if record.number != expected and not set(range(expected, record.number)) <= drops[record.connection]:
                    problems.append(_hole(segment.path, record.connection, expected, record.number))
                numbers[record.connection] = record.number + 1
                last_ns = max(last_ns, record.wall_ns)
                records += 1
            torn += torn_bytes(segment.path)
        except CmeError as error:
            problems.append(error)
    rows = gap_rows(events)
    every = {(each.feed, each.hour, each.part) for each in found}
    every |= {(CONTROL, each.hour, each.part) for each in control_files(folder)}
    return RecordingReport(
        exit_code=next((code for code in (3, 21, 4) if code in {p.exit_code for p in problems}), 0),
        problems=tuple(str(problem) for problem in problems),
        files=len(every),
        open_files=len(every - committed),
        records=records,
        dropped=len(set().union(*drops.values())) if drops else 0,
        torn_bytes=torn,
        chain_head=lines[-1].head.hash if lines else "",
        gaps=tuple(gap_sentences(rows, last_ns)),
        rows=tuple(rows),
    )


def recording_text(report: RecordingReport) -> str:
    """Return the report as lines for people."""
    whole = "every file is as committed to, and every number is there or dropped"
    return "\n".join((
        f"{report.files} files ({report.open_files} not committed to yet), {report.records:,} records, "
        f"{report.dropped:,} dropped, {report.torn_bytes:,} bytes of torn tails",
        f"head of segments.jsonl {report.chain_head or 'none'}",
        *(f"gap: {line}" for line in report.gaps),
        *(f"problem: {line}" for line in report.problems),
        "the recording does not hold" if report.problems else whole,
    ))  # fmt: skip


def _problem_of(folder: Path, line: CommittedFile) -> CmeError | None:
    control = line.connection == CONTROL
    path = (
        control_path(folder, line.hour, line.part)
        if control
        else (segment_path(folder, line.connection, line.hour, line.part))
    )
    try:
        check_file(line, path)
    except CmeError as error:
        return error
    return None


class _Drops(dict[int, set[int]]):
    """Connection -> running numbers that were dropped."""

    def __missing__(self, connection: int) -> set[int]:
        return set()


def _drops(events: list[ControlEvent]) -> _Drops:
    found = _Drops()
    for event in events:
        if event.event == "drop":
            numbers = range(event.fields["first"], event.fields["last"] + 1)
            found.setdefault(event.fields["connection"], set()).update(numbers)
    return found


def _hole(path: Path, connection: int, expected: int, was: int) -> DataError:
    return DataError(
        f"{path}: connection {connection}: expected number {expected}, was {was}, and the control log names no drop of "
        "what lies between: records were lost or taken out"
    )
