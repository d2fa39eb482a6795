"""One window of a registered plan, from a data set to everything a run directory holds.  [S8.3, S8.6]

1. to 3. curves, thresholds, the engine over history and window                         `backtest.pipeline.emission`
4. margin, shared depth and money over all underlyings, history and window apart        `engine.positions.portfolio`
5. training labels by fold, and the capture factors they give                           `backtest.folds.walk_forward`
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from backtest.data.format.dataset import Dataset
from backtest.folds.fit import capture_factors
from backtest.folds.walk_forward import UNRESOLVED_NS, walk_forward
from backtest.pipeline.covenant_orders import with_orders
from backtest.pipeline.emission import Emission, emit_window
from backtest.pipeline.replays import PlansInForce, in_force_always, plan_at
from backtest.records import Fold, Plan, Registration
from backtest.results.tables import frame, trades_table
from backtest.tasks.progress import OnDayDone
from backtest.tasks.scheduler import Workers
from engine.params import Fitted
from engine.positions.base import Signal, Trade
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
    plans: PlansInForce = ()  # those in force, each from a time on; none where `registration` is the only one

    def plan_at(self, t_ns: int) -> Registration:
        """Return the registration in force at ``t_ns``."""
        return plan_at(self.plans or in_force_always(self.registration), t_ns)


def run_window(
    dataset: Dataset,
    registration: Registration,
    plan: Plan,
    *,
    workers: Workers,
    report: OnDayDone | None,
    plans: PlansInForce = (),
) -> WindowRun:
    """Return the run of one window: the same for any workers.

    ``plans`` are the registrations in force, each from a time on, where an amendment changed what judges; the last is
    ``registration``, whose money all trades have.
    """
    registration = with_orders(dataset, registration, plan)
    plans = tuple((from_ns, with_orders(dataset, each, plan)) for from_ns, each in plans)
    emission = emit_window(dataset, plans or in_force_always(registration), plan, workers=workers, report=report)
    run = booked_run(emission, dataset, registration, plan, plans)
    return replace(run, fitted=with_capture(run.fitted, run.folds, [*run.history, *run.trades], registration))


def booked_run(
    emission: Emission, dataset: Dataset, registration: Registration, plan: Plan, plans: PlansInForce = ()
) -> WindowRun:
    """Return the run of ``emission`` with its trades settled and without capture factors."""
    history, trades = (_booked(part, dataset.instruments, registration) for part in (emission.history, emission.window))
    return WindowRun(
        registration=registration,
        plan=plan,
        instruments=dataset.instruments,
        fitted=emission.fitted,
        folds=folds_of([*history, *trades], plan),
        signals=emission.signals,
        trades=trades,
        history=history,
        blocks=tuple(block for done in emission.window for block in done.blocks),
        curves=emission.curves,
        plans=plans,
    )


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
