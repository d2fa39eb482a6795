"""Sums that no machine, thread or order can change: integers in int64 where they fit, Python integers beyond.

Returns are integers in units of 1e-9; their sums and sums of squares are integers too.  [audit 10.2]
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

RETURN_UNIT: Final = 1_000_000_000
"""Returns are kept as integers of this many to one."""

_INT64: Final = 2**63

Integers = NDArray[Any]
"""An array of int64, or of Python integers (dtype object) where int64 would overflow."""


def half_even(numerator: int, denominator: int) -> int:
    """Return ``numerator / denominator`` as the nearest integer, ties to even; ``denominator > 0``.

    >>> half_even(5, 2), half_even(7, 2), half_even(-5, 2)
    (2, 4, -2)
    """
    floor, rest = divmod(numerator, denominator)
    return floor + (2 * rest > denominator or (2 * rest == denominator and floor % 2 == 1))


def returns(profit_micro: Sequence[int] | NDArray[np.int64], capital_micro: Fraction) -> NDArray[np.int64]:
    """Return ``profit / capital`` in units of 1e-9, half-even, shape (n,) int64.  [statistics R1.6, audit 10.2]

    ``capital_micro`` is micro-USD and need not be whole: a sleeve is a share of the whole.
    """
    scale = RETURN_UNIT / capital_micro
    return np.array([half_even(int(x) * scale.numerator, scale.denominator) for x in profit_micro], dtype=np.int64)


def guarded(values: NDArray[np.int64], power: int, terms: int) -> Integers:
    """Return ``values`` in a type in which a sum of ``terms`` of their ``power``-th powers cannot overflow."""
    largest = max((abs(int(v)) for v in values), default=0)
    return values if terms * largest**power < _INT64 else values.astype(object)


def total(values: NDArray[np.int64]) -> int:
    """Return the exact sum of integers."""
    return int(guarded(values, 1, len(values)).sum()) if len(values) else 0


def total_squares(values: NDArray[np.int64]) -> int:
    """Return the exact sum of squares of integers."""
    safe = guarded(values, 2, len(values))
    return int((safe * safe).sum()) if len(values) else 0


def prefix(values: Integers) -> Integers:
    """Return the running sums of ``values``, beginning with 0: ``prefix[b] - prefix[a]`` sums ``values[a:b]``."""
    out = np.zeros(len(values) + 1, dtype=values.dtype)
    np.cumsum(values, out=out[1:])
    return out


def spread(values: NDArray[np.int64]) -> int:
    """Return ``n * sum(x^2) - sum(x)^2``, which is n^2 times the variance of divisor n; 0 for a constant series."""
    return len(values) * total_squares(values) - total(values) ** 2
