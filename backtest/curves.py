"""C5 before the replay: the daily curves of a span, and what each fold would have traded in training.  [statistics 9]

Options play no part in C5, so only the linear instruments are read, once, and prepared once for all folds and
thresholds.  The replay itself carries its own curves and never reads these.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from backtest.calibrate import curve_fits
from backtest.data.dataset import Dataset, open_dataset
from backtest.records import Plan, Registration
from engine.constraints.detect import detect
from engine.curve import block_curves, extend_curves
from engine.market import View, prepare
from engine.params import CurveFit, Fitted, Params
from engine.records import CurveHistory, Kind
from engine.signals.base import Position
from engine.signals.decide import START, step
from engine.signals.resolve import force_close

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
    """Return the history of an underlying of which no curve is known yet."""
    registered = params.underlyings[underlying].curve
    return CurveHistory(np.empty(0, dtype=np.int64), np.empty((0, len(registered.tenor_days) if registered else 0)))


def study_curves(path: Path, registration: Registration, plan: Plan, underlying: str) -> CurveStudy:
    """Return the curve study of one underlying of the data set at ``path``.

    A fold trains on curves and grid times strictly before ``start - gap``; a fold whose curvature is not identified
    has no trials.  [statistics R9.4, 2.6]
    """
    params = registration.params
    history = empty_history(params, underlying)
    if params.underlyings[underlying].curve is None or not params.rules["C5"].enabled:
        return CurveStudy(underlying, history, (), {})
    views, history = _prepared(open_dataset(path), registration, plan, underlying, history)
    return study_views(underlying, views, history, registration, plan, range(plan.folds))


def study_views(
    underlying: str,
    views: Sequence[View],
    history: CurveHistory,
    registration: Registration,
    plan: Plan,
    folds: Iterable[int],
) -> CurveStudy:
    """Return the study of ``views`` and the daily curves ``history``: all fits, and the trials of ``folds`` only."""
    params = registration.params
    positions: dict[Trial, tuple[Position, ...]] = {}
    cuts = [plan.t0_ns + fold * plan.fold_ns - plan.gap_ns for fold in range(plan.folds)]
    fits = [curve_fits(fold, plan, params, {underlying: history}, cut)[underlying] for fold, cut in enumerate(cuts)]
    for fold in folds:
        fit, cut_ns = fits[fold], cuts[fold]
        train = [view for view in views if int(view.panel.times_ns[-1]) < cut_ns]
        for z in params.z_grid if fit.identified else ():
            positions[fold, z] = _traded(underlying, train, replace(fit, z_threshold=z), params, cut_ns)
    return CurveStudy(underlying, history, tuple(fits), positions)


def _prepared(
    dataset: Dataset, registration: Registration, plan: Plan, underlying: str, history: CurveHistory
) -> tuple[list[View], CurveHistory]:
    registered = registration.params.underlyings[underlying].curve
    codes = np.flatnonzero(dataset.instruments.kind != Kind.OPTION).tolist()
    views = []
    for panel in dataset.panels(
        underlying,
        plan.history_ns,
        plan.t1_ns,
        codes=codes,
        funding_average_ns=registered.perp_average_ns if registered else None,
    ):
        if len(panel.times_ns):
            view = prepare(panel, registration.params, history)
            views.append(view)
            history = extend_curves(history, block_curves(view))
    return views, history


def _traded(underlying: str, views: Sequence[View], fit: CurveFit, params: Params, end_ns: int) -> tuple[Position, ...]:
    """Return what C5 alone would have traded on ``views``, closed at ``end_ns``."""
    trial = Fitted(fit.fold, 0, 0, {underlying: fit}, {})
    names = (f"{underlying}/{number:06d}" for number in range(10**6))
    positions: list[Position] = []
    state = START
    for view in views:
        found = detect(view, trial, codes=("C5",))
        state, done = step(state, view, found, params, fit.fold, lambda _signal, _view: (next(names), ""))
        positions += done.positions
    return (*positions, *force_close(state.open, end_ns, params))
