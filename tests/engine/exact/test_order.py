"""Twin of engine/exact/order.py."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from engine.exact import order


@pytest.mark.parametrize(
    ("level", "draws", "upper", "lower"),
    [(Fraction(95, 100), 9999, 9500, 9500), (Fraction(975, 1000), 9999, 9750, 9750), (Fraction(1, 20), 39, 2, 2)],
)
def test_ranks_are_ceilings_in_integers(level: Fraction, draws: int, upper: int, lower: int) -> None:
    """ceil(level (B + 1)) without a float in between; at B + 1 round numbers both ranks meet."""
    assert upper == order.upper_rank(level, draws)
    assert lower == order.lower_rank(level, draws)


def test_upper_and_lower_rank_mirror_each_other() -> None:
    """As many draws lie under the lower rank as above the upper one."""
    for draws in (100, 999, 9998):
        above = draws - order.upper_rank(Fraction(975, 1000), draws)

        assert above == order.lower_rank(Fraction(25, 1000), draws) - 1


def test_a_rank_that_does_not_exist_gives_nothing() -> None:
    """Ten draws have no 95% quantile of this kind."""
    ordered = np.arange(10.0)

    assert order.statistic(ordered, order.upper_rank(Fraction(95, 100), 10)) is None
    assert order.statistic(ordered, 1) == 0.0


def test_ties_count_as_exceedances() -> None:
    """A draw equal to the threshold speaks for the null."""
    assert order.count_at_least(np.array([1.0, 2.0, 2.0, 3.0]), 2.0) == 3
