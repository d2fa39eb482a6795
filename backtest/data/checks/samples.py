"""Samples the prices of all sources of one underlying at regular times, for the comparison of clocks and of levels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from backtest.data.format.dataset import Dataset
from backtest.data.format.schema import FX
from backtest.data.panels import reader
from engine.errors import UsageError
from engine.records import Feed, FloatArray, Instruments, IntArray, Kind, Panel
from engine.units import BPS, NS_PER_DAY, NS_PER_HOUR, NS_PER_SECOND

MINUTE_NS: Final = 60 * NS_PER_SECOND
FUNDING_NS: Final = 8 * NS_PER_HOUR
"""The time for which a sampled funding rate counts."""

MOST_SERIES: Final = 24
"""Series compared at most (the longest-lived first): pairs grow with the square."""


@dataclass(frozen=True, slots=True)
class Samples:
    """Mids of ``N`` instruments at ``T`` regular times; NaN where none was known within the last bar or step."""

    instruments: Instruments
    step_ns: int
    times_ns: IntArray  # [T]
    code: IntArray  # [N] ascending
    price: FloatArray  # [T, N] price currency
    age_ns: FloatArray  # [T, N] of the quote
    funding_bps: FloatArray  # [T, N] published rate for eight hours, bps; NaN where none is known
    usdc_usdt: FloatArray  # [T] USDT per USDC: median over the spot pairs; NaN where none is fresh

    def bin_ns(self, first: int, second: int) -> int:
        """Return the step at which columns ``first`` and ``second`` are compared: the coarser bar or step."""
        bars = self.instruments.bar_ns[self.code[[first, second]]]
        longest = max(int(bars.max()), self.step_ns)
        return -(-longest // self.step_ns) * self.step_ns


def sample(dataset: Dataset, underlying: str, *, from_ns: int | None = None, to_ns: int | None = None) -> Samples:
    """Return the samples of the instruments of ``underlying`` that are no options, over the days of its files.

    The step is that of the grid, at least a minute, else the shortest bar.  Raises ``UsageError`` (2) if ``underlying``
    has no quote files.
    """
    days = dataset.days(underlying)
    if not days:
        raise UsageError(f"{dataset.path}: expected an underlying of {dataset.underlyings}, was {underlying!r}")
    start = days[0] * NS_PER_DAY if from_ns is None else from_ns
    stop = (days[-1] + 1) * NS_PER_DAY if to_ns is None else to_ns
    table = dataset.instruments
    of_underlying = np.array([name == underlying for name in table.underlying])
    codes = np.flatnonzero(of_underlying & (table.kind != Kind.OPTION) & (table.feed != Feed.MARK))
    pegs = np.array(
        [
            code
            for code in range(len(table))
            if table.underlying[code] == FX
            and table.kind[code] == Kind.SPOT
            and (table.base[code], table.quote[code]) == ("USDC", "USDT")
        ],
        dtype=np.int64,
    )
    step = _finest_step(dataset, underlying, codes)
    both = np.union1d(codes, pegs)
    limit = np.maximum(table.bar_ns[both], step)
    # an empty block first, so that a data set without grid times concatenates too
    times, blocks = [np.empty(0, np.int64)], [np.empty((3, 0, len(both)))]
    for panel in reader.panels(dataset, underlying, start, stop, grid_ns=step, codes=both.tolist()):
        times.append(panel.times_ns)
        blocks.append(_block(panel, both, limit))
    price, age, funding = np.concatenate(blocks, axis=1)
    own, peg = np.isin(both, codes), np.isin(both, pegs)
    # pairs of the longest series have the most common samples
    lived = np.argsort(-(~np.isnan(price[:, own])).sum(axis=0), kind="stable")[:MOST_SERIES]
    kept = np.flatnonzero(own)[np.sort(lived)]
    return Samples(
        instruments=table,
        step_ns=step,
        times_ns=np.concatenate(times),
        code=both[kept],
        price=price[:, kept],
        age_ns=age[:, kept],
        funding_bps=funding[:, kept],
        usdc_usdt=_middle(price[:, peg]),
    )


def _block(panel: Panel, codes: IntArray, limit_ns: IntArray) -> FloatArray:
    """Return mids, their ages and funding rates of one panel, ``[3, T, codes]``."""
    block = np.full((3, len(panel.times_ns), len(codes)), np.nan)
    column = np.searchsorted(codes, panel.code)
    mid = (panel.bid + panel.ask) / 2.0
    fresh = (panel.age_ns <= limit_ns[column]) & (mid > 0)
    block[0][:, column] = np.where(fresh, mid, np.nan)
    block[1][:, column] = np.where(fresh, panel.age_ns, np.nan)
    interval = panel.instruments.funding_interval_ns[panel.code]
    for_eight_hours = BPS * FUNDING_NS / np.maximum(interval, 1)
    block[2][:, column] = np.where(interval > 0, panel.funding_rate * for_eight_hours, np.nan)
    return block


def _middle(price: FloatArray) -> FloatArray:
    """Return the median of each row, NaN where all are: without numpy's warning for such rows."""
    middle = np.full(len(price), np.nan)
    known = ~np.isnan(price).all(axis=1)
    if known.any():
        middle[known] = np.nanmedian(price[known], axis=1)
    return middle


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
