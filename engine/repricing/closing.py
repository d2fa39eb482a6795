"""How placements are left: at mids, at what expired legs are settled at, or by force.  [S4.5]"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

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
    """How the legs were left, ``[M, LEGS]``; what stands beside an absent leg means nothing.

    ``row`` is where the exit quote stands, ``price`` and ``usd`` what the profit is computed with, ``fee_bps`` and
    ``fee_usd`` (USD per unit of the price currency) those of a leg that expired, NaN elsewhere.
    """

    ns: IntArray  # [M]
    row: IntArray
    price: FloatArray
    usd: FloatArray
    expired: BoolArray
    gap: BoolArray
    fee_bps: FloatArray
    fee_usd: FloatArray


def close(span: PriceWindow, entered: FilledEntries, ends: Exits, end_ns: int) -> tuple[ClosedLegs, BoolArray]:
    """Return how each leg was left, and the positions whose delivery price is not known to the venue's data."""
    final = np.minimum(ends.row, len(span.times_ns) - 1)
    ns = np.where(ends.forced, end_ns - 1, span.times_ns[final])
    m, leg = np.nonzero(entered.leg >= 0)
    c, row = entered.leg[m, leg], final[m]
    quote, mark = span.last_quote(c, row), span.last_mark(c, row)
    forced, gap = ends.forced[m], np.isnan(span.mid[c, row])
    price = np.where(forced, span.mark[c, mark], span.mid[c, quote])
    usd = np.where(forced | gap, span.conversion[c, mark], span.conversion[c, quote])
    expired = ends.expired[m] & (span.views[0].panel.instruments.expiry_ns[span.code[c]] <= ns[m])
    fee_bps, fee_usd = np.full(len(c), np.nan), np.full(len(c), np.nan)
    odd = np.zeros(len(ns), dtype=np.bool_)
    known: dict[tuple[int, int], Delivery] = {}
    for k in np.flatnonzero(expired).tolist():
        key = int(c[k]), int(row[k])
        if key not in known:
            known[key] = _delivery(span, *key)
        found = known[key]
        price[k], usd[k] = found.price, found.usd
        fee_bps[k], fee_usd[k] = found.quote.fee_bps, found.quote.usd
        odd[m[k]] |= found.flag == "settlement_from_mark"
    gap &= ~forced & ~expired

    def laid(values: NDArray[Scalar]) -> NDArray[Scalar]:
        out = np.zeros(entered.leg.shape, dtype=values.dtype)
        out[m, leg] = values
        return out

    closed = ClosedLegs(
        ns=ns,
        row=laid(quote),
        price=laid(price),
        usd=laid(usd),
        expired=laid(expired),
        gap=laid(gap),
        fee_bps=laid(fee_bps),
        fee_usd=laid(fee_usd),
    )
    return closed, odd


def _delivery(span: PriceWindow, c: int, row: int) -> Delivery:
    nan = float("nan")
    none = LegQuote(int(span.code[c]), 1.0, 0, nan, nan, 1.0, nan, nan, nan, nan, nan, nan, nan, nan, nan)
    at = np.array([row])
    mark = int(span.last_mark(np.array([c]), at)[0])
    seen = LegMark(float(span.mark[c, mark]), float(span.conversion[c, mark]), int(span.known_ns[c, mark]))
    v = int(span.view_of(at)[0])
    return delivered(span.views[v], none, seen, row - int(span.start[v]))


def needs_own_price(entered: FilledEntries, closed: ClosedLegs, paid: Mapping[int, Payments]) -> BoolArray:
    """Return the positions with a settlement whose price only the engine's walk can tell."""
    odd = np.zeros(len(entered.move), dtype=np.bool_)
    for c, payments in paid.items():
        if payments.unknown.any():
            mine = (entered.leg == c).any(axis=1)
            when = payments.t_ns[payments.unknown]
            start = np.searchsorted(payments.row[payments.unknown], entered.row, side="right")
            odd |= mine & (np.searchsorted(when, closed.ns) > start)
    return odd
