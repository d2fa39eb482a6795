"""The hull pass against a loop over all triples in exact fractions.  [S2.C4]"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from engine.constraints.options.convex_hull import best_wings


def slow_wings(buy: list[float], strike: list[float], belly: int) -> tuple[int, int]:
    """The lowest chord over a belly by trying every pair; ties go to the lowest low, then to the highest high."""
    best: tuple[Fraction, int, int] | None = None
    for low in range(belly):
        for high in range(belly + 1, len(strike)):
            if buy[low] == buy[low] and buy[high] == buy[high]:
                share = Fraction(strike[high] - strike[belly]) / Fraction(strike[high] - strike[low])
                chord = share * Fraction(buy[low]) + (1 - share) * Fraction(buy[high])
                if best is None or (chord, low, -high) < best:
                    best = (chord, low, -high)
    return (-1, -1) if best is None else (best[1], -best[2])


def assert_same_as_slow(buy: NDArray[np.float64], strike: NDArray[np.float64]) -> None:
    low, high = best_wings(buy, strike)
    for row in range(buy.shape[1]):
        for belly in range(len(strike)):
            expected = slow_wings(buy[:, row].tolist(), strike.tolist(), belly)
            assert expected == (low[belly, row], high[belly, row]), (row, belly, buy[:, row])


PRICE = st.integers(0, 12) | st.just(None)


@settings(deadline=None, max_examples=150)
@given(
    gaps=st.lists(st.integers(1, 4), min_size=1, max_size=9),
    data=st.data(),
)
def test_small_integers_give_the_same_wings_as_every_triple_ties_included(gaps: list[int], data: st.DataObject) -> None:
    """Prices and strikes are small integers, so equal chords abound and floats are exact: the wings are the same."""
    strike = np.cumsum([1.0, *gaps])
    rows = data.draw(st.integers(1, 4))
    drawn = data.draw(st.lists(PRICE, min_size=len(strike) * rows, max_size=len(strike) * rows))
    buy = np.array([np.nan if p is None else float(p) for p in drawn]).reshape(len(strike), rows)

    assert_same_as_slow(buy, strike)


def test_many_rows_of_noisy_convex_chains_agree_with_every_triple() -> None:
    """A convex chain with noise has hull vertices with hidden points beside them: the bridge finds the wings there."""
    draw = np.random.Generator(np.random.PCG64(11))
    strike = np.cumsum(draw.integers(1, 5, size=14)).astype(np.float64)
    smooth = (strike - strike[7])[:, None] ** 2
    buy = np.round(smooth + draw.normal(0.0, 8.0, size=(14, 60)), 6)
    buy[draw.random(buy.shape) < 0.15] = np.nan

    assert_same_as_slow(buy, strike)


def test_fewer_than_two_quoted_strikes_have_no_wings() -> None:
    """Nothing quoted, one strike quoted, a chain of two: -1 everywhere."""
    for buy in (np.full((3, 2), np.nan), np.array([[1.0], [np.nan], [np.nan]]), np.array([[1.0], [2.0]])):
        low, high = best_wings(buy, np.arange(1.0, len(buy) + 1.0))

        assert (low == -1).all()
        assert (high == -1).all()


def test_a_belly_needs_no_price_of_its_own_to_have_wings() -> None:
    """Wings are chosen by what they cost; whether the belly can be sold is another question."""
    low, high = best_wings(np.array([[3.0], [np.nan], [1.0]]), np.array([1.0, 2.0, 3.0]))

    assert (low[1, 0], high[1, 0]) == (0, 2)
