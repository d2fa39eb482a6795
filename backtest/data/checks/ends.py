"""Names the series that begin after or stop before the days they are for.  [S1.4, S1.5]"""

from __future__ import annotations

from typing import Final

import numpy as np

from backtest.data.checks.series_stats import SeriesStats
from backtest.data.format.schema import Channel
from engine.records import Instruments, IntArray, Kind
from engine.units import NEVER_NS, NS_PER_DAY

SLACK_NS: Final = NS_PER_DAY
"""A series may lack so much at either end: bars of a day are known at its end, funding comes three times a day."""

_WHAT: Final = {
    Channel.QUOTE: "quotes",
    Channel.MARK: "marks",
    Channel.FUNDING: "funding rates",
    Channel.SETTLE: "settlements",
}


def ends(instruments: Instruments, stats: SeriesStats, span_ns: tuple[int, int], of: str) -> list[str]:
    """Return a text for each series that begins over a day after, or stops over a day before, its time.

    ``span_ns`` is the first and last time in ns of ``of``, "the plan" or "the data set".  What expires should last to
    its expiry, and begins when it is listed.  All options of a venue and an underlying are one series.
    """
    begin, end = stats.spans_ns(span_ns)
    lines = []
    for who, code in _series(instruments).items():
        for channel, what in _WHAT.items():
            came = code[stats.rows[channel, code] > 0]
            if not len(came):
                continue
            first, last = int(stats.since_ns[channel, came].min()), int(stats.until_ns[channel, came].max())
            due = int(end[came].max())
            listed = bool((instruments.expiry_ns[came] < NEVER_NS).any())
            if not listed and first - int(begin[came].min()) > SLACK_NS:
                lines.append(f"{who}: {what} begin {_when(first)}, {_long(first - span_ns[0])} after {of} begins")
            if due - last > SLACK_NS:
                until = f"{of} ends" if due == span_ns[1] else "its expiry"
                lines.append(f"{who}: {what} end {_when(last)}, {_long(due - last)} before {until}")
    return lines


def _series(instruments: Instruments) -> dict[str, IntArray]:
    """Return the codes of each series by its name, in the order of the instruments."""
    codes: dict[str, list[int]] = {}
    for code, name in enumerate(instruments.name):
        option = instruments.kind[code] == Kind.OPTION
        who = f"{name.partition(':')[0]}: {instruments.underlying[code]} options" if option else name
        codes.setdefault(who, []).append(code)
    return {who: np.array(of_series, dtype=np.int64) for who, of_series in codes.items()}


def _when(t_ns: int) -> str:
    return str(np.datetime64(t_ns, "ns").astype("datetime64[m]")).replace("T", " ")


def _long(ns: int) -> str:
    """Return a length of more than a day in days, to a tenth.

    >>> _long(30 * 24 * 3_600 * 10**9 + 12 * 3_600 * 10**9)
    '30.5 days'
    """
    return f"{ns / NS_PER_DAY:.1f} days"
