"""The accruals of a trade by day: differences of cumulative integer micro-USD, so that they sum exactly.  [R1.1, R1.4]

`engine.positions.formulas.daily_micro_usd` is the same rule for many trades at once.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

from engine.units import micro_usd

Cumulative = tuple[tuple[int, float], ...]
"""A term's running total: (day, USD earned or paid up to the end of that day), days ascending."""


def cumulative_micro(running: Cumulative) -> tuple[tuple[int, int], ...]:
    """Return ``running`` with each total in micro-USD, rounded half-even."""
    return tuple((day, micro_usd(usd)) for day, usd in running)


def total_micro(running: Cumulative) -> int:
    """Return the last total in micro-USD; 0 if ``running`` is empty."""
    return micro_usd(running[-1][1]) if running else 0


def accruals(terms: Iterable[tuple[int, Cumulative]]) -> dict[int, int]:
    """Return day -> micro-USD of ``terms``, pairs of a sign and a running total.

    Days ascend.  The values sum exactly to the signed sum of `total_micro` of the terms.

    >>> accruals([(1, ((0, 1.0), (1, 1.5))), (-1, ((1, 0.25),))])
    {0: 1000000, 1: 250000}
    """
    by_day: dict[int, int] = {}
    for sign, running in terms:
        steps = ((0, 0), *cumulative_micro(running))
        for (_, before), (day, after) in pairwise(steps):
            by_day[day] = by_day.get(day, 0) + sign * (after - before)
    # Terms begin on different days; days must ascend.
    return dict(sorted(by_day.items()))
