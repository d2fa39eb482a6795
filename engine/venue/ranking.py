"""Exact order of many ratios: double precision sorts, exact arithmetic decides what it cannot.  [risk.md 9.3]

A score is a product of integers over a product of integers.  Its double is off by a bounded number of roundings, so
only neighbours closer than that bound can be in the wrong order: those runs are compared by cross multiplication.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from engine.errors import DataError
from engine.venue.integers import Ints

EPSILON = float(np.finfo(np.float64).eps)


def order_descending(numerators: Sequence[Ints], denominators: Sequence[Ints]) -> Ints:
    """Return the indices of scores ``prod(numerators) / prod(denominators)``, highest first, ties by index.

    Arrays are [scores]; denominators are positive.  The order is exact whatever the size of the products.
    Raises `DataError` for a denominator that is not positive.
    """
    for factor in denominators:
        if factor.size and int(factor.min()) <= 0:
            raise DataError(f"expected denominators > 0 in a rank, was {int(factor.min())}: set the score to 0 first")
    factors = len(numerators) + len(denominators)
    key = np.ones(len(numerators[0]))
    for factor in numerators:
        key = key * factor.astype(np.float64)
    for factor in denominators:
        key = key / factor.astype(np.float64)
    order = np.argsort(-key, kind="stable")
    ranked = key[order]
    # each factor costs a rounding when it becomes a double and one when it is multiplied, on both sides of a comparison
    close = np.abs(ranked[1:] - ranked[:-1]) <= np.abs(ranked[1:]) * (4 * factors * EPSILON)
    same = np.ones(len(close), dtype=bool)
    for factor in (*numerators, *denominators):
        same &= factor[order[1:]] == factor[order[:-1]]
    for start, end in _runs(close, same):
        order[start:end] = _sorted_exactly(order[start:end], numerators, denominators)
    return order.astype(np.int64)


def _runs(close: np.ndarray, same: np.ndarray) -> list[tuple[int, int]]:
    """Return [start, end) of runs of close neighbours that are not all copies of one score."""
    padded = np.concatenate(([False], close, [False]))
    starts, ends = np.flatnonzero(~padded[:-1] & padded[1:]), np.flatnonzero(padded[:-1] & ~padded[1:])
    different = np.concatenate(([0], np.cumsum(close & ~same)))
    return [(int(s), int(e) + 1) for s, e in zip(starts, ends, strict=True) if different[e] > different[s]]


def _sorted_exactly(members: np.ndarray, numerators: Sequence[Ints], denominators: Sequence[Ints]) -> list[int]:
    def score(i: int) -> Fraction:
        value = Fraction(1)
        for factor in numerators:
            value *= int(factor[i])
        for factor in denominators:
            value /= int(factor[i])
        return value

    return sorted(members.tolist(), key=lambda i: (-score(i), i))
