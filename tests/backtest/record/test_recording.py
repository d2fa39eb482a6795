"""A recording is closed hour by hour, committed to, and taken up again after a kill."""

from __future__ import annotations

import os
from hashlib import sha256
from pathlib import Path

import pytest

from backtest.data.raw.control_log import ControlEvent, read_all_control
from backtest.data.raw.segment_chain import check_file, read_segment_chain
from backtest.data.raw.segments import RawRecord, packed_records, read_records, segment_path, segments_of
from backtest.record import recording as module
from backtest.record.recording import open_recording
from engine.errors import AppendError, DataError, MissingError

HOUR_NS = 3_600_000_000_000
NOON_NS = 1_796_126_400_000_000_000  # 2026-12-01T12:00:00Z


def now_ns() -> int:
    return NOON_NS


def record(n: int, wall_ns: int = NOON_NS) -> RawRecord:
    return RawRecord(wall_ns, n, 1, n, 1, b"message %d" % n)


def stop(at_ns: int) -> ControlEvent:
    return ControlEvent(at_ns, 0, "stop", {"reason": "done"})


def test_each_closed_file_is_a_line_of_the_chain(tmp_path: Path) -> None:
    with open_recording(tmp_path, now_ns) as recording:
        recording.write("a", packed_records([record(0)]), NOON_NS)
        recording.log(stop(NOON_NS))
        recording.write("b", packed_records([record(1)]), NOON_NS)
        assert recording.close_hours(NOON_NS + HOUR_NS - 1) == 0
        recording.write("a", packed_records([record(2)]), NOON_NS + HOUR_NS)
        assert recording.close_hours(NOON_NS + HOUR_NS) == 2  # b and the log; a was closed by its next frame

    lines = read_segment_chain(tmp_path)
    assert [(line.connection, line.hour) for line in lines] == [
        ("a", "2026-12-01T12"), ("control", "2026-12-01T12"), ("b", "2026-12-01T12"), ("a", "2026-12-01T13"),
    ]  # fmt: skip
    first = segment_path(tmp_path, "a", "2026-12-01T12", 0)
    assert (lines[0].sha256, lines[0].bytes) == (sha256(first.read_bytes()).hexdigest(), first.stat().st_size)
    assert list(read_all_control(tmp_path)) == [stop(NOON_NS)]


def test_a_changed_or_removed_file_is_named(tmp_path: Path) -> None:
    with open_recording(tmp_path, now_ns) as recording:
        recording.write("a", packed_records([record(0)]), NOON_NS)
    line, path = read_segment_chain(tmp_path)[0], segments_of(tmp_path)[0].path
    check_file(line, path)
    path.write_bytes(path.read_bytes() + b"x")
    with pytest.raises(DataError, match="expected SHA-256") as raised:
        check_file(line, path)
    assert raised.value.exit_code == 21
    path.unlink()
    with pytest.raises(MissingError, match=r"which segments\.jsonl names"):
        check_file(line, path)


def test_what_a_killed_recorder_left_is_committed_to_by_the_next(tmp_path: Path) -> None:
    """Its torn tail keeps its bytes; the next recorder writes a part of its own."""
    left = segment_path(tmp_path, "a", "2026-12-01T12", 0)
    left.parent.mkdir(parents=True)
    left.write_bytes(b"torn")
    with open_recording(tmp_path, now_ns):
        pass
    whole = (tmp_path / "segments.jsonl").read_bytes()
    (tmp_path / "segments.jsonl").write_bytes(whole + b'{"at_us"')

    with open_recording(tmp_path, now_ns) as recording:
        recording.write("a", packed_records([record(0)]), NOON_NS)

    lines = read_segment_chain(tmp_path)
    assert [(line.part, line.bytes) for line in lines] == [(0, 4), (1, segments_of(tmp_path)[1].path.stat().st_size)]
    assert left.read_bytes() == b"torn"
    assert [list(read_records(each.path)) for each in segments_of(tmp_path)] == [[], [record(0)]]


def test_a_clock_that_steps_back_goes_on_in_the_open_hour(tmp_path: Path) -> None:
    with open_recording(tmp_path, now_ns) as recording:
        recording.write("a", packed_records([record(0)]), NOON_NS)
        recording.write("a", packed_records([record(1, NOON_NS - 1)]), NOON_NS - 1)

    assert [(each.hour, len(list(read_records(each.path)))) for each in segments_of(tmp_path)] == [("2026-12-01T12", 2)]


def test_nothing_is_appended_after_a_torn_frame(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that takes half a frame: the frame is written again, into a new part."""
    write, room = os.write, [1_000_000]

    def until_full(handle: int, data: bytes) -> int:
        if not room[0]:
            raise OSError(28, "No space left on device")
        size = write(handle, data[: room[0]])
        room[0] -= size
        return size

    monkeypatch.setattr(module.os, "write", until_full)
    with open_recording(tmp_path, now_ns) as recording:
        recording.write("a", packed_records([record(0)]), NOON_NS)
        room[0] = 20
        with pytest.raises(OSError, match="No space"):
            recording.write("a", packed_records([record(1)]), NOON_NS)
        room[0] = 1_000_000
        recording.write("a", packed_records([record(1)]), NOON_NS)

    assert [list(read_records(each.path)) for each in segments_of(tmp_path)] == [[record(0)], [record(1)]]
    for line, each in zip(read_segment_chain(tmp_path), segments_of(tmp_path), strict=True):
        check_file(line, each.path)


def test_a_second_recorder_is_refused(tmp_path: Path) -> None:
    with (
        open_recording(tmp_path, now_ns),
        pytest.raises(AppendError, match="expected no other recorder") as raised,
        open_recording(tmp_path, now_ns),
    ):
        pass
    assert raised.value.exit_code == 42


def test_a_chain_with_a_line_taken_out_is_refused(tmp_path: Path) -> None:
    with open_recording(tmp_path, now_ns) as recording:
        for feed in ("a", "b", "c"):
            recording.write(feed, packed_records([record(0)]), NOON_NS)
    chain = tmp_path / "segments.jsonl"
    lines = chain.read_bytes().splitlines(keepends=True)
    chain.write_bytes(lines[0] + lines[2])
    with pytest.raises(DataError, match="line 1: expected number 1"):
        read_segment_chain(tmp_path)
