"""Segments: files of whole zstd frames that hold the bytes of venue messages with their stamps.  [live L1]

    DIR/raw/<feed>/<hour>.<part>.seg      deribit-1/2026-12-01T08.0.seg; part 1, 2, ... after a restart in that hour

    segment = frame*
    frame   = skippable zstd frame of 12 bytes (packed bytes u32, raw bytes u32, CRC-32 of the packed bytes u32)
              + zstd frame, the packed bytes
    raw     = record*
    record  = wall_ns i64, mono_ns i64, connection u64, number u64, kind u8, size u32 (little endian), then size bytes

``zstd -dc`` reads a segment too: it passes over skippable frames.  A frame is flushed to the disk before the next one
is written, so a kill or a power loss spoils the last frame at most.  That torn tail is cut when read, never in the
file: a file once written keeps its bytes, and `backtest.data.raw.segment_chain` commits to all of them.
"""

from __future__ import annotations

import re
import zlib
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import IntEnum
from functools import cache
from pathlib import Path
from struct import Struct
from typing import Any, Final, NamedTuple

import pyarrow as pa

from backtest.limits import SEGMENT_FRAME_BYTES
from engine.errors import DataError, MissingError
from engine.units import NS_PER_SECOND

HEADER: Final = Struct("<qqQQBI")
"""The stamps of a record, before its bytes."""
RAW: Final = "raw"
"""Folder of the segments in a recording."""
FEED: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,63}", re.ASCII)
"""Name of a feed: a slot of the recorder that has one connection at a time, or two while one takes over."""
_NAME: Final = re.compile(r"(\d{4}-\d\d-\d\dT\d\d)\.(\d{1,6})\.seg", re.ASCII)
_BEFORE: Final = Struct("<IIIII")  # magic, bytes that follow in the skippable frame, and its three numbers
_SKIPPABLE: Final = 0x184D2A50
_NUMBERS: Final = 12


class RecordKind(IntEnum):
    """What the bytes of a record are."""

    TEXT = 1
    """A text message of the venue."""
    BINARY = 2
    """A binary message of the venue."""
    SENT = 3
    """A text message of ours: a subscription, an answer to a heartbeat."""
    REQUEST = 4
    """A REST request of ours: ``GET <url>``, or ``POST <url>``, LF, body.  Its answer has the same connection and the
    next number; a request without one was refused, as the control log says."""
    ANSWER = 5
    """The body of a REST answer with status 200."""


class RawRecord(NamedTuple):
    """One message as it was received, byte for byte.

    ``wall_ns`` and ``mono_ns`` are the clocks at the receipt (for SENT and REQUEST: before sending).  ``connection``
    is the wall time in ns at which the connection was opened, raised until no other of the recording has it: the
    control log says under that number which feed and address it is.  ``number`` counts what one connection sent and
    received from 0 without a hole: a hole is a recorded drop.
    """

    wall_ns: int
    mono_ns: int
    connection: int
    number: int
    kind: int
    body: bytes


Stamped = tuple[int, int, int, bytes]
"""Wall time, monotonic time, kind and bytes of a record: what a batch of one connection holds of each."""


@dataclass(frozen=True, slots=True, order=True)
class Segment:
    """One file of a recording.  ``hour`` is the UTC hour of its records, ``2026-12-01T08``.

    Records lie in the segment of the hour of their ``wall_ns``, but for those after a step back of the clock, which
    lie in the hour that was open: whoever wants all records of a day reads the day's hours and looks at ``wall_ns``.
    """

    feed: str
    hour: str
    part: int
    path: Path


def packed_records(records: Iterable[RawRecord]) -> bytes:
    """Return the raw bytes of ``records``, one after another.

    Examples
    --------
    >>> len(packed_records([RawRecord(1, 2, 3, 4, RecordKind.TEXT, b"{}")])) == HEADER.size + 2
    True
    """
    pack = HEADER.pack
    return b"".join(
        [pack(wall, mono, link, number, kind, len(body)) + body for wall, mono, link, number, kind, body in records]
    )


def packed_batch(connection: int, first: int, batch: Iterable[Stamped]) -> bytes:
    """Return the raw bytes of what one connection sent and received, numbered from ``first`` on without a hole.

    Examples
    --------
    >>> one = packed_records([RawRecord(1, 2, 3, 4, RecordKind.TEXT, b"{}")])
    >>> packed_batch(3, 4, [(1, 2, RecordKind.TEXT, b"{}")]) == one
    True
    """
    pack = HEADER.pack
    return b"".join(
        [
            pack(wall, mono, connection, number, kind, len(body)) + body
            for number, (wall, mono, kind, body) in enumerate(batch, first)
        ]
    )


def frame(raw: bytes) -> bytes:
    """Return the frame of the raw bytes of whole records: what is appended to a segment in one write."""
    packed: bytes = _zstd().compress(raw, asbytes=True)
    return _BEFORE.pack(_SKIPPABLE, _NUMBERS, len(packed), len(raw), zlib.crc32(packed)) + packed


def segments_of(folder: Path, first_hour: str = "", last_hour: str = "9") -> list[Segment]:
    """Return the segments of the recording in ``folder`` from the first to the last hour, both included, sorted.

    Sorted by feed, hour and part.  Empty where nothing is recorded; files of other names are not segments.
    """
    found = []
    for path in (folder / RAW).glob("*/*.seg"):
        named = _NAME.fullmatch(path.name)
        if named and FEED.fullmatch(path.parent.name) and first_hour <= named[1] <= last_hour:
            found.append(Segment(path.parent.name, named[1], int(named[2]), path))
    return sorted(found)


def hour_of(wall_ns: int) -> str:
    """Return the UTC hour of a wall time in ns, as files are named.

    Examples
    --------
    >>> hour_of(1_796_112_000_000_000_000)
    '2026-12-01T08'
    """
    return datetime.fromtimestamp(wall_ns // NS_PER_SECOND, UTC).strftime("%Y-%m-%dT%H")


def segment_path(folder: Path, feed: str, hour: str, part: int) -> Path:
    """Return where the segment of a feed, an hour and a part lies in the recording in ``folder``."""
    return folder / RAW / feed / f"{hour}.{part}.seg"


def read_records(path: Path) -> Iterator[RawRecord]:
    """Yield the records of a segment in the order in which they were received; a torn tail is left out.

    Raises ``MissingError`` (3) if the file cannot be read, ``DataError`` (4) with the offset of a damaged frame or
    record that is not the file's last.
    """
    for offset, raw in read_frames(path):
        yield from _records(raw, f"{path}: frame at byte {offset}")


def tail_records(path: Path, frames: int) -> Iterator[RawRecord]:
    """Yield the records of the last ``frames`` whole frames of a segment, in the order in which they were received.

    Frames before them are passed over by their headers, unread: for a look at a segment that is being written.  What
    follows a damaged header is not found; `read_records` says where that is.  Raises as `read_records`.
    """
    last: deque[tuple[int, int]] = deque(maxlen=frames)
    try:
        with path.open("rb") as stream:
            offset, size = 0, path.stat().st_size
            while len(head := stream.read(_BEFORE.size)) == _BEFORE.size:
                magic, numbers, packed, *_ = _BEFORE.unpack(head)
                end = offset + _BEFORE.size + packed
                if (magic, numbers) != (_SKIPPABLE, _NUMBERS) or end > size:
                    break
                last.append((offset, end - offset))
                stream.seek(offset := end)
            for offset, length in last:
                stream.seek(offset)
                found = _frame_at(stream.read(length), 0)
                if found is not None:
                    yield from _records(found[1], f"{path}: frame at byte {offset}")
    except OSError as error:
        raise MissingError(f"expected the segment {path}, was: {error.strerror or error}") from error


def _records(raw: bytes, where: str) -> Iterator[RawRecord]:
    size = HEADER.size
    unpack = HEADER.unpack_from
    at, end = 0, len(raw)
    while at < end:
        if at + size > end:
            raise DataError(f"{where}: expected a whole record, was {end - at} bytes")
        wall, mono, link, number, kind, length = unpack(raw, at)
        at += size
        if at + length > end:
            raise DataError(f"{where}: expected a record of {length} bytes, was {end - at}")
        yield RawRecord(wall, mono, link, number, kind, raw[at : at + length])
        at += length


def read_frames(path: Path) -> Iterator[tuple[int, bytes]]:
    """Yield the offset and the raw bytes of each whole frame of a segment; a torn tail is left out.

    What cannot be read is the torn tail if no whole frame comes after it: a power loss may leave the announced length
    with other bytes.  Otherwise it is damage.  Raises as `read_records`.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise MissingError(f"expected the segment {path}, was: {error.strerror or error}") from error
    offset = 0
    while offset < len(data):
        found = _frame_at(data, offset)
        if found is None:
            if (after := _next_frame(data, offset + 1)) is not None:
                raise DataError(
                    f"{path}: frame at byte {offset}: expected a whole frame, was damaged, and one follows at byte "
                    f"{after}: bring the file back from a copy; its hash stands in segments.jsonl"
                )
            return
        end, raw = found
        yield offset, raw
        offset = end


def torn_bytes(path: Path) -> int:
    """Return how many bytes of a segment are its torn tail, 0 where it is whole.  Raises as `read_records`."""
    whole = 0
    for offset, _ in read_frames(path):
        with path.open("rb") as stream:
            stream.seek(offset)
            whole = offset + _BEFORE.size + _BEFORE.unpack(stream.read(_BEFORE.size))[2]
    return path.stat().st_size - whole


def _frame_at(data: bytes, offset: int) -> tuple[int, bytes] | None:
    """Return the end and the raw bytes of the whole frame at ``offset``, or None."""
    start = offset + _BEFORE.size
    if start > len(data):
        return None
    magic, numbers, size, raw_size, check = _BEFORE.unpack_from(data, offset)
    if (magic, numbers) != (_SKIPPABLE, _NUMBERS) or start + size > len(data) or raw_size > SEGMENT_FRAME_BYTES:
        return None
    packed = data[start : start + size]
    if zlib.crc32(packed) != check:
        return None
    try:
        raw: bytes = _zstd().decompress(packed, raw_size, asbytes=True)
    except OSError:
        return None
    return start + size, raw


def _next_frame(data: bytes, offset: int) -> int | None:
    mark = _BEFORE.pack(_SKIPPABLE, _NUMBERS, 0, 0, 0)[:8]
    while (offset := data.find(mark, offset)) >= 0:
        if _frame_at(data, offset) is not None:
            return offset
        offset += 1
    return None


@cache
def _zstd() -> Any:
    return pa.Codec("zstd", compression_level=1)
