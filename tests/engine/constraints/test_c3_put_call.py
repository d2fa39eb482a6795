"""C3 against plain loops, against payoffs, and its answers where a reader can check them.  [S2.C3, S2.0]"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from engine.constraints.c3_put_call import CONSTRAINT
from engine.records import Feed, Right
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

INDEX = 90_090.0


def mid(book: Book, row: int) -> float:
    return float(0.5 * (book.bid[row] + book.ask[row]))


def trip(book: Book, row: int) -> float:
    return float(book.ask[row] - book.bid[row]) + 2.0 * book.fee


def slow_over_future(books: dict[str, Book], strike: float, side: int, row: int, coin: bool) -> Iterator[Slow]:
    """The one package of a strike against the dated future."""
    call, put, hedge = books[name(Right.CALL, strike)], books[name(Right.PUT, strike)], books[FUTURE]
    price, bps = mid(hedge, row), 1e4 * (INDEX if coin else 1.0) / SPOT_USD
    value = 1.0 - strike / price if coin else price - strike
    held = strike / price if coin else 1.0
    gross = side * (mid(call, row) - mid(put, row) - value)
    cost = trip(call, row) + trip(put, row) + held * trip(hedge, row) / (INDEX if coin else 1.0)
    if gross == gross:
        legs = {call.row.name: -side, put.row.name: side, FUTURE: side * held}
        yield Slow(bps * (gross - cost), bps * gross, legs)


def slow_over_pairs(
    books: dict[str, Book], strikes: list[float], strike: float, side: int, row: int, coin: bool
) -> Iterator[Slow]:
    """The package of a strike against the other pair that sells (buys) the forward at the nearest executable price."""
    ends = []
    for other in strikes:
        call, put = books[name(Right.CALL, other)], books[name(Right.PUT, other)]
        paid = call.ask[row] - put.bid[row] if side > 0 else call.bid[row] - put.ask[row]
        if other != strike and paid == paid:
            end = other / (1.0 - paid) if coin else other + paid
            ends.append((side * end, other))
    if not ends:
        return
    other = min(ends)[1]
    call, put = books[name(Right.CALL, strike)], books[name(Right.PUT, strike)]
    call2, put2 = books[name(Right.CALL, other)], books[name(Right.PUT, other)]
    price = other / (1.0 - (mid(call2, row) - mid(put2, row))) if coin else other + mid(call2, row) - mid(put2, row)
    held = strike / other if coin else 1.0
    gross = side * (mid(call, row) - mid(put, row) - (1.0 - strike / price if coin else price - strike))
    cost = trip(call, row) + trip(put, row) + held * (trip(call2, row) + trip(put2, row))
    bps = 1e4 * (INDEX if coin else 1.0) / SPOT_USD
    if gross == gross:
        legs = {call.row.name: -side, put.row.name: side, call2.row.name: side * held, put2.row.name: -side * held}
        yield Slow(bps * (gross - cost), bps * gross, legs)


@pytest.mark.parametrize("coin", [True, False])
@pytest.mark.parametrize("dated", [True, False])
def test_every_strike_and_side_has_the_package_that_a_loop_finds(coin: bool, dated: bool) -> None:
    """Score, legs, quantities and gross agree in every cell, against the future and against the other strikes."""
    strikes, books = random_chain(13, 25, 8, coin=coin)
    books = [book for book in books if dated or book.row.name != FUTURE]
    block = view(books, index=INDEX)
    scan = CONSTRAINT.scan(block, None)
    mine = {book.row.name: book for book in books}
    usable = violations = 0
    for strike in strikes:
        for side, right in ((1, Right.CALL), (-1, Right.PUT)):
            key = key_of(scan, block, side, name(right, strike))
            for row in range(25):
                if dated:
                    best = best_of(list(slow_over_future(mine, strike, side, row, coin)))
                else:
                    best = best_of(list(slow_over_pairs(mine, strikes, strike, side, row, coin)))
                if best is None:
                    assert np.isnan(scan.score_bps[row, key])
                    continue
                usable += 1
                violations += best.gross > 0.0
                built = CONSTRAINT.build(
                    block, scan, np.array([row], dtype=np.int32), np.array([key], dtype=np.int32), None
                )
                assert best.net == pytest.approx(scan.score_bps[row, key], rel=1e-9, abs=1e-9)
                assert best.gross == pytest.approx(built.gross_bps[0], rel=1e-9, abs=1e-9)
                assert best.legs == pytest.approx(legs_of(block, built, 0), rel=1e-12)

    assert scan.usable == usable
    assert scan.violations == violations
    assert scan.examined == 2 * 25 * 8


def payoff(legs: dict[str, float], settled: float, coin: bool, entry: float) -> float:
    """What the legs pay at expiry, in the currency of the premiums; the future was entered at ``entry``."""
    total = 0.0
    for leg, quantity in legs.items():
        if leg == FUTURE:
            total += quantity * (entry * (1 / entry - 1 / settled) if coin else settled - entry)
            continue
        strike = float(leg.split("-")[1])
        intrinsic = max(settled - strike, 0.0) if leg.endswith("-C") else max(strike - settled, 0.0)
        total += quantity * (intrinsic / settled if coin else intrinsic)
    return total


@pytest.mark.parametrize("coin", [True, False])
@pytest.mark.parametrize("dated", [True, False])
@pytest.mark.parametrize("side", [1, -1])
def test_what_a_package_pays_does_not_depend_on_the_settlement_price(coin: bool, dated: bool, side: int) -> None:
    """Premiums and payoff together are the same amount at every settlement price: the gross, locked at mids."""
    strikes = [80_000.0, 90_000.0, 100_000.0]
    unit = 90_000.0 if coin else 1.0
    call = np.array([[14_000.0, 6_000.0, 2_000.0]]) / unit
    put = np.array([[3_500.0, 5_000.0, 12_500.0]]) / unit
    books = calls_and_puts(strikes, call, put, 0.0, coin=coin)
    changes = {} if coin else {"quote": "USDC", "settle": "USDC", "inverse": False}
    block = view([*books, *([forward(np.array([90_100.0]), **changes)] if dated else [])])
    scan = CONSTRAINT.scan(block, None)
    right = Right.CALL if side > 0 else Right.PUT
    key = key_of(scan, block, side, name(right, 100_000.0))
    built = CONSTRAINT.build(block, scan, *np.array([[0], [key]], dtype=np.int32), None)
    legs = legs_of(block, built, 0)
    at = {book.row.name: mid(book, 0) for book in books}
    received = -sum(quantity * at[leg] for leg, quantity in legs.items() if leg != FUTURE)
    locked = [received + payoff(legs, settled, coin, 90_100.0) for settled in (50_000.0, 88_000.0, 95_000.0, 200_000.0)]

    assert locked == pytest.approx([locked[0]] * 4)
    assert built.gross_bps[0] == pytest.approx(1e4 * locked[0] * (SPOT_USD if coin else 1.0) / SPOT_USD)


def test_the_forward_may_come_from_marks_only_where_the_study_says_so() -> None:
    """A future whose feed is the mark is no executable forward; with the permission it is the third leg."""
    _, books = random_chain(13, 3, 5, coin=True)
    marks = [replace(b, row=replace(b.row, feed=Feed.MARK)) if b.row.name == FUTURE else b for b in books]
    refused, allowed = view(marks), view(marks, forward_from_marks=True)
    future = allowed.panel.column(allowed.panel.instruments.code_of(FUTURE))

    assert (CONSTRAINT.scan(refused, None).wings[:, 0] != future).all()
    wings = CONSTRAINT.scan(allowed, None).wings[:, 0]
    assert len(wings)
    assert (wings == future).all()


def test_before_the_future_is_listed_the_other_strikes_imply_the_forward() -> None:
    """The choice is made at each grid time from what is listed then: a later listing moves nothing before it."""
    _, books = random_chain(13, 5, 5, coin=True)
    unlisted = [replace(book, listed=False) if book.row.name == FUTURE else book for book in books]
    without = [book for book in books if book.row.name != FUTURE]

    np.testing.assert_array_equal(
        CONSTRAINT.scan(view(unlisted), None).score_bps, CONSTRAINT.scan(view(without), None).score_bps
    )


def test_the_order_of_instruments_changes_nothing() -> None:
    """The same books listed backwards give the same keys in the same order and the same scores."""
    _, books = random_chain(9, 6, 6, coin=True)
    one, two = view(books), view(books[::-1], ordered=False)
    first, second = CONSTRAINT.scan(one, None), CONSTRAINT.scan(two, None)

    assert short_names(one, first) == short_names(two, second)
    np.testing.assert_array_equal(first.score_bps, second.score_bps)
