"""The engine over a span, as far as signals go: what a run, a daily emission and the final gate have in common.

1. daily curves of the span, and C5's training trades by fold and threshold             `backtest.folds.curve_study`
2. the threshold of each fold, over all underlyings                                     `backtest.folds.fit`
3. the engine over history and window, a task an (underlying, span)                     `backtest.pipeline.replays`

A daily emission reads the days up to its own: folds that have not begun are not fitted, nothing is closed at its end.
An amendment that changes what judges is in force from a time on; each day is replayed under its own plan.  [live L0.2]
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from backtest.data.format.dataset import Dataset
from backtest.folds.curve_study import CurveStudy, empty_history, study_curves
from backtest.folds.fit import choose_z
from backtest.pipeline.check_coins import check_coins
from backtest.pipeline.check_plan import check_plan
from backtest.pipeline.covenant_orders import require_orders
from backtest.pipeline.replays import PlansInForce, ReplayTask, plan_at, run_tasks, tasks_of
from backtest.records import Plan, Registration
from backtest.results.metrics import sharpe
from backtest.results.returns import daily_table, sleeve_returns, utc_days
from backtest.results.tables import accruals_table, frame
from backtest.tasks.progress import OnDayDone
from backtest.tasks.scheduler import Task, Workers, market_of, pool_of
from backtest.tasks.serialization import encode
from engine.params import CurveFit, Fitted
from engine.positions.base import Position, Signal
from engine.positions.portfolio import settle_portfolio
from engine.records import CurveHistory, Instruments
from engine.replay import Replay

ChooseZ = Callable[[int, Sequence[CurveStudy], Registration], float]
"""Returns the threshold of |z| of a fold, from its number, the curve studies and the plan in force at its start."""


@dataclass(frozen=True, slots=True)
class Emission:
    """The replays of one window: history and window apart, one an underlying, with the fits in force."""

    fitted: tuple[Fitted, ...]
    curves: Mapping[str, CurveHistory]  # of each underlying, over history and window
    history: tuple[Replay, ...]
    window: tuple[Replay, ...]

    @property
    def signals(self) -> tuple[Signal, ...]:
        """The signals of the window by time and id: the order does not depend on the underlying."""
        return _in_order(self.window)

    @property
    def history_signals(self) -> tuple[Signal, ...]:
        """The signals of the history by time and id."""
        return _in_order(self.history)


def emit_window(
    dataset: Dataset,
    plans: PlansInForce,
    plan: Plan,
    *,
    workers: Workers,
    report: OnDayDone | None,
    until_ns: int | None = None,
    with_history: bool = True,
    z_of: ChooseZ | None = None,
) -> Emission:
    """Return the replays of ``plan``: of all of it, or of the time before ``until_ns``, which closes no position.

    ``plans`` are the registrations in force, each from a time on; a fold is fitted under the one in force at its start.
    Without ``with_history`` the window alone is replayed, which starts flat.  ``z_of`` gives the threshold of each fold
    where it is not fitted on training outcomes.
    Raises ``UsageError`` (2) or ``DataError`` (4) where the data set is not the plan's.
    """
    end_ns = plan.t1_ns if until_ns is None else min(until_ns, plan.t1_ns)
    registration = plans[-1][1]
    for _, each in plans:
        require_orders(each)
    check_coins(dataset, registration)
    check_plan(dataset, registration)
    folds = min(plan.folds, max(0, -(-(end_ns - plan.t0_ns) // plan.fold_ns)))
    begun = plan if folds == plan.folds else replace(plan, folds=max(folds, 1), t1_ns=plan.start_ns(max(folds, 1)))
    in_use = {plan_at(plans, plan.start_ns(fold)).config_hash: plan_at(plans, plan.start_ns(fold))
              for fold in range(max(folds, 1))}  # fmt: skip
    # no fold has begun in a history, so none is fitted there
    studies = {name: _studies(dataset, used, begun, workers) for name, used in in_use.items()} if folds else {}
    fitted = tuple(
        fitted_of(fold, plan, studies[used.config_hash], used, dataset.instruments, z_of)
        for fold, used in ((fold, plan_at(plans, plan.start_ns(fold))) for fold in range(folds))
    )
    last = next(reversed(studies.values()), [])
    curves = {study.underlying: study.curves for study in last}
    tasks = _until(tasks_of(plan, registration.params, fitted, _with_all(curves, registration)), plan, end_ns)
    if not with_history:
        tasks = tuple(task for task in tasks if task.to_ns > plan.t0_ns)
    replays = run_tasks(dataset, registration, tasks, workers, report, plans)
    pairs = list(zip(tasks, replays, strict=True))
    return Emission(
        fitted,
        curves,
        history=tuple(done for task, done in pairs if task.to_ns <= plan.t0_ns),
        window=tuple(done for task, done in pairs if task.to_ns > plan.t0_ns),
    )


def fitted_of(
    fold: int,
    plan: Plan,
    studies: Sequence[CurveStudy],
    registration: Registration,
    instruments: Instruments,
    z_of: ChooseZ | None = None,
) -> Fitted:
    """Return what fold ``fold`` is given for emission; capture comes later, since emission does not read it.  [R9.7]

    The threshold is that of ``z_of``, else the one with the highest training Sharpe ratio.
    """
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

    z = choose_z(fits, evaluate, params) if z_of is None else z_of(fold, studies, registration)
    # One threshold for all underlyings, whose training trades are one sleeve.
    curve = {name: replace(fit, z_threshold=z) for name, fit in fits.items()}
    return Fitted(fold, start_ns, start_ns + plan.fold_ns, curve, {})


def _studies(dataset: Dataset, registration: Registration, plan: Plan, workers: Workers) -> list[CurveStudy]:
    tasks = [Task(study_curves, (encode(plan), encode(name)), 0) for name in registration.params.underlyings]
    studies: list[CurveStudy] = pool_of(workers).results(market_of(dataset, registration), tasks, None)
    return studies


def _with_all(curves: Mapping[str, CurveHistory], registration: Registration) -> dict[str, CurveHistory]:
    params = registration.params
    return {name: curves.get(name, empty_history(params, name)) for name in params.underlyings}


def _until(tasks: Sequence[ReplayTask], plan: Plan, end_ns: int) -> tuple[ReplayTask, ...]:
    """Return ``tasks`` as far as ``end_ns``; a span that is cut there stays open."""
    if end_ns >= plan.t1_ns:
        return tuple(tasks)
    begun = (task for task in tasks if task.from_ns < end_ns)
    return tuple(task if task.to_ns <= end_ns else replace(task, to_ns=end_ns, closes=False) for task in begun)


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


def _in_order(replays: Sequence[Replay]) -> tuple[Signal, ...]:
    return tuple(sorted((s for done in replays for s in done.signals), key=lambda s: (s.t_ns, s.signal_id)))
