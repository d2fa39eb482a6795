"""Numbers as a reader sees them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reports import words

NAN = float("nan")


@pytest.mark.parametrize(
    ("value", "places", "shown"),
    [
        (1234567.891, 2, "1,234,567.89"),
        (-0.5, 1, "−0.5"),
        (-0.0001, 2, "0.00"),
        (0, 0, "0"),
        (None, 2, words.NONE),
        (NAN, 2, words.NONE),
        ("12.5", 1, "12.5"),
        (Decimal("-3"), 0, "−3"),
        (999.994, 2, "999.99"),
    ],
)
def test_a_number_has_one_form(value: Any, places: int, shown: str) -> None:
    """Thousands separated, a real minus, never minus zero, a dash for what is undefined."""
    assert words.number(value, places) == shown


@given(st.floats(allow_nan=False, allow_infinity=False, min_value=-1e12, max_value=1e12), st.integers(0, 6))
@settings(deadline=None, max_examples=60)
def test_a_number_reads_back(value: float, places: int) -> None:
    """What is shown is the value rounded to its places, whatever its size and sign."""
    shown = words.number(value, places).replace(",", "").replace("−", "-")

    assert float(shown) == pytest.approx(round(value, places), abs=0.5 * 10.0**-places + 1e-9)
    assert not shown.startswith("-0") or float(shown) != 0


def test_undefined_is_a_dash_in_every_unit() -> None:
    """Dollars, shares, p-values, intervals and counts of nothing are the same dash."""
    assert {
        words.usd(None),
        words.usd(NAN),
        words.share(None),
        words.share(NAN),
        words.p_value(None),
        words.count(None),
        words.interval(None),
        words.interval([1.0, None]),
        words.interval([]),
    } == {words.NONE}


def test_units_and_forms() -> None:
    """A share is a percentage, money in integers loses no cent, an interval has brackets, one thing no plural."""
    assert words.share(0.1234) == "12.3%"
    assert words.usd_micro(-1_234_567_890_123) == "−1,234,567.89"
    assert words.usd(12) == "12 USD"
    assert words.interval(["-1", "2.5"], 1) == "[−1.0, 2.5]"
    assert (words.plural(1, "day"), words.plural(2000, "day")) == ("1 day", "2,000 days")
    assert words.day(20476) == "2026-01-23"
    assert words.moment(1_769_126_400 * 10**9 + 59 * 10**9) == "2026-01-23 00:00"


def test_the_seven_have_names_in_their_order() -> None:
    """C1 to C7, as the method lists them."""
    assert ",".join(words.CODES) == "C1,C2,C3,C4,C5,C6,C7"
