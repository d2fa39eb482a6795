"""Twin of listing.py: which contract a moved leg becomes.  [spec README "Tests"]"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from engine.market.view import PreparedPanel, prepare
from engine.records import Right
from engine.repricing.base import source_signals
from engine.repricing.contract_mapping import map_legs, with_ranks
from engine.repricing.placebo_entries import reprice_all
from engine.units import NS_PER_DAY, NS_PER_HOUR
from tests.helpers.builders import STEP_NS, T0_NS, curves, future, instruments, option, panel, params, perp, quote, spot
from tests.helpers.positions import signal

STRIKES = (90_000.0, 100_000.0, 110_000.0)
EXPIRIES = (1, 2, 9)
FUTURES = (2, 9)
LATER = 1_200
"""A row after the first expiry."""


def name(days: int, strike: float) -> str:
    return f"deribit:{days}-{strike:.0f}-C"


def view(level: float = 1.0, unquoted: tuple[str, ...] = ()) -> PreparedPanel:
    """Two days of one coin; spot at 100,000 on the first, times ``level`` from row `LATER` on."""
    expiry = {d: T0_NS + d * NS_PER_DAY - 8 * NS_PER_HOUR for d in EXPIRIES}
    rows = [spot("binance:BTCUSDC"), perp("binance:BTCUSDC-PERP")]
    rows += [future(f"deribit:{d}", expiry[d]) for d in FUTURES]
    rows += [option(name(d, k), expiry[d], k, Right.CALL) for d in EXPIRIES for k in STRIKES]
    table = instruments(*rows)
    times = T0_NS + STEP_NS * np.arange(1_440, dtype=np.int64)
    price = np.where(np.arange(1_440) < LATER, 100_000.0, 100_000.0 * level)
    quotes = {}
    for each in table.name:
        premium = each.count("-") == 2 and each.startswith("deribit")
        quotes[each] = quote(np.full(1_440, 0.02) if premium else price, index=price)
        if each in unquoted:
            quotes[each] = replace(quotes[each], age_ns=np.where(np.arange(1_440) < LATER, 0, NS_PER_DAY))
    return prepare(panel(table, quotes, times_ns=times), params(), curves())


def moved_to(v: PreparedPanel, legs: dict[str, float], row: int) -> list[str]:
    table = v.panel.instruments
    found = source_signals([signal(v, 10, legs)], params())
    found = with_ranks(found, v, np.array([0]))
    column = map_legs(found, v, np.array([0]), np.array([row]))[0]
    return ["none" if c == -2 else table.name[v.panel.code[c]] for c in column.tolist() if c != -1]


def test_a_leg_keeps_its_rank_in_time_to_expiry() -> None:
    """The first expiry has passed: the second becomes the first; the last one stands in for a missing rank."""
    v = view()

    assert moved_to(v, {name(1, 100_000): 1.0}, 20) == [name(1, 100_000)]
    assert moved_to(v, {name(1, 100_000): 1.0}, LATER) == [name(2, 100_000)]
    assert moved_to(v, {name(2, 100_000): 1.0}, LATER) == [name(9, 100_000)]
    assert moved_to(v, {name(9, 100_000): 1.0}, LATER) == [name(9, 100_000)]


def test_a_leg_takes_the_nearest_strike_over_forward() -> None:
    """The market rose by a tenth: at the money is the next strike up; unquoted contracts are passed over."""
    up = view(level=1.1)

    assert moved_to(up, {name(1, 100_000): 1.0, "binance:BTCUSDC-PERP": -1.0}, LATER) == [
        name(2, 110_000),
        "binance:BTCUSDC-PERP",
    ]
    gone = view(level=1.1, unquoted=(name(2, 110_000),))
    assert moved_to(gone, {name(1, 100_000): 1.0}, LATER) == [name(2, 100_000)]


def test_a_call_with_a_future_looks_at_the_expiries_that_list_both() -> None:
    """The first expiry has no future: the pair at two days is of rank 0, and stays while it lives."""
    v = view()

    assert moved_to(v, {name(2, 100_000): 1.0, "deribit:2": -1.0}, LATER) == [name(2, 100_000), "deribit:2"]
    assert moved_to(v, {name(9, 100_000): 1.0, "deribit:9": -1.0}, LATER) == [name(9, 100_000), "deribit:9"]


def test_a_future_alone_whose_rank_is_gone_is_unlisted() -> None:
    """Curve legs must stay apart: they take no stand-in."""
    v = view()
    found = source_signals([signal(v, 10, {"deribit:9": 1.0})], params())
    found = replace(with_ranks(found, v, np.array([0])), rank=np.full((1, 4), 2))

    column = map_legs(found, v, np.array([0]), np.array([20]))[0]

    assert column[0] == -2


def test_no_contract_is_listed_where_the_panel_has_none() -> None:
    """A recording that ends before its window leaves days without any contract: no leg has a counterpart there."""
    v = view()
    found = with_ranks(source_signals([signal(v, 10, {name(1, 100_000): 1.0})], params()), v, np.array([0]))
    empty = prepare(panel(instruments(), {}, times_ns=T0_NS + STEP_NS * np.arange(3, dtype=np.int64)), params(), None)

    assert map_legs(found, empty, np.array([0]), np.array([1])).tolist() == [[-2, -1, -1, -1]]
    earned = reprice_all([empty], found, np.array([0]), np.array([T0_NS]), params(), T0_NS + NS_PER_DAY)
    assert earned.missing.tolist() == [0]
    assert len(earned.row) == 0
