"""Segments read back what was received, byte for byte, however the file was cut."""

from __future__ import annotations

import subprocess
import zlib
from pathlib import Path

import pytest

from backtest.data.raw.segments import (
    HEADER,
    RawRecord,
    RecordKind,
    frame,
    hour_of,
    packed_records,
    read_records,
    segment_path,
    segments_of,
    torn_bytes,
)
from engine.errors import DataError, MissingError

WALL_NS = 1_764_547_200_000_000_000  # 2025-12-01T00:00:00Z


def records(first: int, count: int) -> list[RawRecord]:
    return [
        RawRecord(WALL_NS + n, 7 + n, WALL_NS, n, RecordKind.TEXT, b'{"s":"\xc3\xa9","n":%d}' % n)
        for n in range(first, first + count)
    ]


@pytest.fixture
def segment(tmp_path: Path) -> Path:
    """A segment of three frames of four, one and three records."""
    path = tmp_path / "a.seg"
    path.write_bytes(b"".join(frame(packed_records(records(*piece))) for piece in ((0, 4), (4, 1), (5, 3))))
    return path


def test_records_come_back_as_they_were_written(segment: Path) -> None:
    assert list(read_records(segment)) == records(0, 8)
    assert torn_bytes(segment) == 0


def test_a_record_has_the_documented_bytes() -> None:
    """Written by hand from the table, so that another program can read it."""
    raw = packed_records([RawRecord(1, -2, 3, 4, 5, b"xyz")])

    by_hand = b"".join(
        n.to_bytes(size, "little", signed=True) for n, size in ((1, 8), (-2, 8), (3, 8), (4, 8), (5, 1), (3, 4))
    )
    assert raw == by_hand + b"xyz"


def test_the_tool_of_zstd_reads_a_segment(segment: Path) -> None:
    """The numbers before a frame are a skippable frame to every reader of zstd."""
    try:
        done = subprocess.run(["zstd", "-dc", str(segment)], capture_output=True, check=True)
    except FileNotFoundError:
        pytest.skip("no zstd here")
    assert done.stdout == packed_records(records(0, 8))


def test_a_file_cut_at_any_byte_loses_its_last_frame_only(segment: Path, tmp_path: Path) -> None:
    data = segment.read_bytes()
    ends = [len(frame(packed_records(records(*piece)))) for piece in ((0, 4), (4, 1), (5, 3))]
    whole = [(0, 0), (ends[0], 4), (ends[0] + ends[1], 5), (sum(ends), 8)]
    cut = tmp_path / "cut.seg"
    for size in range(len(data) + 1):
        cut.write_bytes(data[:size])
        start, count = max(each for each in whole if each[0] <= size)

        assert list(read_records(cut)) == records(0, count), size
        assert torn_bytes(cut) == size - start
        assert cut.stat().st_size == size, "a reader changes no file"


def test_a_changed_byte_is_damage_where_a_frame_follows_and_a_torn_tail_where_none_does(
    segment: Path, tmp_path: Path
) -> None:
    data = bytearray(segment.read_bytes())
    first = len(frame(packed_records(records(0, 4))))
    changed = tmp_path / "changed.seg"
    for at in range(first):
        changed.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
        with pytest.raises(DataError, match=rf"frame at byte 0: .* one follows at byte {first}"):
            list(read_records(changed))
    changed.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    assert list(read_records(changed)) == records(0, 5)


def test_a_frame_that_announces_more_than_the_limit_is_not_unpacked(tmp_path: Path) -> None:
    whole = bytearray(frame(packed_records(records(0, 1))))
    whole[12:16] = (2**32 - 1).to_bytes(4, "little")
    path = tmp_path / "a.seg"
    path.write_bytes(whole)

    assert list(read_records(path)) == []


def test_a_frame_whose_records_do_not_fill_it_is_named(tmp_path: Path) -> None:
    raw = packed_records(records(0, 1))
    for wrong, words in ((raw[:-1], "record of 16 bytes, was 15"), (raw + b"\0" * (HEADER.size - 1), "was 36 bytes")):
        path = tmp_path / "a.seg"
        path.write_bytes(frame(wrong))
        with pytest.raises(DataError, match=words):
            list(read_records(path))
    assert zlib.crc32(raw)


def test_segments_are_listed_by_feed_hour_and_part(tmp_path: Path) -> None:
    for feed, hour, part in (("b-1", "2026-12-01T08", 0), ("a-1", "2026-12-01T10", 0), ("a-1", "2026-12-01T09", 10),
                             ("a-1", "2026-12-01T09", 9)):  # fmt: skip
        path = segment_path(tmp_path, feed, hour, part)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (tmp_path / "raw" / "a-1" / "2026-12-01T09.seg").touch()

    assert [(s.feed, s.hour, s.part) for s in segments_of(tmp_path, "2026-12-01T09")] == [
        ("a-1", "2026-12-01T09", 9), ("a-1", "2026-12-01T09", 10), ("a-1", "2026-12-01T10", 0),
    ]  # fmt: skip
    assert [s.feed for s in segments_of(tmp_path, last_hour="2026-12-01T08")] == ["b-1"]
    assert hour_of(WALL_NS + 3_599_999_999_999) == "2025-12-01T00"


def test_a_segment_that_is_not_there_is_missing(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="expected the segment"):
        list(read_records(tmp_path / "none.seg"))
