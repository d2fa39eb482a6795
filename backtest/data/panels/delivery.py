"""Reads the mean of the index over the averaging window of each expiry of a day.  [venues V2]"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from backtest.data.format.schema import Channel
from backtest.data.panels.rows import DayRows
from engine.market.delivery import index_mean
from engine.records import CodeArray, FloatArray, Instruments, IntArray, Kind
from engine.units import NS_PER_DAY


def delivery_means(
    parts: Sequence[DayRows], instruments: Instruments, windows_ns: IntArray | None, day: int
) -> dict[int, float]:
    """Return code -> mean of the index over its averaging window, for what expires on ``day`` and has one.

    A mean is in the dollar of the price, USD for a price in coin.
    ``parts`` are the rows of that day, by the time of their source and not by the grid; ``windows_ns`` ``[codes]`` is 0
    where no window is registered, None where none is at all.  The index is that of the instrument's venue, underlying
    and settlement currency: the rows of its perps and futures, and those of options too where these alone do not
    suffice.  A window that began on the day before has the rows of ``day`` alone.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> nothing_expires = SimpleNamespace(expiry_ns=np.array([2**62]))
    >>> delivery_means([], nothing_expires, np.array([0]), 20_000)
    {}
    """
    if windows_ns is None:
        return {}
    day_ns = day * NS_PER_DAY
    on_day = (instruments.expiry_ns >= day_ns) & (instruments.expiry_ns < day_ns + NS_PER_DAY) & (windows_ns > 0)
    expiring = np.flatnonzero(on_day).tolist()
    if not expiring:
        return {}
    marks = [part[Channel.MARK] for part in parts if Channel.MARK in part]
    t_ns = np.concatenate([np.empty(0, np.int64), *(rows.t_ns for rows in marks)])
    code = np.concatenate([np.empty(0, np.int32), *(rows.code for rows in marks)])
    index = np.concatenate([np.empty(0), *(rows.value["index"] for rows in marks)])
    kept = np.flatnonzero(t_ns > min(int(instruments.expiry_ns[c] - windows_ns[c]) for c in expiring))
    t_ns, code, index = t_ns[kept], code[kept], index[kept]
    option = instruments.kind == Kind.OPTION
    known: dict[tuple[str, str, str, int, int], float] = {}
    means: dict[int, float] = {}
    for c in expiring:
        group = (instruments.venue[c], instruments.underlying[c], instruments.settle[c])
        expiry_ns, window_ns = int(instruments.expiry_ns[c]), int(windows_ns[c])
        key = (*group, expiry_ns, window_ns)
        if key not in known:
            same = np.array([pair == group for pair in _groups(instruments)], dtype=np.bool_)
            of_linear, of_all = (same & ~option)[code], same[code]
            mean = index_mean(t_ns[of_linear], index[of_linear], expiry_ns, window_ns)
            known[key] = mean if mean == mean else index_mean(t_ns[of_all], index[of_all], expiry_ns, window_ns)
        if known[key] == known[key]:
            means[c] = known[key]
    return means


def delivery_rows(means: dict[int, float], instruments: Instruments, code: CodeArray, times_ns: IntArray) -> FloatArray:
    """Return the means at grid times, ``[T, N]`` for ``code [N]``: known from the expiry on, NaN before."""
    mean = np.array([means.get(c, np.nan) for c in code.tolist()], dtype=np.float64)
    known: FloatArray = np.where(times_ns[:, None] >= instruments.expiry_ns[code], mean, np.nan)
    return known


def _groups(instruments: Instruments) -> list[tuple[str, str, str]]:
    return list(zip(instruments.venue, instruments.underlying, instruments.settle, strict=True))
