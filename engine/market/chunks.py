"""A block worked through piece by piece, so that what is made on the way stays in the processor's cache.

Everything dense is kept instruments first in memory: ``[T, N]`` arrays are the transposes of contiguous ``[N, T]``
ones, a column is contiguous, and a piece is some instruments over all grid times.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from engine.records import FloatArray

Scalar = TypeVar("Scalar", bound=np.generic)

CELLS = 24_576
"""Cells of a piece: a float64 array of it is 192 kB, and some of them fit into a second-level cache."""


def column_chunks(columns: int, rows: int) -> Iterator[slice]:
    """Yield slices of columns that hold about `CELLS` cells each, in order."""
    # One column at least: a single one may be longer than a piece.
    step = max(1, CELLS // max(1, rows))
    for first in range(0, columns, step):
        yield slice(first, min(first + step, columns))


def piece(array: NDArray[Scalar], columns: slice) -> NDArray[Scalar]:
    """Return some columns of a ``[T, N]`` array, instruments first, ``[n, T]``: a view where they are contiguous."""
    return np.ascontiguousarray(array.T[columns])


def flat(array: NDArray[Scalar]) -> NDArray[Scalar]:
    """Return a contiguous array of any shape as one dimension, ``[size]``, sharing its memory."""
    return array.reshape(-1)


def alike(values: FloatArray) -> FloatArray | float:
    """Return a number for each of some instruments, ``[n, 1]``, or the one number that they share: it is faster."""
    return float(values[0]) if bool((values == values[0]).all()) else values[:, None]
