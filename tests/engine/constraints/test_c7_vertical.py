"""C7 against every pair in plain loops, and its answers where a reader can check them.  [S2.C7, S2.0]"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from engine.constraints.c7_vertical import CONSTRAINT, lower_excess, upper_excess
from engine.constraints.options.vertical_search import cheapest_long
from engine.records import Right
from tests.engine.constraints.options.option_market import (
    FUTURE,
    SPOT_USD,
    Book,
    Slow,
    best_of,
    calls_and_puts,
    forward,
    key_of,
    legs_of,
    name,
    random_chain,
    short_names,
    view,
)

VECTOR = "risk/options/vertical.json"
INDEX = 90_090.0


def slow_verticals(
    books: dict[str, Book], strikes: list[float], right: Right, side: int, short: int, row: int, coin: bool
) -> Iterator[Slow]:
    """Every partner of a short leg in one row: nets and grosses in bps of S."""

    def mid(book: Book) -> float:
        return float(0.5 * (book.bid[row] + book.ask[row]))

    def trip(book: Book) -> float:
        return float(book.ask[row] - book.bid[row]) + 2.0 * book.fee

    sold, bps = books[name(right, strikes[short])], 1e4 * (INDEX if coin else 1.0) / SPOT_USD
    for other, strike in enumerate(strikes):
        long_above = other > short
        if other == short or long_above != ((right == Right.CALL) == (side < 0)):
            continue
        bought = books[name(right, strike)]
        width = abs(strike - strikes[short])
        legs = {sold.row.name: -1.0, bought.row.name: 1.0}
        gross, cost = mid(sold) - mid(bought), trip(sold) + trip(bought)
        if side < 0 and coin:
            hedge = books[FUTURE]
            gross -= width / mid(hedge)
            cost += width / mid(hedge) * trip(hedge) / INDEX
            legs[FUTURE] = -width / mid(hedge)
        elif side < 0:
            gross -= width
        if gross == gross:
            yield Slow(bps * (gross - cost), bps * gross, legs)


@pytest.mark.parametrize("coin", [True, False])
def test_every_short_leg_has_the_package_that_a_loop_over_all_pairs_finds(coin: bool) -> None:
    """Score, legs, quantities and gross agree in every cell: both bounds, calls and puts, with missing quotes."""
    strikes, books = random_chain(7, 25, 9, coin=coin)
    block = view(books, index=INDEX)
    scan = CONSTRAINT.scan(block, None)
    mine = {book.row.name: book for book in books}
    pairs = violations = 0
    for key in range(len(scan.keys)):
        short = block.panel.instruments.name[scan.keys.short[key]]
        side, right = int(scan.keys.side[key]), mine[short].row.right
        for row in range(25):
            found = list(slow_verticals(mine, strikes, right, side, strikes.index(mine[short].row.strike), row, coin))
            pairs += len(found)
            best = best_of(found)
            if best is None:
                assert np.isnan(scan.score_bps[row, key])
                continue
            violations += best.gross > 0.0
            built = CONSTRAINT.build(
                block, scan, np.array([row], dtype=np.int32), np.array([key], dtype=np.int32), None
            )
            assert best.net == pytest.approx(scan.score_bps[row, key], rel=1e-9, abs=1e-9)
            assert best.gross == pytest.approx(built.gross_bps[0], rel=1e-9, abs=1e-9)
            assert best.legs == pytest.approx(legs_of(block, built, 0), rel=1e-12)

    assert scan.usable == pairs
    assert scan.violations == violations
    assert scan.examined == 25 * 2 * 2 * (9 * 8 // 2)


def test_a_higher_call_bid_over_a_lower_ask_is_sold() -> None:
    """The lower bound: a call 0.002 coin dearer than one with a lower strike is 20 bps gross."""
    books = calls_and_puts([90_000.0, 91_000.0], np.array([[0.09, 0.092]]), np.full((1, 2), np.nan), 0.0)
    block = view(books)
    scan = CONSTRAINT.scan(block, None)
    key = key_of(scan, block, 1, name(Right.CALL, 91_000.0))
    built = CONSTRAINT.build(block, scan, *np.array([[0], [key]], dtype=np.int32), None)

    assert built.gross_bps[0] == pytest.approx(20.0)
    assert legs_of(block, built, 0) == {name(Right.CALL, 90_000.0): 1.0, name(Right.CALL, 91_000.0): -1.0}


def test_a_spread_worth_more_than_its_width_is_sold_and_the_width_locked_by_the_future() -> None:
    """The upper bound in coin: a width of 900 USD over F = 90,000 is 0.01 coin; a spread of 0.013 is 30 bps too dear.

    Whatever the settlement price, the coin left at expiry is that gross.
    """
    strikes = [90_000.0, 90_900.0]
    books = calls_and_puts(strikes, np.array([[0.05, 0.037]]), np.full((1, 2), np.nan), 0.0)
    block = view([*books, forward(np.array([90_000.0]))])
    scan = CONSTRAINT.scan(block, None)
    key = key_of(scan, block, -1, name(Right.CALL, 90_000.0))
    built = CONSTRAINT.build(block, scan, *np.array([[0], [key]], dtype=np.int32), None)
    legs = legs_of(block, built, 0)

    assert built.gross_bps[0] == pytest.approx(30.0)
    assert legs[FUTURE] == pytest.approx(-0.01)
    for settled in (60_000.0, 90_000.0, 90_500.0, 90_900.0, 140_000.0):
        owed = (max(settled - strikes[0], 0.0) - max(settled - strikes[1], 0.0)) / settled
        future_coin = legs[FUTURE] * 90_000.0 * (1 / 90_000.0 - 1 / settled)
        assert 0.013 - owed + future_coin >= 0.003 - 1e-12


def test_without_a_future_the_upper_bound_in_coin_has_no_answer() -> None:
    """Nothing locks the width: every side -1 key is NaN, every side +1 key is not."""
    strikes, books = random_chain(7, 4, 5, coin=True)
    del strikes
    scan = CONSTRAINT.scan(view([book for book in books if book.row.name != FUTURE]), None)

    assert np.isnan(scan.score_bps[:, scan.keys.side == -1]).all()
    assert not np.isnan(scan.score_bps[:, scan.keys.side == 1]).all()


def test_the_cheapest_partner_keeps_the_farthest_of_equals() -> None:
    """Running minima from below and from above, NaN skipped, ties to the strike farthest from the short one."""
    price = np.array([[2.0], [np.nan], [2.0], [1.0], [3.0]])

    assert cheapest_long(price, above=False)[:, 0].tolist() == [-1, 0, 0, 0, 3]
    assert cheapest_long(price, above=True)[:, 0].tolist() == [3, 3, 3, 4, -1]


def test_vectors_of_real_quotes(vectors: Path) -> None:
    """The stored Deribit quotes give the stated profits at the touch, width and verdict."""
    for case in json.loads((vectors / VECTOR).read_text())["vectors"]:
        low, high = case["inputs"]["low"], case["inputs"]["high"]
        per_usd, width = 1.0 / case["inputs"]["future"], high["strike"] - low["strike"]
        lower = lower_excess(high["bid"], low["ask"])
        upper = upper_excess(low["bid"], high["ask"], width, per_usd)
        expected, tolerance = case["expected"], case["tolerance"]["abs"]
        mid_spread = lower_excess(0.5 * (low["bid"] + low["ask"]), 0.5 * (high["bid"] + high["ask"]))

        assert expected["width_btc"] == pytest.approx(width * per_usd, abs=tolerance)
        assert expected["lower_profit"] == pytest.approx(lower, abs=tolerance)
        assert expected["upper_profit"] == pytest.approx(upper, abs=tolerance)
        assert expected["mid_spread"] == pytest.approx(mid_spread, abs=tolerance)
        assert expected["violation"] is bool(lower > 0.0 or upper > 0.0)


def test_the_order_of_instruments_changes_nothing() -> None:
    """The same books listed backwards give the same keys in the same order, the same scores and the same legs."""
    _, books = random_chain(9, 6, 6, coin=True)
    one, two = view(books), view(books[::-1], ordered=False)
    first, second = CONSTRAINT.scan(one, None), CONSTRAINT.scan(two, None)

    assert short_names(one, first) == short_names(two, second)
    np.testing.assert_array_equal(first.score_bps, second.score_bps)
