"""The readers of a recording for the fuzzer: segments, what lies in their frames, control log, chain and gaps.

Damage of a segment may be cut, flipped, doubled, swapped or grown: it ends with the whole frames before a torn tail or
with an error of ours that says where.  `segment_records` damages the bytes inside a frame whose sum is right.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from backtest.data.raw.control_log import ControlEvent, control_path, event_line, read_all_control
from backtest.data.raw.gap_ledger import GAPS_FILE, gap_lines, gap_ms, gap_rows, gap_sentences, of_span, read_gaps
from backtest.data.raw.segment_chain import CHAIN, CHAIN_FILE, read_segment_chain
from backtest.data.raw.segments import RawRecord, RecordKind, frame, packed_records, read_records, segment_path
from backtest.data.raw.segments import tail_records as tail
from engine.ledger.hash_chain import EMPTY, next_line

Read = Callable[[bytes, Path], None]
HOUR: Final = "2026-12-01T08"
FEED: Final = "deribit-stream-0"
_ENDS: Final = {"venue": "deribit", "feed": FEED, "connection": 3}
_STREAM: Final = "ticker.BTC-PERPETUAL.agg2"
_RECORDS: Final = [
    RawRecord(1, 1, 3, 0, RecordKind.SENT, b'{"method":"public/subscribe"}'),
    RawRecord(2, 2, 3, 1, RecordKind.TEXT, b'{"params":{"channel":"ticker.BTC-PERPETUAL.agg2","data":{}}}'),
    RawRecord(3, 3, 3, 2, RecordKind.TEXT, b""),
]
_EVENTS: Final = [
    ControlEvent(1, 1, "subscribe", {**_ENDS, "streams": {_STREAM: "deribit:BTC-PERPETUAL"}}),
    ControlEvent(2, 2, "heartbeat", {**_ENDS, "sent_ns": 1, "answered_ns": 2}),
    ControlEvent(3, 3, "gap", {**_ENDS, "streams": {_STREAM: "deribit:BTC-PERPETUAL"}, "from_ns": 2, "why": "closed",
                               "proof": "code 1006"}),
    ControlEvent(5, 5, "whole", {**_ENDS, "streams": {_STREAM: 5}, "from_ns": 2, "why": "closed"}),
]  # fmt: skip


def recording_readers() -> tuple[tuple[str, str, tuple[bytes, ...], Read], ...]:
    """Return name, shape of damage, whole files and reading of each file of a recording."""
    packed = packed_records(_RECORDS)
    one = frame(packed)
    fields = {"at_us": 1, "bytes": len(one), "connection": FEED, "hour": HOUR, "part": 0, "sha256": "a" * 64}
    first, line = next_line(CHAIN, EMPTY, fields)
    second = next_line(CHAIN, first, {**fields, "part": 1})[1]
    log = b"".join(map(event_line, _EVENTS))
    return (
        ("segment", "bytes", (one, one * 3), _segment),
        ("segment records", "bytes", (packed, packed * 2), _segment_records),
        ("control log", "lines", (log, log * 2), _control_log),
        ("segment chain", "lines", (line + b"\n" + second + b"\n",), _chain),
        ("gaps", "lines", (gap_lines(gap_rows(_EVENTS)) * 2,), _gaps),
    )


def _segment(data: bytes, place: Path) -> None:
    path = segment_path(place, FEED, HOUR, 0)
    path.parent.mkdir(parents=True)
    path.write_bytes(data)
    list(tail(path, 2))
    list(read_records(path))


def _segment_records(data: bytes, place: Path) -> None:
    _segment(frame(data), place)


def _control_log(data: bytes, place: Path) -> None:
    path = control_path(place, HOUR, 0)
    path.parent.mkdir(parents=True)
    path.write_bytes(data)
    rows = gap_rows(read_all_control(place))
    gap_sentences(of_span(rows, 0, 10), 10)


def _chain(data: bytes, place: Path) -> None:
    (place / CHAIN_FILE).write_bytes(data)
    read_segment_chain(place)


def _gaps(data: bytes, place: Path) -> None:
    (place / GAPS_FILE).write_bytes(data)
    gap_ms(read_gaps(place / GAPS_FILE), 10)
