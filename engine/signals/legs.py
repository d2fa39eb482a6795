"""A package's legs as they stand at one grid time: what it costs to enter or to leave there.  [S3.1-S3.3]

The figures are `engine.costs`' own, for the decision, the fill and the exit alike.  [S3.6]
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from engine.costs.base import LegTerms, leg_terms
from engine.costs.fees import fee_per_unit, leg_fee_bps, rate_in_force
from engine.market import View
from engine.records import Instruments, Kind
from engine.signals.base import LegQuote
from engine.units import BPS, NS_PER_DAY

NAN = float("nan")


def terms_at(view: View, row: int, code: Sequence[int], quantity: Sequence[float], life_ns: int) -> LegTerms:
    """Return the cost terms, ``[1, L]``, of legs ``code`` with signed ``quantity`` at ``row``; all must be quoted."""
    columns = np.array([[view.panel.column(c) for c in code]], dtype=np.int32)
    return leg_terms(view, np.array([row], dtype=np.int32), columns, np.array([quantity], dtype=np.float64), life_ns)


def quotes_of(view: View, row: int, terms: LegTerms) -> tuple[LegQuote, ...]:
    """Return the quotes at ``row`` behind ``terms``, one a leg that is present."""
    panel = view.panel
    found = []
    for at, code in enumerate(terms.code[0].tolist()):
        if code < 0:
            continue
        column = panel.column(code)
        found.append(
            LegQuote(
                code=code,
                quantity=float(terms.quantity[0, at]),
                quote_ns=int(panel.times_ns[row] - panel.age_ns[row, column]),
                bid=float(panel.bid[row, column]),
                ask=float(panel.ask[row, column]),
                mid=float(view.mid[row, column]),
                bid_size=float(panel.bid_size[row, column]),
                ask_size=float(panel.ask_size[row, column]),
                usd=float(view.usd[row, column]),
                weight=float(terms.weight[0, at]),
                fee_bps=float(terms.fee_bps[0, at]),
                exit_fee_bps=float(terms.exit_fee_bps[0, at]),
                spread_bps=float(terms.spread_bps[0, at]),
                slip_bps=float(terms.slip_bps[0, at]),
                depth_usd=float(terms.depth_usd[0, at]),
            )
        )
    return tuple(found)


def requote(view: View, row: int, legs: Sequence[LegQuote], life_ns: int, *, closing: bool) -> tuple[LegQuote, ...]:
    """Return the orders of ``legs`` as quoted at ``row``, where all are usable.

    ``closing`` turns the side that is hit: a long leg is sold at the bid; the quantity keeps the position's sign.
    """
    table = view.panel.instruments
    mids = [float(view.mid[row, view.panel.column(leg.code)]) for leg in legs]
    quantity = [contracts(leg, table, mid) for leg, mid in zip(legs, mids, strict=True)]
    crossing = [-q for q in quantity] if closing else quantity
    quotes = quotes_of(view, row, terms_at(view, row, [leg.code for leg in legs], crossing, life_ns))
    return tuple(replace(leg, quantity=q) for leg, q in zip(quotes, quantity, strict=True))


def contracts(leg: LegQuote, instruments: Instruments, price: float) -> float:
    """Return the base quantity of ``leg`` at ``price``: an inverse leg is an order of n = q x mid USD contracts.

    What was decided, and what is closed, is n; at another price that is n / price in base.  [risk.md 0.2]
    """
    return leg.quantity * leg.mid / price if instruments.inverse[leg.code] else leg.quantity


def delivery_quote(view: View, row: int, leg: LegQuote, price: float, price_usd: float, settled_usd: float) -> LegQuote:
    """Return the quote of a leg that was held to its expiry: the delivery fee, no spread and no impact.

    ``price`` in price currency, ``price_usd`` USD per unit of it, ``settled_usd`` what the underlying was settled at.
    """
    table, code, now = view.panel.instruments, leg.code, int(view.panel.times_ns[row])
    kind = Kind(table.kind[code])
    rate = rate_in_force(view.params.fees, table.venue[code], kind, _utc_day(now))
    fee_base = settled_usd / price_usd if kind is Kind.OPTION else price
    cap = np.inf if rate.delivery_cap is None else rate.delivery_cap
    fee = fee_per_unit(*(np.array([x]) for x in (rate.delivery_bps / BPS, cap, price, fee_base)))
    fee_bps = float(leg_fee_bps(fee, np.array([price]))[0]) if price > 0.0 else 0.0
    quantity = contracts(leg, table, price)
    return LegQuote(
        code=code,
        quantity=quantity,
        quote_ns=now,
        bid=NAN,
        ask=NAN,
        mid=price,
        bid_size=NAN,
        ask_size=NAN,
        usd=price_usd,
        weight=abs(quantity) * price * price_usd / settled_usd,
        fee_bps=fee_bps,
        exit_fee_bps=fee_bps,
        spread_bps=0.0,
        slip_bps=0.0,
        depth_usd=NAN,
    )


def side_bps(leg: LegQuote) -> float:
    """Return what crossing to one side costs before impact, bps of the leg's notional: half the spread, or fallback."""
    return leg.slip_bps + (leg.spread_bps / 2.0 if leg.spread_bps == leg.spread_bps else 0.0)


def _utc_day(t_ns: int) -> str:
    return str(np.datetime64(t_ns // NS_PER_DAY, "D"))
