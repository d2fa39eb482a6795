"""Who belongs to a chain, which future it is hedged with, how its prices are converted.  [S1.2, S1.6, S1.7]"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from engine.constraints.detect import detect
from engine.constraints.options.chain import NONE, chains, listed, quotes
from engine.constraints.registry import CONSTRAINTS
from engine.errors import DataError
from engine.market.view import prepare
from engine.records import Feed, Quality, Right
from tests.engine.constraints.options.option_market import EXPIRY_NS, FUTURE, Book, calls_and_puts, forward, view
from tests.helpers.builders import curves, option, params
from tests.helpers.markets import Market, future_name, option_name

STRIKES = [100_000.0, 90_000.0, 95_000.0]
PRICES = np.array([[0.03, 0.08, 0.05]])


def test_a_chain_is_one_venue_expiry_right_and_currency_by_strike() -> None:
    """Calls and puts, coin and dollars: four chains, each with its strikes ascending; other venues are not asked."""
    linear = [replace(b, row=replace(b.row, name=b.row.name.replace("BTC-", "BTC_USDC-"))) for b in books(coin=False)]
    stranger = [replace(b, row=replace(b.row, name=b.row.name.replace("deribit", "other"))) for b in books()]

    found = chains(view([*books(), *linear, *stranger]), ["deribit"])

    assert [(c.quote, c.coin, c.right) for c in found] == [
        ("BTC", True, Right.CALL),
        ("BTC", True, Right.PUT),
        ("USDC", False, Right.CALL),
        ("USDC", False, Right.PUT),
    ]
    assert all(c.strike.tolist() == sorted(STRIKES) for c in found)
    assert all(c.expiry_ns == EXPIRY_NS for c in found)


def books(*, coin: bool = True) -> list[Book]:
    return calls_and_puts(STRIKES, PRICES, PRICES, 0.001, coin=coin)


def test_two_options_of_one_strike_are_refused() -> None:
    """A chain cannot hold a strike twice: the message names both."""
    twin = Book(option("deribit:BTC-TWIN", EXPIRY_NS, 90_000.0, Right.CALL), PRICES[:, 0], PRICES[:, 0])

    with pytest.raises(DataError, match="BTC-90000-C and deribit:BTC-TWIN"):
        chains(view([*books(), twin]), ["deribit"])


def test_the_future_settles_like_the_options() -> None:
    """Coin options take the coin future, never the one settled in dollars; without one there is none."""
    dollars = forward(np.array([90_000.0]), quote="USDC", settle="USDC", inverse=False)
    coin = forward(np.array([90_000.0]))

    assert {c.future for c in chains(view([*books(), dollars]), ["deribit"])} == {NONE}
    block = view([*books(), coin])
    assert {c.future for c in chains(block, ["deribit"])} == {
        block.panel.column(block.panel.instruments.code_of(FUTURE))
    }


def test_marks_and_bars_are_no_forward_unless_registered() -> None:
    """The feed decides: BOOK and TOUCH can be traded, MARK and BAR only inform."""
    for feed in Feed:
        coin = forward(np.array([90_000.0]), feed=feed)
        executable = feed in (Feed.BOOK, Feed.TOUCH)

        assert (chains(view([*books(), coin]), ["deribit"])[0].future != NONE) is executable
        assert chains(view([*books(), coin], forward_from_marks=True), ["deribit"])[0].future != NONE


def test_a_chain_is_converted_once() -> None:
    """Options stamped with different indices share the largest among the usable ones; charges keep their own."""
    block = view(books())
    usd = np.array(block.usd)
    chain = chains(block, ["deribit"])[0]
    usd[0, chain.column] = [90_000.0, 90_900.0, 99_000.0]
    mid = np.array(block.mid)
    mid[0, chain.column[2]] = np.nan
    premium = quotes(replace(block, money=usd, mid=mid), chain.column)

    assert premium.usd.tolist() == [90_900.0]
    assert premium.scale[0] == pytest.approx(1e4 * 1.01)
    assert premium.trip[:2, 0] == pytest.approx([0.002 / 1.01, 0.002])


def test_an_instrument_is_listed_from_its_first_quote_to_its_expiry() -> None:
    """Stale or one-sided is still listed; never quoted and expired is not."""
    block = view(books())
    quality = np.array(block.quality)
    quality[0, :4] = [Quality.NEVER_QUOTED, Quality.EXPIRED, Quality.STALE, Quality.ONE_SIDED]

    exists = listed(replace(block, quality=quality), np.arange(4))

    assert exists.tolist() == [[False], [False], [True], [True]]


def test_scores_bound_nets_where_every_option_has_its_own_index() -> None:
    """Indices a few bps apart, as collections stamp them: no net is above its score."""
    panel = Market(mids={option_name(9, 100_000.0, Right.CALL): 0.06}).block()
    drift = 1.0 + 1e-3 * np.random.Generator(np.random.PCG64(3)).standard_normal(panel.shape)
    block = prepare(replace(panel, index=panel.index * drift), params(), curves())

    for seen in detect(block, None, codes=("C3", "C4", "C7"), floor=-np.inf):
        scan = next(c for c in CONSTRAINTS if c.code == seen.constraint).scan
        score = scan(block, None).score_bps[seen.packages.row, seen.packages.key]
        assert len(score) > 0
        assert (score >= seen.net_bps - 1e-9).all()


def test_with_a_listed_future_no_pair_stands_in_for_it() -> None:
    """The future of the expiry lost its quote: C3 has no answer there; it does not fall back on the other strikes."""
    panel = Market().block()
    bid = panel.bid.copy()
    bid[:, panel.column(panel.instruments.code_of(future_name(9)))] = np.nan
    block = prepare(replace(panel, bid=bid), params(), curves())

    (seen,) = detect(block, None, codes=("C3",), floor=-np.inf)

    nine = seen.keys.expiry_ns == block.panel.instruments.expiry_ns[block.panel.instruments.code_of(future_name(9))]
    assert nine.any()
    assert not seen.evaluated[:, nine].any()
    assert seen.evaluated[:, ~nine].any()
