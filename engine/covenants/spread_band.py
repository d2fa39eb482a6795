"""The spread band in its three readings, its post-processing, and when a spread breaks it.  [covenants 3]"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from engine.covenants.base import Covenant
from engine.covenants.parameters import Parameters
from engine.exact.rounded import Floats

COVENANT: Final = Covenant(
    "spread_band", "Spread band", "SB = alpha sigma + (1 - alpha) |S| + beta rho, or scaled, or principled", "3"
)
CLIP_PP: Final = (0.5, 10.0)
STEP_PP: Final = 0.25
"""Largest change of the band in one revision."""
_UNIT: Final = 1e6
"""Bands are stored in millionths of a percentage point, half even."""


def literal_pp(alpha: Floats, beta: Floats, sigma: Floats, spread: Floats, rho: Floats) -> Floats:
    """Return the printed formula in pp: its last term carries the unit pp in beta.  [covenants 3.1, 3.2]"""
    return alpha * sigma + (1.0 - alpha) * spread + beta * rho


def scaled_pp(alpha: Floats, beta: Floats, sigma: Floats, spread: Floats, rho: Floats) -> Floats:
    """Return the printed formula with its last term times sigma: ``SB(c sigma, c S) = c SB``.  [covenants 3.3]"""
    return alpha * sigma + (1.0 - alpha) * np.abs(spread) + beta * rho * sigma


def principled_pp(
    alpha: Floats, beta: Floats, sigma: Floats, rms: Floats, rho: Floats, rho_bar: Floats, zeta: float
) -> Floats:
    """Return ``zeta [alpha sigma + (1 - alpha) q] (1 + beta rho) / (1 + beta rho_bar)`` in pp.

    ``rms`` (q) is over the bars before; at normal correlation the last factor is 1, below it the band is tighter.
    [covenants 3.4]
    """
    return zeta * (alpha * sigma + (1.0 - alpha) * rms) * (1.0 + beta * rho) / (1.0 + beta * rho_bar)


def same_bar_threshold_pp(alpha: float, beta: float, sigma: float, rho: float) -> float:
    """Return the spread above which the same-bar literal rule breaks: (1 - alpha) cancels.  [covenants 3.2]"""
    return sigma + beta * rho / alpha


def post_process(raw_pp: float, last_pp: float, p: Parameters) -> float:
    """Return the band that is published, in pp: clipped, limited in its change, rounded.  [covenants 3.5]

    The literal reading is only rounded.  The change is limited before the clip, so a band is always within it.
    """
    if p.post_processed:
        raw_pp = min(max(raw_pp, last_pp - STEP_PP), last_pp + STEP_PP)
        raw_pp = min(max(raw_pp, CLIP_PP[0]), CLIP_PP[1])
    return round(max(raw_pp, 0.0) * _UNIT) / _UNIT


def published(raw_pp: Floats) -> Floats:
    """Return literal bands as published, in millionths of a pp, at least 0: `post_process` on an array; NaN stays."""
    return np.rint(np.maximum(raw_pp, 0.0) * _UNIT) / _UNIT


def breaks(spread_abs: Floats, band: Floats, rule: str) -> NDArray[np.bool_]:
    """Return where |S| exceeds the band, strictly; arrays of shape (n,), false where either is NaN.

    ``lagged``: the band in force when the price is observed, that of the bar before; ``same_bar``: the bar's own.
    [covenants 3.6]
    """
    if rule == "same_bar":
        return spread_abs > band
    in_force = np.concatenate(([np.nan], band[:-1])) if band.size else band
    return spread_abs > in_force


def onsets(ratio: Floats, level: float, hysteresis: float) -> int:
    """Return how many breaches begin where ``ratio`` = |S| / band passes ``level`` upwards.

    A breach ends where the ratio is at most ``hysteresis`` times the level; NaN changes nothing.  [covenants 3.6]
    """
    marks = np.where(ratio > level, 1, np.where(ratio <= hysteresis * level, -1, 0))
    marks = marks[marks != 0]
    return int(np.count_nonzero((marks[1:] == 1) & (marks[:-1] == -1)) + (marks.size > 0 and marks[0] == 1))


def fit_zeta(ratio: Floats, days: float, p: Parameters, per_days: float = 7.0) -> float:
    """Return the smallest factor at which breaches begin at most once in ``per_days``, by bisection.  [covenants 3.4]

    ``ratio`` is |S| over the unscaled band in force, of a training window of ``days``.  Searched in [0.25, 16]; the end
    of the range where no factor in it reaches the target.
    """
    low, high = 0.25, 16.0
    target = days / per_days
    # 24 halvings leave less than 1e-6, the unit in which bands are stored.
    for _ in range(24):
        middle = 0.5 * (low + high)
        low, high = (low, middle) if onsets(ratio, middle, p.hysteresis) <= target else (middle, high)
    # The upper end is known to meet the target; the lower one is not.
    return high
