"""The trades of C5 in the window at each threshold of |z|, with the run's own fits.

The market is read again, the linear instruments only.  C5 trades alone here, against the whole capital and its own
use of the books: it is the same booking by which a fold chooses its threshold in training.  [statistics R9.7]
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np

from backtest.data.format.dataset import Dataset, open_dataset
from backtest.folds.curve_study import empty_history
from backtest.folds.registered_panels import linear_panels
from backtest.records import Plan
from engine.constraints.detect import detect
from engine.errors import MissingError
from engine.market.curve import block_curves, extend_curves
from engine.market.view import PreparedPanel, prepare
from engine.params import CurveFit, Fitted, Params
from engine.positions.base import Position, Trade
from engine.positions.exits import force_close
from engine.positions.portfolio import settle_portfolio
from engine.records import IntArray
from engine.signals.emit import START, process_block
from hypotheses.load import read_json

SLEEVE = "C5"


@dataclass(frozen=True, slots=True)
class AtThreshold:
    """C5's trades in the window at one threshold, by (t0, id)."""

    z: float
    trades: tuple[Trade, ...]

    @property
    def t0_ns(self) -> IntArray:
        """Emission of each trade."""
        return np.array([trade.position.signal.t_ns for trade in self.trades], dtype=np.int64)


def find_dataset(folder: Path) -> Path:
    """Return the data set of a run: the one with its hash in ``data`` beside the run.  Raises ``MissingError``."""
    wanted = read_json(folder / "manifest.json")["dataset_hash"]
    for path in sorted((folder.parent / "data").glob("*/manifest.json")):
        if open_dataset(path.parent).dataset_hash == wanted:
            return path.parent
    raise MissingError(
        f"expected the data set {wanted} in {folder.parent / 'data'}, found none: name its folder with --data DIR"
    )


def at_thresholds(data: Path, folder: Path, params: Params, plan: Plan) -> tuple[AtThreshold, ...]:
    """Return one member a threshold of the registered grid, ascending; none where no fold has an identified curve."""
    fits = fits_of(folder)
    if not any(fit.identified for fold in fits for fit in fold.values()):
        return ()
    dataset = open_dataset(data)
    views = {name: _views(dataset, params, plan, name) for name, market in params.underlyings.items() if market.curve}
    return tuple(
        AtThreshold(
            z,
            settle_portfolio(
                [p for name in views for p in _traded(name, views[name], fits, z, params, plan)],
                dataset.instruments,
                params,
            ),
        )
        for z in params.z_grid
    )


def fits_of(folder: Path) -> list[dict[str, CurveFit]]:
    """Return the curve fits of each fold, as the run wrote them."""
    return [
        {name: _fit(fit) for name, fit in fold["curve"].items()}
        for fold in json.loads((folder / "folds.json").read_text(encoding="utf-8"))["folds"]
    ]


def _fit(fit: Mapping[str, Any]) -> CurveFit:
    """Return a fit from its JSON: lists become tuples, null becomes NaN."""
    return CurveFit(**{key: _known(value) for key, value in fit.items()})


def _known(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(_known(item) for item in value)
    # JSON has no NaN: null stands for it.
    return float("nan") if value is None else value


def _views(dataset: Dataset, params: Params, plan: Plan, underlying: str) -> list[PreparedPanel]:
    """Return the prepared days of history and window; those of the window trade, those before bring the curves."""
    history, views = empty_history(params, underlying), []
    for panel in linear_panels(dataset, params, underlying, plan.history_ns, plan.t1_ns):
        view = prepare(panel, params, history)
        history = extend_curves(history, block_curves(view))
        # Days of the history bring curves for the rolling score and must not trade.
        if int(panel.times_ns[0]) >= plan.t0_ns:
            views.append(view)
    return views


def _traded(
    underlying: str,
    views: Sequence[PreparedPanel],
    fits: Sequence[Mapping[str, CurveFit]],
    z: float,
    params: Params,
    plan: Plan,
) -> list[Position]:
    names = (f"{underlying}/{number:06d}" for number in count())
    positions: list[Position] = []
    state = START
    for view in views:
        fold = (int(view.panel.times_ns[0]) - plan.t0_ns) // plan.fold_ns
        curve = {underlying: replace(fits[fold][underlying], z_threshold=z)}
        violations = detect(view, Fitted(fold, plan.t0_ns, plan.t1_ns, curve, {}), codes=(SLEEVE,))
        state, done = process_block(state, view, violations, params, fold, lambda _signal, _view: (next(names), ""))
        positions += done.positions
    return [*positions, *force_close(state.open, plan.t1_ns, params)]
