"""What a recorder has done so far, and when its budget of bytes a day will be reached.  [live L1]"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from backtest.record.record_plan import GB, Budget
from engine.units import NS_PER_DAY, NS_PER_SECOND

_FIRST_NS: Final = 60 * NS_PER_SECOND
"""A rate is looked at once it has been measured for a minute."""


@dataclass(frozen=True, slots=True)
class RecorderCounts:
    """Counts since the recorder began.

    ``connected`` of the ``feeds`` are subscribed now; ``messages`` are records of sockets; ``acknowledged`` records,
    those of REST among them, survive a power loss.
    """

    feeds: int
    connected: int
    streams: int
    messages: int
    dropped: int
    message_bytes: int
    stored_bytes: int
    acknowledged: int
    reconnects: int
    streams_in_a_gap: int
    disk: str


class BudgetWatch:
    """Says once a UTC day for each kind of bytes when its budget will be reached at the rate so far."""

    def __init__(self, budget: Budget, now_ns: int) -> None:
        self._limits = {
            "stored": int(float(budget.stored_gb_a_day) * GB),
            "message": int(float(budget.message_gb_a_day) * GB),
        }
        self._begin(now_ns, dict.fromkeys(self._limits, 0))

    def crossed(self, counts: RecorderCounts, now_ns: int) -> Iterator[tuple[str, int, int, int]]:
        """Yield (kind, bytes today, limit, wall ns at which it is reached) of each budget that today will not keep."""
        now = {"stored": counts.stored_bytes, "message": counts.message_bytes}
        if now_ns // NS_PER_DAY != self._since_ns // NS_PER_DAY:
            self._begin(now_ns, now)
        passed_ns = now_ns - self._since_ns
        if passed_ns < _FIRST_NS:
            return
        end_ns = (now_ns // NS_PER_DAY + 1) * NS_PER_DAY
        for kind, limit in self._limits.items():
            size = now[kind] - self._before[kind]
            reached_ns = self._since_ns + passed_ns * limit // max(size, 1)
            if reached_ns < end_ns and kind not in self._said:
                self._said.add(kind)
                yield kind, size, limit, reached_ns

    def _begin(self, now_ns: int, before: dict[str, int]) -> None:
        self._since_ns, self._before, self._said = now_ns, before, set[str]()
