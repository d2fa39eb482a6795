"""Repeats the last quote of a stream that is sent on change while its connection shows that nothing changed.  [L0.4]

In each minute, at the last message of a connection, each quote of it whose stream is sent on change is repeated with
the time of that message, if

- the quote is the last of its instrument, came on this connection, and was not late;
- the venue answered a heartbeat on the connection in the `ANSWERED_NS` before the message;
- no gap of the instrument reaches into the time since the quote.

The row keeps, as its lag, the age that the quote has without that.  What a stream said on the day before is not
repeated: it is refreshed from its first message of the day on.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import numpy as np
import pandas as pd

from backtest.data.format.schema import LAG, REFRESHED, Channel
from backtest.data.panels.asof import MAX_LAG_NS
from backtest.data.raw.control_log import ControlEvent
from backtest.data.raw.gap_ledger import GapRow
from engine.units import NS_PER_SECOND

ANSWERED_NS: Final = 15 * NS_PER_SECOND
"""Registered: for so long an answered heartbeat shows that a connection is alive.  [live L0.4]"""
MINUTE_NS: Final = 60 * NS_PER_SECOND
Connection = tuple[str, int]
"""A feed file's name and the number of a connection."""


def beats_of(events: Iterable[ControlEvent]) -> dict[Connection, list[int]]:
    """Return when heartbeats were answered, ns ascending, by connection."""
    beats: dict[Connection, list[int]] = {}
    for event in events:
        if event.event == "heartbeat":
            key = event.fields["venue"], event.fields["connection"]
            beats.setdefault(key, []).append(event.fields["answered_ns"])
    return {key: sorted(answered) for key, answered in beats.items()}


class Refresh:
    """The connections of a day as their messages are read: the last message of each minute, and what was said there."""

    def __init__(self, beats: Mapping[Connection, Sequence[int]]) -> None:
        self._beats = beats
        self._last: dict[Connection, dict[int, int]] = {}
        self._own: dict[Connection, dict[str, list[int]]] = {}

    def see(self, venue: str, connection: int, wall_ns: int, on_change: list[tuple[int, str]]) -> None:
        """Note a message received at ``wall_ns``, and take the quotes (receipt, instrument) that it added."""
        key = venue, connection
        minutes = self._last.setdefault(key, {})
        minute = wall_ns // MINUTE_NS
        minutes[minute] = max(wall_ns, minutes.get(minute, wall_ns))
        own = self._own.setdefault(key, {})
        while on_change:
            t_ns, name = on_change.pop()
            own.setdefault(name, []).append(t_ns)

    def rows(self, quotes: pd.DataFrame, gaps: Sequence[GapRow]) -> pd.DataFrame:
        """Return the repeated rows, with the columns of ``quotes``; ``gaps`` are those of the day."""
        of_name = dict(iter(quotes.groupby("name", sort=True))) if len(quotes) else {}
        gaps_of: dict[str, list[GapRow]] = {}
        for gap in gaps:
            gaps_of.setdefault(gap.instrument, []).append(gap)
        found = []
        for key, own in sorted(self._own.items()):
            alive = [t for _, t in sorted(self._last[key].items()) if self._answered(key, t)]
            for name in sorted(own):
                if name in of_name:
                    found.append(_repeated(of_name[name], sorted(own[name]), alive, gaps_of.get(name, ())))
        return pd.concat(found, ignore_index=True) if found else quotes.iloc[:0]

    def _answered(self, key: Connection, t_ns: int) -> bool:
        answered = self._beats.get(key, ())
        at = bisect_right(answered, t_ns) - 1
        return at >= 0 and t_ns - answered[at] <= ANSWERED_NS


def _repeated(quotes: pd.DataFrame, own: Sequence[int], alive: Sequence[int], gaps: Sequence[GapRow]) -> pd.DataFrame:
    """Return the rows of one instrument repeated at the times ``alive`` of a connection on which it said ``own``."""
    times = quotes["t_ns"].to_numpy(np.int64).tolist()
    lags = quotes[LAG].to_numpy(np.float64)
    which, at = [], []
    for t_ns in alive:
        row = bisect_right(times, t_ns) - 1
        if row < 0 or times[row] == t_ns or lags[row] > MAX_LAG_NS:
            continue
        said = bisect_left(own, times[row])
        on_this = said < len(own) and own[said] == times[row]
        if on_this and not any(gap.from_ns < t_ns and (gap.to_ns is None or gap.to_ns > times[row]) for gap in gaps):
            which.append(row)
            at.append(t_ns)
    again = quotes.iloc[which]
    repeated_ns = np.array(at, dtype=np.int64)
    lag = repeated_ns - again["t_ns"].to_numpy(np.int64) + np.nan_to_num(lags[which]).astype(np.int64)
    return again.assign(**{"t_ns": repeated_ns, LAG: pd.array(lag, dtype="Int64"), REFRESHED: True})


def with_lags(frame: pd.DataFrame, lags: Sequence[tuple[int, str, int]]) -> pd.DataFrame:
    """Return the rows of a day with the columns of their lag: of a quote the last of ``lags`` (receipt, name, ns).

    Null where the venue gives no time; no row is refreshed yet.
    """
    known = pd.DataFrame(lags, columns=["t_ns", "name", LAG]).drop_duplicates(["t_ns", "name"], keep="last")
    known = known.assign(channel=np.uint8(Channel.QUOTE)).astype({"t_ns": np.int64, LAG: "Int64"})
    joined = frame.astype({"channel": np.uint8}).merge(known, on=["channel", "t_ns", "name"], how="left")
    return joined.assign(**{REFRESHED: False})
