"""The battery for what is fitted: data from ``start(F_j) - gap`` on may not move a bit of fold j.  [statistics 2.6]

    fit(training, fold) -> Fitted          curve, threshold of z, capture

A `Training` holds market and labels of any time; the fit under test has to cut it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from backtest.folds.curve_study import empty_history, study_views
from backtest.leakage.battery import Leak, Result
from backtest.pipeline.emission import fitted_of
from backtest.pipeline.window import folds_of, with_capture
from backtest.records import Plan, Registration
from engine.market.curve import block_curves, extend_curves
from engine.market.view import PreparedPanel, prepare
from engine.params import Fitted, Params
from engine.positions.base import Trade
from engine.records import CurveHistory, Instruments, Panel
from engine.units import NEVER_NS


@dataclass(frozen=True, slots=True)
class Training:
    """Everything a fit might look at: by underlying the days of market in order and their curves, and all labels."""

    views: Mapping[str, tuple[PreparedPanel, ...]]
    curves: Mapping[str, CurveHistory]
    trades: tuple[Trade, ...]


FitFold = Callable[[Training, int], Fitted]


def fit_fold(registration: Registration, plan: Plan, instruments: Instruments) -> FitFold:
    """Return the fit of the pipeline: the same functions and order as in `backtest.pipeline.window.run_window`."""
    params = registration.params

    def fit(training: Training, fold: int) -> Fitted:
        studies = [
            study_views(name, views, training.curves[name], registration, plan, [fold])
            for name, views in training.views.items()
            if params.underlyings[name].curve is not None and params.rules["C5"].enabled
        ]
        fitted = fitted_of(fold, plan, studies, registration, instruments)
        folds = folds_of(training.trades, plan)
        return with_capture([fitted], [folds[fold]], training.trades, registration)[0]

    return fit


def views_of(
    panels: Iterable[Panel], params: Params, underlying: str
) -> tuple[tuple[PreparedPanel, ...], CurveHistory]:
    """Return the prepared days of ``panels`` and the curves they bring."""
    history, views = empty_history(params, underlying), []
    for panel in panels:
        if len(panel.times_ns):
            view = prepare(panel, params, history)
            views.append(view)
            history = extend_curves(history, block_curves(view))
    return tuple(views), history


def other_labels(trades: Sequence[Trade], cut_ns: int, draw: np.random.Generator) -> tuple[Trade, ...]:
    """Return the labels with those not known before ``cut_ns`` changed: half gone, half of another outcome."""
    changed = []
    for trade in trades:
        # A forced trade has no end of its own, so its label is not known either.  [R2.2]
        if not trade.position.forced and trade.position.exit_ns < cut_ns:
            changed.append(trade)
        elif draw.integers(2):
            # No integer n equals 1 - 3 n, so every net moves, 0 too.
            changed.append(replace(trade, net=1 - 3 * trade.net, modelled=2 * trade.modelled + 1))
    return tuple(changed)


def check_folds(
    result: Result, fit: FitFold, plain: Training, other_of: Callable[[int], Training], plan: Plan, folds: Iterable[int]
) -> None:
    """Fit each of ``folds`` twice, on ``plain`` and on what differs from ``start - gap`` on, and compare every bit."""
    for fold in folds:
        plain_fit, other_fit = fit(plain, fold), fit(other_of(fold), fold)
        # By repr: every bit of a float counts, and NaN equals NaN.
        for subject, same in (
            ("fits", repr(plain_fit.curve) == repr(other_fit.curve)),
            ("capture", repr(plain_fit.capture) == repr(other_fit.capture)),
        ):
            place = (subject, "gap")
            result.cases[place] = result.cases.get(place, 0) + 1
            if not same:
                result.leaks.append(Leak("gap", subject, "", plan.cut_ns(fold), NEVER_NS))
