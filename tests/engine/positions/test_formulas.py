"""The shared arithmetic: an array's element is bit for bit the result for its numbers, and closed forms hold."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.positions import formulas
from engine.units import NS_PER_HOUR, NS_PER_YEAR, micro_usd

PRICES = st.floats(0.01, 1e6)
QUANTITIES = st.floats(-50.0, 50.0).filter(lambda q: abs(q) > 1e-6)
LEGS = st.lists(st.tuples(QUANTITIES, st.booleans(), PRICES, PRICES, PRICES), min_size=1, max_size=6)


def columns(legs: list[tuple]) -> list[np.ndarray]:
    return [np.array(column) for column in zip(*legs, strict=True)]


@given(LEGS)
def test_an_array_gives_what_its_numbers_give(legs) -> None:
    q, inverse, entry, price, c = columns(legs)
    for whole, number in (
        (formulas.leg_profit(q, inverse, entry, price, c), lambda leg: formulas.leg_profit(*leg)),
        (formulas.mark_profit(q, inverse, entry, price, c), lambda leg: formulas.mark_profit(*leg)),
        (formulas.order_quantity(q, inverse, entry, price), lambda leg: formulas.order_quantity(*leg[:4])),
        (formulas.funding_base_usd(inverse, entry, price, c), lambda leg: formulas.funding_base_usd(*leg[1:])),
        (formulas.funding_cash(q, price, c), lambda leg: formulas.funding_cash(leg[0], leg[3], leg[4])),
        (formulas.notional_usd(q, entry, price, c), lambda leg: formulas.notional_usd(leg[0], *leg[2:])),
        (formulas.side_charge_bps(np.where(inverse, np.nan, price), c), lambda leg: side(leg)),
        (formulas.open_gross_bps(entry, price, c), lambda leg: formulas.open_gross_bps(*leg[2:])),
    ):
        assert whole.tolist() == [number(leg) for leg in legs]


def side(leg: tuple) -> float:
    return formulas.side_charge_bps(float("nan") if leg[1] else leg[3], leg[4])


@given(QUANTITIES, PRICES, PRICES, PRICES)
def test_profit_between_marks_adds_up_and_agrees_with_exact_arithmetic(q, entry, middle, price) -> None:
    """Linear and inverse, against rational numbers: n (1/E - 1/P) coin with n = q E, and through any middle mark."""
    exact = Fraction(q) * (1 - Fraction(entry) / Fraction(price))
    scale = abs(q) * (1.0 + entry / price + entry / middle)
    assert formulas.leg_profit(q, True, entry, price, 1.0) == pytest.approx(float(exact), abs=1e-12 * scale)
    parts = formulas.mark_profit(q, True, entry, entry, middle) + formulas.mark_profit(q, True, entry, middle, price)
    assert parts == pytest.approx(float(exact), abs=1e-12 * scale)
    assert formulas.leg_profit(q, False, entry, price, 2.0) == pytest.approx(
        float(2 * Fraction(q) * (Fraction(price) - Fraction(entry))), rel=1e-9, abs=1e-9
    )


def test_a_level_is_met_in_whole_micro_bps_and_not_by_nan() -> None:
    """Stopped is strictly below, converged is at or below; half a micro-bp rounds to even."""
    level = np.array([1_000_000.0])
    earned = np.array([0.9999985, 0.9999995, 1.0, np.nan])

    assert formulas.is_stopped(earned, np.zeros(4), level).tolist() == [True, False, False, False]
    assert formulas.has_converged(2.0, 2.0 - np.array([1.0000004, 1.000001, np.nan]), level).tolist() == [
        True,
        False,
        False,
    ]


@pytest.mark.parametrize(
    ("after_h", "until_h", "hours"),
    [(0, 8, [8]), (7, 8, [8]), (8, 9, [9]), (0, 24, [8, 16, 24]), (15, 17, [16])],
)
def test_settlement_times_lie_on_the_schedule(after_h, until_h, hours) -> None:
    """After the first time, up to and with the last; off the schedule the later time itself."""
    times = formulas.settlement_times_ns(after_h * NS_PER_HOUR, until_h * NS_PER_HOUR, 8 * NS_PER_HOUR)

    assert times == [hour * NS_PER_HOUR for hour in hours]


@given(st.lists(st.floats(-1e7, 1e7), min_size=1, max_size=20))
def test_rounded_money_is_that_of_the_decimal_text(amounts) -> None:
    halves = [*amounts, *(round(amount, 6) + 5e-7 for amount in amounts)]

    assert formulas.micro_usd_of(np.array(halves)).tolist() == [micro_usd(amount) for amount in halves]
    assert int(formulas.daily_micro_usd(np.array([halves])).sum()) == micro_usd(halves[-1])


def test_undefined_money_is_refused() -> None:
    """As `micro_usd` does: NaN has no integer."""
    with pytest.raises(ValueError, match="nan"):
        formulas.micro_usd_of(np.array([1.0, np.nan]))


def test_charges_are_those_of_the_rule() -> None:
    """Half a year of borrow, 5 bps of 20,000 USD, half a spread of 8 bps beside a fallback."""
    assert formulas.borrow_usd(100.0, NS_PER_YEAR // 2) == 50.0
    assert formulas.borrow_usd(100.0, NS_PER_YEAR // 2 - 1) == 50.0
    assert formulas.charge_usd(20_000.0, 5.0) == 10.0
    assert formulas.side_charge_bps(8.0, 0.0) == 4.0
    assert formulas.side_charge_bps(float("nan"), 3.0) == 3.0
