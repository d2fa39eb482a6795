"""Costs against numbers worked out by hand, and the two forms of the impact against each other.

Rules: [S3.1-S3.7].
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.constraints.package_legs import absent
from engine.costs.base import leg_terms
from engine.costs.capital import margin_share
from engine.costs.depth import impact_bps, impact_usd
from engine.costs.expected_funding import carry_bps, settlements
from engine.costs.registry import TERMS
from engine.costs.total import package_costs
from engine.errors import UsageError
from engine.market.view import PreparedPanel, prepare
from engine.records import CostModel, Feed, Packages, Right
from engine.units import NS_PER_DAY, NS_PER_HOUR
from tests.helpers.builders import (
    NAN,
    T0_NS,
    Quote,
    Row,
    curves,
    fx,
    instruments,
    option,
    panel,
    params,
    perp,
    quote,
    spot,
)

SPOT, PERP, CALL, FX = "binance:BTCUSDC", "binance:BTCUSDC-PERP", "deribit:BTC-C", "binance:USDCUSDT"
DAY = 24 * NS_PER_HOUR


def view_of(*pairs: tuple[Row, Quote], **changes: object) -> PreparedPanel:
    block = panel(instruments(*(row for row, _ in pairs)), {row.name: shown for row, shown in pairs})
    return prepare(block, params(**changes), curves())


def package(view: PreparedPanel, legs: dict[str, float]) -> Packages:
    column, quantity = absent(1)
    for at, (name, q) in enumerate(legs.items()):
        column[0, at], quantity[0, at] = view.panel.column(view.panel.instruments.code_of(name)), q
    zero = np.zeros(1, dtype=np.int32)
    return Packages(zero, zero, column, quantity, np.zeros(1), np.zeros(1))


def books() -> tuple[tuple[Row, Quote], ...]:
    """Spot 99,990 / 100,010 with 0.4 coins a side, perp 101,000 with 4 bps and 2 coins a side."""
    return (
        (spot(SPOT), Quote(99_990.0, 100_010.0, 0.4, 0.4)),
        (perp(PERP), Quote(100_979.8, 101_020.2, 2.0, 2.0, funding_rate=1e-4)),
    )


@pytest.mark.parametrize("name", ["cost-single", "cost-zero-depth-use"])
def test_one_leg_costs_what_the_registered_formula_says(name: str, vectors: Path) -> None:
    """Fees + half the spread + spread x share of depth, twice: the shared vectors."""
    text = json.loads((vectors / "stats" / "execution_cost.json").read_text())
    case = next(v for v in text["vectors"] if v["id"] == name)
    given_, expected = case["inputs"], case["expected"]

    impact = impact_bps(given_["top_spread_bps"], 1.0, given_["depth_consumed_fraction"], 1.0)
    entry = given_["fees_bps"] + given_["top_spread_bps"] / 2.0 + impact

    assert entry == pytest.approx(expected["per_leg_entry_bps"], abs=1e-12)
    assert 2.0 * entry == pytest.approx(expected["round_trip_bps"], abs=1e-12)


def test_a_package_with_depth_costs_the_sum_worked_out_by_hand() -> None:
    """Sell 1 perp, buy 1 spot, S = 100,000.

    Size: half of the smaller touch, 0.5 * 0.4 * 100,000 = 20,000 USD.
    Perp, weight 1.01: fee 2*5*1.01 = 10.1; spread 4*1.01 = 4.04; D = 2 * 100,979.8 = 201,959.6 (sold at the bid),
    impact 2 * 1.01*4*(20,000*1.01/201,959.6) = 0.80816163.
    Spot, weight 1: fee 20; spread 2; D = 0.4 * 100,010 = 40,004, impact 2 * 2 * 20,000/40,004 = 1.99980002.
    Capital: (1.01*0.2 + 1) * 5% / 365 = 1.64657534 bps.
    """
    view = view_of(*books())

    costs = package_costs(view, "C1", package(view, {PERP: -1.0, SPOT: 1.0}))

    assert costs.size_usd[0] == pytest.approx(20_000.0)
    assert costs.fee_bps[0] == pytest.approx([10.1, 20.0, 0.0, 0.0])
    assert costs.spread_bps[0] == pytest.approx([4.04, 2.0, 0.0, 0.0])
    assert costs.impact_bps[0] == pytest.approx([0.80816163, 1.99980002, 0.0, 0.0], abs=1e-8)
    assert costs.borrow_bps[0] == 0.0
    assert costs.capital_bps[0] == pytest.approx(1.64657534)
    assert costs.cost_bps[0] == pytest.approx(40.59453698, abs=1e-7)
    assert costs.model[0] == CostModel.DEPTH


def test_a_short_spot_is_borrowed_for_the_planned_life() -> None:
    """5% a year for one day on a weight of 1: 1.36986301 bps; a coin without a registered rate is refused."""
    view = view_of(*books())
    packages = package(view, {PERP: 1.0, SPOT: -1.0})

    assert package_costs(view, "C1", packages).borrow_bps[0] == pytest.approx(500.0 / 365.0)
    with pytest.raises(UsageError, match="expected a registered borrow rate of 'BTC'"):
        package_costs(view_of(*books(), borrow_rate={}), "C1", packages)


@pytest.mark.parametrize(
    ("quote_currency", "quantity", "paid_with", "days"),
    [("USDC", 1.0, None, 0.0), ("USDT", 1.0, "USDT", 1.0), ("USDC", -1.0, "BTC", 1.0), ("USDT", -1.0, "BTC", 1.0)],
)
def test_a_spot_leg_borrows_what_it_pays_with_unless_it_is_own(
    quote_currency: str, quantity: float, paid_with: str | None, days: float
) -> None:
    """5% a year for a day on a weight of 1; USDC, in which the capital is held, is free even with a rate."""
    name = f"binance:BTC{quote_currency}"
    pairs = {row.name: (row, shown) for row, shown in (*books(), (fx(), quote(1.0)))}
    pairs[name] = (spot(name, quote=quote_currency), quote(100_000.0))
    view = view_of(*pairs.values(), borrow_rate={"USDC": 9.0})
    chosen = package(view, {name: quantity})
    if paid_with is not None:
        with pytest.raises(
            UsageError, match=f"borrow rate of '{paid_with}' for a spot leg that pays with it, was USDC"
        ):
            package_costs(view, "C1", chosen)
        view = replace(view, params=params(borrow_rate={paid_with: 0.05}))

    assert package_costs(view, "C1", chosen).borrow_bps[0] == pytest.approx(days * 500.0 / 365.0)


def test_dollars_bought_with_usdt_are_borrowed_and_own_ones_are_not() -> None:
    """The pair USDC/USDT: bought it is paid with USDT, sold with own USDC."""
    view = view_of(*books(), (fx(), quote(1.0)))

    bought, sold = (package_costs(view, "C2", package(view, {FX: q})).borrow_bps[0] for q in (1e5, -1e5))
    assert (bought, sold) == (pytest.approx(500.0 / 365.0), 0.0)


def test_an_hour_that_has_started_is_borrowed_in_full() -> None:
    """A call that expires in 90 minutes ends the planned life: two hours of 8,760."""
    call = option(CALL, T0_NS + 3 * NS_PER_HOUR // 2, 100_000.0, Right.CALL)
    view = view_of(*books(), (call, quote(0.05, 100.0)))

    assert package_costs(view, "C3", package(view, {CALL: 1.0, SPOT: -1.0})).borrow_bps[0] == pytest.approx(
        500.0 * 2 / 8_760
    )


def test_without_depth_a_known_spread_is_still_paid() -> None:
    """Spread known, depth not: half-spread and the fallback slippage, marked spread; the leg does not limit size."""
    pairs = [(replace(row, feed=Feed.TOUCH), replace(q, bid_size=NAN, ask_size=NAN)) for row, q in books()]
    view = view_of(*pairs)

    costs = package_costs(view, "C1", package(view, {PERP: -1.0, SPOT: 1.0}))

    assert costs.size_usd[0] == 25_000.0
    assert costs.spread_bps[0] == pytest.approx([4.04, 2.0, 0.0, 0.0])
    assert costs.impact_bps[0] == pytest.approx([2 * 2.0 * 1.01, 2 * 2.0, 0.0, 0.0])
    assert costs.model[0] == CostModel.SPREAD


def test_without_a_spread_the_poorest_leg_decides_the_model() -> None:
    """A bar pays fees and fallback slippage; one such leg makes the package a fallback."""
    bar = (perp(PERP, feed=Feed.BAR, bar_ns=NS_PER_HOUR), Quote(101_000.0, 101_000.0, NAN, NAN))
    view = view_of(books()[0], bar)

    costs = package_costs(view, "C1", package(view, {PERP: -1.0, SPOT: 1.0}))

    assert costs.spread_bps[0] == pytest.approx([0.0, 2.0, 0.0, 0.0])
    assert costs.impact_bps[0][0] == pytest.approx(2 * 2.0 * 1.01)
    assert costs.model[0] == CostModel.FALLBACK


def test_a_leg_held_to_its_expiry_is_settled_not_sold() -> None:
    """An option that expires within the life: one fee and the delivery fee, spread and impact once.

    Premium 0.05 coin = weight 0.05; fee 3 bps of S, delivery 1.5 bps; spread 0.0005/0.05 = 100 bps of the premium, half
    of it once: 2.5 bps of S; D = 100 * 0.05025 * 100,000 = 502,500, impact 0.05*100*(25,000*0.05/502,500) = 0.012438.
    Capital: the premium, 0.05 * 5%, for one hour: 0.002854 bps.
    """
    call = option(CALL, T0_NS + NS_PER_HOUR, 100_000.0, Right.CALL)
    view = view_of(books()[0], (call, Quote(0.04975, 0.05025)))

    costs = package_costs(view, "C3", package(view, {CALL: 1.0}))

    assert costs.fee_bps[0][0] == pytest.approx(4.5)
    assert costs.spread_bps[0][0] == pytest.approx(2.5)
    assert costs.impact_bps[0][0] == pytest.approx(0.0124378, abs=1e-7)
    assert costs.capital_bps[0] == pytest.approx(0.05 * 500.0 / 365.0 / 24.0)
    later = view_of(books()[0], (replace(call, expiry_ns=T0_NS + 2 * NS_PER_DAY), Quote(0.04975, 0.05025)))
    assert package_costs(later, "C3", package(later, {CALL: 1.0})).fee_bps[0][0] == pytest.approx(6.0)


def test_margin_follows_the_registered_table() -> None:
    """Sold option 15% of the underlying and its premium, bought option its premium, perp 20%, spot all."""
    call = option(CALL, T0_NS + 9 * NS_PER_DAY, 100_000.0, Right.CALL)
    view = view_of(*books(), (call, quote(0.05, 100.0)))

    def margin(legs: dict[str, float]) -> float:
        chosen = package(view, legs)
        return float(margin_share(leg_terms(view, chosen.row, chosen.column, chosen.quantity, DAY))[0])

    assert margin({CALL: -1.0}) == pytest.approx(0.15 + 0.05)
    assert margin({CALL: 2.0}) == pytest.approx(0.10)
    assert margin({PERP: -1.0, SPOT: 1.0}) == pytest.approx(0.2 * 1.01 + 1.0)


def test_funding_is_counted_by_settlements_within_the_life() -> None:
    """A short perp receives a positive rate at each aligned settlement in (t, t + life].

    From 00:00 with 8-hour settlements and a life of 24 h: 08, 16 and 24 h; 3 * 1e-4 * 1.01 = 3.03 bps.
    """
    view = view_of(*books())
    chosen = package(view, {PERP: -1.0, SPOT: 1.0})

    def carry(life_ns: int, sign: float = 1.0) -> float:
        return float(carry_bps(view, chosen.row, chosen.column, sign * chosen.quantity, life_ns)[0])

    assert carry(DAY) == pytest.approx(3.03)
    assert carry(DAY, -1.0) == pytest.approx(-3.03)
    assert carry(8 * NS_PER_HOUR - 1) == 0.0
    assert carry(8 * NS_PER_HOUR) == pytest.approx(1.01)


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 10**6), st.integers(1, 10**4), st.integers(0, 10**5))
def test_settlements_agree_with_a_loop(start: int, interval: int, life: int) -> None:
    """Multiples of the interval strictly after t and not after t + life, counted one by one."""
    first = start // interval * interval + interval
    slow = len(range(first, start + life + 1, interval))

    assert settlements(np.array([start]), np.array([interval]), life).tolist() == [slow]


def test_an_unknown_rate_makes_the_carry_unknown() -> None:
    """NaN is not zero: a perp whose funding is not known has no known carry."""
    pairs = (books()[0], (perp(PERP), quote(101_000.0)))
    view = view_of(*pairs)
    chosen = package(view, {PERP: -1.0, SPOT: 1.0})

    assert np.isnan(carry_bps(view, chosen.row, chosen.column, chosen.quantity, DAY)[0])


@settings(deadline=None, max_examples=60)
@given(st.floats(0.01, 500.0), st.floats(0.001, 3.0), st.floats(1.0, 1e6), st.floats(1.0, 1e8), st.floats(0.0, 1e6))
def test_money_and_bps_are_one_formula(spread: float, weight: float, size: float, depth: float, more: float) -> None:
    """The bps form is the money of an untouched book; pieces of a book cost what the whole costs.  [S3.6]"""
    notional = size * weight

    alone = impact_usd(spread, depth, 0.0, notional)
    then = impact_usd(spread, depth, notional, notional + more)

    assert alone == pytest.approx(impact_bps(spread, weight, size, depth) * size / 1e4, rel=1e-12)
    assert alone + then == pytest.approx(impact_usd(spread, depth, 0.0, notional + more), rel=1e-9)


def test_the_total_can_be_recomputed_from_its_parts() -> None:
    """Net can be checked from the row alone: terms and legs add up, in the registered order.  [S3.7]"""
    view = view_of(*books())

    costs = package_costs(view, "C1", package(view, {PERP: 1.0, SPOT: -1.0}))

    assert [t.name for t in TERMS] == ["fee", "spread", "impact", "borrow", "capital"]
    parts = costs.fee_bps.sum() + costs.spread_bps.sum() + costs.impact_bps.sum()
    assert costs.cost_bps[0] == pytest.approx(parts + costs.borrow_bps[0] + costs.capital_bps[0], rel=1e-14)


def test_an_unusable_leg_makes_the_cost_unknown() -> None:
    """No price, no cost: never a free leg."""
    view = view_of(books()[0], (perp(PERP), quote(101_000.0, age_ns=DAY)))

    assert np.isnan(package_costs(view, "C1", package(view, {PERP: -1.0, SPOT: 1.0})).cost_bps[0])
