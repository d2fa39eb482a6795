"""The value of an expired leg: the venue's settlement price, else the mean of its index.  [venues V2, risk.md 17.1]

The mean is over the averaging window registered for the day of expiry, flagged.  Where neither is known, the position
ended before the window (`engine.positions.exits`).  A plan without such windows, written before they were registered,
takes the index of the first grid time at or after the expiry, then the reference, then the last mark, flagged.

With X in the dollar of the contract's price, USD for a price in coin, and K the strike::

    option, premium in coin    max(0, +-(X - K)) / X coin      profit converted at X
    option, premium in dollars max(0, +-(X - K)) dollars       paid as as many of its money
    future                     X                               an inverse one pays coin, converted at X
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from engine.market.delivery import averaging_ns
from engine.market.dollars import index_dollar
from engine.market.view import PreparedPanel
from engine.positions.base import LegMark, LegQuote
from engine.positions.leg_quotes import SettlementPrice, delivery_quote
from engine.records import Instruments, Kind, Right
from engine.units import NEVER_NS


@dataclass(frozen=True, slots=True)
class Delivery:
    """The settlement of an expired leg."""

    quote: LegQuote
    price: float  # in the leg's price currency
    usd: float  # USDC per unit of the leg's profit currency
    flag: str  # the substitute for the venue's settlement price; "" if that was known


def next_expiry_ns(legs: Sequence[LegQuote], instruments: Instruments) -> int:
    """Return the first expiry among ``legs``; NEVER_NS if no leg expires."""
    return min((int(instruments.expiry_ns[leg.code]) for leg in legs), default=NEVER_NS)


def window_start_ns(view: PreparedPanel, codes: Sequence[int]) -> int:
    """Return the start of the first averaging window among the instruments ``codes``; NEVER_NS if none has one."""
    table, rules = view.panel.instruments, view.params.delivery
    windows = [(int(table.expiry_ns[code]), averaging_ns(rules, table, code)) for code in codes]
    return min((expiry_ns - window_ns for expiry_ns, window_ns in windows if window_ns), default=NEVER_NS)


def is_undelivered(view: PreparedPanel, legs: Sequence[LegQuote], row: int) -> bool:
    """Return whether a leg has expired by ``row`` whose venue averages its index and whose price is not known there."""
    now = int(view.panel.times_ns[row])
    expired = [leg.code for leg in legs if view.panel.instruments.expiry_ns[leg.code] <= now]
    return any(lacks_price(view, code, row) for code in expired)


def lacks_price(view: PreparedPanel, code: int, row: int) -> bool:
    """Return whether the settlement price of instrument ``code``, expired by ``row``, has to be averaged and is not."""
    averages = averaging_ns(view.params.delivery, view.panel.instruments, code) > 0
    # What needs a mean has no reference to convert: the rate does not matter.
    return averages and _settlement(view, code, row, 1.0)[0] is None


def delivered(view: PreparedPanel, leg: LegQuote, seen: LegMark, row: int) -> Delivery:
    """Return the settlement of ``leg``, read at ``row``, the first grid time at or after its expiry.

    If neither settlement price, index nor reference is known, the leg's last mark ``seen`` is used, flagged.
    """
    table, code = view.panel.instruments, leg.code
    column = view.panel.column(code)
    rate = float(view.dollars.of(index_dollar(table, code))[row])
    settled, flag = _settlement(view, code, row, rate)
    if settled is None:
        settlement = SettlementPrice(seen.price, leg.usd, leg.money, seen.usd)
        return Delivery(delivery_quote(view, row, leg, settlement), seen.price, seen.usd, flag)
    dollars = settled
    if table.kind[code] == Kind.OPTION:
        sign = 1.0 if table.right[code] == Right.CALL else -1.0
        dollars = max(0.0, sign * (settled - float(table.strike[code])))
    if table.quote[code] == table.base[code]:
        price, usd = dollars / settled, settled * rate
        settlement = SettlementPrice(price, usd, usd, settled * rate)
    elif table.inverse[code]:
        price, usd = dollars, settled * rate
        settlement = SettlementPrice(price, rate, rate, settled * rate)
    else:
        price = dollars
        money = float(view.money[row, column]) if column >= 0 else float("nan")
        # An expired leg may be quoted no more: then the last conversion seen is used.
        usd = money if money > 0.0 else seen.usd
        settlement = SettlementPrice(price, rate, usd, settled * (rate if rate > 0.0 else usd))
    return Delivery(delivery_quote(view, row, leg, settlement), price, usd, flag)


def _settlement(view: PreparedPanel, code: int, row: int, rate: float) -> tuple[float | None, str]:
    """Return the settlement price in the dollar of the contract's price, worth ``rate`` USDC, and its flag."""
    panel, column = view.panel, view.panel.column(code)
    known: list[tuple[float, str]] = []
    if column >= 0:
        known = [
            (float(panel.settlement[row, column]), ""),
            (float(panel.delivery_mean[row, column]), "delivery_from_index_mean"),
        ]
    # An index at one time is no mean: it is read for plans alone that register no window.
    if not averaging_ns(view.params.delivery, panel.instruments, code):
        known += [(float(panel.index[row, column]), "settlement_from_index")] if column >= 0 else []
        known += [(float(view.spot_usd[row]) / rate, "settlement_from_reference")]
    for price, flag in known:
        if price > 0.0:
            return price, flag
    return None, "settlement_from_mark"
