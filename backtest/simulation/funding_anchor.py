"""Does funding pull a perpetual's premium back?  Only as far as traders answer to it.  [risk.md 4.3, 16]

    p_{t+1} = p_t + noise - response x (rate_8h - interest)

The rate is the venue's interest form of the last eight hours' mean premium.  Without the answer the premium is a random
walk; inside the dead band the rate is the interest, so nothing pulls there either.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from backtest.simulation.covenant_streams import normals
from backtest.simulation.result import OURS, SimulationResult, SimulationTask
from backtest.simulation.scenario import table_of
from backtest.simulation.scenario_studies import FundingAnchor
from engine.exact.rounded import Floats
from engine.venue.funding import interest_clamp

PPB = 1_000_000_000
HOURS = 8
CANNOT_SAY = (
    "How strongly traders answer to funding is an input, not a measurement: no file here has a perpetual without it.",
    "One venue, noise of independent hours; interest form of Hyperliquid, Binance and BitMEX.",
)


def premium_paths(given: FundingAnchor, response: float, noise: Floats) -> Floats:
    """Return premiums [paths, hours + 1] after the shock, as shares; ``noise`` is [paths, hours]."""
    numbers = [round(float(x) * PPB) for x in (given.interest, given.band, given.cap)]
    rows = []
    for shocks in noise:
        path = [float(given.shock)] * HOURS
        for shock in shocks.tolist():
            mean = float(np.array(path[-HOURS:]).sum()) / HOURS
            rate = interest_clamp(round(mean * PPB), *numbers)
            path.append(path[-1] + shock - response * (rate - numbers[0]) / PPB)
        rows.append(path[HOURS - 1 :])
    return np.array(rows)


def half_life_h(paths: Floats) -> int | None:
    """Return the first hour at which the median size is at most half of the shock, or None."""
    ordered = np.sort(np.abs(paths), axis=0)[len(paths) // 2]
    below = np.flatnonzero(ordered <= ordered[0] / 2.0)
    return int(below[0]) if len(below) else None


def variance_ratio(paths: Floats, hours: int) -> float:
    """Return ``Var(p_{t+k} - p_t) / (k Var(p_{t+1} - p_t))``: 1 for a random walk, less where the premium comes back.

    Over the second half of the paths, when the shock is over.
    """
    late = paths[:, paths.shape[1] // 2 :]
    far, near = late[:, hours:] - late[:, :-hours], np.diff(late, axis=1)
    return float((far * far).sum() / far.size) / (hours * float((near * near).sum() / near.size))


def measure(task: SimulationTask) -> SimulationResult:
    """Return half-life, variance ratio over a day and the time in the dead band, by response; 0 is funding off."""
    given = table_of(task.plan, FundingAnchor)
    drawn = normals(f"seed {task.plan.seed}", "venue/anchor/noise", given.paths * given.hours)
    noise = float(given.noise_an_hour) * drawn.reshape(given.paths, given.hours)
    members: dict[str, dict[str, Any]] = {}
    medians = {}
    for response in ("0", *given.responses):
        paths = premium_paths(given, float(response), noise)
        late = np.abs(paths[:, paths.shape[1] // 2 :] - float(given.interest))
        members[response] = {
            "half_life_h": half_life_h(paths), "variance_ratio_day": variance_ratio(paths, 24),
            "in_dead_band": int(np.count_nonzero(late <= float(given.band))) / late.size,
            "late_size_bps": 1e4 * float(np.sqrt((late * late).sum() / late.size)),
        }  # fmt: skip
        medians[response] = np.sort(paths, axis=0)[len(paths) // 2]
    figures: dict[str, Any] = {"paths": given.paths, "responses": members}
    table = pd.DataFrame({"hour": np.arange(given.hours + 1), **{f"response_{k}": v for k, v in medians.items()}})
    return SimulationResult(figures, {"medians": table}, dict.fromkeys(figures, OURS), {}, CANNOT_SAY)
