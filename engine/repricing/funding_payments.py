"""The funding settlements of one instrument along a span, priced as `engine.positions.funding` prices them.  [S4.6]"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.market.view import PreparedPanel
from engine.records import BoolArray, FloatArray, IntArray
from engine.repricing.window import PriceWindow


@dataclass(frozen=True, slots=True)
class Payments:
    """The funding settlements of one instrument along a span, in order of time.

    A position of q pays ``q price rate`` USD per unit of base notional; where ``by_contract``, an inverse leg entered
    at E pays ``q (E / price) conversion rate``.  ``unknown`` marks a payment whose price only the position can tell.
    """

    by_contract: bool
    t_ns: IntArray
    row: IntArray
    price: FloatArray
    conversion: FloatArray
    rate: FloatArray
    unknown: BoolArray

    @property
    def unit_usd(self) -> FloatArray:
        """What q = 1 (by contract: q E = 1) pays at each settlement, USD."""
        worth = self.conversion / self.price if self.by_contract else self.price
        return np.where(self.unknown, 0.0, worth * self.rate)


def all_payments(span: PriceWindow) -> dict[int, Payments]:
    """Return the settlements of each instrument of the span that has any, by its row in the span."""
    interval_ns = span.views[0].panel.instruments.funding_interval_ns[span.code]
    found = {c: payments_of(span, c) for c in np.flatnonzero(interval_ns > 0).tolist()}
    return {c: payments for c, payments in found.items() if len(payments.t_ns)}


def payments_of(span: PriceWindow, c: int) -> Payments:
    """Return the settlements of instrument ``span.code[c]``, which pays funding."""
    table = span.views[0].panel.instruments
    interval = int(table.funding_interval_ns[span.code[c]])
    on_index = span.views[0].params.funding_on.get(table.venue[int(span.code[c])]) == "index"
    by_contract = bool(span.inverse[c]) and not on_index
    found: list[tuple[int, int, float, float]] = []
    for v, view in enumerate(span.views):
        column = int(span.column[c, v])
        due = np.flatnonzero(view.panel.funding_paid[:, column] != 0.0).tolist() if column >= 0 else []
        for at in due:
            row = int(span.start[v]) + at
            now = int(span.times_ns[row])
            since = int(span.times_ns[row - 1]) if row else now - 1
            instants = [k * interval for k in range(since // interval + 1, now // interval + 1)] or [now]
            rate = float(view.panel.funding_paid[at, column]) / len(instants)
            paid_on = _price(span, view, c, column, row, on_index)
            found += [(instant, row, paid_on, 0.0 if rate != rate else rate) for instant in instants]
    rows = np.array([row for _, row, _, _ in found], dtype=np.int64)
    price = np.array([paid_on for _, _, paid_on, _ in found], dtype=np.float64)
    return Payments(
        by_contract=by_contract,
        t_ns=np.array([t for t, _, _, _ in found], dtype=np.int64),
        row=rows,
        price=price,
        conversion=span.conversion[c, rows],
        rate=np.array([rate for _, _, _, rate in found], dtype=np.float64),
        unknown=np.isnan(price),
    )


def _price(span: PriceWindow, view: PreparedPanel, c: int, column: int, row: int, on_index: bool) -> float:
    """Return the price a settlement is paid on; NaN where the position itself has to tell."""
    at = row - int(span.start[np.searchsorted(span.start, row, side="right") - 1])
    mark, index = float(view.panel.mark[at, column]), float(view.panel.index[at, column])
    close, usd = float(span.mid[c, row]), float(view.usd[at, column])
    inverse = bool(span.inverse[c])
    if on_index:
        if index > 0.0:
            return index
        return close * usd if close > 0.0 and not inverse else float("nan")
    if mark > 0.0 and usd > 0.0:
        return mark if inverse else mark * usd
    if close > 0.0:
        return close if inverse else close * usd
    return float("nan")
