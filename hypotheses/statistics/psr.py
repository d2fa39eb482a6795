"""Probabilistic and deflated Sharpe ratios: iid formulas, float tier, they decide nothing.  [statistics 3.5]

Bailey and Lopez de Prado (2012, 2014).  The variance is evaluated at the *estimated* ratio with divisor n - 1; the
newer convention of Lopez de Prado, Lipton and Zoonekynd (2025) evaluates it at the benchmark with divisor n.  With
AR(1) 0.3 they reject too often (11.7% instead of 5%).  `hypotheses.statistics.psr_of_series` applies them to a series.
"""

from __future__ import annotations

from math import e, sqrt

import numpy as np
from scipy.stats import norm

from engine.arguments import require_number
from engine.errors import UsageError

EULER = 0.5772156649015329
"""The Euler-Mascheroni constant."""


def psr(ratio: float, benchmark: float, n: float, skew: float, kurtosis: float) -> float:
    """Return the probabilistic Sharpe ratio (Bailey and Lopez de Prado 2012).

    Phi((SR - SR0) sqrt(n - 1) / sqrt(1 - g3 SR + (g4 - 1)/4 SR^2)).

    Parameters
    ----------
    ratio : float
        Sharpe ratio a day (or any period).
    benchmark : float
        Ratio to be exceeded, of the same period.
    n : float, at least 2
        Periods; a fractional number where a period is not whole.
    skew : float
        Skewness of the returns.
    kurtosis : float, at least 1
        Kurtosis, 3 for the normal law and never under 1; not the excess.

    Returns
    -------
    float
        Between 0 and 1; NaN where the variance under the root is not positive.

    Raises
    ------
    UsageError
        If ``n`` is under 2, ``kurtosis`` under 1, or an argument no finite number.

    Examples
    --------
    >>> round(psr(0.1, 0.0, 90, 0.0, 3.0), 4)
    0.8267
    """
    _require_shape(n, skew, kurtosis, ratio=ratio, benchmark=benchmark)
    variance = 1 - skew * ratio + (kurtosis - 1) / 4 * ratio**2
    return float(norm.cdf((ratio - benchmark) * sqrt(n - 1) / sqrt(variance))) if variance > 0 else float("nan")


def psr_at_benchmark(ratio: float, benchmark: float, n: float, skew: float, kurtosis: float) -> float:
    """Return the probabilistic Sharpe ratio of the newer convention, without AR(1) (Lopez de Prado et al. 2025).

    Phi((SR - SR0) sqrt(n) / sqrt(1 - g3 SR0 + (g4 - 1)/4 SR0^2)).

    Parameters
    ----------
    ratio : float
        Sharpe ratio a day (or any period).
    benchmark : float
        Ratio to be exceeded, of the same period.
    n : float, at least 2
        Periods; a fractional number where a period is not whole.
    skew : float
        Skewness of the returns.
    kurtosis : float, at least 1
        Kurtosis, 3 for the normal law and never under 1; not the excess.

    Returns
    -------
    float
        Between 0 and 1; NaN where the variance under the root is not positive.

    Raises
    ------
    UsageError
        If ``n`` is under 2, ``kurtosis`` under 1, or an argument no finite number.

    Examples
    --------
    >>> round(psr_at_benchmark(0.1, 0.0, 90, 0.0, 3.0), 4)
    0.8286
    """
    _require_shape(n, skew, kurtosis, ratio=ratio, benchmark=benchmark)
    variance = 1 - skew * benchmark + (kurtosis - 1) / 4 * benchmark**2
    return float(norm.cdf((ratio - benchmark) * sqrt(n) / sqrt(variance))) if variance > 0 else float("nan")


def minimum_track_record(ratio: float, benchmark: float, skew: float, kurtosis: float, prob: float) -> float:
    """Return the minimum track record length: 1 + variance (z / (SR - SR0))^2 (Bailey and Lopez de Prado 2012).

    Parameters
    ----------
    ratio : float
        Sharpe ratio a day (or any period).
    benchmark : float
        Ratio to be exceeded, of the same period; another number than ``ratio``.
    skew : float
        Skewness of the returns.
    kurtosis : float, at least 1
        Kurtosis, 3 for the normal law and never under 1; not the excess.
    prob : float, in (0, 1)
        The PSR to be reached.

    Returns
    -------
    float
        Periods; a fractional number where a period is not whole.

    Raises
    ------
    UsageError
        If ``prob`` is not in (0, 1), ``kurtosis`` is under 1, an argument no finite number, or ``benchmark`` is
        ``ratio``.

    Examples
    --------
    >>> round(minimum_track_record(0.1, 0.0, 0.0, 3.0, 0.95), 1)
    272.9
    """
    require_number("prob", prob, float, above=0, below=1)
    _require_shape(2, skew, kurtosis, ratio=ratio, benchmark=benchmark)
    if ratio == benchmark:
        raise UsageError(f"benchmark: expected another number than ratio, was {benchmark}: no record would do")
    variance = 1 - skew * ratio + (kurtosis - 1) / 4 * ratio**2
    return float(1 + variance * (norm.ppf(prob) / (ratio - benchmark)) ** 2)


def standard_error(ratio: float, n: float, skew: float, kurtosis: float) -> float:
    """Return the iid standard error of a Sharpe ratio, divisor n - 1 (Mertens 2002).

    Parameters
    ----------
    ratio : float
        Sharpe ratio a day (or any period).
    n : float, at least 2
        Periods; a fractional number where a period is not whole.
    skew : float
        Skewness of the returns.
    kurtosis : float, at least 1
        Kurtosis, 3 for the normal law and never under 1; not the excess.

    Returns
    -------
    float
        The standard error of ``ratio``; NaN where the variance under the root is not positive.

    Raises
    ------
    UsageError
        If ``n`` is under 2, ``kurtosis`` under 1, or an argument no finite number.

    Examples
    --------
    >>> round(standard_error(0.1, 90, 0.0, 3.0), 4)
    0.1063
    """
    _require_shape(n, skew, kurtosis, ratio=ratio)
    variance = 1 - skew * ratio + (kurtosis - 1) / 4 * ratio**2
    return sqrt(variance / (n - 1)) if variance > 0 else float("nan")


def lo_annualisation(rho: float, periods: int) -> float:
    """Return eta(q) = q / sqrt(q + 2 sum_{k<q} (q - k) rho^k): the factor that annualises under an AR(1) (Lo 2002).

    Parameters
    ----------
    rho : float, in (-1, 1)
        Autocorrelation of lag 1.
    periods : int, at least 1
        Periods a year, q.

    Returns
    -------
    float
        The factor; sqrt(q) only where ``rho`` is 0.

    Raises
    ------
    UsageError
        If ``rho`` is not in (-1, 1), or ``periods`` is under 1.

    Examples
    --------
    >>> lo_annualisation(0.0, 400), lo_annualisation(0.3, 400) < 20.0
    (20.0, True)
    """
    require_number("rho", rho, float, above=-1, below=1)
    require_number("periods", periods, int, at_least=1)
    lags = np.arange(1, periods)
    return float(periods / np.sqrt(periods + 2 * ((periods - lags) * rho**lags).sum()))


def expected_maximum(trials: int, variance: float) -> float:
    """Return the expected largest ratio of several trials without skill (Bailey and Lopez de Prado 2014).

    sqrt(V) ((1 - g) z(1 - 1/N) + g z(1 - 1/(N e))), g the Euler-Mascheroni constant.

    Parameters
    ----------
    trials : int, at least 1
        Configurations that were tried.
    variance : float, at least 0
        Variance of their ratios.

    Returns
    -------
    float
        In the unit of the ratios; 0 for one trial.

    Raises
    ------
    UsageError
        If ``trials`` is under 1, or ``variance`` negative.

    Examples
    --------
    >>> expected_maximum(1, 1.0), round(expected_maximum(10, 1.0), 4)
    (0.0, 1.5746)
    """
    require_number("trials", trials, int, at_least=1)
    require_number("variance", variance, float, at_least=0)
    # The quantile at 1 - 1/1 is minus infinity; one trial has chosen nothing.
    if trials == 1:
        return 0.0
    high, higher = norm.ppf(1 - 1 / trials), norm.ppf(1 - 1 / (trials * e))
    return float(sqrt(variance) * ((1 - EULER) * high + EULER * higher))


def _require_shape(n: float, skew: float, kurtosis: float, **ratios: float) -> None:
    """Refuse lengths, moments and ratios that no sample has: a kurtosis under 1 is an excess kurtosis."""
    require_number("n", n, float, at_least=2)
    require_number("skew", skew, float)
    require_number("kurtosis", kurtosis, float, at_least=1)
    for name, ratio in ratios.items():
        require_number(name, ratio, float)
