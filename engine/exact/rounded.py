"""Correctly rounded sums of many rows of floats at once: what `math.fsum` returns for each, told by its error bound.

Each addition's error is exact (Knuth 1969, two-sum) and is summed beside.  Where the bound on what that second sum may
have lost cannot change the rounding, the total is the correctly rounded one; elsewhere `math.fsum` is asked.
"""

from __future__ import annotations

from math import fsum
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

ROUNDING: Final = float(np.finfo(np.float64).eps)
"""Twice the largest relative error of one addition."""


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
        self._low += error
        self._lost += np.abs(error)

    def totals(self) -> Floats:
        """Return the correctly rounded sum of each row so far.  Raises as `math.fsum` for infinities of both signs."""
        total, rest = two_sum(self._high, self._low)
        bound = len(self._terms) * ROUNDING * self._lost
        sure = (total + (rest + bound) == total) & (total + (rest - bound) == total)
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
