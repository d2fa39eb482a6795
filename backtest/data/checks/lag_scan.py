"""Finds sources of one underlying that are stamped late or early against each other.  [S1.1, S1.5]"""

from __future__ import annotations

import numpy as np

from backtest.data.checks.lag import Lag, lag_between
from backtest.data.format.dataset import Dataset
from backtest.data.panels import reader
from engine.errors import UsageError
from engine.records import Feed, FloatArray, Instruments, IntArray, Kind
from engine.units import NS_PER_DAY, NS_PER_HOUR, NS_PER_SECOND

MINUTE_NS = 60 * NS_PER_SECOND
MOST_SERIES = 24
"""Series compared at most (the longest-lived first): pairs grow with the square."""


def lag_scan(
    dataset: Dataset,
    underlying: str,
    *,
    from_ns: int | None = None,
    to_ns: int | None = None,
    most_lag_ns: int = 12 * NS_PER_HOUR,
) -> tuple[Lag, ...]:
    """Return the lag of every two instruments (no options) of ``underlying``, at the coarser bar or grid of the two.

    Pairs with too few common samples are left out; a lag has a warning if two sources are not stamped alike.  Raises
    ``UsageError`` (2) if ``underlying`` has no quote files.
    """
    days = dataset.days(underlying)
    if not days:
        raise UsageError(f"{dataset.path}: expected an underlying of {dataset.underlyings}, was {underlying!r}")
    start = days[0] * NS_PER_DAY if from_ns is None else from_ns
    stop = (days[-1] + 1) * NS_PER_DAY if to_ns is None else to_ns
    table = dataset.instruments
    of_underlying = np.array([name == underlying for name in table.underlying])
    codes = np.flatnonzero(of_underlying & (table.kind != Kind.OPTION) & (table.feed != Feed.MARK))
    step = _finest_step(dataset, underlying, codes)
    times, price, age = _mids(dataset, underlying, start, stop, step, codes)
    # pairs of the longest series have the most common samples
    lived = np.argsort(-(~np.isnan(price)).sum(axis=0), kind="stable")[:MOST_SERIES]
    lags = []
    for number, i in enumerate(sorted(lived)):
        for j in sorted(lived)[number + 1 :]:
            lag = _pair(table, int(codes[i]), int(codes[j]), times, price[:, [i, j]], age[:, [i, j]], step, most_lag_ns)
            if lag is not None:
                lags.append(lag)
    return tuple(lags)


def _pair(
    table: Instruments,
    first: int,
    second: int,
    times: IntArray,
    price: FloatArray,
    age: FloatArray,
    step: int,
    most_lag_ns: int,
) -> Lag | None:
    bin_ns = max(int(table.bar_ns[first]), int(table.bar_ns[second]), step)
    bin_ns = -(-bin_ns // step) * step
    rows = times % bin_ns == 0
    a, b = price[rows, 0], price[rows, 1]
    # at equal grid times the price of one source may be older by design
    older = age[rows, 1] - age[rows, 0]
    known = older[~np.isnan(older)]
    older_ns = float(known.mean()) if len(known) else 0.0
    return lag_between(table.name[first], table.name[second], a, b, bin_ns, max(2, most_lag_ns // bin_ns), older_ns)


def _finest_step(dataset: Dataset, underlying: str, codes: IntArray) -> int:
    """Return the step at which series are sampled: the grid's, else the shortest bar, else the usual snapshot gap."""
    if dataset.grid_ns:
        # below a minute most returns are zero, and correlations measure ticks
        return max(dataset.grid_ns, MINUTE_NS)
    bars = dataset.instruments.bar_ns[codes]
    if (bars > 0).any():
        return int(bars[bars > 0].min())
    gap = int(np.median(np.diff(dataset.grids[underlying]))) if len(dataset.grids[underlying]) > 1 else NS_PER_HOUR
    return max(gap // MINUTE_NS, 1) * MINUTE_NS


def _mids(
    dataset: Dataset, underlying: str, start: int, stop: int, step: int, codes: IntArray
) -> tuple[IntArray, FloatArray, FloatArray]:
    """Return grid times, mids and their ages ``[T, codes]``; NaN for no mid > 0 within the last bar or step."""
    # an empty block first, so that a data set without grid times concatenates too
    times, blocks = [np.empty(0, np.int64)], [np.empty((2, 0, len(codes)))]
    limit = np.maximum(dataset.instruments.bar_ns[codes], step)
    for panel in reader.panels(dataset, underlying, start, stop, grid_ns=step, codes=codes.tolist()):
        block = np.full((2, len(panel.times_ns), len(codes)), np.nan)
        column = np.searchsorted(codes, panel.code)
        mid = (panel.bid + panel.ask) / 2.0
        fresh = (panel.age_ns <= limit[column]) & (mid > 0)
        block[0][:, column] = np.where(fresh, mid, np.nan)
        block[1][:, column] = np.where(fresh, panel.age_ns, np.nan)
        times.append(panel.times_ns)
        blocks.append(block)
    price, age = np.concatenate(blocks, axis=1)
    return np.concatenate(times), price, age
