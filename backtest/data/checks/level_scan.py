"""Finds pairs of sources of one underlying whose gap moves with a peg, with funding or with a tick.  [venues V1]"""

from __future__ import annotations

from typing import Final

import numpy as np

from backtest.data.checks.level import BLOCK_NS, Level, follow, tick_of, warned
from backtest.data.checks.samples import Samples
from engine.records import FloatArray, IntArray, Kind
from engine.units import BPS, NS_PER_DAY

_LEAST_IN_BLOCK: Final = 2  # bars of four hours give two to a block; of longer ones a block is a day
_IN_USDC: Final = ("USDC", "USD")  # USD counts as USDC, as in packages
_DOLLARS: Final = frozenset((*_IN_USDC, "USDT"))


def levels_of(samples: Samples) -> tuple[Level, ...]:
    """Return the level of every two columns of ``samples`` that are priced in dollars, at the coarser bar of the two.

    Pairs without a common price are left out, and, where no spot pair of USDC and USDT is known, those in two dollars.
    A gap has a level of its own, which follows funding, where a perp meets what pays none, or a dated future: funding
    and tick are drivers of two spots and of two perps alone, funding of these beside the difference of their rates.
    """
    ticks = [tick_of(price) for price in samples.price.T]
    count = len(samples.code)
    levels = (_pair(samples, i, j, (ticks[i], ticks[j])) for i in range(count) for j in range(i + 1, count))
    return tuple(level for level in levels if level is not None)


def _pair(samples: Samples, first: int, second: int, ticks: tuple[float, float]) -> Level | None:
    table, codes = samples.instruments, samples.code[[first, second]]
    quotes = table.quote[codes[0]], table.quote[codes[1]]
    bin_ns = samples.bin_ns(first, second)
    block_ns = BLOCK_NS if _LEAST_IN_BLOCK * bin_ns <= BLOCK_NS else NS_PER_DAY
    if not {*quotes} <= _DOLLARS or bin_ns > block_ns:
        return None
    rows = np.flatnonzero(samples.times_ns % bin_ns == 0)
    price = samples.price[rows][:, [first, second]]
    peg_bps = BPS * np.log(samples.usdc_usdt[rows])
    gap_bps = BPS * (np.log(price[:, 1]) - np.log(price[:, 0]))
    in_usdc = int(quotes[1] in _IN_USDC) - int(quotes[0] in _IN_USDC)
    if in_usdc:
        gap_bps = gap_bps + in_usdc * peg_bps
    known = np.isfinite(gap_bps)
    if not known.any():
        return None
    block = samples.times_ns[rows[known]] // block_ns
    gap, peg, tick_bps = (
        block_medians(block, values[known]) for values in (gap_bps, peg_bps, BPS * float(np.fmax(*ticks)) / price[:, 0])
    )
    found = [follow("USDC/USDT", gap, peg)]
    rates = _funding(samples, codes.tolist())
    if rates is not None:
        found.append(follow("tick", gap, tick_bps))
        mean, difference = (block_medians(block, rate[rows[known]]) for rate in rates)
        found.append(follow("funding", gap, mean, difference))
    middle = float(np.nanmedian(gap))
    level = Level(
        first=table.name[codes[0]],
        second=table.name[codes[1]],
        block_ns=block_ns,
        blocks=int(np.isfinite(gap).sum()),
        level_bps=middle,
        spread_bps=1.4826 * float(np.nanmedian(np.abs(gap - middle))),
        follows=tuple(each for each in found if each is not None),
        warning="",
    )
    return warned(level, quotes)


def _funding(samples: Samples, codes: list[int]) -> tuple[FloatArray, FloatArray] | None:
    """Return the funding that a gap of the two must not follow and the part that it may, bps, shape (T,) each.

    Of two perps the mean of their rates and the difference of the second and the first, of two spots the mean over all
    perps and zero; None for other pairs.
    """
    kinds = samples.instruments.kind[codes]
    if kinds[0] != kinds[1] or kinds[0] not in (Kind.SPOT, Kind.PERP):
        return None
    if kinds[0] == Kind.PERP:
        own = samples.funding_bps[:, np.searchsorted(samples.code, codes)]
        return own.mean(axis=1), own[:, 1] - own[:, 0]
    perps = samples.funding_bps[:, samples.instruments.kind[samples.code] == Kind.PERP]
    known = np.isfinite(perps)
    count = known.sum(axis=1)
    total = np.where(known, perps, 0.0).sum(axis=1)
    mean = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    return mean, np.zeros(len(mean))


def block_medians(block: IntArray, values: FloatArray) -> FloatArray:
    """Return the median of the known values of each block from the first to the last, NaN for blocks without one.

    ``block`` ascends, shape (n,), as do ``values``.

    >>> block_medians(np.array([3, 3, 3, 5]), np.array([1.0, 9.0, 2.0, np.nan])).tolist()
    [2.0, nan, nan]
    """
    number = block - block[0]
    known = np.isfinite(values)
    number, values = number[known], values[known]
    order = np.lexsort((values, number))
    count = np.bincount(number, minlength=int(block[-1] - block[0]) + 1)
    start = np.cumsum(count) - count
    ranked = np.append(values[order], np.nan)
    low, high = start + (np.maximum(count, 1) - 1) // 2, start + np.maximum(count, 1) // 2
    return np.where(count > 0, (ranked[low] + ranked[high]) / 2.0, np.nan)
