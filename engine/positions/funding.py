"""The funding that a position pays and receives, at its settlement times, on the venue's price.  [S4.6, risk.md 4]

A settlement at time u applies to a position that is open strictly through it: entry < u < exit.  Settlement times are
the multiples of the instrument's interval.  The panel gives the sum of the rates settled between two grid times; if
several settlement times lie between them, each gets an equal share.

Where funding accrues, the sum is what accrued between the two grid times; it is dated at the later, and a position has
all that accrued from its entry to its exit.  [venues V3]
"""

from __future__ import annotations

from collections.abc import Sequence

from engine.market.view import PreparedPanel
from engine.positions.base import Funding, LegQuote
from engine.positions.formulas import funding_base_usd, funding_cash, funding_price, settlement_times_ns
from engine.positions.price_path import PricePath
from engine.records import ACCRUAL_NS


def settlements(
    view: PreparedPanel, path: PricePath, legs: Sequence[LegQuote], start: int, before_ns: int
) -> tuple[Funding, ...]:
    """Return the settlements of ``legs`` (as filled) at rows >= ``start``, in order of (time, leg).

    ``before_ns`` is the grid time before row ``start``.  A missing settlement has a NaN rate.  ``flagged`` marks a
    missing rate, a price used in place of the venue's unknown one, and a time that is off the schedule or shared.
    """
    payments: list[Funding] = []
    for number, (leg, column) in enumerate(zip(legs, path.column, strict=True)):
        interval = int(view.panel.instruments.funding_interval_ns[leg.code])
        if column < 0 or interval <= 0:
            continue
        paid = view.panel.funding_paid[start:, column]
        # NaN differs from 0 too, so that a missing settlement is met here and flagged.
        for row in (start + int(r) for r in (paid != 0.0).nonzero()[0]):
            # The row before `start` may lie in an earlier block.
            since = int(view.panel.times_ns[row - 1]) if row > start else before_ns
            payments += _of_row(view, path, leg, number, row, since, interval)
    return tuple(sorted(payments, key=lambda payment: (payment.t_ns, payment.leg)))


def received_usd(legs: Sequence[LegQuote], payment: Funding) -> float:
    """Return the USD received (+) or paid (-) per unit of base notional; 0 if the rate is missing (NaN)."""
    # Money is never undefined: a missing settlement is flagged in `Funding` and pays nothing.
    if payment.rate != payment.rate:
        return 0.0
    return funding_cash(legs[payment.leg].quantity, payment.price_usd, payment.rate)


def _of_row(
    view: PreparedPanel, path: PricePath, leg: LegQuote, number: int, row: int, since_ns: int, interval_ns: int
) -> list[Funding]:
    now = int(view.panel.times_ns[row])
    accrues = interval_ns == ACCRUAL_NS
    times_ns = [now] if accrues else settlement_times_ns(since_ns, now, interval_ns)
    rate = float(view.panel.funding_paid[row, path.column[number]])
    price, replaced = _price_usd(view, path, leg, number, row)
    off_schedule = not accrues and times_ns[0] % interval_ns != 0
    flagged = replaced or rate != rate or off_schedule or len(times_ns) > 1
    return [Funding(t_ns, number, rate / len(times_ns), price, flagged, accrues) for t_ns in times_ns]


def _price_usd(view: PreparedPanel, path: PricePath, leg: LegQuote, number: int, row: int) -> tuple[float, bool]:
    """Return the price that one base unit pays funding on at ``row``, USD, and whether it is a substitute."""
    column, inverse = path.column[number], path.inverse[number]
    of_venue = view.params.funding_on[view.panel.instruments.venue[leg.code]]
    chosen, price, conversion = funding_price(
        on_index=of_venue == "index",
        index=float(view.panel.index[row, column]),
        mark=float(view.panel.mark[row, column]),
        close=float(path.mid[row, number]),
        conversion=float(path.conversion[row, number]),
    )
    if chosen == "entry":
        return leg.mid * leg.money, True
    return funding_base_usd(inverse, leg.mid, price, conversion), chosen != of_venue
