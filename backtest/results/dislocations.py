"""Dislocations: what H3's floor of trades counts.  [spec README "Dislocations"]"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Final

from engine.units import NS_PER_SECOND

DISLOCATION_NS: Final = 3_600 * NS_PER_SECOND
"""A later signal of the same key belongs to the dislocation if it comes less than this after the opening one."""
DislocationKey = tuple[str, str, str, int | None]
"""Constraint, underlying, venue, expiry in ns; None where the signal does not expire."""


def count_dislocations(signals: Iterable[tuple[DislocationKey, int]]) -> Counter[str]:
    """Return how many dislocations each constraint has; ``signals`` are pairs (key, t0 in ns) by ascending t0.

    A signal opens one unless its t0 is less than 3,600 s after the signal that opened the last one of its key, so one
    more signal never lowers the count.

    >>> key = ("C3", "BTC", "x", 9)
    >>> count_dislocations((key, t * NS_PER_SECOND) for t in (0, 3_599, 3_600, 7_199))
    Counter({'C3': 2})
    """
    count: Counter[str] = Counter()
    opened: dict[DislocationKey, int] = {}
    for key, t_ns in signals:
        if key not in opened or t_ns - opened[key] >= DISLOCATION_NS:
            opened[key] = t_ns
            count[key[0]] += 1
    return count
