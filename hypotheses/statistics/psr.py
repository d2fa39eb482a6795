"""Probabilistic and deflated Sharpe ratios: iid formulas, float tier, they decide nothing.  [statistics 3.5]

Bailey and Lopez de Prado (2012, 2014).  The variance is evaluated at the *estimated* ratio with divisor n - 1; the
newer convention of Lopez de Prado, Lipton and Zoonekynd (2025) evaluates it at the benchmark with divisor n.  With
AR(1) 0.3 they reject too often (11.7% instead of 5%).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from math import e, sqrt

import numpy as np
from scipy.stats import norm

from backtest.results.returns import DAYS_A_YEAR
from engine.records import IntArray

EULER = 0.5772156649015329


def psr(ratio: float, benchmark: float, n: int, skew: float, kurtosis: float) -> float:
    """Return Phi((SR - SR0) sqrt(n - 1) / sqrt(1 - g3 SR + (g4 - 1)/4 SR^2)), ratios per period, g4 non-excess.

    NaN where the variance under the root is not positive.
    """
    variance = 1 - skew * ratio + (kurtosis - 1) / 4 * ratio**2
    return float(norm.cdf((ratio - benchmark) * sqrt(n - 1) / sqrt(variance))) if variance > 0 else float("nan")


def psr_at_benchmark(ratio: float, benchmark: float, n: int, skew: float, kurtosis: float) -> float:
    """Return Phi((SR - SR0) sqrt(n) / sqrt(1 - g3 SR0 + (g4 - 1)/4 SR0^2)): the newer convention, without AR(1).

    NaN where the variance under the root is not positive.
    """
    variance = 1 - skew * benchmark + (kurtosis - 1) / 4 * benchmark**2
    return float(norm.cdf((ratio - benchmark) * sqrt(n) / sqrt(variance))) if variance > 0 else float("nan")


def minimum_track_record(ratio: float, benchmark: float, skew: float, kurtosis: float, prob: float) -> float:
    """Return how many periods must have passed for the PSR to reach ``prob``: 1 + variance (z / (SR - SR0))^2."""
    variance = 1 - skew * ratio + (kurtosis - 1) / 4 * ratio**2
    return float(1 + variance * (norm.ppf(prob) / (ratio - benchmark)) ** 2)


def standard_error(ratio: float, n: int, skew: float, kurtosis: float) -> float:
    """Return the iid standard error of a per-period Sharpe ratio, divisor n - 1 (Mertens 2002)."""
    return sqrt((1 - skew * ratio + (kurtosis - 1) / 4 * ratio**2) / (n - 1))


def lo_annualisation(rho: float, periods: int) -> float:
    """Return eta(q) = q / sqrt(q + 2 sum_{k<q} (q - k) rho^k): by what Lo (2002) annualises under an AR(1).

    sqrt(q) only where rho is 0.
    """
    lags = np.arange(1, periods)
    return float(periods / np.sqrt(periods + 2 * ((periods - lags) * rho**lags).sum()))


def expected_maximum(trials: int, variance: float) -> float:
    """Return the expected largest ratio of ``trials`` >= 1 unskilled trials whose ratios vary by ``variance``.

    sqrt(V) ((1 - g) z(1 - 1/N) + g z(1 - 1/(N e))), g the Euler constant; 0 for one trial.
    """
    if trials == 1:
        return 0.0
    high, higher = norm.ppf(1 - 1 / trials), norm.ppf(1 - 1 / (trials * e))
    return float(sqrt(variance) * ((1 - EULER) * high + EULER * higher))


@dataclass(frozen=True, slots=True)
class SampleMoments:
    """What the formulas read of a series: the ratio per period, its length, skewness and kurtosis (not excess)."""

    ratio: float
    n: int
    skew: float
    kurtosis: float


def sample_moments(returns: IntArray) -> SampleMoments | None:
    """Return the shape of a daily series; None where it does not vary."""
    values = returns.astype(np.float64)
    centred = values - values.mean()
    spread = sqrt(float((centred**2).mean()))
    if spread == 0:
        return None
    ratio = float(values.mean() / values.std(ddof=1))
    skew, kurtosis = float((centred**3).mean() / spread**3), float((centred**4).mean() / spread**4)
    return SampleMoments(ratio, len(values), skew, kurtosis)


def probabilistic_sharpe(returns: IntArray, claim: Decimal) -> float | None:
    """Return the PSR of a daily series in units of 1e-9 against an annual ``claim``; None where it is undefined."""
    return _probability(psr, sample_moments(returns), float(claim) / sqrt(DAYS_A_YEAR))


def days_needed(returns: IntArray, claim: Decimal, prob: Decimal) -> float | None:
    """Return how many days must pass, at this ratio and shape, for the PSR against ``claim`` to reach ``prob``; None
    where the ratio is not above the claim or undefined.
    """
    shape, benchmark = sample_moments(returns), float(claim) / sqrt(DAYS_A_YEAR)
    if shape is None or shape.ratio <= benchmark:
        return None
    found = minimum_track_record(shape.ratio, benchmark, shape.skew, shape.kurtosis, float(prob))
    return found if found > 1 else None


def probabilistic_sharpe_at_benchmark(returns: IntArray, claim: Decimal) -> float | None:
    """Return the PSR of the newer convention; None where it is undefined."""
    return _probability(psr_at_benchmark, sample_moments(returns), float(claim) / sqrt(DAYS_A_YEAR))


def deflated_sharpe(returns: IntArray, trials: Sequence[float]) -> float | None:
    """Return the DSR: the PSR against the largest ratio that ``trials`` without skill would show; 0 for one trial.

    ``trials`` are the annual ratios of all configurations ever evaluated on the window, this one included.  None where
    it is undefined.
    """
    variance = float(np.var(trials, ddof=1)) / DAYS_A_YEAR if len(trials) > 1 else 0.0
    return _probability(psr, sample_moments(returns), expected_maximum(max(len(trials), 1), variance))


def _probability(formula: Callable[..., float], shape: SampleMoments | None, benchmark: float) -> float | None:
    if shape is None:
        return None
    found = formula(shape.ratio, benchmark, shape.n, shape.skew, shape.kurtosis)
    return None if np.isnan(found) else found
