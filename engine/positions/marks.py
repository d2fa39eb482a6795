"""Marks at the end of each UTC day of a position's life.  [statistics R1.4]

The mark of day d is the last one knowable at or before 24:00, which is the row of 00:00 of the next day if the grid has
it.  If it is older than the registered limit by then, the mark of the day before (on the first day the price at entry)
is carried and the leg-day is stale.  What a leg earned on a day is converted at the day's last index, also where its
own quote is older.  24:00 belongs to day d: a position closed exactly then has all its change of value
in d and its exit costs in d + 1.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from engine.positions.base import DayMark, LegMark, OpenPosition
from engine.positions.price_path import PricePath
from engine.units import NS_PER_DAY


def last_marks(seen: tuple[LegMark, ...], path: PricePath, start: int, last_row: int) -> tuple[LegMark, ...]:
    """Return each leg's last mark and last conversion in the rows ``start`` to ``last_row``; else those of ``seen``."""
    marks = list(seen)
    for leg in range(len(seen)):
        price, usd = path.mark[start : last_row + 1, leg], path.conversion[start : last_row + 1, leg]
        # NaN and 0 are no prices, and both compare false.
        converted = usd > 0.0
        if converted.any():
            marks[leg] = replace(marks[leg], usd=float(usd[np.flatnonzero(converted)[-1]]))
        marked = np.flatnonzero((price > 0.0) & converted)
        if len(marked):
            cell = start + int(marked[-1]), leg
            marks[leg] = replace(marks[leg], price=float(path.mark[cell]), t_ns=int(path.known_ns[cell]))
    return tuple(marks)


def day_marks(
    open_: OpenPosition, marks_at: Callable[[int], tuple[LegMark, ...]], until_ns: int, max_age_ns: int
) -> tuple[DayMark, ...]:
    """Return the marks of the days that ended after ``open_.seen_ns`` and not after ``until_ns``.

    ``marks_at(end_ns)`` returns each leg's last mark at that time.
    """
    marks: list[DayMark] = []
    for day in range(open_.seen_ns // NS_PER_DAY, until_ns // NS_PER_DAY):
        end_ns = (day + 1) * NS_PER_DAY
        before = (open_.marks + tuple(marks))[-1:]
        price = before[0].price if before else tuple(leg.mid for leg in open_.entry)
        marks.append(_day_mark(day, marks_at(end_ns), end_ns - max_age_ns, price))
    return tuple(marks)


def _day_mark(day: int, marks: tuple[LegMark, ...], oldest_ns: int, price: tuple[float, ...]) -> DayMark:
    stale = tuple(mark.t_ns < oldest_ns for mark in marks)
    return DayMark(
        day=day,
        price=tuple(b if old else mark.price for b, old, mark in zip(price, stale, marks, strict=True)),
        usd=tuple(mark.usd for mark in marks),
        stale=stale,
    )
