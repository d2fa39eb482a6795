"""Correctly rounded sums of many rows of floats at once: what `math.fsum` returns for each.

The error of each addition is exact (Knuth 1969, two-sum) and is summed separately.  The loss of that second sum, mostly
0, is bounded; rows in which the bound could change the rounding are summed again by `math.fsum`.  NaN terms give NaN.
"""

from __future__ import annotations

from math import fsum

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

EPSILON = float(np.finfo(np.float64).eps)


def two_sum(a: Floats, b: Floats) -> tuple[Floats, Floats]:
    """Return ``a + b`` rounded and its rounding error, both of the common shape: their sum is exact.

    The error of an infinite or NaN sum is NaN.
    """
    # Infinity minus infinity, in the error of an infinite sum.
    with np.errstate(invalid="ignore"):
        total = a + b
        back = total - a
        return total, (a - (total - back)) + (b - back)


class RunningSums:
    """Sums of ``rows`` rows, each of which grows by one term at a time."""

    def __init__(self, rows: int) -> None:
        self._terms: list[Floats] = []
        self._high, self._low, self._lost = np.zeros(rows), np.zeros(rows), np.zeros(rows)

    def add(self, term: Floats) -> None:
        """Add ``term[r]``, shape (rows,), to each row r; the array is kept and must not be changed."""
        self._terms.append(term)
        self._high, error = two_sum(self._high, term)
        self._low, error = two_sum(self._low, error)
        self._lost += np.abs(error)

    def totals(self) -> Floats:
        """Return the correctly rounded sum of each row so far, shape (rows,); 0 before the first term.

        Raises ``ValueError`` for infinities of both signs in a row, as `math.fsum`.
        """
        total, rest = two_sum(self._high, self._low)
        # The second term keeps the bound from vanishing when it is added to ``rest``.
        bound = 2.0 * (self._lost + EPSILON * np.abs(rest))
        sure = (total + (rest + bound) == total) & (total + (rest - bound) == total)
        # Without loss ``high`` and ``low`` are the exact sum, so ties are rounded correctly too.
        sure |= self._lost == 0.0
        for row in np.flatnonzero(~sure).tolist():
            total[row] = fsum(float(term[row]) for term in self._terms)
        return total


def row_sums(terms: Floats) -> Floats:
    """Return the correctly rounded sum of each row of ``[M, K]``, shape (M,); 0 if K is 0.

    Raises ``ValueError`` for infinities of both signs in a row.

    >>> row_sums(np.array([[1.0, 1e100, 1.0, -1e100]])).tolist()
    [2.0]
    """
    sums = RunningSums(len(terms))
    for term in np.ascontiguousarray(terms.T):
        sums.add(term)
    return sums.totals()
