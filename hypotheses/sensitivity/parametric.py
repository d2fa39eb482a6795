"""Intervals and errors of a Sharpe ratio from formulas: a normal law, ten blocks, a fitted AR(1).  Float tier."""

from __future__ import annotations

from math import sqrt

import numpy as np
from scipy.optimize import brentq
from scipy.stats import nct, t

from engine.arguments import require_array, require_number
from engine.records import FloatArray, IntArray
from hypotheses.sensitivity.resampling import Pair, sharpe


def normal_interval(ratio: float, n: int, level: float) -> Pair:
    """Return the interval of a Sharpe ratio for independent normal returns, by inverting the noncentral t.

    sqrt(n) SR is noncentral t with n - 1 degrees and noncentrality sqrt(n) times the true ratio.

    Parameters
    ----------
    ratio : float
        The estimated ratio a day (or any period), of divisor n - 1.
    n : int, at least 2
        Periods.
    level : float, in (0, 1)
        The coverage, for example 0.95.

    Returns
    -------
    tuple[float, float]
        The two ends, ratios of the same period.

    Raises
    ------
    UsageError
        If ``n`` is under 2, or ``level`` not in (0, 1).
    """
    require_number("n", n, int, at_least=2)
    require_number("level", level, float, above=0, below=1)
    # twelve standard errors: the tail there is under what a double can show
    seen, reach = ratio * sqrt(n), 12.0 + abs(ratio * sqrt(n))

    def end(tail: float) -> float:
        root = brentq(lambda true: nct.sf(seen, n - 1, true) - tail, seen - reach, seen + reach, xtol=1e-12)
        return float(root) / sqrt(n)

    return end((1 - level) / 2), end((1 + level) / 2)


def block_t(values: FloatArray, block: IntArray, level: float) -> tuple[float, Pair] | None:
    """Return t and interval of a Sharpe ratio from the ratios of whole blocks (Ibragimov and Mueller 2010).

    The block ratios are nearly independent normals of possibly different variances: Student with q - 1 degrees.

    Parameters
    ----------
    values : FloatArray, shape (n,)
        A daily series.
    block : IntArray, shape (n,)
        The number of each day's block.
    level : float, in (0, 1)
        The coverage, for example 0.95.

    Returns
    -------
    tuple[float, tuple] or None
        (t, (low, high)), ratios a day; None where a block has no variance or there are fewer than two blocks.

    Raises
    ------
    UsageError
        If ``values`` is not float64 or ``block`` not int64 of shape (n,), or ``level`` not in (0, 1).
    """
    require_array("values", values, np.float64, ("n",))
    require_array("block", block, np.int64, (len(values),))
    require_number("level", level, float, above=0, below=1)
    ratios = np.array([sharpe(values[block == b]) for b in sorted(set(block.tolist()))])
    # A block without variance has no ratio, and t over the others would be of fewer blocks.
    if len(ratios) < 2 or np.isnan(ratios).any():
        return None
    error = float(ratios.std(ddof=1)) / sqrt(len(ratios))
    if error == 0:
        return None
    centre = float(ratios.mean())
    reach = float(t.ppf((1 + level) / 2, len(ratios) - 1)) * error
    return centre / error, (centre - reach, centre + reach)


def error_at(benchmark: float, n: int, skew: float, kurtosis: float, rho: float) -> float:
    """Return the standard error of a Sharpe ratio at a benchmark, under an AR(1).

    Lopez de Prado, Lipton and Zoonekynd (2025): divisor n, variance at the benchmark.

    Parameters
    ----------
    benchmark : float
        Ratio a day (or any period) at which the variance is evaluated.
    n : int, at least 1
        Periods.
    skew : float
        Skewness of the returns.
    kurtosis : float
        Kurtosis, 3 for the normal law.
    rho : float, in (-1, 1)
        Slope of the AR(1).

    Returns
    -------
    float
        The standard error; NaN where the variance is not positive.

    Raises
    ------
    UsageError
        If ``n`` is under 1, or ``rho`` not in (-1, 1).
    """
    require_number("n", n, int, at_least=1)
    require_number("rho", rho, float, above=-1, below=1)
    square = rho * rho / (1 - rho * rho)
    variance = (
        (1 + rho) / (1 - rho)
        - (1 + rho / (1 - rho) + square) * skew * benchmark
        + (1 + 2 * square) * (kurtosis - 1) / 4 * benchmark**2
    )
    return sqrt(variance / n) if variance > 0 else float("nan")


def first_order_bias(ratio: float, n: int, skew: float, excess: float) -> float:
    """Return by how much an estimated Sharpe ratio is too large on average, to order 1/n (Bao 2009).

    Parameters
    ----------
    ratio : float
        The true ratio a day (or any period).
    n : int, at least 1
        Periods.
    skew : float
        Skewness of the returns.
    excess : float
        Kurtosis less 3.

    Returns
    -------
    float
        The bias, a ratio of the same period.

    Raises
    ------
    UsageError
        If ``n`` is under 1.
    """
    require_number("n", n, int, at_least=1)
    return (ratio * (0.75 + 0.375 * excess) - 0.5 * skew) / n
