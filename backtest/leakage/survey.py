"""The battery on a whole data set: the run of its registration, then every check where it could hurt.  [S8.8]

1. the run without alteration: curves, fits, and the state before each day of each underlying
2. times to alter at: anywhere, right after a signal and before its entry, and inside the purge gaps of the folds
3. every check at each of them, and the gap of every fold
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from backtest.data.format.dataset import Dataset
from backtest.data.format.validate import canonical_rows
from backtest.folds.curve_study import empty_history
from backtest.folds.registered_panels import funding_average_ns, linear_panels, registered_panels
from backtest.leakage import alter
from backtest.leakage.battery import BatteryCell, Read, Result, check_cells, read_day
from backtest.leakage.folds import Training, check_folds, fit_fold, other_labels, views_of
from backtest.leakage.negative_control import leaky_fit, leaky_observe, leaky_write
from backtest.leakage.observables import Observe, ObserveBlock, observe_block
from backtest.pipeline.replays import ReplayTask, fold_at, in_force, tasks_of
from backtest.records import Plan, Registration
from backtest.registration.dates import require_dates
from engine.ledger.identify import identify_by_provenance
from engine.market.curve import days_between
from engine.market.delivery import averaging_windows
from engine.params import Fitted
from engine.positions.base import Position, Trade
from engine.positions.exits import force_close
from engine.positions.portfolio import settle_portfolio
from engine.records import CurveHistory, Instruments, Panel
from engine.replay import ReplayState, advance, start
from engine.signals.emit import Identify
from engine.units import NS_PER_DAY

SurveyProgress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Run:
    """One window run without alteration: its market and labels, fits, and the state before each (underlying, day)."""

    training: Training
    fitted: tuple[Fitted, ...]
    states: dict[tuple[str, int], ReplayState]
    signals: tuple[tuple[str, int], ...]  # (underlying, time)


@dataclass(slots=True)
class _Walk:
    states: dict[tuple[str, int], ReplayState] = field(default_factory=dict)
    signals: list[tuple[str, int]] = field(default_factory=list)


def survey(
    dataset: Dataset,
    registration: Registration,
    cuts: int,
    draw: np.random.Generator,
    progress: SurveyProgress,
    *,
    negative: bool = False,
) -> Result:
    """Return what the battery finds on ``dataset``: ``cuts`` times of alteration a window, and every fold.

    ``negative`` puts the leaks of `backtest.leakage.negative_control` in: then every check has to find one.  Raises
    ``GateError`` (26) for a plan whose windows have no dates yet.
    """
    require_dates(registration)
    result = Result()
    names = tuple(name for name in registration.params.underlyings if name in dataset.underlyings)
    for plan in registration.windows:
        run = run_plainly(dataset, registration, plan, names, progress)
        cells = cells_of(run, plan, cuts, draw)
        carried, flat, short = observers_of(registration, run, leaky_observe if negative else observe_block)
        check_cells(
            result,
            dataset,
            cells,
            carried,
            flat,
            short,
            draw,
            reader_of(registration),
            lambda n, of: progress("altered days", n, of),
            leaky_write if negative else canonical_rows,
        )
        fit = fit_fold(registration, plan, dataset.instruments)
        fit = leaky_fit(fit) if negative else fit
        for fold in range(plan.folds):
            check_folds(
                result,
                fit,
                run.training,
                partial(other_training, dataset, registration, plan, run.training, draw),
                plan,
                [fold],
            )
            progress("folds", fold + 1, plan.folds)
    return result


def run_plainly(
    dataset: Dataset, registration: Registration, plan: Plan, names: Sequence[str], progress: SurveyProgress
) -> Run:
    """Return the run of one window as `backtest.pipeline.window` makes it, keeping the state before each day."""
    params = registration.params
    views, curves = {}, {}
    for number, name in enumerate(names):
        panels = linear_panels(dataset, registration.params, name, plan.history_ns, plan.t1_ns)
        views[name], curves[name] = views_of(panels, params, name)
        progress("curves", number + 1, len(names))
    training = Training(views, curves, ())
    fit = fit_fold(registration, plan, dataset.instruments)
    fitted = tuple(fit(training, fold) for fold in range(plan.folds))
    tasks = [
        task for task in tasks_of(plan, params, fitted, _all_curves(registration, curves)) if task.underlying in names
    ]
    walk = _Walk()
    trades: list[Trade] = []
    # History and window are settled apart, as in a run: each starts flat.  [R1.8]
    for end_ns in (plan.t0_ns, plan.t1_ns):
        positions: list[Position] = []
        for number, task in enumerate(part := [task_of_span for task_of_span in tasks if task_of_span.to_ns == end_ns]):
            positions += _walked(walk, dataset, registration, task)
            progress("replay", number + 1, len(part))
        trades += settle_portfolio(positions, dataset.instruments, params)
    return Run(Training(views, curves, tuple(trades)), fitted, walk.states, tuple(walk.signals))


def observers_of(
    registration: Registration, run: Run, observe: ObserveBlock = observe_block
) -> tuple[Callable[[BatteryCell], Observe], Callable[[BatteryCell], Observe], Callable[[BatteryCell], Observe]]:
    """Return the observers of a cell: after the state before it, after a flat one, after one with few curves."""
    params = registration.params

    def identify(table: Instruments) -> Identify:
        return identify_by_provenance(table, params, registration.judging_hash)

    def telling(cell: BatteryCell, state: ReplayState) -> Observe:
        t_ns = cell.day * NS_PER_DAY
        return observe(params, state, in_force(run.fitted, t_ns), fold_at(run.fitted, t_ns), identify)

    def carried(cell: BatteryCell) -> Observe:
        return telling(cell, run.states[cell.underlying, cell.day])

    def flat(cell: BatteryCell) -> Observe:
        return telling(cell, start(run.states[cell.underlying, cell.day].curves))

    def short(cell: BatteryCell) -> Observe:
        known = run.states[cell.underlying, cell.day].curves
        registered = params.underlyings[cell.underlying].curve
        first = cell.day - (registered.z_window_days if registered else 0)
        return telling(cell, start(days_between(known, first, cell.day - 1)))

    return carried, flat, short


def cells_of(run: Run, plan: Plan, cuts: int, draw: np.random.Generator) -> list[BatteryCell]:
    """Return ``cuts`` cells: a third right after a signal, a third inside a purge gap, the others anywhere."""
    days = sorted(run.states)
    if not days:
        return []
    cells = []
    for number in range(cuts):
        name, day = days[int(draw.integers(len(days)))]
        t_ns = day * NS_PER_DAY + int(draw.integers(NS_PER_DAY))
        if number % 3 == 1 and run.signals:
            name, t_ns = run.signals[int(draw.integers(len(run.signals)))]
        elif number % 3 == 2:
            t_ns = plan.cut_ns(int(draw.integers(plan.folds))) + int(draw.integers(max(plan.gap_ns, 1)))
        # A signal's or a fold's time may lie on a day without data.
        if (name, t_ns // NS_PER_DAY) in run.states:
            cells.append(BatteryCell(name, t_ns // NS_PER_DAY, t_ns))
    return cells


def reader_of(registration: Registration) -> Read:
    """Return the reader of one day with each underlying's registered average of funding."""

    def read(dataset: Dataset, underlying: str, first: int, last: int) -> Panel | None:
        params = registration.params
        windows_ns = averaging_windows(params.delivery, dataset.instruments)
        return read_day(dataset, underlying, first, last, funding_average_ns(params, underlying), windows_ns)

    return read


def _walked(walk: _Walk, dataset: Dataset, registration: Registration, task: ReplayTask) -> list[Position]:
    """Replay one task, remembering the state before each day; return its positions, the open ones closed."""
    params, name = registration.params, task.underlying
    identify = identify_by_provenance(dataset.instruments, params, registration.judging_hash)
    state = start(task.curves)
    positions: list[Position] = []
    for panel in registered_panels(dataset, params, name, task.from_ns, task.to_ns):
        now = int(panel.times_ns[0])
        walk.states[name, now // NS_PER_DAY] = state
        fit, fold = in_force(task.fitted, now), fold_at(task.fitted, now)
        state, block = advance(state, panel, params, fit, fold, identify)
        positions += block.positions
        walk.signals += [(name, signal.t_ns) for signal in block.signals]
    return [*positions, *force_close(state.decide.open, task.to_ns, params)]


def other_training(
    dataset: Dataset, registration: Registration, plan: Plan, plain: Training, draw: np.random.Generator, fold: int
) -> Training:
    """Return ``plain`` with the market from ``start - gap`` on poisoned for a fold and a gap, then gone."""
    cut_ns = plan.cut_ns(fold)
    # A fold and the gap on either side: the longest that a fit could look ahead.
    end_ns = min(cut_ns + 2 * plan.gap_ns + plan.fold_ns, plan.t1_ns)
    # One kind a fold, drawn: three would read and prepare the market three times.
    poison = (alter.nan, alter.scaled, partial(alter.shuffled, draw=draw))[int(draw.integers(3))]
    other = alter.altered(dataset, lambda _path, rows: poison(rows, cut_ns - 1))
    views, curves = {}, {}
    for name, of_name in plain.views.items():
        kept = [view for view in of_name if int(view.panel.times_ns[-1]) < cut_ns]
        fresh = linear_panels(other, registration.params, name, cut_ns // NS_PER_DAY * NS_PER_DAY, end_ns)
        begun, history = views_of(fresh, registration.params, name)
        # The day of the cut began before it: its curve of 00:00 is known.
        known = days_between(plain.curves[name], 0, (cut_ns - 1) // NS_PER_DAY)
        later = days_between(history, (cut_ns - 1) // NS_PER_DAY + 1, end_ns)
        views[name] = (*kept, *begun)
        curves[name] = CurveHistory(np.concatenate([known.day, later.day]), np.concatenate([known.curve, later.curve]))
    return Training(views, curves, other_labels(plain.trades, cut_ns, draw))


def _all_curves(registration: Registration, curves: dict[str, CurveHistory]) -> dict[str, CurveHistory]:
    """Return curves for every registered underlying, none for those the data set does not hold."""
    return {
        name: curves.get(name, empty_history(registration.params, name)) for name in registration.params.underlyings
    }
