"""Drift of the parameter engine: the printed monitor, and one that compares like with like.  [covenants 8]"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engine.covenants.base import Covenant
from engine.exact.rounded import Floats

Flags = NDArray[np.bool_]

COVENANT: Final = Covenant(
    "drift_monitor", "Drift monitor", "literal: |SB_{t-1} - |S_t|| > 0.5 pp; calibrated: coverage and quantile", "8"
)
PERSISTENCE_BARS: Final = 5
COOL_DOWN_MIN: Final = 60


def literal_deviation_pp(band_before: Floats, spread_abs: Floats) -> Floats:
    """Return the distance of the band in force from |S|, in pp.  [covenants 8.1]"""
    return np.abs(band_before - spread_abs)


def literal_alarm(band_before: Floats, spread_abs: Floats, limit_pp: float) -> Flags:
    """Return where the printed monitor alarms: strictly more than ``limit_pp``; false where either is NaN."""
    return literal_deviation_pp(band_before, spread_abs) > limit_pp


def windows_max(spread_abs: Floats, bars: int) -> Floats:
    """Return max |S| over each full block of ``bars`` bars, blocks side by side; NaN bars are left out.  [8.2]"""
    blocks = spread_abs[: spread_abs.size // bars * bars].reshape(-1, bars)
    highest: Floats = np.max(np.where(np.isnan(blocks), -np.inf, blocks), axis=1)
    return np.where(np.isfinite(highest), highest, np.nan)


def binomial_interval(n: int, p: float, level: float = 0.99) -> tuple[int, int]:
    """Return the counts (low, high) of the central interval of Binomial(n, p), each tail at most (1 - level) / 2.

    A count outside is the alarm.  Exact up to rounding of sums of n + 1 terms.
    """
    # p / (1 - p) below needs both outcomes to be possible.
    if p <= 0.0 or p >= 1.0:
        return (0, 0) if p <= 0.0 else (n, n)
    weights = [1.0]
    # Relative to the mode's neighbourhood: rescaled when large.
    for k in range(n):
        weights.append(weights[-1] * (n - k) / (k + 1) * p / (1.0 - p))
        if weights[-1] > 1e200:
            weights = [weight * 1e-200 for weight in weights]
    total, tail = math.fsum(weights), (1.0 - level) / 2.0
    low, below = 0, weights[0]
    while below <= tail * total and low < n:
        low += 1
        below += weights[low]
    high, above = n, weights[n]
    while above <= tail * total and high > 0:
        high -= 1
        above += weights[high]
    return low, high


def quantile(values: Floats, q: float) -> float:
    """Return the q-quantile of the known values: the smallest with at least that share at or below it; NaN of none."""
    known = np.sort(values[~np.isnan(values)])
    return float(known[min(known.size - 1, max(0, int(np.ceil(q * known.size)) - 1))]) if known.size else float("nan")


def calibrated_alarm(band: Floats, highest: Floats, train_share: float, window: int, limit_pp: float) -> Flags:
    """Return, for each block, whether the calibrated monitor alarms; ``band`` and ``highest`` have shape (blocks,).

    ``band`` is the band before each block, ``highest`` the block's max |S|, ``train_share`` the share of training
    blocks above their band, ``window`` the blocks in 24 h.  Alarms where the count of blocks above the band leaves the
    exact 99% interval of the training share *and* the band is off the realised 99% quantile by more than ``limit_pp``
    on average.  [covenants 8.2]
    """
    above = np.where(np.isnan(band) | np.isnan(highest), np.nan, (highest > band).astype(np.float64))
    alarms = np.zeros(band.size, dtype=np.bool_)
    for t in range(window, band.size + 1):
        part = slice(t - window, t)
        known = ~np.isnan(above[part])
        n = int(np.count_nonzero(known))
        if n == 0:
            continue
        low, high = binomial_interval(n, train_share)
        count = int(np.count_nonzero(above[part][known]))
        gaps = np.abs(band[part][known] - quantile(highest[part], 0.99))
        # cumsum adds from left to right; the order of np.sum depends on the length.  [audit 10.3]
        off = float(np.cumsum(gaps)[-1]) / n
        alarms[t - 1] = not low <= count <= high and off > limit_pp
    return alarms


def persistent(alarms: Flags, bars: int, cool_down: int) -> Flags:
    """Return where an alarm is raised: after ``bars`` bars in a row, then not again for ``cool_down`` bars."""
    raised = np.zeros(alarms.size, dtype=np.bool_)
    run, quiet_until = 0, -1
    for t, on in enumerate(alarms.tolist()):
        run = run + 1 if on else 0
        if run >= bars and t > quiet_until:
            raised[t], quiet_until, run = True, t + cool_down, 0
    return raised
