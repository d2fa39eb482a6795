"""What one collateral asset's fall costs a venue, by how concentrated its collateral is.  [risk.md 6.1, 16]

The collateral is spread over k assets with random weights; each account owes a random part of what its collateral
counts after haircuts.  One asset that is held falls, the others follow by a share of that.  Loss: what is owed beyond
the collateral's new worth.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from backtest.simulation.covenant_streams import uniforms
from backtest.simulation.result import OURS, SimulationResult, SimulationTask
from backtest.simulation.scenario import table_of
from backtest.simulation.scenario_studies import CollateralMix
from engine.exact.rounded import Floats
from engine.venue.integers import Ints

LEVEL = 0.95
CANNOT_SAY = (
    "Accounts, weights and debts are synthetic: no venue publishes its collateral by account.",
    "Nothing is liquidated on the way down: the loss is that of a gap.",
)


def protocol_losses(mixes: Floats, fallen: Ints, owed: Floats, fall: float, followed: float) -> Floats:
    """Return what accounts owe beyond their collateral, over all they owe, [draws].

    ``mixes`` [draws, assets] add up to 1 a row, ``fallen`` [draws] is the asset that falls by ``fall``; the others fall
    by ``followed`` of that.  ``owed`` [accounts] are shares of the collateral before the fall.
    """
    share = np.take_along_axis(mixes, fallen[:, None], axis=1)[:, 0]
    left = 1.0 - fall * (share + followed * (1.0 - share))
    return np.asarray(np.maximum(owed[None, :] - left[:, None], 0.0).sum(axis=1) / owed.sum())


def measure(task: SimulationTask) -> SimulationResult:
    """Return the expected shortfall at 95% of the loss, by assets and by how far the others follow the one that falls.

    Each draw weighs the collateral anew and lets one of its assets fall.
    """
    given = table_of(task.plan, CollateralMix)
    haircut, fall, seed = float(given.haircut), float(given.fall), f"seed {task.plan.seed}"
    # The same accounts for every mix: only the weights differ.
    owed = (1.0 - haircut) * (0.5 + 0.5 * uniforms(seed, "venue/collateral/owed", given.accounts))
    rows: list[dict[str, Any]] = []
    for assets in range(1, given.most_assets + 1):
        u = uniforms(seed, "venue/collateral/mixes", given.draws * (assets + 1), assets).reshape(given.draws, -1)
        # Exponential numbers over their sum are uniform on the simplex.
        mixes = -np.log(1.0 - u[:, :assets])
        mixes /= mixes.sum(axis=1, keepdims=True)
        fallen = (u[:, assets] * assets).astype(np.int64)
        rows += [
            {
                "assets": assets, "herfindahl": float((mixes * mixes).sum()) / given.draws, "followed": float(followed),
                "es": expected_shortfall(protocol_losses(mixes, fallen, owed, fall, float(followed))),
            } for followed in given.followed
        ]  # fmt: skip
    table = pd.DataFrame(rows)
    members = {
        f"followed by {followed} of it": {
            "es_one_asset": _es(table, 1, followed), "es_most_assets": _es(table, given.most_assets, followed),
            "herfindahl_most": float(table["herfindahl"].iloc[-1]),
        } for followed in given.followed
    }  # fmt: skip
    figures: dict[str, Any] = {"fall": fall, "haircut": haircut, "shortfall": members}
    return SimulationResult(figures, {"mixes": table}, dict.fromkeys(figures, OURS), {}, CANNOT_SAY)


def _es(table: pd.DataFrame, assets: int, followed: str) -> float:
    return float(table[(table["assets"] == assets) & (table["followed"] == float(followed))]["es"].iloc[0])


def expected_shortfall(losses: Floats) -> float:
    """Return the mean of the losses at and beyond their 95% quantile."""
    ordered = np.sort(losses)
    beyond = ordered[int(np.ceil(LEVEL * len(ordered))) - 1 :]
    return float(beyond.sum()) / len(beyond)
