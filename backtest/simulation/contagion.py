"""Contagion between venues: clearing of claims, loss shares, the feedback matrix and its spectral radius.  [14.2]

Eisenberg and Noe    p_i = min(owed_i, e_i + sum_j share_ji p_j), the greatest fixed point, from p = owed
DebtRank             share of value that distress destroys as it passes along the exposures, each node once
feedback matrix      G_uv: notional liquidated at u by a unit of relative impact from v; rho(G) < 1 is finite
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from backtest.simulation.covenant_streams import uniforms
from backtest.simulation.result import OURS, SimulationResult, SimulationTask
from backtest.simulation.scenario import Network, table_of
from engine.errors import DataError
from engine.exact.rounded import Floats

MOST_ROUNDS = 100_000
CLOSE = 1e-12
CANNOT_SAY = (
    "Venues, claims and weights are synthetic: no venue publishes whom its vaults and market makers owe.",
    "Amplification is of the linear regime: near rho = 1 it says that small errors are large, not how large.",
)


def clearing_payments(owed: Floats, assets: Floats) -> Floats:
    """Return what each node pays in all, [nodes].  [Eisenberg and Noe 2001]

    ``owed`` [debtors, creditors] >= 0 and ``assets`` [nodes] >= 0, one currency.  Iterated downwards from full payment,
    which reaches the greatest fixed point.  Raises `DataError` for a negative amount.
    """
    if (owed < 0).any() or (assets < 0).any():
        raise DataError(f"expected claims and assets >= 0, was {min(owed.min(initial=0.0), assets.min(initial=0.0))}")
    due = owed.sum(axis=1)
    share: Floats = np.divide(owed, due[:, None], out=np.zeros_like(owed), where=due[:, None] > 0)
    paid: Floats = due.copy()
    for _ in range(MOST_ROUNDS):
        fresh = np.minimum(due, assets + _times(share.T, paid))
        if np.abs(fresh - paid).max(initial=0.0) <= CLOSE * max(1.0, float(due.max(initial=0.0))):
            return np.asarray(fresh, dtype=np.float64)
        paid = fresh
    return paid


def debt_rank(exposure: Floats, value: Floats, shocked: Floats) -> float:
    """Return the share of all value that is lost beyond the first shock.  [Battiston et al. 2012]

    ``exposure`` [losers, causes] is the share of a loser's equity that the cause's default destroys; ``value`` and
    ``shocked`` [nodes]: economic value, and the first distress in [0, 1].  A node passes its distress on once.
    """
    distress, active = np.minimum(shocked, 1.0), shocked > 0
    done = np.zeros(len(value), dtype=bool)
    while active.any():
        passed = _times(np.minimum(exposure, 1.0), np.where(active, distress, 0.0))
        fresh = np.minimum(1.0, distress + passed)
        done |= active
        active, distress = (fresh > distress) & ~done, fresh
    whole = float(value.sum())
    return float(((distress - np.minimum(shocked, 1.0)) * value).sum()) / whole if whole else 0.0


def spectral_radius(matrix: Floats) -> float:
    """Return the largest eigenvalue's size of a non-negative matrix, by its own bounds.  [Collatz and Wielandt]

    Iterates ``I + G``, whose largest eigenvalue is one more and stands alone, until its bounds meet.  Raises
    `DataError` for a negative entry.
    """
    if (matrix < 0).any():
        raise DataError(f"expected a feedback matrix >= 0, was {float(matrix.min())}")
    vector = np.ones(len(matrix))
    radius = 0.0
    for _ in range(MOST_ROUNDS):
        fresh = vector + _times(matrix, vector)
        # Nodes that nothing reaches leave the bounds to the others.
        ratios = fresh[vector > CLOSE] / vector[vector > CLOSE]
        radius, vector = float(fresh.max()) - 1.0, fresh / float(fresh.max())
        if float(ratios.max() - ratios.min()) <= CLOSE:
            break
    return radius


def amplified(matrix: Floats, shock: Floats) -> Floats | None:
    """Return ``(I - G)^-1 shock`` [nodes] by its series, or None where the radius is 1 or more: it has no sum."""
    if spectral_radius(matrix) >= 1.0 - 1e-9:
        return None
    total, term = shock.copy(), shock.copy()
    while float(np.abs(term).max(initial=0.0)) > CLOSE * max(1e-300, float(np.abs(total).max(initial=0.0))):
        term = _times(matrix, term)
        total = total + term
    return total


def measure(task: SimulationTask) -> SimulationResult:
    """Return radius, amplification, defaults and loss shares with contagion off and on.  [14.2, 14.4]"""
    given = table_of(task.plan, Network)
    n, seed = given.venues, f"seed {task.plan.seed}"
    own, across = float(given.own_gain), float(given.cross_gain)
    weights = uniforms(seed, "venue/network/weights", n * n).reshape(n, n)
    np.fill_diagonal(weights, 0.0)
    # Rows of weights add up to 1: a venue's index is made of the others.
    weights = weights / weights.sum(axis=1, keepdims=True)
    alone = own * np.eye(n)
    joint = alone + across * weights
    shock = np.zeros(n)
    shock[0] = float(given.shock)
    totals = {name: amplified(matrix, shock) for name, matrix in (("off", alone), ("on", joint))}
    rows: list[dict[str, Any]] = []
    clearing: dict[str, dict[str, Any]] = {}
    assets, owed = _claims(seed, n, float(given.claims))
    for name, total in totals.items():
        # Where amplification has no sum everything at risk is lost.
        lost = np.minimum(1.0, total) if total is not None else np.ones(n)
        left = assets * (1.0 - lost)
        paid = clearing_payments(owed if name == "on" else np.zeros_like(owed), left)
        due = owed.sum(axis=1) if name == "on" else np.zeros(n)
        clearing[name] = {
            "radius": spectral_radius(alone if name == "off" else joint),
            "amplification": float(total.sum() / shock.sum()) if total is not None else None,
            "defaults": int(np.count_nonzero(paid < due - 1e-9)), "unpaid": float((due - paid).sum()),
            "lost": float((assets * lost).sum()) / float(assets.sum()),
        }  # fmt: skip
        rows += [
            {"contagion": name, "venue": v, "lost": float(lost[v]), "unpaid": float(due[v] - paid[v])} for v in range(n)
        ]
    exposure = np.divide(owed.T, assets[:, None])
    figures: dict[str, Any] = {
        "contagion": clearing,
        "contagion_share": clearing["on"]["lost"] - clearing["off"]["lost"],
        "debt_rank": debt_rank(exposure, assets, np.where(np.arange(n) == 0, 1.0, 0.0)),
        "admissible": totals["on"] is not None,
    }  # fmt: skip
    edges = [{"from": u, "to": v, "gain": float(joint[v, u])} for u in range(n) for v in range(n) if joint[v, u] > 0]
    tables = {"venues": pd.DataFrame(rows), "feedback": pd.DataFrame(edges)}
    return SimulationResult(figures, tables, dict.fromkeys(figures, OURS), {}, CANNOT_SAY)


def _claims(seed: str, n: int, level: float) -> tuple[Floats, Floats]:
    """Return assets [venues], from 0.5 to 1.5, and claims [debtors, creditors], ``level`` of assets on average."""
    assets = 0.5 + uniforms(seed, "venue/network/assets", n)
    owed = 2.0 * level / max(1, n - 1) * uniforms(seed, "venue/network/claims", n * n).reshape(n, n) * assets[:, None]
    np.fill_diagonal(owed, 0.0)
    return assets, owed


def _times(matrix: Floats, vector: Floats) -> Floats:
    """Return the product, summed row by row: a BLAS may sum another way elsewhere."""
    return np.asarray((matrix * vector[None, :]).sum(axis=1))
