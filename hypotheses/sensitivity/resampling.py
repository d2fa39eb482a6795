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
from engine.arguments import require_array, require_number
from engine.records import FloatArray, IntArray
from hypotheses.statistics.bootstrap import Bits, Blocks

Statistic = Callable[[FloatArray], FloatArray]
"""A statistic along the last axis: ``(draws, n) -> (draws,)`` and ``(n,) -> ()``."""

Pair = tuple[float, float]

CIRCULAR_OVER_STATIONARY = 1.5 ** (1 / 3)
"""Ratio of the optimal lengths: the constants are 4/3 g0^2 and 2 g0^2.  [PPW09]"""


def sharpe(values: FloatArray) -> FloatArray:
    """Return the Sharpe ratio along the last axis, a `Statistic`: ``[draws, n]`` gives ``[draws]``, ``[n]`` a scalar.

    Mean over standard deviation of divisor n - 1; NaN where the deviation is zero or there are fewer than 2 values.
    """
    if values.shape[-1] < 2:
        return np.full(values.shape[:-1], np.nan)
    spread = np.asarray(values.std(axis=-1, ddof=1))
    centre = np.asarray(values.mean(axis=-1))
    return np.asarray(np.divide(centre, spread, out=np.full(spread.shape, np.nan), where=spread > 0))


def circular_length(stationary: Decimal, n: int) -> int:
    """Return the whole block length of the circular bootstrap that goes with a mean length of the stationary one.

    Parameters
    ----------
    stationary : Decimal, above 0
        Optimal mean length in days.
    n : int, at least 1
        Days of the series.

    Returns
    -------
    int
        Days, from 1 to ``n``: 1.5^(1/3) times as long (Patton, Politis and White 2009).

    Raises
    ------
    UsageError
        If ``stationary`` is no Decimal above 0, or ``n`` under 1.
    """
    require_number("stationary", stationary, Decimal, above=0)
    require_number("n", n, int, at_least=1)
    return min(max(round(float(stationary) * CIRCULAR_OVER_STATIONARY), 1), n)


def circular_blocks(n: int, length: int, draws: int, bits: Bits) -> Blocks:
    """Return the blocks of the circular bootstrap (Politis and Romano 1992).

    One word a block names the day at which it begins, ``((v >> 32) n) >> 32``.

    Parameters
    ----------
    n : int, at least 1
        Days of the series.
    length : int, at least 1
        Days of a block; the last block of a draw is cut where the draw is full.
    draws : int, at least 1
        Resamples.
    bits : Bits
        The bit generator of replicate r of one named stream.

    Returns
    -------
    Blocks
        The blocks of all resamples; each resample has ``n`` days in all.

    Raises
    ------
    UsageError
        If ``n``, ``length`` or ``draws`` is under 1.
    """
    require_number("n", n, int, at_least=1)
    require_number("length", length, int, at_least=1)
    require_number("draws", draws, int, at_least=1)
    # Rounded up: the last block is cut to what is left.
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
    """Return the statistic of each resample, shape ``[draws]``; ``values`` is ``[n]``, ``days`` ``[draws, n]``."""
    return statistic(values[days])


def percentile(draws: FloatArray, level: float) -> Pair | None:
    """Return the percentile interval: equal-tailed quantiles of the draws (Efron 1979).

    Parameters
    ----------
    draws : FloatArray, shape (draws,)
        The statistic of each resample; NaN where it has none, which is left out.
    level : float, in (0, 1)
        The coverage, for example 0.95.

    Returns
    -------
    tuple[float, float] or None
        The two ends; None where fewer than 2 draws have a value.

    Raises
    ------
    UsageError
        If ``draws`` is not float64 of shape (draws,), or ``level`` not in (0, 1).
    """
    require_array("draws", draws, np.float64, ("draws",))
    require_number("level", level, float, above=0, below=1)
    defined = draws[~np.isnan(draws)]
    if len(defined) < 2:
        return None
    low, high = np.quantile(defined, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def bca(draws: FloatArray, point: float, acceleration: float, level: float) -> Pair | None:
    """Return the bias-corrected and accelerated interval (Efron 1987).

    z0 = Phi^-1(#{T* < T} / B); the ends are the quantiles Phi(z0 + (z0 + z) / (1 - a (z0 + z))), z = -+ z_level.

    Parameters
    ----------
    draws : FloatArray, shape (draws,)
        The statistic of each resample; NaN where it has none, which is left out.
    point : float
        The statistic of the sample, T.
    acceleration : float
        The acceleration a, see `jackknife_acceleration`.
    level : float, in (0, 1)
        The coverage, for example 0.95.

    Returns
    -------
    tuple[float, float] or None
        The two ends; None where all draws lie on one side of the point.

    Raises
    ------
    UsageError
        If ``draws`` is not float64 of shape (draws,), or ``level`` not in (0, 1).
    """
    require_array("draws", draws, np.float64, ("draws",))
    require_number("level", level, float, above=0, below=1)
    defined = draws[~np.isnan(draws)]
    below = float((defined < point).mean()) if len(defined) else 0.0
    # At 0 or 1 the bias is infinite: the draws lie on one side of the point.
    if not 0.0 < below < 1.0:
        return None
    bias = norm.ppf(below)
    shifted = bias + norm.ppf([(1 - level) / 2, (1 + level) / 2])
    shares = np.asarray(norm.cdf(bias + shifted / (1 - acceleration * shifted))).tolist()
    return float(np.quantile(defined, shares[0])), float(np.quantile(defined, shares[1]))


def jackknife_acceleration(values: FloatArray, statistic: Statistic, block: int) -> float:
    """Return the acceleration of `bca` from a jackknife that deletes each run of b successive values.

    a = sqrt(b) sum d^3 / (6 (sum d^2)^(3/2)), d the mean of the deletions less each of them; b = 1 is the classical
    jackknife.  The root makes overlapping runs count as n / b independent ones.

    Parameters
    ----------
    values : FloatArray, shape (n,)
        The sample.
    statistic : Statistic
        A statistic along the last axis.
    block : int, at least 1
        b, under n.

    Returns
    -------
    float
        a; 0 where the deletions have no spread.

    Raises
    ------
    UsageError
        If ``values`` is not float64 of shape (n,), or ``block`` not from 1 to n - 1.
    """
    require_array("values", values, np.float64, ("n",))
    n = len(values)
    require_number("block", block, int, at_least=1, below=n)
    kept = np.array([[*range(start), *range(start + block, n)] for start in range(n - block + 1)])
    deleted = statistic(values[kept])
    deleted = deleted[~np.isnan(deleted)]
    away = deleted.mean() - deleted
    scale = float((away**2).sum()) ** 1.5
    return float(np.sqrt(block) * (away**3).sum() / (6 * scale)) if scale > 0 else 0.0
