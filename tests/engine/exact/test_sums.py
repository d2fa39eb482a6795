"""Twin of engine/exact/sums.py.

Rules: [audit 10.2].
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.exact import sums

LARGE = st.integers(-(2**62), 2**62)


@settings(max_examples=100, deadline=None)
@given(st.integers(-(10**30), 10**30), st.integers(1, 10**12))
def test_half_even_is_the_rounding_of_the_fraction(numerator: int, denominator: int) -> None:
    """Integer arithmetic gives what Python's round gives for an exact fraction."""
    assert round(Fraction(numerator, denominator)) == sums.half_even(numerator, denominator)


@settings(max_examples=60, deadline=None)
@given(st.lists(LARGE, min_size=1, max_size=40))
def test_sums_and_spread_never_overflow(values: list[int]) -> None:
    """Values near the edge of int64 sum to what Python integers say."""
    array, mean = np.array(values, dtype=np.int64), Fraction(sum(values), len(values))

    assert sum(values) == sums.total(array)
    assert sum(v * v for v in values) == sums.total_squares(array)
    assert len(values) * sum((v - mean) ** 2 for v in values) == sums.spread(array)


def test_prefix_sums_give_the_sum_of_any_stretch() -> None:
    """prefix[b] - prefix[a] is the sum of values[a:b], for both kinds of integers."""
    for dtype in (np.int64, object):
        running = sums.prefix(np.array([5, -2, 7, 1], dtype=dtype))

        assert list(running) == [0, 5, 3, 10, 11]


def test_returns_are_profit_over_a_capital_that_need_not_be_whole() -> None:
    """A seventh of a million is divided exactly, then rounded once, half-even."""
    seventh = Fraction(1_000_000 * 1_000_000, 7)

    found = sums.returns(np.array([1_000_000_000, -500, 0]), seventh)

    assert found.tolist() == [7_000_000, -4, 0]
