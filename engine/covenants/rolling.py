"""Moments over the bars before each bar, as differences of running sums.  [covenants 1.5, 2.1, 2.3]

A running sum is added bar by bar from the first, so the value at bar t depends on bars before t only, a cut of the data
changes nothing before the cut, and a program that keeps the sums of one bar ago gets the same bits.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from typing import Final

import numpy as np

from engine.exact.rounded import Floats

_NOISE: Final = 1e-12
"""A variance below this share of the mean square is rounding of the running sums and counts as zero."""


def sums_before(values: Floats, window: int) -> Floats:
    """Return the sum over the ``window`` bars before each bar, shape of ``values``; NaN counts as absent."""
    running = np.concatenate(([0.0], np.cumsum(np.where(np.isnan(values), 0.0, values))))
    end = np.arange(values.size)
    out: Floats = running[end] - running[np.maximum(end - window, 0)]
    return out


def counts_before(values: Floats, window: int) -> Floats:
    """Return how many of the ``window`` bars before each bar have a value."""
    return sums_before(np.where(np.isnan(values), 0.0, 1.0), window)


def mean_before(values: Floats, window: int, least: int) -> Floats:
    """Return the mean over the ``window`` bars before each bar; NaN where fewer than ``least`` have a value."""
    count = counts_before(values, window)
    return np.where(count >= least, sums_before(values, window) / np.maximum(count, 1.0), np.nan)


def deviation_before(values: Floats, window: int, least: int) -> Floats:
    """Return the sample standard deviation (n - 1) over the ``window`` bars before each bar.

    NaN where fewer than ``least`` (at least 2) bars have a value.  [covenants 2.1]
    """
    count = counts_before(values, window)
    first, second = sums_before(values, window), sums_before(values * values, window)
    # Both branches are evaluated: n - 1 must not be zero where n is too small to be used.
    size = np.maximum(count, 2.0)
    spread = second - first * first / size
    spread = np.where(spread <= _NOISE * np.maximum(second, 0.0), 0.0, spread)
    return np.where(count >= max(least, 2), np.sqrt(np.maximum(spread, 0.0) / (size - 1.0)), np.nan)


def rms_before(values: Floats, window: int, least: int) -> Floats:
    """Return the root mean square over the ``window`` bars before each bar; NaN as `mean_before`.  [covenants 3.4]"""
    return np.sqrt(np.maximum(mean_before(values * values, window, least), 0.0))


def correlation_before(a: Floats, b: Floats, window: int, least: int) -> Floats:
    """Return Pearson's correlation of ``a`` and ``b`` over the ``window`` bars before each bar, in [-1, 1].

    NaN where fewer than ``least`` bars have both values, or where either variance is zero.  [covenants 2.3]
    """
    both = ~(np.isnan(a) | np.isnan(b))
    a, b = np.where(both, a, np.nan), np.where(both, b, np.nan)
    count = np.maximum(counts_before(a, window), 1.0)
    sum_a, sum_b = sums_before(a, window), sums_before(b, window)
    square_a, square_b = sums_before(a * a, window), sums_before(b * b, window)
    var_a, var_b = square_a - sum_a * sum_a / count, square_b - sum_b * sum_b / count
    flat = (var_a <= _NOISE * square_a) | (var_b <= _NOISE * square_b)
    known = (counts_before(a, window) >= least) & ~flat
    product = np.where(known, var_a * var_b, 1.0)
    value = (sums_before(a * b, window) - sum_a * sum_b / count) / np.sqrt(np.maximum(product, 0.0))
    return np.where(known, np.clip(value, -1.0, 1.0), np.nan)


def rank_within(values: Floats, window: int, least: int) -> Floats:
    """Return the percentile rank in [0, 1] of each value among the ``window`` values before it.

    Ties count half.  NaN where fewer than ``least`` earlier values exist or the value itself is NaN.  [covenants 2.4]
    """
    ordered: list[float] = []
    ranks = np.full(values.size, np.nan)
    numbers = values.tolist()
    for t, value in enumerate(numbers):
        if value == value and len(ordered) >= max(least, 1):
            ranks[t] = (bisect_left(ordered, value) + bisect_right(ordered, value)) / (2 * len(ordered))
        # After the rank of t, whose window still begins at t - window.
        if t >= window and numbers[t - window] == numbers[t - window]:
            del ordered[bisect_left(ordered, numbers[t - window])]
        if value == value:
            insort(ordered, value)
    return ranks
