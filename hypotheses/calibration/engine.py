"""Cells through the whole engine: the small market, its folds, placements and nulls, to the verdict.  [statistics 10]

``market/FAMILY`` draws a market, runs the plan on it and keeps the daily profit and every placement.  ``engine/FAMILY``
judges what was kept: H1 with N1, N2 and N3 in `h1_sharpe.judged`, H3 in `h3_constraints.evaluate`.

A true Sharpe ratio SR is planted by the capital charge: with the mean m and the standard deviation s of a day's profit
over all replications, a charge of m - SR/sqrt(365) s a day leaves exactly SR.  Nulls see the charge as they always do.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from backtest.data.dataset import open_dataset
from backtest.placements import Placements, place_window
from backtest.records import Plan, Registration
from backtest.returns import daily_table, days_of, sleeve_capital
from backtest.runner import WindowRun, run_window
from backtest.tables import accruals_table, frame, trades_table
from engine.params import Params
from engine.records import IntArray
from engine.units import MICRO, NS_PER_DAY
from hypotheses import h1_sharpe, h3_constraints
from hypotheses.base import CODES, RunData, Sleeve
from hypotheses.calibration.base import Cell, Columns, Context, Found, RowSpec
from hypotheses.calibration.market import PLANTED, draws, write_market
from hypotheses.calibration.n1 import RATIOS
from hypotheses.calibration.shapes import drift
from hypotheses.calibration.sleeves import NO_STRESS
from hypotheses.moved import Moves, moves_of
from hypotheses.records import Answer, Share, Status

REGISTERED: Final = {"free": "free", "costly": "costly", "informative": "costly"}
"""Which registered plan each family of the small market is run under."""
CODE: Final = "C1"


def window_data(run: WindowRun, placements: Placements | None, params: Params) -> RunData:
    """Return a window's run as the hypotheses see it, without a run directory between."""
    plan, trades = run.plan, frame(trades_table(run.trades))
    table = daily_table(frame(accruals_table(run.trades)), plan, params, days_of(plan).tolist(), {}, {})
    capital = sleeve_capital(params)
    return RunData(
        day=days_of(plan),
        has_data=np.ones(len(table), dtype=np.bool_),
        block=(days_of(plan) * NS_PER_DAY - plan.t0_ns) // plan.fold_ns,
        portfolio=Sleeve("", *_series(table, ""), params.capital_usd * MICRO),
        sleeves=tuple(Sleeve(code, *_series(table, f"_{code}"), capital[code]) for code in CODES),
        signals=pd.DataFrame(),
        trades=trades.sort_values(["t_ns", "signal_id"], kind="stable").reset_index(drop=True),
        missing={},
        placements=placements,
    )


def _series(table: pd.DataFrame, suffix: str) -> tuple[IntArray, IntArray]:
    return table[f"x{suffix}"].to_numpy(np.int64), table[f"pnl{suffix}"].to_numpy(np.int64)


def market_run(context: Context, family: str, r: int, workers: int = 1) -> tuple[RunData, Registration]:
    """Return one replication of a family from drawing its market to what the hypotheses read."""
    registration = context.markets[REGISTERED[family]]
    with tempfile.TemporaryDirectory(prefix="cme-calibrate-") as folder:
        path = write_market(context.seeds, family, r, registration.plan, Path(folder) / "market")
        dataset = open_dataset(path)
        run = run_window(dataset, registration, registration.plan, workers=workers, report=None)
        placements = place_window(dataset, run, workers, None)
    return window_data(run, placements, registration.params), registration


def kept(data: RunData, registration: Registration) -> Columns:
    """Return what judging needs of a run: daily profit, charge, every placement, and the trades of C1."""
    moves = moves_of(data, registration.stats)
    if moves is None:
        raise ValueError("expected signals in the small market, was none")
    return {
        "profit": data.portfolio.profit,
        "charge": data.portfolio.profit - data.portfolio.x,
        "observed": moves.observed,
        "batch": moves.batch,
        "shift_ns": moves.shift_ns,
        "shifted": moves.shifted,
        "missing": np.array([(s.count, s.of) for s in (moves.n2_missing, moves.n3_missing)]),
        "trades": np.array(int((data.trades["status"] == "traded").sum())),
    }


def _market(family: str) -> Callable[[Context, int], Found]:
    def replicate(context: Context, r: int) -> Found:
        data, registration = market_run(context, family, r)
        planted = draws(context.seeds, family, r, "plants/C1").uniforms(_days(registration.plan), 5)[:, 0] < PLANTED
        first = (registration.plan.t0_ns - registration.plan.history_ns) // NS_PER_DAY
        return {**kept(data, registration), "planted": np.array(int(planted[first:].sum()))}

    return replicate


def _days(plan: Plan) -> int:
    return (plan.t1_ns - plan.history_ns) // NS_PER_DAY


@lru_cache(maxsize=8)
def truth(profits: Callable[[str], Columns], cell: str) -> tuple[float, float]:
    """Return mean and standard deviation of a day's profit over all replications of a market cell, micro-USD."""
    profit = profits(cell)["profit"].astype(np.float64)
    return float(profit.mean()), float(profit.std())


def charged(one: Columns, plan: Plan, charge: IntArray) -> tuple[RunData, Moves]:
    """Return a kept run with ``charge`` a day, all of it on the sleeve of C1, and its placements."""
    profit, none = one["profit"], np.zeros_like(one["profit"])
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
        trades=pd.DataFrame({"constraint": [CODE] * int(one["trades"]), "status": "traded"}),
        missing={},
    )
    missing = [Share(int(count), int(of)) for count, of in one["missing"].tolist()]
    return data, Moves(one["observed"], one["batch"], one["shift_ns"], one["shifted"], missing[0], missing[1])


def judge(context: Context, one: Columns, plan: Plan, charge: IntArray) -> dict[str, float]:
    """Return what H1 and H3 say of a kept run under ``charge``: each null, the verdict, its grade, C1 retained."""
    data, moves = charged(one, plan, charge)
    h1 = h1_sharpe.judged(data, context.stats, context.streams, moves)
    h3 = h3_constraints.evaluate(data, context.stats, context.streams, NO_STRESS)
    row = h3.constraints[CODES.index(CODE)]
    return {
        "n1": h1.n1_rejects,
        "n2": h1.n2_rejects,
        "n3": h1.p_n3 is not None and h1.p_n3.under(context.stats.alpha),
        "supported": h1.answer is Answer.SUPPORTED,
        "robust": h1.grade == "robust",
        "retained": row.status is Status.RETAIN,
        "retained/of": row.status is not Status.INSUFFICIENT,
    }


def replication(found: Columns, r: int) -> Columns:
    """Return one replication of a cell's columns."""
    return {name: column[r] for name, column in found.items()}


def _judged(family: str, ratios: tuple[int, ...]) -> Callable[[Context, int], Found]:
    def replicate(context: Context, r: int) -> Found:
        cell, plan = f"market/{family}", context.markets[REGISTERED[family]].plan
        one = replication(context.finished(cell), r)
        found: dict[str, float] = {"fired": int(one["trades"]), "fired/of": int(one["planted"])}
        found |= {f"own/{name}": value for name, value in judge(context, one, plan, one["charge"]).items()}
        mean, sd = truth(context.finished, cell)
        for ratio in ratios:
            charge = np.full(len(one["profit"]), round(mean - drift(ratio) * sd), dtype=np.int64)
            found |= {f"{ratio}/{name}": value for name, value in judge(context, one, plan, charge).items()}
        return found

    return replicate


def _judge_cell(family: str, title: str, ratios: tuple[int, ...], rows: tuple[RowSpec, ...]) -> Cell:
    made = _judged(family, ratios)
    source = f"market/{family}"
    return Cell(f"engine/{family}", "engine", title, "engine", 25, made, rows, seal="pipeline", source=source)


def _market_cell(family: str) -> Cell:
    title = f"markets of family {family}"
    return Cell(f"market/{family}", "engine", title, "engine", 4, _market(family), (), seal="pipeline")


FREE: Final = "zero edge and zero cost"
COSTLY: Final = "zero edge with cost"
NET_ZERO: Final = "informative signals with net mean zero"

CELLS: Final = (
    _market_cell("informative"),
    _market_cell("free"),
    _market_cell("costly"),
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
                RowSpec(f"H3 retains the constraint, true Sharpe ratio {ratio}", f"{ratio}/retained")
                for ratio in RATIOS[1:]
            ),
        ),
    ),
)
