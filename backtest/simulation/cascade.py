"""Liquidation cascades on one venue: rounds of forced sales, amplification, the level G at which they explode.  [14.1]

Accounts have a distance, the fall of the price that liquidates them, and a share of open interest.  Each round sells
what lies within the fall so far; sales push the price down by their impact.  [risk.md 7.8, 14.1]
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from backtest.simulation.covenant_streams import uniforms
from backtest.simulation.result import OURS, SimulationResult, SimulationTask
from backtest.simulation.scenario import Cascade, table_of
from backtest.tasks.parallel import parallel_map
from engine.exact.rounded import Floats

MOST_ROUNDS = 1000
EVENT_SHARE, EVENT_TIMES = 0.02, 2.0
"""A cascade liquidates 2% of open interest and twice the first round.  [14.1]"""
WITHIN, BIN = 0.05, 0.0025
CANNOT_SAY = (
    "Accounts are synthetic: distances uniform over the reach, equal sizes; impact is linear in what is sold.",
    "Near G = 1 one market differs from the next: the picture shows medians and the tenth to ninetieth percent.",
)


@dataclass(frozen=True, slots=True)
class CascadeOutcome:
    """What a shock did: shares of open interest liquidated in the first round and in all, the whole fall, rounds."""

    first: float
    liquidated: float
    fall: float
    rounds: int

    @property
    def amplification(self) -> float:
        """Total over first-round notional; 1 where nothing is liquidated."""
        return self.liquidated / self.first if self.first else 1.0

    @property
    def is_cascade(self) -> bool:
        """Whether at least 2% of open interest and twice the first round was liquidated.  [14.1]"""
        return self.amplification >= EVENT_TIMES and self.liquidated >= EVENT_SHARE


def cascade(distance: Floats, size: Floats, shock: float, impact: float, root: bool = False) -> CascadeOutcome:
    """Return the outcome of a fall by ``shock``.

    ``distance`` [accounts] are relative falls, ``size`` [accounts] shares of open interest.  ``impact`` is the relative
    fall that selling all open interest causes, linear in what is sold, or with its square root.
    """
    order = np.argsort(distance, kind="stable")
    ordered, sold = distance[order], np.cumsum(size[order])
    fall, liquidated, first, rounds = shock, 0.0, 0.0, 0
    while rounds < MOST_ROUNDS:
        count = int(np.searchsorted(ordered, fall, side="right"))
        total = float(sold[count - 1]) if count else 0.0
        if total <= liquidated:
            break
        rounds, first, liquidated = rounds + 1, first or total, total
        fall = shock + impact * (float(np.sqrt(total)) if root else total)
    return CascadeOutcome(first, liquidated, fall, rounds)


def spiral_level(distance: Floats, size: Floats, impact: float) -> float:
    """Return ``G``, the largest ``dI/dq x dLambda/dx`` over falls up to 5%, in bins of a quarter percent.  [7.8]"""
    edges = np.arange(0.0, WITHIN + BIN / 2, BIN)
    notional, _ = np.histogram(distance, edges, weights=size)
    return impact * float(notional.max(initial=0.0)) / BIN


def measure(task: SimulationTask) -> SimulationResult:
    """Return the phase change: amplification by gain G, with the closed form ``1 / (1 - G)`` below 1."""
    given = table_of(task.plan, Cascade)
    gains = [float(gain) for gain in given.gains]
    shared = (task.plan.seed, given, gains)
    outcomes = list(parallel_map(task.workers)(market_outcomes, shared, range(given.markets)))
    found: pd.DataFrame = pd.concat(outcomes, ignore_index=True)
    rows = []
    for gain in sorted(set(gains)):
        group = found[found["gain"] == gain]
        ordered = np.sort(group["amplification"].to_numpy())
        low, mid, high = (float(ordered[int(q * (len(ordered) - 1))]) for q in (0.1, 0.5, 0.9))
        rows.append({
            "gain": gain, "amplification": mid, "low": low, "high": high,
            "closed_form": 1.0 / (1.0 - gain) if gain < 1 else np.nan,
            "cascades": float(np.count_nonzero(group["cascade"])) / len(group),
            "liquidated": float(np.sort(group["liquidated"].to_numpy())[len(group) // 2]),
            "measured_gain": float(np.sort(group["measured_gain"].to_numpy())[len(group) // 2]),
        })  # fmt: skip
    curve = pd.DataFrame(rows)
    below, above = curve[curve["gain"] < 1], curve[curve["gain"] >= 1]
    figures: dict[str, Any] = {
        "markets": given.markets, "accounts": given.accounts,
        "largest_liquidated_below_1": float(below["liquidated"].max()) if len(below) else None,
        "least_liquidated_from_1": float(above["liquidated"].min()) if len(above) else None,
        "largest_gap_to_closed_form": float((below["amplification"] / below["closed_form"] - 1).abs().max())
        if len(below)
        else None,
    }  # fmt: skip
    return SimulationResult(figures, {"phase": curve}, dict.fromkeys(figures, OURS), {}, CANNOT_SAY)


def market_outcomes(shared: Any, replicate: int) -> pd.DataFrame:
    """Return a row a gain of one synthetic market; a function of a module, for `parallel_map`."""
    seed, given, gains = shared
    reach, shock = float(given.reach), float(given.shock)
    distance = reach * uniforms(f"seed {seed}", "venue/cascade", given.accounts, replicate)
    size = np.full(given.accounts, 1.0 / given.accounts)
    rows = []
    for gain in gains:
        # Uniform density 1 / reach: a gain G is an impact of G x reach.
        impact = gain * reach
        outcome = cascade(distance, size, shock, impact)
        rows.append({
            "gain": gain, "amplification": outcome.amplification, "liquidated": outcome.liquidated,
            "cascade": outcome.is_cascade, "measured_gain": spiral_level(distance, size, impact),
        })  # fmt: skip
    return pd.DataFrame(rows)
