"""Probabilistic and deflated Sharpe ratios: iid formulas, float tier, they decide nothing.  [statistics 3.5]

Bailey and Lopez de Prado (2012, 2014).  The variance is evaluated at the *estimated* ratio with divisor n - 1; the
newer convention of Lopez de Prado, Lipton and Zoonekynd (2025) evaluates it at the benchmark with divisor n.  With
AR(1) 0.3 they reject too often (11.7% instead of 5%).
"""

from __future__ import annotations

from decimal import Decimal
from math import e, sqrt

import numpy as np
from scipy.stats import norm

from backtest.returns import DAYS_A_YEAR
from engine.records import IntArray

EULER = 0.5772156649015329


def psr(ratio: float, benchmark: float, n: int, skew: float, kurtosis: float) -> float:
    """Return Phi((SR - SR0) sqrt(n - 1) / sqrt(1 - g3 SR + (g4 - 1)/4 SR^2)), ratios per period, g4 non-excess.

    NaN where the variance under the root is not positive.
    """
    variance = 1 - skew * ratio + (kurtosis - 1) / 4 * ratio**2
    return float(norm.cdf((ratio - benchmark) * sqrt(n - 1) / sqrt(variance))) if variance > 0 else float("nan")


def standard_error(ratio: float, n: int, skew: float, kurtosis: float) -> float:
    """Return the iid standard error of a per-period Sharpe ratio, divisor n - 1 (Mertens 2002)."""
    return sqrt((1 - skew * ratio + (kurtosis - 1) / 4 * ratio**2) / (n - 1))


def lo_scale(rho: float, periods: int) -> float:
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


def probabilistic_sharpe(returns: IntArray, claim: Decimal) -> float | None:
    """Return the PSR of a daily series in units of 1e-9 against an annual ``claim``; None where it is undefined."""
    values = returns.astype(np.float64)
    centred = values - values.mean()
    spread = sqrt(float((centred**2).mean()))
    if spread == 0:
        return None
    ratio = float(values.mean() / values.std(ddof=1))
    skew, kurtosis = float((centred**3).mean() / spread**3), float((centred**4).mean() / spread**4)
    found = psr(ratio, float(claim) / sqrt(DAYS_A_YEAR), len(values), skew, kurtosis)
    return None if np.isnan(found) else found
