"""The days of a recording: raw segments, read once, to canonical rows; none lies in a declared gap.  [live L2.1]"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
import pyarrow as pa

from backtest.data.adapters import rows
from backtest.data.adapters.instruments import table as listed
from backtest.data.format.dataset import SourceNote
from backtest.data.format.schema import LAG, RECORDED_SCHEMA, REFRESHED, VALUE_COLUMNS, Channel, instruments_from_frame
from backtest.data.raw.control_log import ControlEvent, read_all_control
from backtest.data.raw.gap_ledger import GapRow, gap_rows, of_span
from backtest.data.raw.segment_chain import CommittedFile, check_file, head_of, read_segment_chain
from backtest.data.raw.segments import RawRecord, RecordKind, Segment, hour_of, read_records, segments_of
from backtest.live.clock_bounds import ClockBounds, largest_bound_ns
from backtest.live.dated_intervals import of_recorded_day
from backtest.live.day_source import Gap, SourcedDay
from backtest.live.message_rows import VENUES, MessageRows, read_answer, read_stream
from backtest.live.refresh import Refresh, beats_of, with_lags
from engine.errors import DataError, MissingError
from engine.records import BoolArray, Instruments, IntArray
from engine.units import NS_PER_DAY, NS_PER_HOUR

LATER_NS: Final = 2 * NS_PER_HOUR
"""How long after midnight the settlements and deliveries of a day may still be answered."""
ADAPTER: Final = "recording"


@dataclass(frozen=True, slots=True)
class RawSource:
    """The days of the recording in ``folder``, which `cme record` writes."""

    folder: Path

    @property
    def name(self) -> str:
        return "recording"

    @property
    def synthetic(self) -> bool:
        return False

    @property
    def notes(self) -> tuple[SourceNote, ...]:
        return (SourceNote(self.name, ADAPTER, "stored messages of ../shared/data/raw-messages", ()),)

    def span(self) -> tuple[int, int] | None:
        """Return the first and the last whole day that the recording has begun; None where it has no segment."""
        hours = sorted({segment.hour for segment in segments_of(self.folder)})
        return (_day_of(hours[0]), _day_of(hours[-1])) if hours else None

    def read(self, day: int) -> SourcedDay:
        """Return the rows of ``day`` by receipt, those of settlements and deliveries by their nominal time.

        Raises ``DataError``: 21 for a segment that is not what its chain says, 4 for a message of a known form whose
        values are not; ``MissingError`` (3) for a segment that the chain names and that is gone.
        """
        start, end = day * NS_PER_DAY, (day + 1) * NS_PER_DAY
        segments = segments_of(self.folder, hour_of(start), hour_of(end + LATER_NS))
        chain = read_segment_chain(self.folder)
        used = _checked(chain, segments)
        events = list(read_all_control(self.folder, last_hour=hour_of(end)))
        gaps = of_span(gap_rows(events), start, end)
        found = MessageRows(ahead_ns=ClockBounds(events).upper_ns)
        refresh = Refresh(beats_of(events))
        for record, venue, where, request in _records(segments):
            if record.kind == RecordKind.ANSWER:
                read_answer(venue, record.wall_ns, request, record.body, found, where)
            elif start <= record.wall_ns < end:
                read_stream(venue, record.wall_ns, record.body, found, where)
                refresh.see(venue, record.connection, record.wall_ns, found.on_change)
        frame = _of_day(found, start, end, gaps, refresh)
        listings, steps, unknown = of_recorded_day(found.listings, found.intervals, day)
        instruments = instruments_from_frame(listed(listings.values())) if listings else _none()
        return SourcedDay(
            day,
            instruments,
            _tables(frame, instruments),
            tuple(Gap(row.instrument, row.from_ns, end if row.to_ns is None else row.to_ns, row.why, row.proof[:500])
                  for row in gaps),
            _up_shares(events, gaps, start, end),
            tuple((f"{line.connection}/{line.hour}.{line.part}", line.sha256) for line in used),
            head_of(chain).hash if chain else None,
            largest_bound_ns(events, start, end),
            steps,
            unknown,
        )  # fmt: skip


def _day_of(hour: str) -> int:
    return int(np.datetime64(hour[:10], "D").astype(np.int64))


def _checked(chain: Sequence[CommittedFile], segments: Sequence[Segment]) -> list[CommittedFile]:
    """Return the chain's lines of ``segments``, each file hashed; a segment in no line is not closed yet."""
    lines = {(line.connection, line.hour, line.part): line for line in chain}
    used = []
    for segment in segments:
        line = lines.get((segment.feed, segment.hour, segment.part))
        if line is None:
            raise MissingError(
                f"{segment.path}: expected the closed file of a recording, was in no line of segments.jsonl: it is "
                "still written; the next hour closes it"
            )
        check_file(line, segment.path)
        used.append(line)
    return used


def _records(segments: Sequence[Segment]) -> Iterator[tuple[RawRecord, str, str, bytes]]:
    """Yield each message that may give rows, with its venue, its place for messages, and the request it answers."""
    for segment in segments:
        venue = next((name for name in VENUES if segment.feed.startswith(name)), None)
        if venue is None:
            raise DataError(f"{segment.path}: expected a feed of {', '.join(VENUES)}, was {segment.feed}")
        asked: dict[tuple[int, int], bytes] = {}
        for record in read_records(segment.path):
            where = f"{segment.path.name} of {segment.feed}, message {record.number}"
            if record.kind == RecordKind.REQUEST:
                asked[record.connection, record.number + 1] = record.body
            elif record.kind == RecordKind.ANSWER:
                yield record, venue, where, asked.pop((record.connection, record.number), b"")
            elif record.kind == RecordKind.TEXT:
                yield record, venue, where, b""


def _of_day(found: MessageRows, start: int, end: int, gaps: Sequence[GapRow], refresh: Refresh) -> pd.DataFrame:
    """Return the rows of a day, of each (channel, time, instrument) the last, none inside a gap of its instrument.

    Quotes have their lag; those of streams sent on change are repeated, refreshed (`backtest.live.refresh`).
    """
    frames = [frame.reindex(columns=["channel", "t_ns", "name", *VALUE_COLUMNS]) for frame in found.frames("recording")]
    if not frames:
        return pd.DataFrame(columns=["channel", "t_ns", "name", *VALUE_COLUMNS, LAG, REFRESHED])
    frame = with_lags(rows.last_of_each(rows.together(*frames)), found.lags)
    frame = frame[(frame["t_ns"] >= start) & (frame["t_ns"] < end)]
    # an index or a size of 0 is kept; a row whose values are all absent says nothing
    said = frame[list(VALUE_COLUMNS)].notna().any(axis=1) | (frame["channel"] == int(Channel.QUOTE))
    # settlements and deliveries are facts of their own time, whatever stream was down
    streamed = ~frame["channel"].isin([int(Channel.SETTLE), int(Channel.DELIVERY)])
    inside = _inside(frame["name"].to_numpy(dtype=object), frame["t_ns"].to_numpy(np.int64), gaps)
    frame = frame[said & ~(streamed & inside)]
    again = refresh.rows(frame[frame["channel"] == int(Channel.QUOTE)], gaps)
    return pd.concat([frame, again], ignore_index=True) if len(again) else frame


def _inside(names: object, t_ns: IntArray, gaps: Sequence[GapRow]) -> BoolArray:
    """Return which rows lie in a gap of their instrument, both ends left out: they are messages that stand."""
    own = np.asarray(names, dtype=object)
    inside = np.zeros(len(t_ns), dtype=bool)
    for gap in gaps:
        to_ns = np.iinfo(np.int64).max if gap.to_ns is None else gap.to_ns
        inside |= (own == gap.instrument) & (t_ns > gap.from_ns) & (t_ns < to_ns)
    return inside


def _tables(frame: pd.DataFrame, instruments: Instruments) -> dict[str, pa.Table]:
    code = {name: at for at, name in enumerate(instruments.name)}
    frame = frame.assign(code=[code[name] for name in frame["name"]], channel=frame["channel"].astype(np.uint8))
    underlying = np.array([instruments.underlying[at] for at in frame["code"]], dtype=object)
    tables = {}
    for name in sorted(set(underlying)):
        part = frame[underlying == name].astype({"code": np.int32, "t_ns": np.int64})
        part = part.astype({**dict.fromkeys(VALUE_COLUMNS, np.float64), REFRESHED: bool})[RECORDED_SCHEMA.names]
        tables[str(name)] = pa.Table.from_pandas(part, RECORDED_SCHEMA, preserve_index=False)
    return tables


def _none() -> Instruments:
    from backtest.live.recode import instruments_of

    return instruments_of(())


def _up_shares(events: Sequence[ControlEvent], gaps: Sequence[GapRow], start: int, end: int) -> dict[str, float]:
    """Return feed -> share of the day's minutes in which none of its streams was in a gap, and it was subscribed."""
    minutes = np.zeros((end - start) // (60 * 10**9), dtype=bool)
    begun: dict[str, int] = {}
    streams: dict[str, set[str]] = {}
    for event in events:
        if event.event == "subscribe":
            feed = event.fields["feed"]
            begun[feed] = min(begun.get(feed, event.at_ns), event.at_ns)
            streams.setdefault(feed, set()).update(event.fields["streams"])
    shares = {}
    for feed, own in sorted(streams.items()):
        down = minutes.copy()
        down[: max(0, -(-(begun[feed] - start) // (60 * 10**9)))] = True
        for gap in gaps:
            if gap.stream in own:
                to_ns = end if gap.to_ns is None else gap.to_ns
                down[(gap.from_ns - start) // (60 * 10**9) : -(-(to_ns - start) // (60 * 10**9))] = True
        shares[feed] = float(1 - down.mean())
    return shares
