"""The funding settlements of each instrument in a price window, by the rule of `engine.positions.funding`.  [S4.6]"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.market.view import PreparedPanel
from engine.positions.formulas import funding_price, settlement_times_ns
from engine.records import BoolArray, FloatArray, IntArray
from engine.repricing.window import PriceWindow


@dataclass(frozen=True, slots=True)
class Payments:
    """The funding settlements of one instrument in a price window, in order of time, ``[N]``.

    A quantity q pays ``q price rate`` USD per unit of base notional; if ``by_contract``, an inverse leg entered at E
    pays ``q (E / price) conversion rate``.
    """

    by_contract: bool
    t_ns: IntArray
    row: IntArray  # row of the window at which it is read
    price: FloatArray
    conversion: FloatArray
    rate: FloatArray  # 0 if missing
    unknown: BoolArray  # no price is known in the data: the position's entry price is used

    @property
    def unit_usd(self) -> FloatArray:
        """The USD that q = 1 (by contract: q E = 1) pays at each settlement, ``[N]``; 0 where the price is unknown."""
        worth = self.conversion / self.price if self.by_contract else self.price
        return np.where(self.unknown, 0.0, worth * self.rate)


def all_payments(window: PriceWindow) -> dict[int, Payments]:
    """Return the settlements of each instrument that has any, by its row in the window."""
    interval_ns = window.views[0].panel.instruments.funding_interval_ns[window.code]
    by_instrument = {c: payments_of(window, c) for c in np.flatnonzero(interval_ns > 0).tolist()}
    return {c: payments for c, payments in by_instrument.items() if len(payments.t_ns)}


def payments_of(window: PriceWindow, c: int) -> Payments:
    """Return the settlements of instrument ``window.code[c]``, which must pay funding."""
    table = window.views[0].panel.instruments
    interval = int(table.funding_interval_ns[window.code[c]])
    on_index = window.views[0].params.funding_on.get(table.venue[int(window.code[c])]) == "index"
    by_contract = bool(window.inverse[c]) and not on_index
    payments: list[tuple[int, int, float, float]] = []
    for v, view in enumerate(window.views):
        column = int(window.column[c, v])
        due = np.flatnonzero(view.panel.funding_paid[:, column] != 0.0).tolist() if column >= 0 else []
        for view_row in due:
            row = int(window.start[v]) + view_row
            now = int(window.times_ns[row])
            # Before the first row nothing is known: only a settlement at that very time is dated there.
            since = int(window.times_ns[row - 1]) if row else now - 1
            times_ns = settlement_times_ns(since, now, interval)
            rate = float(view.panel.funding_paid[view_row, column]) / len(times_ns)
            paid_on = _price(window, view, c, column, row, on_index)
            payments += [(t_ns, row, paid_on, 0.0 if rate != rate else rate) for t_ns in times_ns]
    rows = np.array([row for _, row, _, _ in payments], dtype=np.int64)
    price = np.array([paid_on for _, _, paid_on, _ in payments], dtype=np.float64)
    return Payments(
        by_contract=by_contract,
        t_ns=np.array([t_ns for t_ns, _, _, _ in payments], dtype=np.int64),
        row=rows,
        price=price,
        conversion=window.conversion[c, rows],
        rate=np.array([rate for _, _, _, rate in payments], dtype=np.float64),
        unknown=np.isnan(price),
    )


def _price(window: PriceWindow, view: PreparedPanel, c: int, column: int, row: int, on_index: bool) -> float:
    """Return the price that a settlement is paid on; NaN if the position's entry price is to be used."""
    view_row = row - int(window.start[np.searchsorted(window.start, row, side="right") - 1])
    mark, index = float(view.panel.mark[view_row, column]), float(view.panel.index[view_row, column])
    close, usd = float(window.mid[c, row]), float(view.usd[view_row, column])
    inverse = bool(window.inverse[c])
    chosen = funding_price(on_index, index, mark, close, usd)
    if chosen == "index":
        return index
    # An inverse leg that pays on the index is not valued by contract, so a close in USD per coin cannot replace it.
    if chosen == "entry" or (on_index and inverse):
        return float("nan")
    price = mark if chosen == "mark" else close
    return price if inverse else price * usd
