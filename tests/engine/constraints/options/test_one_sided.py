"""Packages that the two-sided rule leaves out for the bid of a bought leg: against a loop over triples and pairs."""

from __future__ import annotations

from itertools import combinations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from engine.constraints.options import one_sided

KINDS = arrays(np.int8, st.tuples(st.integers(1, 6), st.integers(1, 3)), elements=st.integers(0, 2))
"""0 no quote, 1 an ask alone, 2 usable; strikes by grid times."""


@given(KINDS)
def test_triples_are_those_of_a_loop(kind: np.ndarray) -> None:
    """Belly usable, wings with an ask, one of them at least without a bid."""
    expected = sum(
        row[belly] == 2 and min(row[low], row[high]) == 1
        for row in kind.T
        for low, belly, high in combinations(range(len(row)), 3)
    )
    assert one_sided._triples(kind == 2, kind >= 1) == expected


@given(KINDS)
def test_pairs_are_those_of_a_loop(kind: np.ndarray) -> None:
    """The first is bought and has an ask alone, the second is sold and usable."""
    expected = sum(row[a] == 1 and row[b] == 2 for row in kind.T for a, b in combinations(range(len(row)), 2))
    assert one_sided._pairs(kind == 2, kind >= 1) == expected
