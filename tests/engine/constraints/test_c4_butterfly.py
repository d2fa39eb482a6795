"""C4 against every triple in plain loops, and its answers where a reader can check them.  [S2.C4, S2.0]"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from engine.constraints.c4_butterfly import CONSTRAINT, butterfly_excess, low_weight, worst_butterflies
from engine.market.view import PreparedPanel
from engine.records import Right
from tests.engine.constraints.options.option_market import (
    SPOT_USD,
    Book,
    Slow,
    best_of,
    calls_and_puts,
    key_of,
    legs_of,
    name,
    random_chain,
    view,
)

VECTOR = "risk/options/butterfly.json"


def slow_butterflies(
    books: dict[str, Book], strikes: list[float], right: Right, belly: int, row: int, bps: float
) -> Iterator[Slow]:
    """Every triple of a belly in one row: nets and grosses in bps of S."""
    mid = [float(0.5 * (books[name(right, k)].bid[row] + books[name(right, k)].ask[row])) for k in strikes]
    trip = [
        2.0
        * (float(0.5 * (books[name(right, k)].ask[row] - books[name(right, k)].bid[row])) + books[name(right, k)].fee)
        for k in strikes
    ]
    for i in range(belly):
        for k in range(belly + 1, len(strikes)):
            share = (strikes[k] - strikes[belly]) / (strikes[k] - strikes[i])
            gross = mid[belly] - share * mid[i] - (1 - share) * mid[k]
            if gross == gross:
                cost = trip[belly] + share * trip[i] + (1 - share) * trip[k]
                legs = {
                    name(right, strikes[i]): share,
                    name(right, strikes[belly]): -1.0,
                    name(right, strikes[k]): 1 - share,
                }
                yield Slow(bps * (gross - cost), bps * gross, legs)


@pytest.mark.parametrize("coin", [True, False])
def test_every_belly_has_the_package_that_a_loop_over_all_triples_finds(coin: bool) -> None:
    """Score, legs, quantities and gross agree in every cell, calls and puts, with missing quotes."""
    strikes, books = random_chain(3, 25, 11, coin=coin)
    block = view(books, index=90_090.0)
    scan = CONSTRAINT.scan(block, None)
    mine = {book.row.name: book for book in books}
    bps = 1e4 * (90_090.0 if coin else 1.0) / SPOT_USD
    triples = violations = 0
    for right in (Right.CALL, Right.PUT):
        for belly in range(1, len(strikes) - 1):
            key = key_of(scan, block, 1, name(right, strikes[belly]))
            for row in range(25):
                found = list(slow_butterflies(mine, strikes, right, belly, row, bps))
                triples += len(found)
                best = best_of(found)
                score = scan.score_bps[row, key]
                if best is None:
                    assert np.isnan(score)
                    continue
                assert best.net == pytest.approx(score, rel=1e-9, abs=1e-9)
                violations += best.gross > 0.0
                built = CONSTRAINT.build(
                    block, scan, np.array([row], dtype=np.int32), np.array([key], dtype=np.int32), None
                )
                assert best.gross == pytest.approx(built.gross_bps[0], rel=1e-9, abs=1e-9)
                assert best.legs == pytest.approx(legs_of(block, built, 0), rel=1e-12)

    assert scan.usable == triples
    assert scan.violations == violations
    assert scan.examined == 25 * 2 * (11 * 10 * 9 // 6)


def planted(bump: float) -> PreparedPanel:
    """Three calls a thousand apart on a straight line, the middle one ``bump`` coin too dear."""
    call = np.array([[0.10, 0.09 + bump, 0.08]])
    return view(calls_and_puts([90_000.0, 91_000.0, 92_000.0], call, np.full((1, 3), np.nan), 0.0001))


def test_a_belly_too_dear_is_sold_against_half_of_each_wing() -> None:
    """A belly 0.003 coin above its chord is 30 bps gross; the round trip of two options of 2 bps spread is 4."""
    block = planted(0.003)
    scan = CONSTRAINT.scan(block, None)
    key = key_of(scan, block, 1, name(Right.CALL, 91_000.0))
    built = CONSTRAINT.build(block, scan, *np.array([[0], [key]], dtype=np.int32), None)

    assert scan.score_bps[0, key] == pytest.approx(26.0)
    assert built.gross_bps[0] == pytest.approx(30.0)
    assert legs_of(block, built, 0) == {
        name(Right.CALL, 90_000.0): 0.5,
        name(Right.CALL, 91_000.0): -1.0,
        name(Right.CALL, 92_000.0): 0.5,
    }
    assert built.carry_bps[0] == 0.0


def test_a_convex_chain_is_silent() -> None:
    """A belly on or under its chord has no gross, and its score is under zero."""
    for bump in (0.0, -0.003):
        block = planted(bump)
        scan = CONSTRAINT.scan(block, None)

        assert (scan.score_bps[:, key_of(scan, block, 1, name(Right.CALL, 91_000.0))] < 0.0).all()


def test_options_of_two_expiries_or_rights_never_meet() -> None:
    """Two calls and a put are no triple: the constraint says what is lacking."""
    books = calls_and_puts([90_000.0, 91_000.0], np.array([[0.1, 0.09]]), np.array([[0.1, 0.12]]), 0.0)
    scan = CONSTRAINT.scan(view(books), None)

    assert scan.missing == "no three options of one expiry and right"
    assert len(scan.keys) == 0


def test_prices_scaled_by_a_power_of_two_leave_bps_alone() -> None:
    """Linear options, strikes kept: twice the premiums and twice S are the same number of bps."""
    _, books = random_chain(5, 4, 7, coin=False)
    doubled = [replace(book, bid=2.0 * book.bid, ask=2.0 * book.ask, fee=2.0 * book.fee) for book in books]
    one = CONSTRAINT.scan(view(books), None)
    two = CONSTRAINT.scan(view(doubled, spot=2.0 * SPOT_USD), None)

    np.testing.assert_array_equal(one.score_bps, two.score_bps)
    for field in ("row", "key", "wings"):
        np.testing.assert_array_equal(getattr(one, field), getattr(two, field), err_msg=field)


def test_vectors_of_real_quotes(vectors: Path) -> None:
    """The stored Deribit quotes give the stated cost at the touch, at mid, and the stated verdict."""
    for case in json.loads((vectors / VECTOR).read_text())["vectors"]:
        low, middle, high = (case["inputs"][leg] for leg in ("low", "middle", "high"))
        weight = low_weight(low["strike"], middle["strike"], high["strike"])
        touch = butterfly_excess(low["ask"], middle["bid"], high["ask"], weight)
        mids = [0.5 * (leg["bid"] + leg["ask"]) for leg in (low, middle, high)]
        expected, tolerance = case["expected"], case["tolerance"]["abs"]

        assert expected["executable_cost"] == pytest.approx(-touch, abs=tolerance)
        assert expected["mid_cost"] == pytest.approx(-butterfly_excess(*mids, weight), abs=tolerance)
        assert expected["violation"] is bool(touch > 0.0)


def test_wings_need_an_ask_and_the_belly_a_bid() -> None:
    """At the touch the three needed sides may come from one-sided quotes."""
    ask = np.array([[0.10], [np.nan], [0.08]])
    bid = np.array([[np.nan], [0.095], [np.nan]])
    excess, low, high = worst_butterflies(ask, bid, np.array([90_000.0, 91_000.0, 92_000.0]))

    assert excess[1, 0] == pytest.approx(0.005)
    assert (low[1, 0], high[1, 0]) == (0, 2)
