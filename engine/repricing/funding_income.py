"""The funding that placebo positions receive by day: settlements strictly inside their lives.  [S4.6]"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np

from engine.exact.rounded import RunningSums
from engine.positions.formulas import funding_base_usd, funding_cash
from engine.records import BoolArray, FloatArray, IntArray
from engine.repricing.exits import FilledEntries
from engine.repricing.funding_payments import Payments
from engine.units import NS_PER_DAY

_NONE: Final = (np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64), np.zeros(0))


def funding_of(
    entered: FilledEntries,
    forced: BoolArray,
    exit_ns: IntArray,
    units: FloatArray,
    paid: Mapping[int, Payments],
    first: IntArray,
    days: int,
) -> tuple[IntArray, FloatArray]:
    """Return the positions that receive or pay funding, ascending ``[F]``, and their running totals, USD ``[F, D]``.

    Column d is the total up to the end of day ``first + d``; ``days`` is D.
    """
    by_instrument = [_received(entered, forced, exit_ns, units, c, payments) for c, payments in paid.items()]
    m, t_ns, usd = (np.concatenate(columns) for columns in zip(_NONE, *by_instrument, strict=True))
    day = t_ns // NS_PER_DAY - first[m]
    funded, row = np.unique(m, return_inverse=True)
    sums, running = RunningSums(len(funded)), np.zeros((len(funded), days))
    for d in range(days):
        today = np.flatnonzero(day == d)
        for term in _columns(row[today], usd[today], len(funded)):
            sums.add(term)
        running[:, d] = sums.totals()
    return funded, running


def _received(
    entered: FilledEntries, forced: BoolArray, exit_ns: IntArray, units: FloatArray, c: int, payments: Payments
) -> tuple[IntArray, IntArray, FloatArray]:
    """Return the payments to legs in instrument ``c``, ``[N]`` each: position, settlement time, USD."""
    m, leg = np.nonzero(entered.leg == c)
    # After the entry's row, and before the exit: strictly between them.  [S4.6]
    begin = np.searchsorted(payments.row, entered.row[m], side="right")
    end = payments.up_to(exit_ns[m])
    count = np.maximum(np.where(forced[m], len(payments.t_ns), end) - begin, 0)
    # The payments of position k are the consecutive rows from begin[k] on; this lists them for all positions.
    row = np.repeat(begin - np.cumsum(count) + count, count) + np.arange(int(count.sum()))
    m, leg = np.repeat(m, count), np.repeat(leg, count)
    price = funding_base_usd(payments.inverse, entered.price[m, leg], payments.price[row], payments.conversion[row])
    return m, payments.t_ns[row], units[m] * funding_cash(entered.quantity[m, leg], price, payments.rate[row])


def _columns(row: IntArray, usd: FloatArray, rows: int) -> FloatArray:
    """Return ``[N, rows]`` with the payments of each row in its column, one below the other; 0 where it has fewer."""
    # Stable: the payments of a position stay in order of time.
    order = np.argsort(row, kind="stable")
    row, usd = row[order], usd[order]
    place = np.arange(len(row)) - np.searchsorted(row, row)
    columns = np.zeros((int(place.max(initial=-1)) + 1, rows))
    columns[place, row] = usd
    return columns
