"""The small model, exhaustively: 3 accounts x 5 prices x 4 sizes x all 120 orders of five events.  [risk.md 15]

The five events of a sequence: a trade of the account and size, a move to the price, a withdrawal, a move with the other
two accounts' trade, a source that falls silent while funding is due.  Positions and cash are small integers, so every
rounding and every tie is met.
"""

from __future__ import annotations

from itertools import permutations, product

import pytest

from engine.venue import invariants
from engine.venue.base import EventKind, State, Tick
from engine.venue.step import step
from tests.engine.venue.small import MINUTE, market, opened, tick, venue, with_positions

PRICES = (60, 93, 100, 108, 160)
SIZES = (-9, -2, 3, 11)


def starting(price_rule: str) -> State:
    """Accounts 0, 1, 2 with 60, 45 and 200; 0 is long 4, 1 long 3, 2 short 7, from 100."""
    given = market(
        taker_fee_ppm=7_000,
        liquidation_fee_ppm=13_000,
        funding_interval_ns=2 * MINUTE,
        funding_cap_ppb_8h=10**9,
        funding_interest_ppb_8h=10**9,
        premium_rule="mark",
    )
    params = venue(given, deleveraging_price=price_rule)
    return with_positions(opened(params, [60, 45, 200], 3), [(0, 2, 4, 100), (1, 2, 3, 100)])


def event(kind: int, now: int, price: int, account: int, size: int) -> tuple[Tick, int]:
    """One of the five events, and the price afterwards."""
    others = [a for a in range(3) if a != account]
    quotes = [(a, 0, lots, price + (lots < 0) - (lots > 0)) for a in others for lots in (2, -2)]
    if kind == 0:
        return tick(now, [100], quotes, [(account, 0, size, 110 if size > 0 else 90)]), 100
    if kind == 1:
        return tick(now, [price], quotes), price
    if kind == 2:
        return tick(now, [price], moved=[(account, -size * 3)]), price
    if kind == 3:
        return tick(now, [price], quotes, [(others[0], 0, -size, 300 if size < 0 else 1)]), price
    return tick(now, [price], age_ns=11 * MINUTE), price


@pytest.mark.slow
@pytest.mark.parametrize("price_rule", ["bankruptcy", "mark"])
def test_every_order_of_events_keeps_every_invariant(price_rule: str) -> None:
    """7,200 sequences of five events; liquidations, deleveraging, shared losses and rejections all occur."""
    first, seen = starting(price_rule), set()
    for account, price, size in product(range(3), PRICES, SIZES):
        for order in permutations(range(5)):
            state = first
            for place, kind in enumerate(order, 1):
                one, _ = event(kind, place * MINUTE, price, account, size)
                new, events = step(state, one)
                found = invariants.violations(state, one, new, events)
                assert found == [], (account, price, size, order, place)
                seen |= {e.kind for e in events}
                state = new

    assert {
        EventKind.LIQUIDATION,
        EventKind.DELEVERAGING,
        EventKind.FUND,
        EventKind.FILL,
        EventKind.REJECTION,
        EventKind.FUNDING,
    } <= seen
    assert (EventKind.SOCIALISATION in seen) is (price_rule == "mark")
