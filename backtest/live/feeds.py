"""The state of each stream of a recording, from its control log and its newest messages.  [live L3]"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from backtest.data.adapters import cells
from backtest.data.panels.asof import MAX_LAG_NS
from backtest.data.raw.control_log import ControlEvent, read_all_control
from backtest.data.raw.gap_ledger import GapRow, gap_rows, of_span
from backtest.data.raw.segments import RecordKind, Segment, hour_of, segments_of, tail_records
from backtest.record.venue_file import RULES
from backtest.record.venues.rules import Verdict
from engine.errors import CmeError
from engine.units import MICRO, NS_PER_DAY, NS_PER_MS, NS_PER_SECOND, NS_PER_US

STATES: Final = {
    "live": "messages come and none is missing",
    "late": "they come, later than the limit",
    "gap": "a sequence was broken and is not whole again",
    "failing": "dropped, silent, refused or closed",
    "off": "not subscribed, or no recorder runs",
}
"""The states of a stream, and what they mean."""
_FAILING: Final = ("silence", "drop", "refused", "closed")
STALE_NS: Final = 2 * 3600 * NS_PER_SECOND
"""A recording whose newest segment is older has stopped."""
TAIL_FRAMES: Final = 180
"""Frames of a feed whose messages are looked at, a second each: three times the longest silence that a stream may
keep."""
_EVENT_OF: Final = {
    "binance": ("data", "E"),
    "deribit": ("params", "data", "timestamp"),
    "hyperliquid": ("data", "time"),
}
"""Where the messages of a venue state the time of their event, in ms; a form without one has no lag."""


def time_text(at_us: int) -> str:
    """Return a time in microseconds since 1970-01-01 UTC to the second, ``2026-12-01 02:30:00 UTC``."""
    return f"{datetime.fromtimestamp(at_us // MICRO, UTC):%Y-%m-%d %H:%M:%S} UTC"


@dataclass(frozen=True, slots=True)
class LastMessage:
    """The newest message of a stream: its receipt, and the time of its event where it states one, both in ns."""

    receipt_ns: int
    event_ns: int | None

    @property
    def lag_ns(self) -> int | None:
        """The receipt less the event; below 0 where the venue's clock is ahead of ours."""
        return None if self.event_ns is None else self.receipt_ns - self.event_ns


def feed_states(raw: Path, now_us: int) -> Iterator[dict[str, Any]]:
    """Yield the state of each stream of the recording in ``raw``, by venue, feed and stream.

    ``last_receipt_us``, ``last_event_us`` and ``lag_ms`` are of its newest message among the last of its feed; None
    where it has none there, or where its form states no event.  A stream is ``late`` while that lag is over
    ``lag_limit_ms``: rows of such messages are not used.  [live L0.4]
    """
    now_ns = now_us * NS_PER_US
    events = list(read_all_control(raw))
    gaps = gap_rows(events)
    segments = segments_of(raw, hour_of(now_ns - STALE_NS))
    running = {one.feed for one in segments} if not _stopped(events) else set()
    clocks, connects, dropped, streams = _folded(events)
    newest: dict[str, dict[str, LastMessage]] = {}
    for (venue, feed, stream), instrument in sorted(streams.items()):
        if feed not in newest:
            newest[feed] = last_messages(venue, [one for one in segments if one.feed == feed])
        last = newest[feed].get(stream)
        own = [gap for gap in gaps if gap.stream == stream and gap.venue == venue]
        today = of_span(own, now_ns // NS_PER_DAY * NS_PER_DAY, now_ns)
        lag_ns = None if last is None else last.lag_ns
        yield {
            "venue": venue, "feed": feed, "stream": stream, "instrument": instrument,
            "state": _state(own, feed in running, lag_ns),
            "last_event_us": None if last is None or last.event_ns is None else last.event_ns // NS_PER_US,
            "last_receipt_us": None if last is None else last.receipt_ns // NS_PER_US,
            "lag_ms": None if lag_ns is None else lag_ns // NS_PER_MS,
            "lag_limit_ms": MAX_LAG_NS // NS_PER_MS,
            "dropped": dropped.get(feed, 0),
            "gap_minutes": round(sum((gap.to_ns or now_ns) - gap.from_ns for gap in today) / 6e10, 1),
            "reconnects": max(0, connects.get(feed, 0) - 1),
            "clock_bound_us": clocks.get(venue),
        }  # fmt: skip


def last_messages(venue: str, segments: Sequence[Segment]) -> dict[str, LastMessage]:
    """Return stream -> its newest message among the last of a feed's ``segments``, which are sorted.

    ``venue`` is the name of the feed's file.  A message of no stream is passed over; so is one that is no JSON.
    """
    rules = next((name for name in RULES if venue.startswith(name)), None)
    if rules is None:
        return {}
    sequence, found = RULES[rules].sequence, dict[str, tuple[int, bytes]]()
    # the newest file of an hour that has just begun holds little
    for segment in segments[-2:]:
        for record in tail_records(segment.path, TAIL_FRAMES):
            if record.kind == RecordKind.TEXT:
                step = sequence(record.body, {})
                if step.verdict != Verdict.OTHER:
                    found[step.stream.decode("utf-8", "replace")] = (record.wall_ns, record.body)
    return {stream: LastMessage(wall_ns, _event_ns(rules, body)) for stream, (wall_ns, body) in found.items()}


def _event_ns(rules: str, body: bytes) -> int | None:
    """Return the time of a message's event; None where it states none, or is not of its form."""
    try:
        value = cells.json_value(body, rules)
    except CmeError:
        return None
    for key in _EVENT_OF[rules]:
        value = value.get(key) if isinstance(value, dict) else None
    return value * NS_PER_MS if type(value) is int else None


def _folded(
    events: Iterable[ControlEvent],
) -> tuple[dict[str, int], dict[str, int], dict[str, int], dict[tuple[str, str, str], str]]:
    """Return clock bound by venue (us), connections and records dropped by feed, and instrument by stream."""
    clocks: dict[str, int] = {}
    connects: dict[str, int] = {}
    dropped: dict[str, int] = {}
    streams: dict[tuple[str, str, str], str] = {}
    for event in events:
        fields: Mapping[str, Any] = event.fields
        if event.event == "clock":
            t1, server, t2, unit = (fields[key] for key in ("t1_ns", "server_ns", "t2_ns", "server_unit_ns"))
            clocks[fields["venue"]] = max(abs(server - t2), abs(server + unit - t1)) // NS_PER_US
        elif event.event == "connect":
            connects[fields["feed"]] = connects.get(fields["feed"], 0) + 1
        elif event.event == "drop":
            dropped[fields["feed"]] = dropped.get(fields["feed"], 0) + fields["records"]
        elif event.event == "subscribe":
            for stream, instrument in fields["streams"].items():
                streams[fields["venue"], fields["feed"], stream] = instrument
        elif event.event == "universe":
            # an expired contract is expected no longer, whatever its streams were in
            gone = {(fields["venue"], symbol) for symbol in fields["gone"]}
            streams = {key: name for key, name in streams.items() if (key[0], name.partition(":")[2]) not in gone}
    return clocks, connects, dropped, streams


def _stopped(events: Sequence[ControlEvent]) -> bool:
    lives = [event.event for event in events if event.event in ("start", "stop")]
    return not lives or lives[-1] == "stop"


def _state(gaps: Sequence[GapRow], running: bool, lag_ns: int | None) -> str:
    unended = [gap.why for gap in gaps if gap.to_ns is None]
    if not running:
        return "off"
    if unended:
        return "failing" if any(why in _FAILING for why in unended) else "off" if "off" in unended else "gap"
    return "late" if lag_ns is not None and lag_ns > MAX_LAG_NS else "live"
