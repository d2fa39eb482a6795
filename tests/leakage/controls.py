"""Leaks on purpose: each is a mistake that real backtests make, wrapped around the honest pipeline.

A reader that leaks has the shape of `battery.Read`, a computation that leaks the shape of `facts.Tell`, a fit that
leaks the shape of `folds.FitFold`.  The battery must find every one of them; one that finds none is worthless.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from backtest.data.format.dataset import Dataset
from backtest.folds.fit import capture_factors
from backtest.leakage.alter import RowColumns, altered
from backtest.leakage.battery import Read
from backtest.leakage.folds import FitFold, Training
from backtest.leakage.observables import Observation, Observe, ranks
from backtest.pipeline.window import folds_of
from backtest.records import Plan, Registration
from backtest.results.tables import frame, trades_table
from engine.constraints.detect import detect
from engine.market.curve import fit_curve
from engine.market.view import prepare
from engine.params import Fitted, Params
from engine.records import CurveHistory, FloatArray, IntArray, Panel
from engine.units import NS_PER_DAY, NS_PER_HOUR


def bar_at_its_open(read: Read, bar_ns: int = NS_PER_HOUR) -> Read:
    """(a) A bar is stamped at its open, so that its close is known a bar too early."""
    return _earlier(read, bar_ns)


def nearest_candle(read: Read, step_ns: int = NS_PER_HOUR) -> Read:
    """(f) At a grid time the candle nearest to it is taken, not the last one closed."""
    return _earlier(read, step_ns // 2)


def back_filled(read: Read) -> Read:
    """(d) A quote that did not arrive is filled with the next one that does."""

    def leaky(dataset: Dataset, underlying: str, first: int, last: int) -> Panel | None:
        panel = read(dataset, underlying, first, last)
        if panel is None:
            return None
        missing = panel.age_ns >= NS_PER_HOUR
        changes = {}
        for name in ("bid", "ask", "bid_size", "ask_size", "age_ns"):
            values = getattr(panel, name).copy()
            for row in range(len(values) - 2, -1, -1):
                values[row] = np.where(missing[row], values[row + 1], values[row])
            changes[name] = values
        return replace(panel, **changes)

    return leaky


def depth_of_the_day(tell: Observe) -> Observe:
    """(c) Slippage is computed from the day's average depth."""

    def leaky(panel: Panel) -> Observation:
        return tell(replace(panel, bid_size=_mean(panel.bid_size), ask_size=_mean(panel.ask_size)))

    return leaky


def z_of_the_day(params: Params) -> Observe:
    """(g) A score is compared with the mean and deviation of its whole day."""

    def leaky(panel: Panel) -> Observation:
        view = prepare(panel, params, CurveHistory(np.empty(0, dtype=np.int64), np.empty((0, 5))))
        pair = params.underlyings[panel.underlying].cash_carry[0]
        perp, spot = (panel.column(panel.instruments.code_of(name)) for name in (pair.perp, pair.spot))
        basis = view.mid[:, perp] / view.mid[:, spot] - 1.0
        z = (basis - np.nanmean(basis)) / np.nanstd(basis)
        return {"z": [(t, repr(float(value)).encode()) for t, value in zip(panel.times_ns.tolist(), z, strict=True)]}

    return leaky


def first_in_the_table(params: Params, *, honest: bool = False) -> Observe:
    """(h) Of the packages of one time the one whose instrument comes first in the table is traded."""

    def tell(panel: Panel) -> Observation:
        view = prepare(panel, params, CurveHistory(np.empty(0, dtype=np.int64), np.empty((0, 5))))
        found = detect(view, None, codes=("C4",), floor=-np.inf)[0]
        short = found.keys.short[found.packages.key]
        order = ranks(panel.instruments)[short] if honest else short
        chosen: dict[int, int] = {}
        for m in np.argsort(order, kind="stable").tolist():
            chosen.setdefault(int(found.packages.row[m]), m)
        name = panel.instruments.name
        return {"first": [(int(panel.times_ns[row]), name[short[m]].encode()) for row, m in sorted(chosen.items())]}

    return tell


def pca_of_the_sample(fit: FitFold, registration: Registration) -> FitFold:
    """(b) The components are fitted on all curves there are."""

    def leaky(training: Training, fold: int) -> Fitted:
        fitted = fit(training, fold)
        curve = {}
        for name, own in fitted.curve.items():
            registered = registration.params.underlyings[name].curve
            assert registered is not None
            curve[name] = fit_curve(training.curves[name], registered, fold=fold, z_threshold=own.z_threshold)
        return replace(fitted, curve=curve)

    return leaky


def capture_on_the_test(fit: FitFold, registration: Registration, plan: Plan) -> FitFold:
    """(e) The capture factor has seen the labels of the fold it is used in."""

    def leaky(training: Training, fold: int) -> Fitted:
        of = folds_of(training.trades, plan)[fold]
        seen = [training.trades[row] for row in (*of.train.tolist(), *of.test.tolist())]
        return replace(fit(training, fold), capture=capture_factors(frame(trades_table(seen)), registration.params))

    return leaky


def stamped_late(_path: str, rows: RowColumns) -> RowColumns:
    """A source whose candles carry stamps up to an hour after their label, each instrument its own."""
    time = rows["t_ns"] + rows["code"].astype(np.int64) * 7_919 % 55 * (NS_PER_HOUR // 60)
    keep = time // NS_PER_DAY == rows["t_ns"] // NS_PER_DAY
    return {name: values[keep] for name, values in (rows | {"t_ns": time}).items()}


def filled_where_dearer(fill_rows: Callable[..., IntArray]) -> Callable[..., IntArray]:
    """(h) A triggered exit is filled a grid time later where the first leg is dearer then."""

    def leaky(times_ns: IntArray, mid: FloatArray, legs: IntArray, *when: IntArray) -> IntArray:
        row, last = fill_rows(times_ns, mid, legs, *when), mid.shape[1] - 1
        here, then = (mid[legs[:, 0], np.minimum(at, last)] for at in (row, row + 1))
        return np.minimum(np.where(then > here, row + 1, row), when[-1])

    return leaky


def _earlier(read: Read, by_ns: int) -> Read:
    """The reader to which every row is known ``by_ns`` too early, as far as its day goes."""

    def shift(_path: str, rows: RowColumns) -> RowColumns:
        time = rows["t_ns"] - by_ns
        keep = time // NS_PER_DAY == rows["t_ns"] // NS_PER_DAY
        return {name: values[keep] for name, values in (rows | {"t_ns": time}).items()}

    def leaky(dataset: Dataset, underlying: str, first: int, last: int) -> Panel | None:
        return read(altered(dataset, shift), underlying, first, last)

    return leaky


def _mean(sizes: FloatArray) -> FloatArray:
    held = ~np.isnan(sizes)
    total = np.cumsum(np.where(held, sizes, 0.0), axis=0)[-1] / np.maximum(held.sum(axis=0), 1)  # row after row
    return np.where(held, total[None, :], np.nan)


READERS: dict[str, Callable[[Read], Read]] = {
    "bar at its open": bar_at_its_open,
    "back-filled quotes": back_filled,
}
