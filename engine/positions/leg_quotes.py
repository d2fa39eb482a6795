"""The quotes of a package's legs at one grid time, with the costs of trading each there.  [S3.1-S3.3]

Decision, fill and exit all take their figures from `engine.costs`.  [S3.6]
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from engine.costs.base import LegTerms, leg_terms
from engine.market.fees import fee_per_unit, leg_fee_bps, rate_in_force
from engine.market.view import PreparedPanel
from engine.positions.base import LegQuote
from engine.positions.formulas import order_quantity, side_charge_bps
from engine.records import Instruments, Kind
from engine.units import BPS, NS_PER_DAY

NAN = float("nan")


def terms_at(view: PreparedPanel, row: int, code: Sequence[int], quantity: Sequence[float], life_ns: int) -> LegTerms:
    """Return the cost terms of one package, ``[1, L]``: legs ``code`` with signed ``quantity``, quoted at ``row``."""
    columns = np.array([[view.panel.column(c) for c in code]], dtype=np.int32)
    return leg_terms(view, np.array([row], dtype=np.int32), columns, np.array([quantity], dtype=np.float64), life_ns)


def quotes_of(view: PreparedPanel, row: int, terms: LegTerms) -> tuple[LegQuote, ...]:
    """Return the quotes at ``row`` from which ``terms`` come, one for each leg with a code (-1: no leg)."""
    codes = terms.code[0].tolist()
    return tuple(
        _quote(view, row, view.panel.column(code), terms, (0, leg), float(terms.quantity[0, leg]))
        for leg, code in enumerate(codes)
        if code >= 0
    )


def requote(
    view: PreparedPanel,
    rows: Sequence[int],
    columns: Sequence[int],
    legs: Sequence[LegQuote],
    life_ns: int,
    *,
    closing: bool,
) -> tuple[LegQuote, ...]:
    """Return ``legs`` as quoted at other cells: each at its own row and column of the block, where it is usable.

    ``closing`` swaps the side that is hit (a long leg is sold at the bid); the quantity keeps the position's sign.
    """
    table = view.panel.instruments
    cells = list(zip(rows, columns, strict=True))
    quantity = [quantity_at(leg, table, float(view.mid[cell])) for leg, cell in zip(legs, cells, strict=True)]
    # `leg_terms` reads off the sign which side is hit.
    crossing = np.array([[-q if closing else q] for q in quantity], dtype=np.float64)
    row, column = np.array(rows, dtype=np.int32), np.array(columns, dtype=np.int32)[:, None]
    terms = leg_terms(view, row, column, crossing, life_ns)  # a package of one leg each
    return tuple(
        _quote(view, *cell, terms, (leg, 0), q) for leg, (cell, q) in enumerate(zip(cells, quantity, strict=True))
    )


def _quote(
    view: PreparedPanel, row: int, column: int, terms: LegTerms, leg: tuple[int, int], quantity: float
) -> LegQuote:
    panel, cell = view.panel, (row, column)
    return LegQuote(
        code=int(terms.code[leg]),
        quantity=quantity,
        quote_ns=int(panel.times_ns[row] - panel.age_ns[cell]),
        bid=float(panel.bid[cell]),
        ask=float(panel.ask[cell]),
        mid=float(view.mid[cell]),
        bid_size=float(panel.bid_size[cell]),
        ask_size=float(panel.ask_size[cell]),
        usd=float(view.usd[cell]),
        money=float(view.money[cell]),
        weight=float(terms.weight[leg]),
        fee_bps=float(terms.fee_bps[leg]),
        exit_fee_bps=float(terms.exit_fee_bps[leg]),
        spread_bps=float(terms.spread_bps[leg]),
        slip_bps=float(terms.slip_bps[leg]),
        depth_usd=float(terms.depth_usd[leg]),
    )


def quantity_at(leg: LegQuote, instruments: Instruments, price: float) -> float:
    """Return the base quantity of ``leg`` at ``price``; for an inverse leg the number of contracts stays the same."""
    return order_quantity(leg.quantity, bool(instruments.inverse[leg.code]), leg.mid, price)


@dataclass(frozen=True, slots=True)
class SettlementPrice:
    """What an expired leg is worth: ``price`` in its price currency, and the conversions of `LegQuote`."""

    price: float
    usd: float
    money: float
    underlying_usd: float  # USDC a unit of the underlying is settled at


def delivery_quote(view: PreparedPanel, row: int, leg: LegQuote, settled: SettlementPrice) -> LegQuote:
    """Return the exit quote of a leg that expired: the delivery fee, no spread and no impact."""
    table, code, now = view.panel.instruments, leg.code, int(view.panel.times_ns[row])
    kind, price = Kind(table.kind[code]), settled.price
    rate = rate_in_force(view.params.fees, table, code, _utc_day(now))
    # An option's fee is a share of the underlying, every other leg's of itself.  [S3.4]
    fee_base = settled.underlying_usd / settled.usd if kind is Kind.OPTION else price
    cap = np.inf if rate.delivery_cap is None else rate.delivery_cap
    fee = fee_per_unit(*(np.array([x]) for x in (rate.delivery_bps / BPS, cap, price, fee_base)))
    # Bps of a value of 0 are not defined: what expires worthless pays nothing.
    fee_bps = float(leg_fee_bps(fee, np.array([price]))[0]) if price > 0.0 else 0.0
    quantity = quantity_at(leg, table, price)
    return LegQuote(
        code=code,
        quantity=quantity,
        quote_ns=now,
        bid=NAN,
        ask=NAN,
        mid=price,
        bid_size=NAN,
        ask_size=NAN,
        usd=settled.usd,
        money=settled.money,
        weight=abs(quantity) * price * settled.money / settled.underlying_usd,
        fee_bps=fee_bps,
        exit_fee_bps=fee_bps,
        spread_bps=0.0,
        slip_bps=0.0,
        depth_usd=NAN,
    )


def side_bps(leg: LegQuote) -> float:
    """Return the cost of crossing to one side before impact, bps of the leg's notional."""
    return side_charge_bps(leg.spread_bps, leg.slip_bps)


def _utc_day(t_ns: int) -> str:
    return str(np.datetime64(t_ns // NS_PER_DAY, "D"))
