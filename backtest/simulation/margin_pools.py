"""One margin pool over venues against one a venue: margin saved, and whom a loss reaches.  [risk.md 14.2, 16]

A trader has a position on each venue; some are hedged, their positions add up to zero.  Apart, each venue asks margin
of the size there and liquidates by itself; together, the pool asks margin of the net size, at least a share of the
gross one.  A loss beyond what the trader has is a deficit: apart of that venue, together of all, by the trader's sizes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from backtest.simulation.covenant_streams import normals, uniforms
from backtest.simulation.result import OURS, SimulationResult, SimulationTask
from backtest.simulation.scenario import table_of
from backtest.simulation.scenario_studies import MarginPools
from engine.exact.rounded import Floats

CANNOT_SAY = (
    "Traders, sizes and hedges are synthetic; equity is the requirement, as it is at the moment of an opening.",
    "Nobody adds margin or moves it between venues while prices move.",
)


@dataclass(frozen=True, slots=True)
class PoolOutcome:
    """What a shock did: traders short of margin, deficits by venue in the unit of the sizes, [venues]."""

    failed: int
    deficits: Floats


def requirements(size: Floats, margin: float, offset: float) -> tuple[Floats, Floats]:
    """Return (margin a venue [traders, venues], margin of the pool [traders]) of signed sizes [traders, venues]."""
    gross = np.abs(size)
    return margin * gross, margin * np.maximum(np.abs(size.sum(axis=1)), offset * gross.sum(axis=1))


def apart(size: Floats, moves: Floats, equity: Floats) -> PoolOutcome:
    """Return the outcome where each venue stands alone; ``moves`` [venues] are relative."""
    short = np.maximum(-size * moves[None, :] - equity, 0.0)
    return PoolOutcome(int(np.count_nonzero((short > 0).any(axis=1))), short.sum(axis=0))


def together(size: Floats, moves: Floats, equity: Floats) -> PoolOutcome:
    """Return the outcome of one pool; a deficit is shared by the venues as the trader's sizes are."""
    short = np.maximum(-(size * moves[None, :]).sum(axis=1) - equity, 0.0)
    share = np.abs(size) / np.abs(size).sum(axis=1, keepdims=True)
    return PoolOutcome(int(np.count_nonzero(short > 0)), (short[:, None] * share).sum(axis=0))


def measure(task: SimulationTask) -> SimulationResult:
    """Return margin saved, and deficits under a fall everywhere and under one of a single venue, by shock."""
    given = table_of(task.plan, MarginPools)
    size = _sizes(given, f"seed {task.plan.seed}")
    alone, pool = requirements(size, float(given.margin), float(given.offset))
    interest = float(np.abs(size).sum()) / 2.0
    rows = []
    for shock in given.shocks:
        everywhere = np.full(given.venues, -float(shock))
        one = np.where(np.arange(given.venues) == 0, -float(shock), 0.0)
        for where, moves in (("everywhere", everywhere), ("one venue", one)):
            for rule, outcome in (("apart", apart(size, moves, alone)), ("together", together(size, moves, pool))):
                rows.append({
                    "shock": float(shock), "where": where, "rule": rule, "failed": outcome.failed,
                    "deficit_of_interest": float(outcome.deficits.sum()) / interest,
                    "venues_hit": int(np.count_nonzero(outcome.deficits > 0)),
                    "elsewhere": float(outcome.deficits[1:].sum()) / interest,
                })  # fmt: skip
    table = pd.DataFrame(rows)
    members = {f"{r['where']}, {r['rule']}, {r['shock']:g}": {k: r[k] for k in list(r)[3:]} for r in rows}
    figures: dict[str, Any] = {
        "traders": given.traders, "margin_saved": 1.0 - float(pool.sum()) / float(alone.sum()), "shocks": members,
    }  # fmt: skip
    return SimulationResult(figures, {"shocks": table}, dict.fromkeys(figures, OURS), {}, CANNOT_SAY)


def _sizes(given: MarginPools, seed: str) -> Floats:
    """Return signed sizes [traders, venues]; those of hedged traders add up to zero."""
    shape = (given.traders, given.venues)
    size = normals(seed, "venue/pools/sizes", given.traders * given.venues).reshape(shape)
    hedged = uniforms(seed, "venue/pools/hedged", given.traders) < float(given.hedged)
    size[hedged] -= size[hedged].sum(axis=1, keepdims=True) / given.venues
    return size
