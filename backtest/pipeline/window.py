"""One window of a registered plan, from a data set to everything a run directory holds.  [S8.3, S8.6]

1. daily curves of the span, and C5's training trades by fold and threshold             `backtest.folds.curve_study`
2. the threshold of each fold, over all underlyings                                     `backtest.folds.fit`
3. the engine over history and window, a task an (underlying, span)                     `backtest.pipeline.replays`
4. margin, shared depth and money over all underlyings, history and window apart        `engine.positions.portfolio`
5. training labels by fold, and the capture factors they give                           `backtest.folds.walk_forward`
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

import numpy as np

from backtest.data.format.dataset import Dataset
from backtest.folds.curve_study import CurveStudy, study_curves
from backtest.folds.fit import capture_factors, choose_z
from backtest.folds.walk_forward import UNRESOLVED_NS, walk_forward
from backtest.pipeline.check_coins import check_coins
from backtest.pipeline.check_plan import check_plan
from backtest.pipeline.replays import run_tasks, tasks_of
from backtest.records import Fold, Plan, Registration
from backtest.results.metrics import sharpe
from backtest.results.returns import daily_table, sleeve_returns, utc_days
from backtest.results.tables import accruals_table, frame, trades_table
from backtest.tasks.progress import OnDayDone
from backtest.tasks.scheduler import Task, Workers, market_of, pool_of
from backtest.tasks.serialization import encode
from engine.params import CurveFit, Fitted
from engine.positions.base import Position, Signal, Trade
from engine.positions.portfolio import settle_portfolio
from engine.records import CurveHistory, Instruments
from engine.replay import Block, Replay


@dataclass(frozen=True, slots=True)
class WindowRun:
    """Everything one window produced, before it is written; signals and trades by (t, id), of all underlyings."""

    registration: Registration
    plan: Plan
    instruments: Instruments
    fitted: tuple[Fitted, ...]
    folds: tuple[Fold, ...]
    signals: tuple[Signal, ...]
    trades: tuple[Trade, ...]
    history: tuple[Trade, ...]
    blocks: tuple[Block, ...]
    curves: Mapping[str, CurveHistory]  # of each underlying, over history and window


def run_window(
    dataset: Dataset, registration: Registration, plan: Plan, *, workers: Workers, report: OnDayDone | None
) -> WindowRun:
    """Return the run of one window: the same for any workers."""
    check_coins(dataset, registration)
    check_plan(dataset, registration)
    params = registration.params
    studies: list[CurveStudy] = pool_of(workers).results(
        market_of(dataset, registration),
        [Task(study_curves, (encode(plan), encode(name)), 0) for name in params.underlyings],
        None,
    )
    fitted = tuple(fitted_of(fold, plan, studies, registration, dataset.instruments) for fold in range(plan.folds))
    curves = {study.underlying: study.curves for study in studies}
    tasks = tasks_of(plan, params, fitted, curves)
    replays = run_tasks(dataset, registration, tasks, workers, report)
    before = [done for task, done in zip(tasks, replays, strict=True) if task.to_ns == plan.t0_ns]
    within = [done for task, done in zip(tasks, replays, strict=True) if task.to_ns == plan.t1_ns]
    history, trades = (_booked(part, dataset.instruments, registration) for part in (before, within))
    folds = folds_of([*history, *trades], plan)
    return WindowRun(
        registration=registration,
        plan=plan,
        instruments=dataset.instruments,
        fitted=with_capture(fitted, folds, [*history, *trades], registration),
        folds=folds,
        # By time and id: the order must not depend on the underlying that found them.
        signals=tuple(sorted((s for done in within for s in done.signals), key=lambda s: (s.t_ns, s.signal_id))),
        trades=trades,
        history=history,
        blocks=tuple(block for done in within for block in done.blocks),
        curves=curves,
    )


def fitted_of(
    fold: int, plan: Plan, studies: Sequence[CurveStudy], registration: Registration, instruments: Instruments
) -> Fitted:
    """Return what fold ``fold`` is given for emission; capture comes later, since emission does not read it.  [R9.7]"""
    params = registration.params
    start_ns = plan.start_ns(fold)
    fits = {study.underlying: study.fits[fold] for study in studies if study.fits}

    def evaluate(trial: Mapping[str, CurveFit]) -> tuple[Decimal | None, int]:
        positions = [
            position
            for study in studies
            if study.underlying in trial
            for position in study.positions.get((fold, trial[study.underlying].z_threshold), ())
        ]
        return _training_sharpe(positions, plan, plan.cut_ns(fold), registration, instruments)

    z = choose_z(fits, evaluate, params)
    # One threshold for all underlyings, whose training trades are one sleeve.
    curve = {name: replace(fit, z_threshold=z) for name, fit in fits.items()}
    return Fitted(fold, start_ns, start_ns + plan.fold_ns, curve, {})


def _training_sharpe(
    positions: Sequence[Position], plan: Plan, cut_ns: int, registration: Registration, instruments: Instruments
) -> tuple[Decimal | None, int]:
    """Return the net Sharpe ratio of C5's sleeve from the start of history to ``cut_ns``, and its resolved trades."""
    trades = settle_portfolio(positions, instruments, registration.params)
    days = utc_days(plan.history_ns, cut_ns)
    table = daily_table(frame(accruals_table(trades)), days, registration.params, (), {}, {})
    # A position closed by force at the cut has no label, so it is no trade that a threshold rests on.
    resolved = sum(not trade.rejected and not trade.position.forced for trade in trades)
    return sharpe(sleeve_returns(table, registration.params, "C5")), resolved


def _booked(replays: Sequence[Replay], instruments: Instruments, registration: Registration) -> tuple[Trade, ...]:
    """Return the trades of one span over all underlyings: they share the capital, and the dollar pairs' books."""
    return settle_portfolio(
        [position for done in replays for position in done.positions], instruments, registration.params
    )


def folds_of(trades: Sequence[Trade], plan: Plan) -> tuple[Fold, ...]:
    """Return the folds of the labels of ``trades``; what the end of a span closed by force is unresolved.  [R2.2]"""
    t0 = np.array([trade.position.signal.t_ns for trade in trades], dtype=np.int64)
    ends = (UNRESOLVED_NS if trade.position.forced else trade.position.exit_ns for trade in trades)
    return walk_forward(t0, np.fromiter(ends, dtype=np.int64, count=len(trades)), plan)


def with_capture(
    fitted: Sequence[Fitted], folds: Sequence[Fold], trades: Sequence[Trade], registration: Registration
) -> tuple[Fitted, ...]:
    """Return ``fitted`` with the capture factors of each fold's training labels.  [S4.8]"""
    table = frame(trades_table(trades))[["constraint", "status", "net_usd_micro", "modelled_usd_micro"]]
    return tuple(
        replace(fit, capture=capture_factors(table.iloc[fold.train], registration.params))
        for fit, fold in zip(fitted, folds, strict=True)
    )
