"""`cme data check` of a recording: what holds, what was changed, what is missing without a drop, and the gaps."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from backtest.data.raw.control_log import ControlEvent
from backtest.data.raw.gap_ledger import GapRow, gap_lines, gap_ms, gap_rows, of_span, read_gaps
from backtest.data.raw.segments import RawRecord, packed_records, segments_of
from backtest.record.recording import open_recording
from engine.errors import DataError
from tests.helpers.cli import RunCommand

NOON_NS = 1_796_126_400_000_000_000
ENDS = {"venue": "deribit", "feed": "deribit-stream-0", "connection": 1}


def gap(at_ns: int, from_ns: int, why: str = "closed", **streams: str) -> ControlEvent:
    fields = {**ENDS, "streams": streams, "from_ns": from_ns, "why": why, "proof": "seen"}
    return ControlEvent(at_ns, 0, "gap", fields)


def whole(at_ns: int, from_ns: int, why: str = "closed", **streams: int) -> ControlEvent:
    return ControlEvent(at_ns, 0, "whole", {**ENDS, "streams": streams, "from_ns": from_ns, "why": why})


def written(folder: Path, numbers: list[int], *events: ControlEvent) -> None:
    """A recording of one connection with records of these numbers."""
    with open_recording(folder, lambda: NOON_NS) as recording:
        records = [RawRecord(NOON_NS + n, n, 1, n, 1, b"message") for n in numbers]
        recording.write("deribit-stream-0", packed_records(records), NOON_NS)
        for event in events:
            recording.log(event)


def test_a_recording_that_holds(run_command: RunCommand, tmp_path: Path) -> None:
    drop = ControlEvent(NOON_NS, 0, "drop", {**ENDS, "first": 2, "last": 3, "records": 2, "why": "queue full"})
    written(
        tmp_path, [0, 1, 4], drop, gap(NOON_NS, NOON_NS, t="deribit:A"), whole(NOON_NS, NOON_NS, t=NOON_NS + 90 * 10**9)
    )

    done = run_command("data", "check", tmp_path)

    assert done.code == 0, done.err
    assert "2 files (0 not committed to yet), 3 records, 2 dropped, 0 bytes of torn tails" in done.out
    assert "gap: deribit:A: 1 gaps, 1.5 min (1 closed)" in done.out
    (row,) = json.loads(run_command("data", "check", tmp_path, "--json").out)["rows"]
    assert (row["instrument"], row["to_ns"] - row["from_ns"]) == ("deribit:A", 90 * 10**9)


def test_a_hole_without_a_drop_and_a_changed_file_are_named(run_command: RunCommand, tmp_path: Path) -> None:
    written(tmp_path, [0, 3])
    done = run_command("data", "check", tmp_path)
    assert (done.code, "expected number 1, was 3" in done.out) == (4, True)

    path = segments_of(tmp_path)[0].path
    path.write_bytes(path.read_bytes() + b"torn")
    done = run_command("data", "check", tmp_path)
    assert (done.code, "expected SHA-256" in done.out, "4 bytes of torn tails" in done.out) == (21, True, True)
    path.unlink()
    assert run_command("data", "check", tmp_path).code == 3


def test_gaps_are_folded_from_the_log() -> None:
    """A gap that a killed recorder left open ends with the next one's first whole message."""
    events = [
        gap(1, 10, "sequence", a="x:A", b="x:B"), whole(2, 10, "sequence", a=20),
        gap(3, 15, "off", b="x:B"), whole(4, 15, "off", b=30), gap(5, 40, a="x:A"),
    ]  # fmt: skip
    rows = gap_rows(events)

    assert [(r.instrument, r.from_ns, r.to_ns, r.why) for r in rows] == [
        ("x:A", 10, 20, "sequence"), ("x:A", 40, None, "closed"), ("x:B", 10, 30, "sequence"), ("x:B", 15, 30, "off"),
    ]  # fmt: skip
    assert [(r.from_ns, r.to_ns) for r in of_span(rows, 18, 45)] == [(18, 20), (40, 45), (18, 30), (18, 30)]
    ms = 1_000_000
    long = [r._replace(from_ns=r.from_ns * ms, to_ns=None if r.to_ns is None else r.to_ns * ms) for r in rows]
    assert gap_ms(long, 100 * ms) == {"x:A": 10 + 60, "x:B": 20}


def test_a_file_of_gaps_comes_back_and_another_form_is_named(tmp_path: Path) -> None:
    row = GapRow("x:A", "x", "a", 10, None, "closed", "code 1006")
    path = tmp_path / "gaps.jsonl"
    path.write_bytes(gap_lines([row, row._replace(to_ns=12)]))
    assert read_gaps(path) == [row, row._replace(to_ns=12)]
    for wrong in ({"to_ns": 9}, {"why": "weather"}, {"from_ns": "1"}, {"proof": None}):
        path.write_bytes(gap_lines([row]) + gap_lines([row._replace(**wrong)]))
        with pytest.raises(DataError, match="line 1"):
            read_gaps(path)
