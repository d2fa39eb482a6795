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
"""Returns are integers: this many units are a return of 1 (100%)."""

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

    ``profit_micro`` (n,) is in micro-USD, and so is ``capital_micro``, which need not be whole: a sleeve is a share of
    the whole.  Raises ``ZeroDivisionError`` for a capital of 0.
    """
    scale = RETURN_UNIT / capital_micro
    return np.array([half_even(int(x) * scale.numerator, scale.denominator) for x in profit_micro], dtype=np.int64)


def guarded(values: NDArray[np.int64], power: int, terms: int) -> Integers:
    """Return ``values``, shape (n,), in a dtype without overflow in a sum of ``terms`` of their ``power``-th powers.

    That is int64, or object (Python integers) if int64 could overflow.
    """
    # Python integers: the test for an overflow must not overflow itself.
    largest = max((abs(int(v)) for v in values), default=0)
    return values if terms * largest**power < _INT64 else values.astype(object)


def total(values: NDArray[np.int64]) -> int:
    """Return the exact sum of integers, shape (n,); 0 for none."""
    return int(guarded(values, 1, len(values)).sum()) if len(values) else 0


def total_squares(values: NDArray[np.int64]) -> int:
    """Return the exact sum of squares of integers, shape (n,); 0 for none."""
    safe = guarded(values, 2, len(values))
    return int((safe * safe).sum()) if len(values) else 0


def prefix(values: Integers) -> Integers:
    """Return the running sums of ``values`` (n,), shape (n + 1,), from 0.

    ``prefix[b] - prefix[a]`` is the sum of ``values[a:b]``.  Pass the result of `guarded`, or the sums can overflow.
    """
    out = np.zeros(len(values) + 1, dtype=values.dtype)
    np.cumsum(values, out=out[1:])
    return out


def spread(values: NDArray[np.int64]) -> int:
    """Return ``n * sum(x^2) - sum(x)^2`` of integers, shape (n,); 0 if they are constant or none.

    It is n^2 times the variance of divisor n, exactly.
    """
    return len(values) * total_squares(values) - total(values) ** 2
