"""Other ways to resample the same days, and other intervals from the draws: float tier.  [statistics 8.5]

Percentile and BCa (Efron 1987) intervals of any statistic of a resample; circular blocks of one length (Politis and
Romano 1992).  The draws are those of `hypotheses.statistics.bootstrap`: raw words, one generator a replicate.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import numpy as np
from scipy.stats import norm

from backtest.seeds.streams import index_below
from engine.records import FloatArray, IntArray
from hypotheses.statistics.bootstrap import Bits, Blocks

Statistic = Callable[[FloatArray], FloatArray]
"""A statistic along the last axis: ``(draws, n) -> (draws,)`` and ``(n,) -> ()``."""

Pair = tuple[float, float]

CIRCULAR_OVER_STATIONARY = 1.5 ** (1 / 3)
"""Ratio of the optimal lengths: the constants are 4/3 g0^2 and 2 g0^2.  [PPW09]"""


def sharpe(values: FloatArray) -> FloatArray:
    """Return mean / sd of divisor n - 1 along the last axis; NaN where the deviation is zero or one value has none."""
    if values.shape[-1] < 2:
        return np.full(values.shape[:-1], np.nan)
    spread = np.asarray(values.std(axis=-1, ddof=1))
    centre = np.asarray(values.mean(axis=-1))
    return np.asarray(np.divide(centre, spread, out=np.full(spread.shape, np.nan), where=spread > 0))


def circular_length(stationary: Decimal, n: int) -> int:
    """Return the whole block length of the circular bootstrap that goes with a mean length ``stationary``."""
    return min(max(round(float(stationary) * CIRCULAR_OVER_STATIONARY), 1), n)


def circular_blocks(n: int, length: int, draws: int, bits: Bits) -> Blocks:
    """Return blocks of ``length`` days of the circle; the last of a draw is cut where the draw is full.

    One word a block names the day at which it begins, ``((v >> 32) n) >> 32``.
    """
    count = -(-n // length)
    words = np.empty((draws, count), dtype=np.uint64)
    for r in range(draws):
        words[r] = bits(r).random_raw(count)
    within = np.arange(count, dtype=np.int64) * length
    position = (np.arange(draws, dtype=np.int64)[:, None] * n + within).reshape(-1)
    sizes = np.tile(np.minimum(within + length, n) - within, draws)
    start = index_below(words.reshape(-1), n)
    return Blocks(n, draws, position, start, sizes, np.arange(draws, dtype=np.int64) * count)


def by_draw(values: FloatArray, days: IntArray, statistic: Statistic) -> FloatArray:
    """Return the statistic of each resample, ``days`` of shape (draws, n)."""
    return statistic(values[days])


def percentile(draws: FloatArray, level: float) -> Pair | None:
    """Return the equal-tailed quantiles of the draws that have a value, None where fewer than 2 have."""
    found = draws[~np.isnan(draws)]
    if len(found) < 2:
        return None
    low, high = np.quantile(found, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def bca(draws: FloatArray, point: float, bend: float, level: float) -> Pair | None:
    """Return the bias-corrected accelerated interval; ``bend`` is the acceleration a.

    None where all draws lie on one side of the point.

    z0 = Phi^-1(#{T* < T} / B); the ends are the quantiles Phi(z0 + (z0 + z) / (1 - a (z0 + z))), z = -+ z_level.
    """
    found = draws[~np.isnan(draws)]
    below = float((found < point).mean()) if len(found) else 0.0
    if not 0.0 < below < 1.0:
        return None
    bias = norm.ppf(below)
    shifted = bias + norm.ppf([(1 - level) / 2, (1 + level) / 2])
    shares = np.asarray(norm.cdf(bias + shifted / (1 - bend * shifted))).tolist()
    return float(np.quantile(found, shares[0])), float(np.quantile(found, shares[1]))


def acceleration(values: FloatArray, statistic: Statistic, block: int) -> float:
    """Return the acceleration from a jackknife that deletes each of the n - b + 1 runs of ``block`` = b values.

    a = sqrt(b) sum d^3 / (6 (sum d^2)^(3/2)), d the mean of the deletions less each of them; b = 1 is the classical
    jackknife.  The root makes overlapping runs count as the n / b independent ones they hold.  0 where d is all zero.
    """
    n = len(values)
    kept = np.array([[*range(at), *range(at + block, n)] for at in range(n - block + 1)])
    deleted = statistic(values[kept])
    deleted = deleted[~np.isnan(deleted)]
    away = deleted.mean() - deleted
    scale = float((away**2).sum()) ** 1.5
    return float(np.sqrt(block) * (away**3).sum() / (6 * scale)) if scale > 0 else 0.0
