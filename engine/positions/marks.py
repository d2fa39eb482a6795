"""Marks at the end of each UTC day of a position's life.  [statistics R1.4]

The mark of day d is the last one knowable at or before 24:00, hence at the row of 00:00 of the next day where the grid
has it, and of an age of at most the registered limit then; else the mark of the day before (at first the price at
entry) is carried and the leg-day is stale.  24:00 itself ends day d: a position left exactly then has all its change
of value in d and its exit costs in d + 1.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from engine.positions.base import DayMark, LegMark, OpenPosition
from engine.positions.price_path import PricePath
from engine.units import NS_PER_DAY


def last_marks(seen: tuple[LegMark, ...], path: PricePath, start: int, last_row: int) -> tuple[LegMark, ...]:
    """Return each leg's last mark at or before ``last_row``; ``seen`` where the rows from ``start`` on have none."""
    marks = list(seen)
    for at in range(len(seen)):
        price, usd = path.mark[start : last_row + 1, at], path.conversion[start : last_row + 1, at]
        found = np.flatnonzero((price > 0.0) & (usd > 0.0))
        if len(found):
            row = start + int(found[-1])
            marks[at] = LegMark(float(path.mark[row, at]), float(path.conversion[row, at]), int(path.known_ns[row, at]))
    return tuple(marks)


def day_marks(
    held: OpenPosition, marks_at: Callable[[int], tuple[LegMark, ...]], until_ns: int, max_age_ns: int
) -> tuple[DayMark, ...]:
    """Return the marks of the days that ended after ``held.seen_ns`` and not after ``until_ns``.

    ``marks_at(end_ns)`` gives each leg's last mark at that instant.
    """
    found: list[DayMark] = []
    for day in range(held.seen_ns // NS_PER_DAY, until_ns // NS_PER_DAY):
        end_ns = (day + 1) * NS_PER_DAY
        before = (held.marks + tuple(found))[-1:]
        price = before[0].price if before else tuple(leg.mid for leg in held.entry)
        usd = before[0].usd if before else held.entry_usd
        found.append(_day_mark(day, marks_at(end_ns), end_ns - max_age_ns, price, usd))
    return tuple(found)


def _day_mark(
    day: int, marks: tuple[LegMark, ...], oldest_ns: int, price: tuple[float, ...], usd: tuple[float, ...]
) -> DayMark:
    stale = tuple(mark.t_ns < oldest_ns for mark in marks)
    return DayMark(
        day=day,
        price=tuple(b if old else mark.price for b, old, mark in zip(price, stale, marks, strict=True)),
        usd=tuple(b if old else mark.usd for b, old, mark in zip(usd, stale, marks, strict=True)),
        stale=stale,
    )
