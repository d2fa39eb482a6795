"""The funding settlements of each instrument in a price window, by the rule of `engine.positions.funding`.  [S4.6]"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.positions.formulas import funding_base_usd, funding_price, settlement_times_ns
from engine.records import ACCRUAL_NS, BoolArray, FloatArray, IntArray
from engine.repricing.window import PriceWindow


@dataclass(frozen=True, slots=True)
class Payments:
    """The funding settlements of one instrument in a price window, in order of time, ``[N]``.

    A quantity q pays ``q price conversion rate`` USD per unit of base notional; if ``inverse``, a leg entered at E
    pays ``q (E / price) conversion rate``.
    """

    inverse: bool
    accrued: bool  # between grid times: what accrued up to an exit is the position's too
    t_ns: IntArray
    row: IntArray  # row of the window at which it is read
    price: FloatArray  # the source's, NaN where `unknown`
    conversion: FloatArray  # USD per unit of its currency, for an inverse leg per coin
    rate: FloatArray  # 0 if missing
    unknown: BoolArray  # no price is known in the data: the position's entry price is used

    def up_to(self, times_ns: IntArray) -> IntArray:
        """Return how many of the payments a position that ends at each of ``times_ns`` has met, of its shape."""
        return np.searchsorted(self.t_ns, times_ns, side="right" if self.accrued else "left")

    @property
    def unit_usd(self) -> FloatArray:
        """The USD that q = 1 (inverse: q E = 1) pays at each settlement, ``[N]``; 0 where the price is unknown."""
        return np.where(self.unknown, 0.0, funding_base_usd(self.inverse, 1.0, self.price, self.conversion) * self.rate)


def all_payments(window: PriceWindow) -> dict[int, Payments]:
    """Return the settlements of each instrument that has any, by its row in the window."""
    interval_ns = window.views[0].panel.instruments.funding_interval_ns[window.code]
    by_instrument = {c: payments_of(window, c) for c in np.flatnonzero(interval_ns > 0).tolist()}
    return {c: payments for c, payments in by_instrument.items() if len(payments.t_ns)}


def payments_of(window: PriceWindow, c: int) -> Payments:
    """Return the settlements of instrument ``window.code[c]``, which must pay funding."""
    table = window.views[0].panel.instruments
    on_index = window.views[0].params.funding_on.get(table.venue[int(window.code[c])]) == "index"
    inverse = bool(window.inverse[c])
    dated: list[tuple[int, int]] = []
    terms: list[tuple[float, float, float]] = []
    for v, view in enumerate(window.views):
        # Of the days of this view: a venue changes the interval of a contract.
        interval = int(view.panel.instruments.funding_interval_ns[window.code[c]])
        column = int(window.column[c, v])
        due = np.flatnonzero(view.panel.funding_paid[:, column] != 0.0).tolist() if column >= 0 else []
        for view_row in due:
            row = int(window.start[v]) + view_row
            now = int(window.times_ns[row])
            # Before the first row nothing is known: only a settlement at that very time is dated there.
            since = int(window.times_ns[row - 1]) if row else now - 1
            times_ns = [now] if interval == ACCRUAL_NS else settlement_times_ns(since, now, interval)
            rate = float(view.panel.funding_paid[view_row, column]) / len(times_ns)
            _, price, conversion = funding_price(
                on_index=on_index,
                index=float(view.panel.index[view_row, column]),
                mark=float(view.panel.mark[view_row, column]),
                close=float(window.mid[c, row]),
                conversion=float(window.conversion[c, row]),
            )
            dated += [(t_ns, row) for t_ns in times_ns]
            terms += [(price, conversion, 0.0 if rate != rate else rate)] * len(times_ns)
    # The shapes are named because an empty list has none.
    t_ns, rows = np.array(dated, dtype=np.int64).reshape(-1, 2).T
    prices, conversions, rates = np.array(terms, dtype=np.float64).reshape(-1, 3).T
    accrued = bool(table.accrues[window.code[c]])
    return Payments(inverse, accrued, t_ns, rows, prices, conversions, rates, unknown=np.isnan(prices))
