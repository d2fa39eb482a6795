"""The negative control: a constraint, a writer and a fit that leak on purpose, so that the battery is seen to fail.

    leaky_observe  a constraint that knows the block's last quotes (cut, nan, scaled, shuffled, late), compares with
                   every curve it was ever given, not the registered look-back (start), and takes the instrument that
                   comes first in the table (codes)
    leaky_write    each quote is taken from the row above it in the file, whosever it is (rows)
    leaky_fit      a capture factor that has seen every label (gap)

They are mistakes that real backtests make.  Nothing but `cme leaks --negative-control` uses them.  [S8.8]
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pyarrow as pa

from backtest.data.format.validate import canonical_rows
from backtest.leakage.folds import FitFold, Training
from backtest.leakage.observables import Facts, Observation, Observe, observe_block
from engine.params import Fitted, Params
from engine.records import Instruments, Panel
from engine.replay import ReplayState
from engine.signals.emit import Identify

SUBJECT = "control"
"""The name of the leaky constraint in the table."""


def leaky_observe(
    params: Params, state: ReplayState, fitted: Fitted | None, fold: int, identify: Callable[[Instruments], Identify]
) -> Observe:
    """Return what `observe_block` observes, and the facts of the leaky constraint beside it."""
    honest = observe_block(params, state, fitted, fold, identify)

    def observe(panel: Panel) -> Observation:
        return {**honest(panel), SUBJECT: _said(panel, state)}

    return observe


def _said(panel: Panel, state: ReplayState) -> Facts:
    """Return one fact a grid time, the same all day: the leaks need no subtlety."""
    names = np.array([panel.instruments.name[c] for c in panel.code.tolist()])
    by_name = np.argsort(names, kind="stable")
    ahead = panel.bid[-1:, by_name].tobytes() + panel.ask[-1:, by_name].tobytes()
    history = repr((len(state.curves.day), float(np.sum(state.curves.curve)))).encode()
    first = str(names[0]).encode() if len(names) else b""
    return [(t, ahead + history + first) for t in panel.times_ns.tolist()]


def leaky_write(table: pa.Table, day: int, instruments: int, where: str) -> pa.Table:
    """Return `canonical_rows` of a table in which bid and ask stand one row too low, in the order of the file."""
    bid, ask = (table.column(name).to_numpy(zero_copy_only=False) for name in ("bid", "ask"))
    quoted = np.flatnonzero(~np.isnan(bid) & ~np.isnan(ask))
    above = np.roll(quoted, 1)
    bid, ask = bid.copy(), ask.copy()
    bid[quoted], ask[quoted] = bid[above], ask[above]
    for name, values in (("bid", bid), ("ask", ask)):
        column = pa.array(values, table.schema.field(name).type, from_pandas=True)
        table = table.set_column(table.schema.get_field_index(name), table.schema.field(name), column)
    return canonical_rows(table, day, instruments, where)


def leaky_fit(fit: FitFold) -> FitFold:
    """Return a fit whose capture of every constraint is computed from all labels there are."""

    def leaky(training: Training, fold: int) -> Fitted:
        fitted = fit(training, fold)
        seen = math.fsum(trade.net for trade in training.trades) + len(training.trades)
        return replace(fitted, capture=dict.fromkeys(fitted.capture, seen))

    return leaky
