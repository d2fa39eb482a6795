"""Correctly rounded sums of many rows of floats at once: what `math.fsum` returns for each.

The error of each addition is exact (Knuth 1969, two-sum) and is summed beside.  What that second sum loses, mostly
nothing, is bounded; where the bound could change the rounding `math.fsum` is asked.
"""

from __future__ import annotations

from math import fsum

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

EPSILON = float(np.finfo(np.float64).eps)


def two_sum(a: Floats, b: Floats) -> tuple[Floats, Floats]:
    """Return ``a + b`` rounded, and what was rounded away: the two together are exact."""
    with np.errstate(invalid="ignore"):  # of an infinity nothing is known to be rounded away
        total = a + b
        back = total - a
        return total, (a - (total - back)) + (b - back)


class RunningSums:
    """Sums of ``rows`` rows that grow by one term at a time."""

    def __init__(self, rows: int) -> None:
        self._terms: list[Floats] = []
        self._high, self._low, self._lost = np.zeros(rows), np.zeros(rows), np.zeros(rows)

    def add(self, term: Floats) -> None:
        """Add ``term[r]`` to each row r; the array is kept and must not change."""
        self._terms.append(term)
        self._high, error = two_sum(self._high, term)
        self._low, error = two_sum(self._low, error)
        self._lost += np.abs(error)

    def totals(self) -> Floats:
        """Return the correctly rounded sum of each row so far.  Raises as `math.fsum` for infinities of both signs."""
        total, rest = two_sum(self._high, self._low)
        bound = 2.0 * (self._lost + EPSILON * np.abs(rest))  # never lost when it is added to ``rest``
        sure = (total + (rest + bound) == total) & (total + (rest - bound) == total)
        sure |= self._lost == 0.0  # then ``high`` and ``low`` are the sum, and a tie is a tie
        for row in np.flatnonzero(~sure).tolist():
            total[row] = fsum(float(term[row]) for term in self._terms)
        return total


def row_sums(terms: Floats) -> Floats:
    """Return the correctly rounded sum of each row of ``[M, K]``.

    >>> row_sums(np.array([[1.0, 1e100, 1.0, -1e100]])).tolist()
    [2.0]
    """
    sums = RunningSums(len(terms))
    for term in np.ascontiguousarray(terms.T):
        sums.add(term)
    return sums.totals()
