"""Verdicts on the kept markets: H1 with N1, N2 and N3 in `h1.evaluate_placed`, H3 in `h3.evaluate`.  [S9.1]

A true Sharpe ratio SR is planted by the capital charge: with the mean m and the standard deviation s of a day's profit
over all replications, a charge of m - SR/sqrt(365) s a day leaves exactly SR.  The nulls subtract it as in a run.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Final

import numpy as np
import pandas as pd

from backtest.records import Plan
from backtest.results.returns import days_of
from engine.constraints.codes import CODES
from engine.records import IntArray
from engine.units import MICRO, NS_PER_DAY
from hypotheses import h1 as hypotheses_h1
from hypotheses import h3 as hypotheses_h3
from hypotheses.base import RunData, Sleeve
from hypotheses.calibration.base import PLANS, Cell, CellColumns, Columns, Context, RowSpec, replication
from hypotheses.calibration.distributions import drift
from hypotheses.calibration.engine_cells import CODE
from hypotheses.calibration.sign_flip_cells import RATIOS
from hypotheses.exposure import Exposure
from hypotheses.permutation_nulls import PlacedSignals
from hypotheses.records import Answer, Proportion, Status


@lru_cache(maxsize=8)
def truth(profits: Callable[[str], Columns], cell: str) -> tuple[float, float]:
    """Return mean and standard deviation of a day's profit over all replications of a market cell, micro-USD."""
    profit = profits(cell)["profit"].astype(np.float64)
    return float(profit.mean()), float(profit.std())


def charged(market: Columns, plan: Plan, charge: IntArray) -> tuple[RunData, PlacedSignals]:
    """Return a kept run with ``charge`` a day, shape ``[90]``, all of it on the sleeve of C1, and its placements."""
    profit, none = market["profit"], np.zeros_like(market["profit"])
    capital, day = 1_000_000 * MICRO, days_of(plan)

    def sleeve(code: str) -> Sleeve:
        x, earned = (profit - charge, profit) if code == CODE else (none, none)
        return Sleeve(code, x, earned, capital // len(CODES))

    data = RunData(
        day=day,
        has_data=np.ones(len(day), dtype=np.bool_),
        block=(day * NS_PER_DAY - plan.t0_ns) // plan.fold_ns,
        portfolio=Sleeve("", profit - charge, profit, capital),
        sleeves=tuple(sleeve(code) for code in CODES),
        signals=pd.DataFrame(),
        trades=pd.DataFrame({"constraint": [CODE] * int(market["trades"]), "status": "traded"}),
        missing={},
    )
    missing = [Proportion(int(count), int(of)) for count, of in market["missing"].tolist()]
    return data, PlacedSignals(
        market["observed"], market["batch"], market["shift_ns"], market["shifted"], missing[0], missing[1]
    )


def judge(context: Context, market: Columns, plan: Plan, charge: IntArray) -> dict[str, float]:
    """Return the verdicts on a kept run: each null, H1 and its grade, C1 of H3.

    ``charge`` is the capital charge of each day, shape ``[90]``, micro-USD.
    """
    data, moves = charged(market, plan, charge)
    loss, days = int(market["loss"]), int(market["open_days"])
    # One constraint trades, so its own loss is the joint one.
    exposure = Exposure(loss, {CODE: loss}, {"": days, CODE: days}, {CODE: int(market["dislocations"])})
    h1 = hypotheses_h1.evaluate_placed(data, context.stats, context.streams, moves, exposure)
    h3 = hypotheses_h3.evaluate(data, context.stats, context.streams, exposure)
    row = h3.constraints[CODES.index(CODE)]
    return {
        "n1": h1.n1_rejects,
        "n2": h1.n2_rejects,
        "n2_ratio": h1.p_n2_ratio is not None and h1.p_n2_ratio.under(context.stats.alpha),
        "n2_mean": h1.p_n2_mean is not None and h1.p_n2_mean.under(context.stats.alpha),
        "n3": h1.p_n3 is not None and h1.p_n3.under(context.stats.alpha),
        "supported": h1.answer is Answer.SUPPORTED,
        "robust": h1.grade == "robust",
        "retained": row.status is Status.RETAIN,
        "retained/of": row.status is not Status.INSUFFICIENT,
    }


def _judged(family: str, ratios: tuple[int, ...]) -> Callable[[Context, int], CellColumns]:
    def replicate(context: Context, r: int) -> CellColumns:
        cell, plan = f"market/{family}", context.markets[PLANS[family]].plan
        market = replication(context.finished(cell), r)
        measures: dict[str, float] = {"fired": int(market["trades"]), "fired/of": int(market["planted"])}
        measures |= {f"own/{name}": value for name, value in judge(context, market, plan, market["charge"]).items()}
        # Of all replications: the charge must not be fitted to the one that is judged.
        mean, sd = truth(context.finished, cell)
        for ratio in ratios:
            charge = np.full(len(market["profit"]), round(mean - drift(ratio) * sd), dtype=np.int64)
            measures |= {f"{ratio}/{name}": value for name, value in judge(context, market, plan, charge).items()}
        return measures

    return replicate


def _judge_cell(family: str, title: str, ratios: tuple[int, ...], rows: tuple[RowSpec, ...]) -> Cell:
    made = _judged(family, ratios)
    source = f"market/{family}"
    return Cell(f"engine/{family}", "engine", title, "engine", 25, made, rows, seal="pipeline", source=source)


FREE: Final = "zero edge and zero cost"
COSTLY: Final = "zero edge with cost"
N2_RATIOS: Final = (3, 5, 8)
"""True ratios at which the power of N2 is shown by both of its statistics; it chooses nothing."""
NET_ZERO: Final = "informative signals with net mean zero"

CELLS: Final = (
    _judge_cell(
        "free",
        FREE,
        (),
        (
            RowSpec(f"N1 rejects, {FREE}", "own/n1", "n1_zero"),
            RowSpec(f"N2 rejects, {FREE}", "own/n2", "n2_zero"),
            RowSpec(f"N3 rejects, {FREE}", "own/n3", "n3_zero"),
            RowSpec(f"H1 supported, {FREE}", "own/supported"),
            RowSpec(f"H3 retains the constraint, {FREE}", "own/retained", "h3_retain"),
            RowSpec("planted signals that fire", "fired"),
        ),
    ),
    _judge_cell(
        "costly",
        COSTLY,
        (),
        (
            RowSpec(f"N1 rejects, {COSTLY}", "own/n1"),
            RowSpec(f"N2 rejects, {COSTLY}", "own/n2", "n2_zero"),
            RowSpec(f"N3 rejects, {COSTLY}", "own/n3", "n3_zero"),
            RowSpec(f"H1 supported, {COSTLY}", "own/supported"),
        ),
    ),
    _judge_cell(
        "informative",
        "informative signals, the charge set to leave a true Sharpe ratio",
        RATIOS,
        (
            RowSpec(f"N1 rejects, {NET_ZERO}", "0/n1", "n1_net_zero"),
            RowSpec(f"N2 rejects, {NET_ZERO}", "0/n2", "n2_net_zero"),
            RowSpec(f"N3 rejects, {NET_ZERO}", "0/n3", "n3_net_zero"),
            RowSpec(f"H1 supported, {NET_ZERO}", "0/supported", "", "H1"),
            RowSpec(f"H1 supported and robust, {NET_ZERO}", "0/robust"),
            RowSpec(f"H3 retains the constraint, {NET_ZERO}", "0/retained", "", "H3"),
            *(RowSpec(f"H1 supported, true Sharpe ratio {ratio}", f"{ratio}/supported") for ratio in RATIOS[1:]),
            *(
                RowSpec(f"N2 rejects by the {words}, true Sharpe ratio {ratio}", f"{ratio}/{measure}")
                for ratio in N2_RATIOS
                for measure, words in (("n2_ratio", "Sharpe ratio"), ("n2_mean", "mean of a day"))
            ),
            *(
                RowSpec(f"H3 retains the constraint, true Sharpe ratio {ratio}", f"{ratio}/retained")
                for ratio in RATIOS[1:]
            ),
        ),
    ),
)
