"""The funding intervals of an instrument by time, where its venue changed them: a dated table of the data set.

Binance moves a contract from 8 h to 4 h or 1 h and back, at a settlement and not at midnight.  The instruments table
has one interval a contract, the last one; ``funding_intervals.parquet`` has all, where it changes.  [venues V3]
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import pyarrow as pa

from engine.arguments import require_columns
from engine.errors import DataError
from engine.records import Instruments, IntArray
from engine.units import NS_PER_DAY, NS_PER_HOUR, NS_PER_SECOND

LATEST_PAYMENT_NS: Final = 900 * NS_PER_SECOND
"""Payments after outages came up to some minutes late in the stored files; the next schedule is an hour away."""

FUNDING_FILE: Final = "funding_intervals.parquet"
FUNDING_SCHEMA: Final = pa.schema(
    [
        pa.field("name", pa.string(), nullable=False),
        pa.field("from_ns", pa.int64(), nullable=False),
        pa.field("interval_ns", pa.int64(), nullable=False),
    ]
)
"""One row a change: settlements after ``from_ns`` come each ``interval_ns``; the first row of a name is from 0 on."""


@dataclass(frozen=True, slots=True)
class IntervalSteps:
    """The interval of one instrument: ``interval_ns[i]`` for settlements in ``(from_ns[i], from_ns[i + 1]]``, ``[K]``.

    ``from_ns[0]`` is 0, before all.
    """

    from_ns: IntArray
    interval_ns: IntArray

    def __post_init__(self) -> None:
        require_columns(self, (len(self.from_ns),))

    def at(self, t_ns: IntArray) -> IntArray:
        """Return the interval of settlements at ``t_ns``, ns UTC, of its shape: the old one at the change itself.

        >>> hour = 3_600 * 10**9
        >>> steps = IntervalSteps(np.array([0, 8 * hour]), np.array([8 * hour, 4 * hour]))
        >>> (steps.at(np.array([8 * hour, 12 * hour])) // hour).tolist()
        [8, 4]
        """
        return self.interval_ns[np.maximum(np.searchsorted(self.from_ns, t_ns, side="left") - 1, 0)]

    def at_labels(self, label_ns: IntArray) -> IntArray:
        """Return the interval of settlements by the labels of their payments, which may be late, of its shape."""
        return self.at(label_ns - LATEST_PAYMENT_NS)

    def due(self, after_ns: int, until_ns: int) -> IntArray:
        """Return the settlement times in ``(after_ns, until_ns]``, ns UTC, ascending."""
        ends = np.append(self.from_ns[1:], until_ns)
        parts = []
        for start, end, step in zip(self.from_ns.tolist(), ends.tolist(), self.interval_ns.tolist(), strict=True):
            first, last = max(after_ns, start) // step + 1, min(until_ns, end) // step
            parts.append(np.arange(first, last + 1, dtype=np.int64) * step)
        return np.concatenate(parts)


def intervals_of_gaps(t_ns: IntArray, stated_ns: IntArray) -> IntArray:
    """Return the interval that ended at each settlement, of the shape of ``t_ns``.

    Parameters
    ----------
    t_ns : int64 array of shape (n,)
        Settlements, ns UTC, ascending.
    stated_ns : int64 array of shape (n,)
        What each says its interval is.  At a change a venue may mean the interval that ended or the one that begins:
        where the time since the settlement before is that of the row before and not its own, it is the former row's.

    Examples
    --------
    The row at 08:00 says four hours, of what follows; the time before it was eight.

    >>> hour = 3_600 * 10**9
    >>> times, hours = np.array([0, 8, 12]) * hour, np.array([8, 4, 4]) * hour
    >>> (intervals_of_gaps(times, hours) // hour).tolist()
    [8, 8, 4]
    """
    result = stated_ns.copy()
    # Labels are some milliseconds to minutes late; intervals are whole hours.
    gap = (np.diff(t_ns) + NS_PER_HOUR // 2) // NS_PER_HOUR * NS_PER_HOUR
    former = (gap != stated_ns[1:]) & (gap == stated_ns[:-1])
    result[1:][former] = stated_ns[:-1][former]
    return result


def steps_of(t_ns: IntArray, stated_ns: IntArray) -> IntervalSteps:
    """Return the interval by time of settlements ``t_ns``, ns UTC, ascending, and what each states, ``[n]``, n > 0."""
    ended = intervals_of_gaps(t_ns, stated_ns)
    change = np.flatnonzero(np.diff(ended))
    return IntervalSteps(np.append(0, t_ns[change]), np.append(ended[0], ended[change + 1]))


def steps_to_table(steps: Mapping[str, IntervalSteps]) -> pa.Table:
    """Return the steps by instrument name as a table of ``FUNDING_SCHEMA``, by name and time."""
    names = sorted(steps)
    columns = (
        [name for name in names for _ in steps[name].from_ns],
        np.concatenate([steps[name].from_ns for name in names]),
        np.concatenate([steps[name].interval_ns for name in names]),
    )
    return pa.table([pa.array(c, f.type) for c, f in zip(columns, FUNDING_SCHEMA, strict=True)], FUNDING_SCHEMA)


def steps_from_table(table: pa.Table, instruments: Instruments, where: str) -> dict[int, IntervalSteps]:
    """Return the steps by code.

    Raises ``DataError`` naming ``where`` if a name is no instrument that pays funding, times do not ascend from 0, an
    interval is not positive, or the last is not that of the instruments table.
    """
    if not table.schema.equals(FUNDING_SCHEMA):
        raise DataError(f"{where}: expected the columns name, from_ns, interval_ns, was {table.schema.names}")
    frame, steps = table.to_pandas(), {}
    for name, of_name in frame.groupby("name", sort=False):
        code = instruments.code_of(str(name))
        from_ns, interval_ns = (of_name[column].to_numpy(np.int64) for column in ("from_ns", "interval_ns"))
        if (
            code < 0
            or from_ns[0] != 0
            or (np.diff(from_ns) <= 0).any()
            or (interval_ns <= 0).any()
            or interval_ns[-1] != instruments.funding_interval_ns[code]
        ):
            raise DataError(
                f"{where}, {name!r:.200}: expected funding intervals of an instrument from 0 on, ascending, the "
                f"last as in the instruments table, was from {from_ns[:8].tolist()} "
                f"each {interval_ns[:8].tolist()} ns; build it again"
            )
        steps[code] = IntervalSteps(from_ns, interval_ns)
    return steps


def instruments_by_day(
    instruments: Instruments, steps: Mapping[int, IntervalSteps]
) -> tuple[tuple[int, Instruments], ...]:
    """Return (first UTC day since 1970-01-01, the instruments of that day and on), ascending, the first from day 0.

    The interval of a day is that in force at its end.
    """
    # What changes at the very end of a day is in force on the next.
    days = sorted({0, *(int(t_ns) // NS_PER_DAY for each in steps.values() for t_ns in each.from_ns)})
    epochs = []
    for day in days if steps else [0]:
        interval_ns = instruments.funding_interval_ns.copy()
        for code, each in steps.items():
            interval_ns[code] = each.at(np.array([(day + 1) * NS_PER_DAY]))[0]
        interval_ns.setflags(write=False)
        epochs.append((day, replace(instruments, funding_interval_ns=interval_ns) if steps else instruments))
    return tuple(epochs)
