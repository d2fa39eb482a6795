"""The hedge ratio of a pair: 1, a trailing regression, or a Kalman filter of level and slope.  [covenants 1.3]

All three are estimated from hourly closes, take one value a day at 00:00 UTC, and are used from the next bar on.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from engine.covenants.base import Covenant
from engine.covenants.elementary import ln
from engine.covenants.parameters import MINUTES_A_DAY, Parameters
from engine.covenants.rolling import correlation_before, deviation_before
from engine.exact.rounded import Floats
from engine.units import NS_PER_DAY, NS_PER_HOUR

COVENANT: Final = Covenant(
    "hedge", "Hedge ratio", "h = 1, or the slope of ln P_A on ln P_B over 30 d, or that of a Kalman filter", "1.3"
)
HEDGE_RANGE: Final = (0.2, 3.0)
WINDOW_D: Final = 30
LEAST_D: Final = 10
"""Days of closes before a regression is used; 1 until then."""
KALMAN_NOISE: Final = 1e-4
"""Variance of the noise of ln P_A about the line, 1% squared: about the pair's own deviation from its anchor."""
KALMAN_STEP: Final = 1e-7
"""Variance of an hour's step of level and slope: the slope moves by about 0.0085 in a month of 720 hours."""


def hedge_path(t_ns: NDArray[np.int64], price_a: Floats, price_b: Floats, p: Parameters) -> Floats:
    """Return the hedge ratio in force at each bar, shape (bars,), from closes before its day; 1 before the first one.

    ``t_ns`` are the closes in nanoseconds, prices in USD with NaN for a missing bar.
    """
    if p.hedge_rule == "ratio":
        return np.ones(t_ns.size)
    hours = np.flatnonzero(t_ns % NS_PER_HOUR == 0)
    a_day = MINUTES_A_DAY // max(60, p.bar_min)
    a, b = price_a[hours], price_b[hours]
    ratio = (
        ols_hedge(a, b, WINDOW_D * a_day, LEAST_D * a_day)
        if p.hedge_rule == "ols"
        else kalman_hedge(a, b, KALMAN_NOISE, KALMAN_STEP)
    )
    midnight = np.flatnonzero(t_ns[hours] % NS_PER_DAY == 0)
    # left: the bar at 00:00 itself still has the ratio of the day before.
    known = np.searchsorted(t_ns[hours][midnight], t_ns, side="left")
    return np.append(1.0, ratio[midnight])[known]


def ols_hedge(price_a: Floats, price_b: Floats, window: int, least: int) -> Floats:
    """Return the slope of ln P_A on ln P_B over the ``window`` bars before each bar, clipped to [0.2, 3].

    1 where fewer than ``least`` bars are known or B did not move.
    """
    a, b = _from_first(price_a, price_b)
    slope = correlation_before(a, b, window, least) * deviation_before(a, window, least)
    with np.errstate(divide="ignore", invalid="ignore"):
        slope = slope / deviation_before(b, window, least)
    return np.where(np.isfinite(slope), np.clip(slope, *HEDGE_RANGE), 1.0)


def kalman_hedge(price_a: Floats, price_b: Floats, noise: float, step: float) -> Floats:
    """Return the slope h of ``ln P_A = c + h ln P_B + e`` before each bar, clipped to [0.2, 3].

    Level and slope are random walks; ``noise`` is the variance of e, ``step`` that of a bar's step of each.  The filter
    starts at level 0, slope 1 with unit variances, both logs counted from the first bar.  A missing bar adds a step and
    no knowledge.  (Kalman 1960)
    """
    a, b = _from_first(price_a, price_b)
    slopes = np.empty(a.size)
    level, slope = 0.0, 1.0
    # Covariance of (level, slope): variances and the covariance between.
    v_level, v_slope, both = 1.0, 1.0, 0.0
    for t, (y, x) in enumerate(zip(a.tolist(), b.tolist(), strict=True)):
        # Before the bar's own prices join.
        slopes[t] = slope
        v_level, v_slope = v_level + step, v_slope + step
        if y != y or x != x:
            continue
        to_level, to_slope = v_level + both * x, both + v_slope * x
        total = to_level + to_slope * x + noise
        gap = y - level - slope * x
        gain_level, gain_slope = to_level / total, to_slope / total
        level, slope = level + gain_level * gap, slope + gain_slope * gap
        v_level, both, v_slope = (
            v_level - gain_level * to_level,
            both - gain_level * to_slope,
            v_slope - gain_slope * to_slope,
        )
    return np.clip(slopes, *HEDGE_RANGE)


def leg_weights(hedge: Floats) -> tuple[Floats, Floats]:
    """Return the notional of A and of B over a leg's target: ``N_A = h N_B``, their sum that of two equal legs."""
    return 2.0 * hedge / (1.0 + hedge), 2.0 / (1.0 + hedge)


def _from_first(price_a: Floats, price_b: Floats) -> tuple[Floats, Floats]:
    """Return both logs less those of the first bar that has both: sums of large numbers would cancel."""
    a, b = ln(price_a), ln(price_b)
    first = np.flatnonzero(~(np.isnan(a) | np.isnan(b)))
    return (a - a[first[0]], b - b[first[0]]) if first.size else (a, b)
