"""Covenants over a plan's book: when the machine of a pair orders open positions to be closed.  [S4.5, S7]

    registration = with_orders(dataset, registration, plan)     params.forced_exits are then the orders, covenants None

The pair's marks, from the first day of history on, go through measures, band and machine of `engine.covenants`, one
revision a bar.  Each time the machine enters the state that the plan names, every position with a leg of either coin is
ordered closed, a latency after the close at which that was seen.  Emission is not touched: no signal is held back.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np

from backtest.data.format.dataset import Dataset
from backtest.data.panels.reader import panels
from backtest.records import BookCovenants, Plan, Registration
from engine.covenants.base import Mode
from engine.covenants.checks import check_pair
from engine.covenants.measures import measure
from engine.covenants.parameter_engine import unscaled_band
from engine.covenants.parameters import Parameters
from engine.covenants.paths import run_machine
from engine.errors import UsageError
from engine.exact.rounded import Floats
from engine.params import ForcedExit
from engine.records import ExitReason, IntArray
from engine.units import NS_PER_SECOND

STATES: Final = {
    "breach": (Mode.BREACH, Mode.MANUAL),
    "manual": (Mode.MANUAL,),
}
"""State of the plan -> the modes of the machine that are it: a breach may go to MANUAL in its own bar."""


def with_orders(dataset: Dataset, registration: Registration, plan: Plan) -> Registration:
    """Return ``registration`` with the orders of its covenants over ``plan``; as it is where it has none.

    Raises ``UsageError`` (2) for an instrument that the data set lacks, ``DataError`` (4) for marks from which nothing
    can be computed.
    """
    given = registration.covenants
    if given is None:
        return registration
    orders = book_orders(dataset, given, registration.params.exit_latency_ns, plan.history_ns, plan.t1_ns)
    return replace(registration, params=replace(registration.params, forced_exits=orders), covenants=None)


def require_orders(registration: Registration) -> None:
    """Refuse a plan whose covenants have not been turned into orders.  Raises ``UsageError`` (2).

    Orders need the marks of the whole span, so a replay that does not begin at the history's first day has none.
    """
    if registration.covenants is not None:
        raise UsageError(
            f"{registration.path}: covenants: expected a plan without covenants over its book here, was one with them: "
            "only `cme run` computes their orders"
        )


def book_orders(
    dataset: Dataset, given: BookCovenants, latency_ns: int, from_ns: int, to_ns: int
) -> tuple[ForcedExit, ...]:
    """Return the orders in [from, to), by time: two at each entry of the machine into the state, one a coin."""
    p, table = given.parameters, dataset.instruments
    codes = [table.code_of(name) for name in (given.a, given.b)]
    for name, code in zip((given.a, given.b), codes, strict=True):
        if code < 0:
            raise UsageError(f"covenants: expected an instrument of the data set, was {name!r}")
    bar_ns = p.bar_min * 60 * NS_PER_SECOND
    t_ns = np.arange(-(-from_ns // bar_ns) * bar_ns, to_ns, bar_ns, dtype=np.int64)
    a, b = (_marks(dataset, code, t_ns, bar_ns) for code in codes)
    check_pair(t_ns, a, b, p)
    coins = dict.fromkeys(table.underlying[code] for code in codes)
    return tuple(
        ForcedExit(int(t_ns[bar]) + latency_ns, coin, "", ExitReason.COVENANT)
        for bar in entries(t_ns, a, b, p, given.closes_on).tolist()
        for coin in coins
    )


def entries(t_ns: IntArray, a: Floats, b: Floats, p: Parameters, closes_on: str) -> IntArray:
    """Return the bars at which the machine over the closes ``a`` and ``b`` [N] enters the state, ascending."""
    m = measure(t_ns, a, b, p)
    mode = run_machine(m.spread, unscaled_band(m, p), m.decorrelated, m.stale, p).mode
    inside = np.isin(mode, [int(state) for state in STATES[closes_on]])
    # At the first bar too: there is no state before it.
    return np.flatnonzero(inside & ~np.concatenate(([False], inside[:-1])))


def _marks(dataset: Dataset, code: int, t_ns: IntArray, bar_ns: int) -> Floats:
    """Return the marks of an instrument at the bars' closes, its mid without one; NaN if older than a bar."""
    closes = np.full(t_ns.size, np.nan)
    underlying = dataset.instruments.underlying[code]
    for panel in panels(dataset, underlying, int(t_ns[0]), int(t_ns[-1]) + 1, codes=[code], times_ns=t_ns):
        column = np.flatnonzero(panel.code == code)
        if not column.size:
            continue
        n = int(column[0])
        price = np.where(panel.mark[:, n] > 0, panel.mark[:, n], 0.5 * (panel.bid[:, n] + panel.ask[:, n]))
        rows = np.searchsorted(t_ns, panel.times_ns)
        closes[rows] = np.where((panel.age_ns[:, n] < bar_ns) & (price > 0), price, np.nan)
    return closes
