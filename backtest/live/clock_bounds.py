"""What the asked servers say of our clock: by how much it is ahead of a venue's at most.  [live L0.4, L1]

Asked at t1 and answered by t2 with the time s (floored to its unit): ours is ahead by t1 - s - unit at least and by
t2 - s at most.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence

from backtest.data.raw.control_log import ControlEvent


class ClockBounds:
    """The bounds of each venue's answers, in the order in which they came."""

    def __init__(self, events: Iterable[ControlEvent]) -> None:
        self._asked: dict[str, tuple[list[int], list[int]]] = {}
        for event in sorted((event for event in events if event.event == "clock"), key=lambda event: event.at_ns):
            times, bounds = self._asked.setdefault(event.fields["venue"], ([], []))
            times.append(event.at_ns)
            bounds.append(event.fields["t2_ns"] - event.fields["server_ns"])

    def upper_ns(self, venue: str, wall_ns: int) -> int:
        """Return by how much our clock was ahead of ``venue``'s at most, ns, by its last answer up to ``wall_ns``.

        0 before its first answer: an event is then as old as the two clocks say.
        """
        times, bounds = self._asked.get(venue, ([], []))
        at = bisect_right(times, wall_ns) - 1
        return bounds[at] if at >= 0 else 0


def largest_bound_ns(events: Sequence[ControlEvent], start: int, end: int) -> int | None:
    """Return the largest distance of our clock from a server's on a day, ns at most; None where none was asked."""
    bounds = []
    for event in events:
        if event.event == "clock" and start <= event.at_ns < end:
            t1, server, t2, unit = (event.fields[key] for key in ("t1_ns", "server_ns", "t2_ns", "server_unit_ns"))
            bounds.append(max(abs(server - t2), abs(server + unit - t1)))
    return max(bounds, default=None)
