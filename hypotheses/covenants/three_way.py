"""Verdicts on C1 (drawdown down 12 to 18%) and C2 (Sharpe ratio up 5 to 8%).  [covenants 9.3, 9.5]

The comparison with the placebos is the headline: lower exposure alone lowers a drawdown.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd

from backtest.simulation.covenant_metrics import (
    drawdown_of,
    drawdown_reduction,
    returns_of,
    sharpe,
    sharpe_gain,
)
from backtest.simulation.covenant_streams import stream_of
from engine.exact.rounded import Floats
from hypotheses.covenants.inference import (
    Drawn,
    Estimate,
    block_length,
    bootstrap_indices,
    deflated,
    draw,
    estimate,
    holm,
    power,
    studentised,
    window_test,
)

C1, C2 = (0.12, 0.18), (0.05, 0.08)
VIEWS = ("mean", "short_a", "long_a")
READINGS = {"main": "b", "scaled": "b_scaled", "principled": "b_principled"}


def verdict(found: Estimate, claim: tuple[float, float]) -> str:
    """Return the word of the table that was fixed beforehand.  [covenants 9.5]

    A drawdown or a ratio that cannot be computed is ``not evaluable``; that too was said beforehand (15.3).
    """
    if not np.isfinite(found.point):
        return "not evaluable"
    # Before the sign and the range: an interval that holds 0 tells neither.  [covenants 9.5]
    if found.low <= 0.0 <= found.high:
        return "not distinguishable"
    if found.point < 0:
        return "contradicted"
    return "reproduced" if claim[0] <= found.point <= claim[1] else "direction only"


def compare(a: Floats, b: Floats, drawn_a: Drawn, drawn_b: Drawn) -> dict[str, Any]:
    """Return C1 and C2 of account ``b`` against ``a``, with intervals and verdicts; differences beside the ratios."""
    mdd_a, mdd_b = float(drawdown_of(a)), float(drawdown_of(b))
    sr_a, sr_b = float(sharpe(a)), float(sharpe(b))
    # A drawn path without a drawdown has no reduction, and must not divide by zero.
    safe = np.maximum(drawn_a.mdd, 1e-12)
    c1 = estimate(drawdown_reduction(mdd_a, mdd_b), 1.0 - drawn_b.mdd / safe)
    # As a ratio C2 is evaluable only above 0.1.  [covenants 9.4, 15.3]
    ratio = np.where(
        drawn_a.sharpe > 0.1, drawn_b.sharpe / np.where(drawn_a.sharpe > 0.1, drawn_a.sharpe, 1.0) - 1, np.nan
    )
    c2 = estimate(sharpe_gain(sr_a, sr_b), ratio)
    return {
        "mdd": [mdd_a, mdd_b], "sharpe": [sr_a, sr_b],
        "C1": {**asdict(c1), "verdict": verdict(c1, C1)},
        "C1_points": asdict(estimate(mdd_a - mdd_b, drawn_a.mdd - drawn_b.mdd)),
        "C2": {**asdict(c2), "verdict": verdict(c2, C2)},
        "C2_difference": asdict(estimate(sr_b - sr_a, drawn_b.sharpe - drawn_a.sharpe)),
    }  # fmt: skip


def against_draws(b: Floats, mdd: Floats, ratios: Floats) -> dict[str, Any]:
    """Return C1 and C2 against the distribution of p3: the reduction against each draw, its median and 95% range."""
    mdd_b, sr_b = float(drawdown_of(b)), float(sharpe(b))
    reductions = 1.0 - mdd_b / mdd
    c1 = estimate(float(np.median(reductions)), reductions)
    gains = np.where(ratios > 0.1, sr_b / np.where(ratios > 0.1, ratios, 1.0) - 1.0, np.nan)
    c2 = estimate(float(np.nanmedian(gains)) if np.isfinite(gains).any() else float("nan"), gains)
    return {
        "mdd": [float(np.median(mdd)), mdd_b], "sharpe": [float(np.median(ratios)), sr_b],
        "C1": {**asdict(c1), "verdict": verdict(c1, C1)},
        "C2": {**asdict(c2), "verdict": verdict(c2, C2)},
        "C2_difference": asdict(estimate(sr_b - float(np.median(ratios)), sr_b - ratios)),
        "mdd_rank": float(np.mean(mdd <= mdd_b)), "sharpe_rank": float(np.mean(ratios <= sr_b)),
    }  # fmt: skip


def judge(
    equity: pd.DataFrame, placebo: pd.DataFrame, curve: pd.DataFrame, draws: int, root_text: str
) -> dict[str, Any]:
    """Return every comparison: reading, view (equal-weight mean and each orientation), opponent.

    ``equity`` has a column an account from 1; the same drawn days serve all accounts.
    """
    returns = {name: returns_of(equity[name].to_numpy(np.float64)) for name in equity.columns if name != "t_ns"}
    wanted = [f"{stem}_{view}" for view in VIEWS for stem in _stems()]
    length = block_length([returns[f"{stem}_{view}"] for view in VIEWS for stem in ("a", "b")])
    indices = bootstrap_indices(
        next(iter(returns.values())).size, draws, length, stream_of(root_text, "covenants/bootstrap")
    )
    drawn = {name: draw(returns[name], indices) for name in wanted}
    document: dict[str, Any] = {"block_length": length, "draws": draws, "readings": {}}
    for reading, account in READINGS.items():
        views = {}
        for view in VIEWS:
            b = f"{account}_{view}"
            opponents = {"a": f"a_{view}", "p1": f"p1_of_{account}_{view}"} | (
                {"p2": f"p2_{view}"} if account == "b" else {}
            )
            table = {
                name: compare(returns[other], returns[b], drawn[other], drawn[b]) for name, other in opponents.items()
            }
            # p3 was drawn at the events of the main reading.
            if account == "b":
                table["p3"] = against_draws(
                    returns[b], placebo[f"mdd_{view}"].to_numpy(), placebo[f"sharpe_{view}"].to_numpy()
                )
            views[view] = table
        document["readings"][reading] = views
    # Judged on the equal-weight mean of both orientations.  [covenants 15.3]
    main = document["readings"]["main"]["mean"]
    document["holm"] = {
        name: holm({claim: main[name][claim]["p"] for claim in ("C1", "C2")}) for name in ("a", "p1", "p2", "p3")
    }
    document["power"] = {v: power(returns[f"a_{v}"], returns[f"b_{v}"]) for v in VIEWS}
    document["studentised"] = {
        v: studentised(returns[f"a_{v}"], returns[f"b_{v}"], indices) for v in ("short_a", "long_a")
    }
    document["windows"] = {v: window_test(returns[f"a_{v}"], returns[f"b_{v}"]) for v in VIEWS}
    document["windows_p1"] = {v: window_test(returns[f"p1_of_b_{v}"], returns[f"b_{v}"]) for v in VIEWS}
    document["deflated"] = {
        side: deflated(returns[f"b_{side}"], curve[curve["side"] == side]["sharpe"].to_numpy(np.float64))
        for side in ("short_a", "long_a")
    }
    document["configurations"] = len(curve)
    document["long_only"] = compare_long(returns, indices)
    # Against the placebo: lower exposure alone lowers a drawdown.  [covenants 9.3]
    document["headline"] = {claim: main["p1"][claim]["verdict"] for claim in ("C1", "C2")}
    return document


def compare_long(returns: dict[str, Floats], indices: np.ndarray) -> dict[str, Any]:
    """Return the long-only accounts against the covered call (a model's): products of the same direction."""
    if "c" not in returns:
        return {}
    drawn = {name: draw(returns[name], indices) for name in ("a_long", "b_long", "c")}
    return {
        f"b_long against {other}": compare(returns[other], returns["b_long"], drawn[other], drawn["b_long"])
        for other in ("a_long", "c")
    }


def _stems() -> list[str]:
    accounts = list(READINGS.values())
    return ["a", "p2", *accounts, *(f"p1_of_{name}" for name in accounts)]
