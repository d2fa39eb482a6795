"""Funding actually paid: at its settlement times, on the price the venue pays on.  [S4.6, risk.md 4]

A settlement at instant u is paid by a position held strictly through it: entry < u < exit.  Instants are the multiples
of the instrument's interval.  The panel gives the sum of the rates settled between two grid times; where several
instants lie between them each takes an equal share.  Received USD per unit of base notional = -q x price x rate.
"""

from __future__ import annotations

from collections.abc import Sequence

from engine.market.view import PreparedPanel
from engine.positions.base import Funding, LegQuote
from engine.positions.price_path import PricePath


def settlements(
    view: PreparedPanel, path: PricePath, legs: Sequence[LegQuote], start: int, before_ns: int
) -> tuple[Funding, ...]:
    """Return the settlements of ``legs`` (as filled) at rows >= ``start``, in order of (time, leg).

    ``before_ns`` is the grid time before row ``start``.  A missing one has a NaN rate and is flagged; so is one whose
    price had to be the close because the venue's mark or index is not known, or whose instant is not on the schedule.
    """
    found: list[Funding] = []
    for at, (leg, column) in enumerate(zip(legs, path.column, strict=True)):
        interval = int(view.panel.instruments.funding_interval_ns[leg.code])
        if column < 0 or interval <= 0:
            continue
        paid = view.panel.funding_paid[start:, column]
        for row in (start + int(r) for r in (paid != 0.0).nonzero()[0]):
            since = int(view.panel.times_ns[row - 1]) if row > start else before_ns
            found += _of_row(view, path, leg, at, row, since, interval)
    return tuple(sorted(found, key=lambda payment: (payment.t_ns, payment.leg)))


def received_usd(legs: Sequence[LegQuote], payment: Funding) -> float:
    """Return the USD received (+) or paid (-) per unit of base notional; 0 where the rate is missing."""
    if payment.rate != payment.rate:
        return 0.0
    return -legs[payment.leg].quantity * payment.price_usd * payment.rate


def _of_row(
    view: PreparedPanel, path: PricePath, leg: LegQuote, at: int, row: int, since_ns: int, interval_ns: int
) -> list[Funding]:
    now = int(view.panel.times_ns[row])
    first, last = since_ns // interval_ns + 1, now // interval_ns
    instants = [k * interval_ns for k in range(first, last + 1)] or [now]
    rate = float(view.panel.funding_paid[row, path.column[at]])
    price, replaced = _price_usd(view, path, leg, at, row)
    flagged = replaced or rate != rate or last < first or len(instants) > 1
    return [Funding(instant, at, rate / len(instants), price, flagged) for instant in instants]


def _price_usd(view: PreparedPanel, path: PricePath, leg: LegQuote, at: int, row: int) -> tuple[float, bool]:
    """Return the USD price one base unit pays on at ``row``, and whether it is a substitute.

    An inverse position of n USD pays n / M coin: per base unit of q = n / E that is E x index / M dollars.
    """
    column = path.column[at]
    venue = view.panel.instruments.venue[leg.code]
    mark, index = float(view.panel.mark[row, column]), float(view.panel.index[row, column])
    close, usd = float(path.mid[row, at]), float(view.usd[row, column])
    if view.params.funding_on[venue] == "index":
        if index > 0.0:
            return index, False
    elif mark > 0.0 and usd > 0.0:
        return _in_usd(mark, usd, path, leg, at, row), False
    if close > 0.0:
        return _in_usd(close, usd, path, leg, at, row), True
    return leg.mid * leg.usd, True


def _in_usd(price: float, usd: float, path: PricePath, leg: LegQuote, at: int, row: int) -> float:
    return leg.mid / price * float(path.conversion[row, at]) if path.inverse[at] else price * usd
