"""Intervals and errors of a Sharpe ratio from formulas: a normal law, ten blocks, a fitted AR(1).  Float tier."""

from __future__ import annotations

from math import sqrt

import numpy as np
from scipy.optimize import brentq
from scipy.stats import nct, t

from engine.records import FloatArray, IntArray
from hypotheses.sensitivity.resampling import Pair, sharpe


def normal_interval(ratio: float, n: int, level: float) -> Pair:
    """Return the interval of a per-period ratio for independent normal returns, by inverting the noncentral t.

    sqrt(n) SR is noncentral t with n - 1 degrees and noncentrality sqrt(n) times the true ratio.
    """
    seen, reach = ratio * sqrt(n), 12.0 + abs(ratio * sqrt(n))

    def end(tail: float) -> float:
        found = brentq(lambda true: nct.sf(seen, n - 1, true) - tail, seen - reach, seen + reach, xtol=1e-12)
        return float(found) / sqrt(n)

    return end((1 - level) / 2), end((1 + level) / 2)


def block_t(values: FloatArray, block: IntArray, level: float) -> tuple[float, Pair] | None:
    """Return (t, interval) of the per-period Sharpe ratio from the ratios of whole blocks, Student with q - 1 degrees.

    Ibragimov and Mueller (2010): the block ratios are nearly independent normals of possibly different variances.
    None where a block has no variance or there are fewer than two.
    """
    ratios = np.array([sharpe(values[block == b]) for b in sorted(set(block.tolist()))])
    if len(ratios) < 2 or np.isnan(ratios).any():
        return None
    error = float(ratios.std(ddof=1)) / sqrt(len(ratios))
    if error == 0:
        return None
    centre = float(ratios.mean())
    reach = float(t.ppf((1 + level) / 2, len(ratios) - 1)) * error
    return centre / error, (centre - reach, centre + reach)


def error_at(benchmark: float, n: int, skew: float, kurtosis: float, rho: float) -> float:
    """Return the standard error of a per-period ratio at a benchmark, under an AR(1) with slope ``rho``.

    Lopez de Prado, Lipton and Zoonekynd (2025): divisor n, variance at the benchmark, kurtosis non-excess.  NaN where
    the variance is not positive.
    """
    square = rho * rho / (1 - rho * rho)
    variance = (
        (1 + rho) / (1 - rho)
        - (1 + rho / (1 - rho) + square) * skew * benchmark
        + (1 + 2 * square) * (kurtosis - 1) / 4 * benchmark**2
    )
    return sqrt(variance / n) if variance > 0 else float("nan")


def first_order_bias(ratio: float, n: int, skew: float, excess: float) -> float:
    """Return by how much the estimated per-period ratio is too large on average, to order 1/n (Bao 2009)."""
    return (ratio * (0.75 + 0.375 * excess) - 0.5 * skew) / n
