"""Exit prices of placebo positions: mids, settlement prices of expired legs, or last marks at the window's end.  [S4.5]

`engine.positions.exits` and `engine.positions.expiry` have the same rules for one position.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from engine.market.chunks import Scalar
from engine.positions.base import LegMark, LegQuote
from engine.positions.expiry import Delivery, delivered
from engine.records import BoolArray, FloatArray, IntArray
from engine.repricing.exits import Exits, FilledEntries
from engine.repricing.funding_payments import Payments
from engine.repricing.window import PriceWindow


@dataclass(frozen=True, slots=True)
class ClosedLegs:
    """The exits of legs, ``[M, LEGS]``; cells of an absent leg are undefined."""

    ns: IntArray  # [M] time of the exit
    row: IntArray  # row of the exit quote
    price: FloatArray  # exit price in price currency
    usd: FloatArray  # USD per unit of the leg's profit currency
    expired: BoolArray
    gap: BoolArray  # no usable quote at the exit: priced at the last one
    fee_bps: FloatArray  # delivery fee of an expired leg, NaN elsewhere
    fee_usd: FloatArray  # USD per unit of its price currency, NaN elsewhere


def close(window: PriceWindow, entered: FilledEntries, ends: Exits, end_ns: int) -> tuple[ClosedLegs, BoolArray]:
    """Return the exit of each leg, ``[M, LEGS]``, and the positions whose settlement price is unknown, ``[M]``.

    ``end_ns`` is the first time after the window: positions whose data end are closed just before it.  A settlement
    price is unknown if the venue's data give neither it, nor an index, nor a reference.
    """
    final = np.minimum(ends.row, len(window.times_ns) - 1)
    # In the window's last day: `end_ns` itself belongs to the next.  [R1.8]
    ns = np.where(ends.forced, end_ns - 1, window.times_ns[final])
    m, leg = np.nonzero(entered.leg >= 0)
    c, row = entered.leg[m, leg], final[m]
    quote, mark = window.last_quote(c, row), window.last_mark(c, row)
    forced, gap = ends.forced[m], np.isnan(window.mid[c, row])
    price = np.where(forced, window.mark[c, mark], window.mid[c, quote])
    # Without a quote at the exit the coin is converted at the last index, as at the end of a day.
    worth = np.where(forced | gap, window.last_conversion(c, row), quote)
    usd = window.conversion[c, worth]
    expired = ends.expired[m] & (window.views[0].panel.instruments.expiry_ns[window.code[c]] <= ns[m])
    fee_bps, fee_usd = np.full(len(c), np.nan), np.full(len(c), np.nan)
    unknown = np.zeros(len(ns), dtype=np.bool_)
    # Many placebo positions end at one expiry, whose settlement is read once.
    deliveries: dict[tuple[int, int], Delivery] = {}
    for k in np.flatnonzero(expired).tolist():
        key = int(c[k]), int(row[k])
        if key not in deliveries:
            deliveries[key] = _delivery(window, *key)
        delivery = deliveries[key]
        price[k], usd[k] = delivery.price, delivery.usd
        fee_bps[k], fee_usd[k] = delivery.quote.fee_bps, delivery.quote.money
        unknown[m[k]] |= delivery.flag == "settlement_from_mark"
    gap &= ~forced & ~expired

    def by_leg(values: NDArray[Scalar]) -> NDArray[Scalar]:
        out = np.zeros(entered.leg.shape, dtype=values.dtype)
        out[m, leg] = values
        return out

    closed = ClosedLegs(
        ns=ns,
        row=by_leg(quote),
        price=by_leg(price),
        usd=by_leg(usd),
        expired=by_leg(expired),
        gap=by_leg(gap),
        fee_bps=by_leg(fee_bps),
        fee_usd=by_leg(fee_usd),
    )
    return closed, unknown


def _delivery(window: PriceWindow, c: int, row: int) -> Delivery:
    """Return the settlement of instrument ``c`` read at ``row``; of the quote, only its fee and conversion are used."""
    nan = float("nan")
    # A quantity of 1 at a price of 1: fee in bps and conversion do not depend on either.
    unit = LegQuote(int(window.code[c]), 1.0, 0, nan, nan, 1.0, nan, nan, nan, nan, nan, nan, nan, nan, nan, nan)
    rows = np.array([row])
    mark = int(window.last_mark(np.array([c]), rows)[0])
    worth = int(window.last_conversion(np.array([c]), rows)[0])
    seen = LegMark(float(window.mark[c, mark]), float(window.conversion[c, worth]), int(window.known_ns[c, mark]))
    v = int(window.view_of(rows)[0])
    return delivered(window.views[v], unit, seen, row - int(window.start[v]))


def needs_own_price(entered: FilledEntries, closed: ClosedLegs, paid: Mapping[int, Payments]) -> BoolArray:
    """Return the positions, ``[M]``, that meet a funding settlement without a price in the data.

    Such a settlement is paid on the position's entry price, which `engine.repricing.reference` handles.
    """
    needed = np.zeros(len(entered.request), dtype=np.bool_)
    for c, payments in paid.items():
        if payments.unknown.any():
            has_leg = (entered.leg == c).any(axis=1)
            none = payments.unknown
            unpriced = replace(payments, t_ns=payments.t_ns[none])
            start = np.searchsorted(payments.row[none], entered.row, side="right")
            needed |= has_leg & (unpriced.up_to(closed.ns) > start)
    return needed
