"""Families of daily series whose truth is known: stationary, mean 0 and standard deviation 1.  [statistics 10]

| family | day t | closed form |
|---|---|---|
| normal | independent | |
| student | t of 5 degrees over sqrt(5/3) | kurtosis 9 |
| ar1 | 0.3 x_{t-1} + sqrt(1 - 0.09) e_t | autocorrelation 0.3^k |
| negative | AR(1) of -0.2 | autocorrelation (-0.2)^k |
| garch | h_t = 0.05 + 0.10 x_{t-1}^2 + 0.85 h_{t-1} | variance 1, autocorrelation 0, kurtosis 3.77 |
| overlap | (e_t + e_{t-1} + e_{t-2})/sqrt(3) | autocorrelation 2/3, 1/3, 0: trades held for three days |
| skew | -(G - k)/sqrt(k), G gamma of shape k = (2/3.5)^2 | skewness -3.5 |

A true annual Sharpe ratio SR is planted as a daily mean SR/sqrt(365), so that mean over standard deviation is exact.
"""

from __future__ import annotations

from collections.abc import Callable
from math import sqrt
from typing import Final

import numpy as np
from scipy.special import gammaincinv

from backtest.results.returns import DAYS_A_YEAR
from engine.records import FloatArray, IntArray
from engine.units import MICRO
from hypotheses.calibration.draws import Draw

DAYS: Final = 90
FOLDS: Final = 10
SD_USD: Final = 5_000
"""Standard deviation of a day's profit; verdicts do not depend on it, for all scale with it."""

CAPITAL_MICRO: Final = 1_000_000 * MICRO
BLOCK: Final[IntArray] = np.arange(DAYS, dtype=np.int64) * FOLDS // DAYS

SKEWNESS: Final = -3.5
SHAPE: Final = (2.0 / SKEWNESS) ** 2
ARCH: Final = (0.05, 0.10, 0.85)
BURN_IN: Final = 250
"""Days before the first one: 0.95^250 of the start is left, under 3e-6 of a variance."""

ShapedSeries = Callable[[Draw, int], FloatArray]


def normal(draw: Draw, n: int) -> FloatArray:
    """Return independent standard normals, shape ``[n]``."""
    return draw.normals(n)


def student(draw: Draw, n: int) -> FloatArray:
    """Return independent t values of five degrees of freedom over their standard deviation, shape ``[n]``."""
    # a normal over the root of a mean of five squares; the last factor is the deviation of t5
    z = draw.normals(6, n)
    return np.asarray(z[0] / np.sqrt((z[1:] ** 2).sum(axis=0) / 5.0) / sqrt(5.0 / 3.0))


def autoregressive(slope: float) -> ShapedSeries:
    """Return the family of a stationary AR(1) with ``slope``, started from its stationary law."""

    def series(draw: Draw, n: int) -> FloatArray:
        shock = draw.normals(n) * sqrt(1.0 - slope * slope)
        out = np.empty(n)
        # From the stationary law: a start at 0 would have too small a variance for days.
        out[0] = shock[0] / sqrt(1.0 - slope * slope)
        for t in range(1, n):
            out[t] = slope * out[t - 1] + shock[t]
        return out

    return series


def garch(draw: Draw, n: int) -> FloatArray:
    """Return a GARCH(1,1) of unit variance with normal shocks, shape ``[n]``; ``BURN_IN`` days before are dropped."""
    base, arch, keep = ARCH
    shock = draw.normals(n + BURN_IN).tolist()
    level, last, out = 1.0, 1.0, []
    for e in shock:
        level = base + arch * last * last + keep * level
        last = e * sqrt(level)
        out.append(last)
    return np.array(out[BURN_IN:])


def overlap(draw: Draw, n: int) -> FloatArray:
    """Return sums of three neighbouring shocks, shape ``[n]``: days that share trades of three days."""
    e = draw.normals(n + 2)
    return np.asarray((e[2:] + e[1:-1] + e[:-2]) / sqrt(3.0))


def skew(draw: Draw, n: int) -> FloatArray:
    """Return independent days of skewness -3.5, shape ``[n]``: many small gains and rare large losses."""
    # the quantile of one uniform word, so that a day takes one word whatever its value
    return np.asarray((SHAPE - gammaincinv(SHAPE, draw.uniforms(n))) / sqrt(SHAPE))


FAMILIES: Final[dict[str, ShapedSeries]] = {
    "normal": normal,
    "student": student,
    "ar1": autoregressive(0.3),
    "negative": autoregressive(-0.2),
    "garch": garch,
    "overlap": overlap,
    "skew": skew,
}


def drift(sharpe: float) -> float:
    """Return the daily mean, in standard deviations, of a true annual Sharpe ratio."""
    return sharpe / sqrt(DAYS_A_YEAR)


def money(values: FloatArray) -> IntArray:
    """Return standardised daily values as integer micro-USD, int64 of the same shape ``[n]``."""
    # Whole micro-USD, as the profits of a run are.  [R1.1]
    return np.rint(values * SD_USD * MICRO).astype(np.int64)
