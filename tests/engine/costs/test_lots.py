"""The search for whole lots, against the same rule written down again in rational numbers.  [venues V4]"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from engine.costs.lots import ALLOWED, PARTS, search
from tests.oracles.lots_slow import whole_lots

LOTS = [Fraction(text) for text in ("0.1", "1", "10", "0.00001", "0.001", "0.0001", "0.01")]


def fast(weights: list[Fraction], lots: list[Fraction], size: Fraction) -> tuple[int, list[int]] | None:
    step = np.array([[float(lot) / float(weight) for lot, weight in zip(lots, weights, strict=True)]])
    coarsest = step.max()
    multiple, count, fits = search(coarsest / step, np.array([float(size) / coarsest]))
    return (int(multiple[0]), count[0].tolist()) if fits[0] else None


@st.composite
def packages(draw: st.DrawFn) -> tuple[list[Fraction], list[Fraction], Fraction]:
    legs = draw(st.integers(1, 4))
    weights = [Fraction(draw(st.integers(1, 200)), draw(st.integers(1, 40))) for _ in range(legs)]
    lots = [draw(st.sampled_from(LOTS)) for _ in range(legs)]
    size = Fraction(draw(st.integers(1, 10**6)), draw(st.integers(1, 10**4)))
    # A double has no millionths of more than a billion lots.
    assume(all(size * weight / lot < 10**8 for lot, weight in zip(lots, weights, strict=True)))
    return weights, lots, size


@given(packages())
def test_the_search_is_the_rule_in_rational_numbers(package: tuple[list[Fraction], list[Fraction], Fraction]) -> None:
    weights, lots, size = package
    assert fast(weights, lots, size) == whole_lots(weights, lots, size)


@given(packages(), st.integers(2, 50))
def test_the_unit_does_not_matter(package: tuple[list[Fraction], list[Fraction], Fraction], factor: int) -> None:
    """Lots and size in another unit: the same counts."""
    weights, lots, size = package
    assert fast(weights, lots, size) == fast(weights, [factor * lot for lot in lots], factor * size)


@given(packages())
def test_what_fits_is_within_a_hundredth_and_not_above_the_size(
    package: tuple[list[Fraction], list[Fraction], Fraction],
) -> None:
    weights, lots, size = package
    found = fast(weights, lots, size)
    if found is not None:
        multiple, counts = found
        units = multiple * max(lot / weight for lot, weight in zip(lots, weights, strict=True))
        assert units <= size * (1 + Fraction(1, PARTS))
        for n, lot, weight in zip(counts, lots, weights, strict=True):
            assert n >= 1
            assert abs(n * lot - weight * units) <= weight * units / ALLOWED + lot / PARTS


@given(packages(), st.permutations(range(4)))
def test_the_order_of_legs_does_not_matter(
    package: tuple[list[Fraction], list[Fraction], Fraction], order: list[int]
) -> None:
    weights, lots, size = package
    kept = [n for n in order if n < len(weights)]
    found, moved = fast(weights, lots, size), fast([weights[n] for n in kept], [lots[n] for n in kept], size)
    assert (found is None) == (moved is None)
    if found is not None and moved is not None:
        assert (moved[0], moved[1]) == (found[0], [found[1][n] for n in kept])


TENTH = Fraction(1, 10)


@pytest.mark.parametrize(
    ("wing", "coins", "lots"),
    [
        (Fraction(1, 2), "0.26", [1, 2, 1]),  # 25,000 USD of a coin at 95,000: two tenths
        (Fraction(1, 2), "0.19", None),  # a wing below a lot
        (Fraction(1, 3), "0.31", [1, 3, 2]),
        (Fraction(1, 3), "0.29", None),
        (Fraction(2, 5), "0.5", [2, 5, 3]),  # 2.5 tenths of the belly would be rounded by a quarter
        (Fraction(201, 400), "0.25", [1, 2, 1]),  # 0.5025: 1.01 times the other wing
        (Fraction(101, 200), "0.25", None),  # 0.505: 1.02 times
    ],
)
def test_butterflies_by_hand(wing: Fraction, coins: str, lots: list[int] | None) -> None:
    found = fast([wing, Fraction(1), 1 - wing], [TENTH] * 3, Fraction(coins))
    assert (None if found is None else found[1]) == lots


def test_what_is_not_known_fits_nothing() -> None:
    ratio = np.array([[1.0, np.nan], [1.0, 2.0], [np.nan, np.nan]])
    assert search(ratio, np.array([5.0, np.nan, 5.0]))[2].tolist() == [False, False, False]
