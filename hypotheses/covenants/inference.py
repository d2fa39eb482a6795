"""Paired inference on daily returns: bootstrap, windows, Holm, power, deflated Sharpe.  [covenants 9.6, 9.7]"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from functools import partial
from statistics import NormalDist

import numpy as np
import pandas as pd
from arch.bootstrap import optimal_block_length
from numpy.typing import NDArray
from scipy.stats import kurtosis, skew, wilcoxon

from backtest.simulation.covenant_metrics import drawdown_of, sharpe
from engine.exact.rounded import Floats
from hypotheses.statistics import multiplicity
from hypotheses.statistics.bootstrap import Bits, blocks, resampled_days

NORMAL = NormalDist()
CHUNK = 500
LEAST_VALUES = 20
EULER = 0.5772156649015329


@dataclass(frozen=True)
class Estimate:
    """A point estimate, its 95% percentile interval, and a two-sided bootstrap p-value; NaN where not evaluable."""

    point: float
    low: float
    high: float
    p: float


def block_length(series: list[Floats]) -> float:
    """Return the largest Politis-White length (stationary) over the series and their squares, at least 1.

    1 where a series has fewer than 20 values: its autocorrelations say nothing.
    """
    series = [x for x in series if x.size >= LEAST_VALUES]
    lengths = [_length(values) for x in series for values in (x, x * x) if np.std(values) > 0]
    return max(1.0, *lengths) if lengths else 1.0


def _length(values: Floats) -> float:
    with np.errstate(divide="ignore", invalid="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # The library warns of series whose correlations vanish; what it then returns is judged below.
        length = float(optimal_block_length(pd.Series(values))["stationary"].iloc[0])
    return length if np.isfinite(length) else 1.0


def bootstrap_indices(days: int, draws: int, length: float, stream: Bits) -> NDArray[np.int64]:
    """Return the day indices of the stationary bootstrap, ``[draws, days]``: blocks of geometric length on a circle.

    Draw d uses replicate d of ``stream``; ``length`` is the mean block in days, at least 1, used to nine places.
    """
    mean = Decimal(length).quantize(Decimal("1e-9"))
    # In parts: the words of all draws together would take twice the memory of the indices.
    parts = [
        resampled_days(blocks(days, mean, min(CHUNK, draws - begin), partial(_later, stream, begin)))
        for begin in range(0, draws, CHUNK)
    ]
    return np.concatenate(parts)


def _later(stream: Bits, begin: int, replicate: int) -> np.random.PCG64:
    return stream(begin + replicate)


@dataclass(frozen=True)
class Drawn:
    """Sharpe ratio, drawdown, and moments of one account in every bootstrap draw, shape (draws,)."""

    sharpe: Floats
    mdd: Floats


def draw(returns: Floats, indices: NDArray[np.int64]) -> Drawn:
    """Return the measures of one account over drawn days; ``returns`` is ``[days]``, ``indices`` ``[draws, days]``."""
    parts = [
        (sharpe(sample), drawdown_of(sample))
        for sample in (returns[indices[k : k + CHUNK]] for k in range(0, indices.shape[0], CHUNK))
    ]
    return Drawn(np.concatenate([a for a, _ in parts]), np.concatenate([b for _, b in parts]))


def estimate(point: float, draws: Floats) -> Estimate:
    """Return the estimate with its percentile interval; everything NaN where the point or half the draws are."""
    known = draws[np.isfinite(draws)]
    # An interval of the draws that remain would be one of the easy samples.
    if not np.isfinite(point) or known.size < draws.size / 2:
        return Estimate(float("nan"), float("nan"), float("nan"), float("nan"))
    low, high = (float(np.quantile(known, q)) for q in (0.025, 0.975))
    below, above = np.count_nonzero(known <= 0), np.count_nonzero(known >= 0)
    return Estimate(float(point), low, high, min(1.0, 2.0 * (min(below, above) + 1) / (known.size + 1)))


def memmel_error(a: Floats, b: Floats) -> float:
    """Return the standard error of the difference of annual Sharpe ratios of paired returns (Memmel 2003)."""
    sa, sb = float(sharpe(a)) / 365**0.5, float(sharpe(b)) / 365**0.5
    rho = float(np.corrcoef(a, b)[0, 1])
    variance = 2.0 - 2.0 * rho + 0.5 * (sa * sa + sb * sb - 2.0 * sa * sb * rho * rho)
    return float(np.sqrt(max(variance, 0.0) / a.size * 365.0))


def studentised(a: Floats, b: Floats, indices: NDArray[np.int64], draws: int = 1000) -> tuple[float, float]:
    """Return the studentised 95% interval of SR_b - SR_a, the error of each draw by Memmel's formula.

    ``a`` and ``b`` are paired daily returns, ``[days]``; ``indices`` is ``[draws, days]``.
    """
    point, error = float(sharpe(b) - sharpe(a)), memmel_error(a, b)
    t = []
    for row in indices[:draws]:
        left, right = a[row], b[row]
        draw_error = memmel_error(left, right)
        # A draw without variance has no t.
        if draw_error > 0:
            t.append((float(sharpe(right) - sharpe(left)) - point) / draw_error)
    low, high = (float(np.nanquantile(t, q)) for q in (0.025, 0.975))
    return point - high * error, point - low * error


def window_test(a: Floats, b: Floats, days: int = 90) -> dict[str, float]:
    """Return the paired Wilcoxon test of drawdowns over non-overlapping windows: median difference and p."""
    count = a.size // days
    # Under six windows the least two-sided Wilcoxon p is above 0.05.
    if count < 6:
        return {"windows": float(count), "median": float("nan"), "p": float("nan")}
    drops = [drawdown_of(x[: count * days].reshape(count, days)) for x in (a, b)]
    change = drops[1] - drops[0]
    # Differences that are all zero leave the test nothing to rank.
    p = float(wilcoxon(change).pvalue) if np.any(change != 0) else 1.0
    return {"windows": float(count), "median": float(np.median(change)), "p": p}


def holm(p_values: dict[str, float]) -> dict[str, float]:
    """Return Holm's adjusted p-values; NaN stays NaN and counts as a hypothesis all the same."""
    names = sorted(p_values, key=lambda name: (np.isnan(p_values[name]), p_values[name]))
    # A test that could not be made cannot reject, and still counts: it enters as 1.
    entered = [Fraction(p_values[name]) if np.isfinite(p_values[name]) else Fraction(1) for name in names]
    return {
        name: float(value) if np.isfinite(p_values[name]) else float("nan")
        for name, value in zip(names, multiplicity.holm(entered), strict=True)
    }


def power(a: Floats, b: Floats) -> dict[str, float]:
    """Return the correlation of both accounts, the error of the Sharpe difference, and what 80% power could detect."""
    rho = float(np.corrcoef(a, b)[0, 1])
    years = a.size / 365.0
    error = float(np.sqrt(max(2.0 * (1.0 - rho) / years, 0.0)))
    return {"rho": rho, "se": error, "detectable": (NORMAL.inv_cdf(0.975) + NORMAL.inv_cdf(0.8)) * error}


def deflated(returns: Floats, tried: Floats) -> float:
    """Return the deflated Sharpe ratio: the probability that the true ratio is above the best of ``tried`` by luck.

    ``tried`` holds the annual ratios of every configuration.  (Bailey and Lopez de Prado 2014)
    """
    daily, n = float(sharpe(returns)) / 365**0.5, max(tried.size, 2)
    spread = float(np.std(tried / 365**0.5, ddof=1))
    luck = spread * ((1 - EULER) * NORMAL.inv_cdf(1 - 1 / n) + EULER * NORMAL.inv_cdf(1 - 1 / (n * np.e)))
    shape = 1.0 - float(skew(returns)) * daily + (float(kurtosis(returns, fisher=False)) - 1.0) / 4.0 * daily**2
    return float(NORMAL.cdf((daily - luck) * (returns.size - 1) ** 0.5 / shape**0.5))
