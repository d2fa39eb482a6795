"""When a triggered exit is filled, and which of several ends comes first: one rule for one position and for many.

`converged` and `stopped` are triggered by the mids of a grid time.  Filled at those very mids they would book the noise
that met the rule as profit, so the fill waits as long as that of an entry.  [S4.5, spec README "Exits"]
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from engine.records import BoolArray, ExitReason, FloatArray, IntArray


def fill_rows(
    times_ns: IntArray, mid: FloatArray, legs: IntArray, due_ns: IntArray, from_row: IntArray, end_row: IntArray
) -> IntArray:
    """Return the row at which each triggered exit is filled, ``[M]``; ``end_row`` where it is not filled before that.

    It is the first row at or after both ``due_ns [M]``, the trigger's time plus the latency, and ``from_row [M]`` at
    which every leg has a usable quote.  ``mid [C, R]`` is NaN without one; ``legs [M, L]`` are rows of it, -1 for no
    leg; ``end_row [M]`` is the first row at which a leg has expired or the horizon is over, R if there is none.

    >>> times_ns, mid = np.arange(5), np.array([[1.0, 1.0, np.nan, 1.0, 1.0]])
    >>> late = [np.array([value]) for value in (2, 0, 4)]
    >>> fill_rows(times_ns, mid, np.array([[0]]), *late).tolist()
    [3]
    """
    row = np.maximum(np.searchsorted(times_ns, due_ns), from_row)
    waiting = np.flatnonzero(row < end_row)
    while len(waiting):
        lacking = waiting[~_all_quoted(mid, legs[waiting], row[waiting])]
        row[lacking] += 1
        waiting = lacking[row[lacking] < end_row[lacking]]
    return np.minimum(row, end_row)


def first_end(rows: Mapping[ExitReason, int]) -> tuple[int, ExitReason]:
    """Return the first row of ``rows`` and its reason; within one row the order of `ExitReason` decides.

    A fill is one of the rows, under the reason of its trigger: `void`, `venue` and `covenant` at its row win over it.
    """
    order = tuple(ExitReason)
    return min(((row, reason) for reason, row in rows.items()), key=lambda end: (end[0], order.index(end[1])))


def _all_quoted(mid: FloatArray, legs: IntArray, row: IntArray) -> BoolArray:
    # Of an absent leg the cell of the last column is read, and not used.
    every: BoolArray = np.logical_and.reduce(np.isfinite(mid[legs, row[:, None]]) | (legs < 0), axis=1)
    return every
