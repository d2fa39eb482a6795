"""Markets through the whole engine: drawn, run under their registered plan, every signal placed.  [statistics 10]

``market/FAMILY`` keeps the daily profit and all placements of each replication; `verdict_cells` evaluates them, so that
changed code of the verdicts needs no new market.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from backtest.data.format.dataset import open_dataset
from backtest.pipeline.placements import Placements
from backtest.pipeline.window import WindowRun
from backtest.records import Plan, Registration
from backtest.results.returns import daily_table, days_of, sleeve_capital
from backtest.results.tables import accruals_table, frame, signals_table, trades_table
from backtest.rundir.stages import HARNESS, WindowJob, run_stages
from engine.constraints.codes import CODES
from engine.params import Params
from engine.records import IntArray
from engine.units import MICRO, NS_PER_DAY
from hypotheses.base import RunData, Sleeve
from hypotheses.calibration.base import PLANS, Cell, CellColumns, Columns, Context
from hypotheses.calibration.market import PLANTED, draws, write_market
from hypotheses.exposure import exposure_of
from hypotheses.permutation_nulls import placed_signals

CODE: Final = "C1"
"""The one constraint of the small market."""


def window_data(run: WindowRun, placements: Placements | None, params: Params) -> RunData:
    """Return a finished window as the hypotheses read it, without a run directory between."""
    plan, trades = run.plan, frame(trades_table(run.trades))
    capture = {fitted.fold: fitted.capture for fitted in run.fitted}
    table = daily_table(frame(accruals_table(run.trades)), days_of(plan), params, days_of(plan).tolist(), {}, {})
    capital = sleeve_capital(params)
    return RunData(
        day=days_of(plan),
        has_data=np.ones(len(table), dtype=np.bool_),
        block=(days_of(plan) * NS_PER_DAY - plan.t0_ns) // plan.fold_ns,
        portfolio=Sleeve("", *_series(table, ""), params.capital_usd * MICRO),
        sleeves=tuple(Sleeve(code, *_series(table, f"_{code}"), capital[code]) for code in CODES),
        signals=frame(signals_table(run.signals, run.instruments, capture)),
        trades=trades.sort_values(["t_ns", "signal_id"], kind="stable").reset_index(drop=True),
        missing={},
        placements=placements,
    )


def _series(table: pd.DataFrame, suffix: str) -> tuple[IntArray, IntArray]:
    return table[f"x{suffix}"].to_numpy(np.int64), table[f"pnl{suffix}"].to_numpy(np.int64)


def market_run(context: Context, family: str, r: int, workers: int = 1) -> tuple[RunData, Registration]:
    """Return one replication of a family from drawing its market to what the hypotheses read."""
    registration = context.markets[PLANS[family]]
    with tempfile.TemporaryDirectory(prefix="cme-calibrate-") as folder:
        path = write_market(context.seeds, family, r, registration.plan, Path(folder) / "market")
        job = WindowJob(open_dataset(path), registration, registration.plan, context.seeds, workers)
        job = run_stages(job, HARNESS)
    return window_data(job.finished_run, job.placements, registration.params), registration


def kept(data: RunData, registration: Registration) -> Columns:
    """Return what the verdicts read of a run as columns: profit, charge, placements, trades of C1, what was open.

    Raises ``ValueError`` if the run has no signal.
    """
    moves = placed_signals(data, registration.stats)
    if moves is None:
        raise ValueError("expected signals in the small market, was none")
    exposure = exposure_of(data, registration.params)
    return {
        "profit": data.portfolio.profit,
        "charge": data.portfolio.profit - data.portfolio.x,
        "observed": moves.observed,
        "batch": moves.batch,
        "shift_ns": moves.shift_ns,
        "shifted": moves.shifted,
        "missing": np.array([(s.count, s.of) for s in (moves.n2_missing, moves.n3_missing)]),
        "trades": np.array(int((data.trades["status"] == "traded").sum())),
        "loss": np.array(exposure.joint_micro),
        "open_days": np.array(exposure.open_days[""]),
        "dislocations": np.array(exposure.dislocations[CODE]),
    }


def _market(family: str) -> Callable[[Context, int], CellColumns]:
    def replicate(context: Context, r: int) -> CellColumns:
        data, registration = market_run(context, family, r)
        planted = draws(context.seeds, family, r, "plants/C1").uniforms(_days(registration.plan), 5)[:, 0] < PLANTED
        # Without the plants of history: signals are counted in the window alone.
        first = (registration.plan.t0_ns - registration.plan.history_ns) // NS_PER_DAY
        return {**kept(data, registration), "planted": np.array(int(planted[first:].sum()))}

    return replicate


def _days(plan: Plan) -> int:
    return (plan.t1_ns - plan.history_ns) // NS_PER_DAY


def _market_cell(family: str) -> Cell:
    title = f"markets of family {family}"
    return Cell(
        f"market/{family}", "engine", title, "engine", 4, _market(family), (), seal="pipeline", reads=(PLANS[family],)
    )


CELLS: Final = tuple(_market_cell(family) for family in ("informative", "free", "costly"))
