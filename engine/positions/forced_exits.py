"""Exits ordered from outside the book: a venue that ends a position, a covenant over it.  [S4.5]

An order closes every position that was filled before it and has a leg of its underlying (at its venue, where it names
one): at the first grid time at or after the order at which every leg has a usable quote, if nothing else ends the
position first.  Nothing takes it back.  One rule for one position and for many.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from engine.params import ForcedExit
from engine.positions.exit_fills import fill_rows
from engine.records import CodeArray, ExitReason, FloatArray, Instruments, IntArray
from engine.units import NEVER_NS


def forced_rows(
    orders: Sequence[ForcedExit],
    table: Instruments,
    code: CodeArray | Sequence[int],
    times_ns: IntArray,
    mid: FloatArray,
    legs: IntArray,
    entry_ns: IntArray,
    from_row: IntArray,
) -> dict[ExitReason, IntArray]:
    """Return, by reason, the row at which an order closes each position, ``[M]``; R where none does.

    ``code [C]`` are the instruments of the rows of ``mid [C, R]``, NaN without a usable quote; ``legs [M, L]`` are rows
    of it, -1 for no leg; ``entry_ns [M]`` is the fill, and rows before ``from_row [M]`` have been read.
    """
    rows: dict[ExitReason, IntArray] = {}
    never = np.full(len(entry_ns), len(times_ns), dtype=np.int64)
    for reason, underlying, venue in dict.fromkeys((order.reason, order.underlying, order.venue) for order in orders):
        times = np.array(
            sorted(o.t_ns for o in orders if (o.reason, o.underlying, o.venue) == (reason, underlying, venue)),
            dtype=np.int64,
        )
        named = np.array(
            [table.underlying[c] == underlying and venue in ("", table.venue[c]) for c in code], dtype=np.bool_
        )
        # Of an absent leg the cell of the last column is read, and not used.
        hit = np.logical_or.reduce(named[legs] & (legs >= 0), axis=1)
        # right: a position filled at the very time of an order is not one that it meets.
        due = np.append(times, NEVER_NS)[np.searchsorted(times, entry_ns, side="right")]
        row = fill_rows(times_ns, mid, legs, np.where(hit, due, NEVER_NS), from_row, never)
        rows[reason] = np.minimum(rows.get(reason, never), row)
    return rows
