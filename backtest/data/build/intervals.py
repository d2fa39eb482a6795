"""Gathers the funding intervals that rows state, and says by which an instrument settles when.  [venues V3]"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from backtest.data.format.funding_intervals import IntervalSteps, steps_of
from engine.errors import DataError
from engine.records import IntArray
from engine.units import NS_PER_HOUR


@dataclass(slots=True)
class StatedIntervals:
    """Of each instrument the (time, interval) of its settlements, part by part, and the file that first had one."""

    parts: dict[str, list[IntArray]] = field(default_factory=dict)
    file: dict[str, str] = field(default_factory=dict)

    def add(self, file: str, intervals: Mapping[str, IntArray]) -> None:
        """Take in what one part of a source states, of shape (n, 2) each."""
        for name, part in intervals.items():
            self.parts.setdefault(name, []).append(part)
            self.file.setdefault(name, file)

    def put_into(self, instruments: Mapping[str, dict[str, object]]) -> dict[str, IntervalSteps]:
        """Return the intervals by time of the instruments, by name, that have more than one.

        The rows of ``instruments`` get the last interval of each.  Raises ``DataError`` (4), naming the file, if no
        settlement has the interval that the sources declare, ``funding_h``.
        """
        changing = {}
        for name, parts in self.parts.items():
            if name not in instruments:
                continue
            known = np.concatenate(parts)
            # Files may come in any order; the same settlement from two files is refused where rows are merged.
            known = known[np.argsort(known[:, 0], kind="stable")]
            steps, declared = (
                steps_of(known[:, 0], known[:, 1]),
                int(str(instruments[name]["funding_interval_ns"])),
            )
            if declared not in steps.interval_ns:
                hours = " and ".join(f"{ns / NS_PER_HOUR:g} h" for ns in np.unique(steps.interval_ns))
                raise DataError(
                    f"{self.file[name]}: expected {declared / NS_PER_HOUR:g} h between settlements of {name} as option "
                    f"funding_h says, was {hours}; set funding_h of its sources to the first of the file"
                )
            instruments[name]["funding_interval_ns"] = int(steps.interval_ns[-1])
            if len(steps.interval_ns) > 1:
                changing[name] = steps
        return changing
