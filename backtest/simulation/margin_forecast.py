"""Margin forecasts bar by bar: filter, simulated tails, floor and change limits.  [risk.md 12.1, 12.2]

Once a day the filter is fitted on the window before the day, paths are simulated from its last deviation, and VaR and
ES are kept in units of that deviation; through the day they move with the filtered one.  Nothing at a bar uses a later
bar, and a margin is in force one bar after it was decided.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.lib.stride_tricks import sliding_window_view

from backtest.simulation.margin_filter import fit_filter, simulated_returns
from backtest.simulation.tail_risk import tail_of
from engine.exact.rounded import Floats

SIDES = ("long", "short")
STRESS_DAYS = 10
BLEND = 0.25
"""The floor is three quarters of ES and a quarter of the ES of the worst ten days known.  [12.2]"""
UP_AN_HOUR, DOWN_AN_HOUR = 0.20, 0.02
LEAST_MINUTES = 5.0
CHUNK_DAYS = 30
"""Days a task: fits begin where the day before ended, within a task, so that no result depends on the workers."""


@dataclass(frozen=True, slots=True)
class MarginTask:
    """What a task of days needs: log returns and USD volume [bars], bars a day, and the numbers of the plan.

    ``returns[k]`` ends at the close of bar k; ``position_usd`` is liquidated at ``participation`` of the median volume.
    """

    returns: Floats
    volume_usd: Floats
    day_bars: int
    window_bars: int
    level: float
    position_usd: float
    participation: float
    paths: int
    seed: str


def forecast_days(task: MarginTask, first_day: int) -> pd.DataFrame:
    """Return a row a bar of up to `CHUNK_DAYS` days from ``first_day``; a function of a module, for `parallel_map`.

    Columns: bar, horizon (bars), sigma (of the next bar), var, es and shape by side, stress, volume_usd (median of a
    bar), fallback.
    """
    parts, law = [], None
    days = len(task.returns) // task.day_bars
    for day in range(first_day, min(days, first_day + CHUNK_DAYS)):
        begin = day * task.day_bars
        known = task.returns[begin - task.window_bars : begin]
        law = fit_filter(known, law)
        # The last deviation is that of the bar that the next day begins with.
        sigma = law.deviations(task.returns[begin - task.window_bars : begin + task.day_bars])
        residuals = known / sigma[: task.window_bars]
        volume = float(np.median(task.volume_usd[begin - task.window_bars : begin]))
        horizon = horizon_bars(task, volume)
        start = float(sigma[task.window_bars])
        moves = np.expm1(simulated_returns(law, residuals, start, horizon, task.paths, task.seed, day))
        frame: dict[str, Any] = {
            "bar": np.arange(begin, begin + task.day_bars), "horizon": horizon,
            "sigma": sigma[task.window_bars + 1 :], "stress": stressed_es(task, begin, horizon),
            "volume_usd": volume, "fallback": law.is_fallback,
        }  # fmt: skip
        for side, losses in zip(SIDES, (-moves, moves), strict=True):
            tail = tail_of(losses, task.level)
            frame |= {
                f"var_{side}": tail.var / start * frame["sigma"], f"es_{side}": tail.es / start * frame["sigma"],
                f"shape_{side}": 0.0 if tail.is_empirical else tail.shape,
            }  # fmt: skip
        parts.append(pd.DataFrame(frame))
    return pd.concat(parts, ignore_index=True)


def horizon_bars(task: MarginTask, volume_usd: float) -> int:
    """Return the bars until a position is closed: at least five minutes, rounded up to bars.  [12.1]"""
    bar_min = 1440.0 / task.day_bars
    minutes = max(LEAST_MINUTES, task.position_usd / (task.participation * volume_usd / bar_min))
    return int(np.ceil(minutes / bar_min))


def stressed_es(task: MarginTask, begin: int, horizon: int) -> float:
    """Return the ES of ``horizon`` bars within the ten days before bar ``begin`` whose largest move was largest."""
    days = np.abs(task.returns[: begin // task.day_bars * task.day_bars]).reshape(-1, task.day_bars)
    worst = np.argsort(-days.max(axis=1), kind="stable")[:STRESS_DAYS]
    moves = task.returns[: days.size].reshape(days.shape)[worst]
    sums = np.abs(sliding_window_view(moves, horizon, axis=1).sum(axis=2)).ravel()
    ordered = np.sort(sums)
    beyond = ordered[int(np.ceil(task.level * len(ordered))) - 1 :]
    return float(beyond.sum()) / len(beyond)


def margin_in_force(rows: pd.DataFrame, day_bars: int, costs: Floats) -> Floats:
    """Return the margin rate in force from each bar's close on, [bars]: limited, decided one bar before.  [12.2]

    ``costs`` [bars] are half spread, impact and fee.  The first bar is in force as decided: nothing was before it.
    """
    es = np.maximum(rows["es_long"].to_numpy(), rows["es_short"].to_numpy())
    target = np.maximum((1.0 - BLEND) * es + BLEND * rows["stress"].to_numpy(), es + costs)
    up, down = (1.0 + UP_AN_HOUR * 24.0 / day_bars, 1.0 - DOWN_AN_HOUR * 24.0 / day_bars)
    decided = np.empty_like(target)
    current = float(target[0])
    for k, goal in enumerate(target.tolist()):
        current = min(max(goal, current * down), current * up)
        decided[k] = current
    return np.concatenate([decided[:1], decided[:-1]])
