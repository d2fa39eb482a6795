"""Twin of rounded.py: every row is what `math.fsum` says of it, to the last bit."""

from __future__ import annotations

from fractions import Fraction
from math import fsum

import numpy as np
import pytest

from engine.exact.rounded import RunningSums, row_sums, two_sum


@pytest.mark.parametrize("seed", range(20))
def test_sums_of_random_rows_are_correctly_rounded(seed: int) -> None:
    """Terms of all sizes, many of which cancel; a third of them zero."""
    draw = np.random.default_rng(seed)
    terms = draw.standard_normal((500, 12)) * 10.0 ** draw.integers(-18, 18, (500, 12))
    terms[:, 6:] = np.where(draw.random((500, 6)) < 0.5, -terms[:, :6], terms[:, 6:])
    terms[draw.random(terms.shape) < 0.3] = 0.0

    assert row_sums(terms).tolist() == [fsum(row) for row in terms.tolist()]


def test_ties_and_what_lies_just_beside_them_are_rounded_as_fsum_does() -> None:
    """Half a unit in the last place, and half of it with something tiny above or below it."""
    half, tiny = 2.0**-53, 2.0**-150
    rows = [
        [one, half, sign * tiny, other]
        for one in (1.0, 1.0 + 2.0**-52, -1.0)
        for sign in (-1.0, 0.0, 1.0)
        for other in (0.0, tiny, -tiny, 2.0**-60)
    ]

    assert row_sums(np.array(rows)).tolist() == [fsum(row) for row in rows]


def test_a_sum_that_grows_is_right_after_every_term() -> None:
    """Terms that come in any order, and totals asked in between."""
    draw = np.random.default_rng(3)
    terms = draw.standard_normal((9, 40)) * 10.0 ** draw.integers(-9, 9, (9, 40))
    sums = RunningSums(40)

    for number, term in enumerate(terms, start=1):
        sums.add(term)
        assert sums.totals().tolist() == [fsum(column) for column in terms[:number].T.tolist()]


def test_what_a_sum_rounds_away_is_exact() -> None:
    draw = np.random.default_rng(4)
    a, b = (draw.standard_normal(200) * 10.0 ** draw.integers(-12, 12, 200) for _ in range(2))

    for x, y, total, error in zip(a, b, *two_sum(a, b), strict=True):
        assert Fraction(x) + Fraction(y) == Fraction(total) + Fraction(error)


def test_rows_without_a_number_have_none() -> None:
    """As `math.fsum`: infinities of one sign and NaN go through, those of both signs are refused."""
    assert np.isnan(row_sums(np.array([[1.0, np.nan], [0.0, 2.0]]))).tolist() == [True, False]
    assert row_sums(np.array([[1.0, np.inf]])).tolist() == [np.inf]
    assert row_sums(np.zeros((0, 3))).tolist() == []
    with pytest.raises(ValueError, match="inf"):
        row_sums(np.array([[np.inf, -np.inf]]))
