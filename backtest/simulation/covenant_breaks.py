"""Synthetic changes of regime: how soon the drift monitors see them, and what the rule of beta is worth.

Changes: volatility doubled, correlation from 0.85 to 0.3, a level shift of 3 pp.  [covenants 8.3, 10]
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

import numpy as np

from backtest.simulation.covenant_claims import horizon_bars
from backtest.simulation.covenant_streams import normals
from engine.covenants.drift_monitor import (
    COOL_DOWN_MIN,
    PERSISTENCE_BARS,
    calibrated_alarm,
    literal_alarm,
    persistent,
    windows_max,
)
from engine.covenants.measures import Measures, measure
from engine.covenants.parameter_engine import unscaled_band
from engine.covenants.parameters import Parameters
from engine.covenants.spread_band import published
from engine.exact.rounded import Floats
from engine.units import NS_PER_SECOND

BAR_MIN: Final = 15
DAYS: Final = 40
CHANGE_D: Final = 30
TRAIN_D: Final = (10, 25)
"""Days of which the calibrated monitor has its training share."""
RHO: Final = (0.85, 0.3)
SHIFT_PP: Final = 3.0
CHANGES: Final = ("none", "volatility", "correlation", "level")
PLAN: Final = Parameters(bar_min=BAR_MIN, reading="literal", alpha_rule="constant", beta_rule="regime")
_A_DAY: Final = 1440 // BAR_MIN


def changed_pair(root_text: str, path: int, change: str) -> tuple[np.ndarray, Floats, Floats]:
    """Return close times and prices of one synthetic pair whose regime changes after 30 of 40 days, or does not."""
    n = DAYS * _A_DAY
    common, own_a, own_b = (normals(root_text, f"covenants/breaks/{name}", n, path) for name in ("common", "a", "b"))
    late = np.arange(n) >= CHANGE_D * _A_DAY
    rho = np.where(late & (change == "correlation"), RHO[1], RHO[0])
    scale = 0.55 / np.sqrt(365.0 * _A_DAY) * np.where(late & (change == "volatility"), 2.0, 1.0)
    a = np.cumsum(scale * (np.sqrt(rho) * common + np.sqrt(1.0 - rho) * own_a))
    b = np.cumsum(scale * (np.sqrt(rho) * common + np.sqrt(1.0 - rho) * own_b))
    if change == "level":
        a = a + np.where(late, np.log1p(SHIFT_PP / 100.0), 0.0)
    t_ns = (1 + np.arange(n, dtype=np.int64)) * BAR_MIN * 60 * NS_PER_SECOND
    return t_ns, 40_000.0 * np.exp(a), 2_500.0 * np.exp(b)


def regime_changes(root_text: str, paths: int) -> dict[str, Any]:
    """Return, by change, the monitors' delays and false alarms and the coverage with each rule of beta.

    Delays are medians in minutes over paths, null where fewer than half of them alarm within the ten days after; false
    alarms are those a day before the change.
    """
    table: dict[str, Any] = {}
    for change in CHANGES:
        rows = [_one_path(*changed_pair(root_text, path, change)) for path in range(paths)]
        table[change] = {
            **{
                f"{monitor}_{what}": float(np.median([row[f"{monitor}_{what}"] for row in rows]))
                for monitor in ("literal", "calibrated")
                for what in ("delay_min", "false_a_day")
            },
            **{
                f"{name}_{rule}": float(np.mean([row[f"{name}_{rule}"] for row in rows]))
                for name in ("above_before", "above_after")
                for rule in ("regime", "constant")
            },
        }
    return table


def _one_path(t_ns: np.ndarray, a: Floats, b: Floats) -> dict[str, float]:
    m = measure(t_ns, a, b, PLAN)
    row: dict[str, float] = {}
    for rule in ("regime", "constant"):
        beta = m.beta if rule == "regime" else np.full(m.beta.size, PLAN.beta)
        band = _in_force(replace(m, beta=beta))
        above = _above(m, band)
        change = CHANGE_D * _A_DAY // horizon_bars(BAR_MIN)
        row[f"above_before_{rule}"] = float(np.nanmean(above[_windows(TRAIN_D[0]) : change]))
        row[f"above_after_{rule}"] = float(np.nanmean(above[change:]))
    band, size = _in_force(m), np.abs(m.spread)
    alarms = persistent(literal_alarm(band, size, PLAN.drift_pp), PERSISTENCE_BARS, COOL_DOWN_MIN // BAR_MIN)
    row |= _score("literal", alarms, 1)
    ahead = horizon_bars(BAR_MIN)
    highest = windows_max(size, ahead)
    train = float(np.nanmean(_above(m, band)[_windows(TRAIN_D[0]) : _windows(TRAIN_D[1])]))
    blocks = calibrated_alarm(band[::ahead][: highest.size], highest, train, _A_DAY // ahead, PLAN.drift_pp)
    # Persistence is of bars: a block is as long as its bars.
    persistence = -(-PERSISTENCE_BARS // ahead)
    row |= _score("calibrated", persistent(blocks, persistence, COOL_DOWN_MIN // (BAR_MIN * ahead)), ahead)
    return row


def _in_force(m: Measures) -> Floats:
    band = published(unscaled_band(m, PLAN))
    return np.concatenate(([np.nan], band[:-1]))


def _above(m: Measures, band: Floats) -> Floats:
    """Return, a window of the next bars each, 1 where max |S| is above the band at its start, NaN where unknown."""
    ahead = horizon_bars(BAR_MIN)
    highest = windows_max(np.abs(m.spread), ahead)
    first = band[::ahead][: highest.size]
    return np.where(np.isfinite(first) & np.isfinite(highest), (highest > first).astype(np.float64), np.nan)


def _windows(days: int) -> int:
    return days * _A_DAY // horizon_bars(BAR_MIN)


def _score(name: str, alarms: np.ndarray, bars: int) -> dict[str, float]:
    """Return the delay from the change to the first alarm (infinite if none) and the alarms a day before it."""
    change, begin = CHANGE_D * _A_DAY // bars, TRAIN_D[1] * _A_DAY // bars
    after = np.flatnonzero(alarms[change:])
    return {
        f"{name}_delay_min": float(after[0] + 1) * bars * BAR_MIN if after.size else float("inf"),
        f"{name}_false_a_day": float(np.count_nonzero(alarms[begin:change])) / (CHANGE_D - TRAIN_D[1]),
    }
