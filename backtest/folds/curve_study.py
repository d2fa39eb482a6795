"""Computes the daily curves of a span, and the trades C5 would have made in training by fold.  [statistics 9]

C5 has no option among its legs, so only the linear instruments are read and prepared: once for the curves, then once
for all folds and thresholds, a day at a time.  The replay carries its own curves and never reads these.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count

import numpy as np

from backtest.data.format.dataset import Dataset
from backtest.data.panels.multi_day import merged_panels, multi_day_panels
from backtest.folds.fit import curve_fits
from backtest.folds.registered_panels import fees_in_force, linear_panels
from backtest.records import Plan, Registration
from engine.constraints.c5_calendar import rethreshold
from engine.constraints.detect import detect
from engine.market.curve import block_curves, extend_curves
from engine.market.multi_day import MultiDayPanel
from engine.market.view import PreparedPanel, prepare
from engine.params import CurveFit, Fitted, Params
from engine.positions.base import Position
from engine.positions.exits import force_close
from engine.records import CurveHistory, Panel
from engine.signals.emit import START, process_block
from engine.units import NS_PER_DAY

Trial = tuple[int, float]
"""A fold and a threshold of |z|."""


@dataclass(frozen=True, slots=True)
class CurveStudy:
    """One underlying: its daily curves over history and window, each fold's fit, and its training trades by trial."""

    underlying: str
    curves: CurveHistory
    fits: tuple[CurveFit, ...]
    positions: Mapping[Trial, tuple[Position, ...]]


def empty_history(params: Params, underlying: str) -> CurveHistory:
    """Return a history of no days: ``days`` of shape (0,), ``basis`` of shape (0, tenors), (0, 0) without a curve."""
    registered = params.underlyings[underlying].curve
    return CurveHistory(np.empty(0, dtype=np.int64), np.empty((0, len(registered.tenor_days) if registered else 0)))


def daily_curves(dataset: Dataset, params: Params, underlying: str, from_ns: int, to_ns: int) -> CurveHistory:
    """Return the curves of an underlying at the first grid time of each UTC day of [from, to).  [R9.1]

    A day whose curve is incomplete is left out.  Without a registered curve the history has no days.
    """
    registered = params.underlyings[underlying].curve
    history = empty_history(params, underlying)
    if registered is None:
        return history
    times_ns = dataset.grid(underlying, from_ns, to_ns)
    # `unique` gives the first index of each day.
    opening = times_ns[np.unique(times_ns // NS_PER_DAY, return_index=True)[1]]
    panels = linear_panels(dataset, params, underlying, from_ns, to_ns, opening)
    # Days are joined whatever fees are in force: no curve depends on a fee, or on which instruments are listed.
    for days in multi_day_panels(panels, lambda _: True):
        panel = days.whole if isinstance(days, MultiDayPanel) else days
        history = extend_curves(history, block_curves(prepare(panel, params, history)))
    return history


def study_curves(
    dataset: Dataset, registration: Registration, _on_step: object, plan: Plan, underlying: str
) -> CurveStudy:
    """Return the curve study of one underlying of ``dataset``: a task of `backtest.tasks.scheduler`.

    A fold trains on curves and grid times strictly before ``start - gap``; a fold whose curvature is not identified
    has no trials.  [statistics R9.4, 2.6]
    """
    params = registration.params
    history = empty_history(params, underlying)
    if params.underlyings[underlying].curve is None or not params.rules["C5"].enabled:
        return CurveStudy(underlying, history, (), {})
    history = daily_curves(dataset, params, underlying, plan.history_ns, plan.t1_ns)
    panels = linear_panels(dataset, params, underlying, plan.history_ns, plan.t1_ns)
    views = (prepare(panel, params, history) for panel in merged_panels(panels, _same_folds_and_fees(plan, params)))
    return study_views(underlying, views, history, registration, plan, range(plan.folds))


def study_views(
    underlying: str,
    views: Iterable[PreparedPanel],
    history: CurveHistory,
    registration: Registration,
    plan: Plan,
    folds: Iterable[int],
) -> CurveStudy:
    """Return the study of ``views``, read once and in order: the fits of all folds, the trials of ``folds`` only.

    ``history`` has the daily curves of history and window.  A view may hold curves of its own days and later: the score
    of a day uses those of earlier days only.
    """
    params = registration.params
    cuts = [plan.cut_ns(fold) for fold in range(plan.folds)]
    fits = [curve_fits(fold, plan, params, {underlying: history}, cut)[underlying] for fold, cut in enumerate(cuts)]
    trials = {
        (fold, z): replace(fits[fold], z_threshold=z) for fold in folds if fits[fold].identified for z in params.z_grid
    }
    positions = _traded(underlying, views, trials, cuts, params)
    return CurveStudy(underlying, history, tuple(fits), positions)


def _same_folds_and_fees(plan: Plan, params: Params) -> Callable[[Panel], tuple[int, int]]:
    """Return the key that panels joined into one must share: how many folds may train on them, which fees apply."""
    cuts = [plan.cut_ns(fold) for fold in range(plan.folds)]
    fees_at = fees_in_force(params)

    def key(panel: Panel) -> tuple[int, int]:
        last_ns = int(panel.times_ns[-1])
        return sum(cut > last_ns for cut in cuts), fees_at(last_ns)

    return key


def _traded(
    underlying: str,
    views: Iterable[PreparedPanel],
    trials: Mapping[Trial, CurveFit],
    cuts: Sequence[int],
    params: Params,
) -> dict[Trial, tuple[Position, ...]]:
    """Return the positions of C5 alone by trial, on the views before the cut of its fold, closed at the cut."""
    states = dict.fromkeys(trials, START)
    positions: dict[Trial, list[Position]] = {trial: [] for trial in trials}
    # Of a signal that no ledger has, settlement asks only that its id is its own.
    names = {trial: (f"{underlying}/{number:06d}" for number in count()) for trial in trials}
    last_ns = max((cuts[fold] for fold, _ in trials), default=0)
    # Detected once at the lowest threshold: what a higher one lets fire is among it.
    lowest = {fold: replace(fit, z_threshold=min(params.z_grid)) for (fold, _), fit in trials.items()}
    # Views are the outer loop: what the trials of one view share is computed once.
    for view in views:
        now_ns = int(view.panel.times_ns[-1])
        # Views are in order of time, so that no later one can train a fold.
        if now_ns >= last_ns:
            break
        detected = {
            fold: detect(view, Fitted(fold, 0, 0, {underlying: fit}, {}), codes=("C5",))
            for fold, fit in lowest.items()
            if now_ns < cuts[fold]
        }
        for fold, z in (trial for trial in trials if trial[0] in detected):
            trial, identifiers = (fold, z), names[fold, z]
            violations = [rethreshold(block, z, params.rearm_share) for block in detected[fold]]
            states[trial], done = process_block(
                states[trial], view, violations, params, fold, lambda *_, ids=identifiers: (next(ids), "")
            )
            positions[trial] += done.positions
    return {trial: (*positions[trial], *force_close(states[trial].open, cuts[trial[0]], params)) for trial in trials}
