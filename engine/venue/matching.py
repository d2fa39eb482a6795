"""Matching against this event's quotes: price, then place in the table.  [risk.md 0.4, 6.8, 10.1]

An account whose order or quote would leave it under its initial requirement does not trade (I5).  Between zero and all
of an order, value less requirement is concave in the size, so whoever passes at both ends passes in between.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from engine.venue.base import EventKind, Reason
from engine.venue.fees import fee_quanta
from engine.venue.price_bands import band_ticks
from engine.venue.working import Working


def candidates(work: Working, market: int, buys: bool, limit_ticks: int) -> Iterator[int]:
    """Yield the rows of quotes that a taker may trade with, best price first, ties by place in the table."""
    quotes = work.tick.quotes
    side = work.quote_lots < 0 if buys else work.quote_lots > 0
    inside = quotes.limit_ticks <= limit_ticks if buys else quotes.limit_ticks >= limit_ticks
    low, high = band_of(work, market)
    # A maker outside the band is rejected.
    banded = quotes.limit_ticks >= low if buys else quotes.limit_ticks <= high
    rows = np.flatnonzero((quotes.market == market) & side & inside & banded)
    price = quotes.limit_ticks[rows] if buys else -quotes.limit_ticks[rows]
    yield from rows[np.argsort(price, kind="stable")].tolist()


def band_of(work: Working, market: int) -> tuple[int, int]:
    """Return (lowest sale, highest purchase) around the mark."""
    given = work.params(market)
    return band_ticks(work.markets[market].mark_ticks, given.band_up_ppm, given.band_down_ppm)


def passes_initial(work: Working, account: int, market: int, lots: int, price_ticks: int, fee_ppm: int) -> bool:
    """Return whether an account may trade ``lots`` at a price: V >= IM afterwards.  [6.8]

    An account that is below IM already may only reduce, and not at a price that widens its shortfall.
    """
    size, unit = int(work.size[market, account]), work.unit(market)
    paid = lots * price_ticks * work.params(market).quanta_per_lot_tick
    value, initial = work.value(account), work.initial(account)
    value_after = value + lots * unit - paid - fee_quanta(abs(paid), fee_ppm)
    initial_after = initial - work.position_initial(market, size) + work.position_initial(market, size + lots)
    if value_after >= initial_after:
        return True
    reduces = size * lots < 0 and abs(lots) <= abs(size)
    return reduces and value < initial and value_after - initial_after >= value - initial


def take(
    work: Working,
    account: int,
    market: int,
    lots: int,
    limit_ticks: int,
    on_fill: Callable[[int, int, int], bool],
) -> int:
    """Trade ``lots`` (signed) of a taker against quotes up to a limit; return the signed lots that traded.

    ``on_fill(maker, lots, price)`` is asked before each fill; False ends the order.  Makers that may not trade are
    passed over, and so are the taker's own quotes.
    """
    left, quotes = lots, work.tick.quotes
    for row in candidates(work, market, lots > 0, limit_ticks):
        maker, price = int(quotes.account[row]), int(quotes.limit_ticks[row])
        offered = -int(work.quote_lots[row])  # what the taker gets, signed as the taker's lots
        traded = min(left, offered) if lots > 0 else max(left, offered)
        if maker == account:
            continue
        if not passes_initial(work, maker, market, -traded, price, work.params(market).maker_fee_ppm):
            continue
        if not on_fill(maker, traded, price):
            break
        book(work, market, account, maker, traded, price)
        work.quote_lots[row] += traded
        left -= traded
        if left == 0:
            break
    return lots - left


def book(work: Working, market: int, taker: int, maker: int, lots: int, price_ticks: int) -> None:
    """Book both sides of a fill and the maker's fee."""
    given = work.params(market)
    quanta = lots * price_ticks * given.quanta_per_lot_tick
    work.trade(market, taker, lots, quanta)
    work.trade(market, maker, -lots, -quanta)
    fee = fee_quanta(abs(quanta), given.maker_fee_ppm)
    if fee:
        work.to_fees(maker, fee)


def reject(work: Working, reason: Reason, market: int, account: int, lots: int) -> None:
    """Record that an order did not trade, and why."""
    work.emit(EventKind.REJECTION, reason, market, account, lots=lots)
