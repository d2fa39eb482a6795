"""Joins as of a time: at each grid time the last row of each column, from rows in the order of time.  [S1.1, S1.3]

Arrays are ``[N, T]``, one column's grid times side by side: so the engine reads them.
"""

from __future__ import annotations

from collections.abc import Sequence
from ctypes import CDLL
from dataclasses import dataclass
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from backtest.data.format.schema import CHANNEL_COLUMNS, LAG, REFRESHED, Channel
from backtest.data.panels.rows import Rows
from engine.arguments import require_columns
from engine.kernels.asof_joins import JoinedRows, quotes_asof, value_asof
from engine.kernels.choose import compiled
from engine.records import BoolArray, FloatArray, IntArray
from engine.units import NEVER_NS, NS_PER_DAY, NS_PER_SECOND

QUOTE_COLUMNS: Final = CHANNEL_COLUMNS[Channel.QUOTE]
Item = TypeVar("Item", bound=np.generic)


MAX_LAG_NS: Final = 2 * NS_PER_SECOND
"""The limit of a plan that registers none.  [live L0.4]"""
_UNUSABLE_NS: Final = 365 * NS_PER_DAY
"""Added to the age of a quote that came too late: above every registered limit of an age."""


@dataclass(frozen=True, slots=True)
class QuoteTiming:
    """What the age of a recorded quote counts from.  [live L0.4]

    Its receipt less its lag; a quote whose lag exceeds ``max_lag_ns`` is late, and unusable.  A refreshed one counts
    from its receipt where ``refreshes``, shape (instruments,), holds of its instrument, else as if it had not been
    refreshed.
    """

    max_lag_ns: int
    refreshes: BoolArray

    def counts_from(self, rows: Rows) -> IntArray:
        """Return, int64 of shape (n,), the time from which the age of each of ``rows`` counts, ns UTC."""
        if LAG not in rows.value:
            return rows.t_ns
        lag, again = rows.value[LAG], rows.value[REFRESHED] > 0
        late = ~again & (lag > self.max_lag_ns)
        counted = np.where(np.isnan(lag) | (again & self.refreshes[rows.code]), 0.0, lag)
        counted[late] = _UNUSABLE_NS
        return rows.t_ns - counted.astype(np.int64)


@dataclass(frozen=True, slots=True)
class Quotes:
    """Quotes on a grid: ages, ``NEVER_NS`` where there was none, and values by name; all ``[N, T]``.

    Raises ``DataError`` if a field is of another dtype or shape than ``age_ns``.
    """

    age_ns: IntArray
    value: dict[str, FloatArray]

    def __post_init__(self) -> None:
        require_columns(self, self.age_ns.shape)

    def put(self, other: Quotes, columns: IntArray) -> None:
        """Overwrite the quotes of ``columns`` with those of ``other``, in its order."""
        self.age_ns[columns] = other.age_ns
        for name, values in self.value.items():
            values[columns] = other.value[name]


def quotes_at(
    before: Sequence[Rows],
    chunks: Sequence[Rows],
    column: IntArray,
    times: IntArray,
    columns: int,
    timing: QuoteTiming | None = None,
) -> Quotes:
    """Return the last quotes of each column at ``times``, shape (T,): arrays of shape [columns, T].

    ``chunks`` are in the order of time; ``before`` are the few earlier rows that are carried in.  ``column``, shape
    (instruments,), is each code's column, -1 for none; every code of ``chunks`` has one.  A column without a quote at a
    time has age ``NEVER_NS`` and NaN values.  ``timing`` says from when
    ages count; None: of rows that have no lag, from their receipt.
    """
    timing = timing or QuoteTiming(MAX_LAG_NS, np.zeros(len(column), dtype=np.bool_))
    carried_ns, carried = np.full(columns, -1, dtype=np.int64), np.full((columns, len(QUOTE_COLUMNS)), np.nan)
    for rows in before:
        _carry(rows, column, carried_ns, carried, timing)
    shape = (columns, len(times))
    quotes = Quotes(np.empty(shape, dtype=np.int64), {name: np.empty(shape) for name in QUOTE_COLUMNS})
    bounds = [0, *np.searchsorted(times, [rows.t_ns[0] for rows in chunks[1:]]).tolist(), len(times)]
    for number, rows in enumerate(chunks or [_NOTHING]):
        now = slice(bounds[number], bounds[number + 1])
        # Rows with a lag have two times, and the kernel knows one.
        if LAG not in rows.value and (library := compiled()) is not None:
            state = carried_ns.copy(), carried.copy()
            if _joined(library, quotes, rows, column, times, now, state):
                carried_ns, carried = state
                continue
        _fill(quotes, rows, column, times, now, carried_ns, carried, timing)
        if number + 1 < len(chunks):
            _carry(rows, column, carried_ns, carried, timing)
    return quotes


def _joined(
    library: CDLL,
    quotes: Quotes,
    rows: Rows,
    column: IntArray,
    times: IntArray,
    now: slice,
    state: tuple[IntArray, FloatArray],
) -> bool:
    """Do what `_fill` and `_carry` do by the compiled kernel; False where the rows are out of order."""
    values = [np.ascontiguousarray(rows.value[name]) for name in QUOTE_COLUMNS]
    into = quotes.age_ns, [quotes.value[name] for name in QUOTE_COLUMNS]
    return quotes_asof(library, _in_time(rows, column, len(state[0])), values, times, now, state, into)


def _in_time(rows: Rows, column: IntArray, columns: int) -> JoinedRows:
    t_ns, code = np.ascontiguousarray(rows.t_ns), np.ascontiguousarray(rows.code)
    return JoinedRows(t_ns, code, np.ascontiguousarray(column, dtype=np.int64), columns)


_NOTHING: Final = Rows(np.empty(0, np.int64), np.empty(0, np.int32), {name: np.empty(0) for name in QUOTE_COLUMNS})


def _carry(rows: Rows, column: IntArray, carried_ns: IntArray, carried: FloatArray, timing: QuoteTiming) -> None:
    """Remember the last row of each column."""
    of_row = column[rows.code]
    # one more, for what has no column
    last = np.full(len(carried_ns) + 1, -1, dtype=np.int64)
    # assigned in order: the last one stays
    last[of_row] = np.arange(len(rows))
    there = np.flatnonzero(last[:-1] >= 0)
    carried_ns[there] = timing.counts_from(rows)[last[there]]
    for values, name in zip(carried.T, QUOTE_COLUMNS, strict=True):
        values[there] = rows.value[name][last[there]]


def _fill(
    quotes: Quotes,
    rows: Rows,
    column: IntArray,
    times: IntArray,
    now: slice,
    carried_ns: IntArray,
    carried: FloatArray,
    timing: QuoteTiming,
) -> None:
    """Fill ages and values at the times ``now``: of the last of ``rows``, else what was carried."""
    last = last_known(rows.t_ns, column[rows.code], times[now], len(carried_ns))
    of, when = np.nonzero(last < 0)
    lacking = of, when + now.start

    def put(into: NDArray[Item], values: NDArray[Item], before: NDArray[Item]) -> None:
        if len(values):
            into[:, now] = np.take(values, last, mode="wrap")
        into[lacking] = before[of]

    put(quotes.age_ns, timing.counts_from(rows), carried_ns)
    np.subtract(times[now], quotes.age_ns[:, now], out=quotes.age_ns[:, now])
    never = carried_ns[of] < 0
    quotes.age_ns[of[never], lacking[1][never]] = NEVER_NS
    for name, before in zip(QUOTE_COLUMNS, carried.T, strict=True):
        put(quotes.value[name], rows.value[name], before)


def last_known(t_ns: IntArray, column: IntArray, times: IntArray, columns: int) -> IntArray:
    """Return, ``[columns, T]``, the number of the last row with ``t_ns`` <= time, -1 where there is none.

    The rows of one column ascend in time.  A row enters at the first grid time at or after it and stays until a later
    row of its column enters.
    """
    # one more, for what is later than all times
    width = len(times) + 1
    cell = column * width
    cell += _entering(t_ns, times)
    last = np.full(columns * width, -1, dtype=np.int64)
    # assigned in order: the last one stays
    last[cell] = np.arange(len(t_ns))
    return np.asarray(np.maximum.accumulate(last.reshape(columns, width)[:, :-1], axis=1))


def _entering(t_ns: IntArray, times: IntArray) -> IntArray:
    """Return the number of the first of ``times`` at or after each moment, ``len(times)`` where there is none."""
    steps = np.diff(times)
    if len(steps) == 0 or (steps != steps[0]).any():
        return np.searchsorted(times, t_ns, side="left")
    # on a regular grid a division is faster than a search
    entering = t_ns - (times[0] - steps[0] + 1)
    entering //= steps[0]
    return np.asarray(np.clip(entering, 0, len(times), out=entering))


def values_at(rows: Rows, name: str, column: IntArray, times: IntArray, columns: int) -> FloatArray:
    """Return the last known ``name`` of each column, ``[columns, T]``; rows with NaN are passed over.

    Only columns that have a value are joined; if none has, the array is read-only.
    """
    known = ~np.isnan(rows.value[name])
    if known.any() and (library := compiled()) is not None:
        joined = value_asof(library, _in_time(rows, column, columns), np.ascontiguousarray(rows.value[name]), times)
        if joined is not None:
            return joined
    if not known.all():
        rows = rows.where(np.flatnonzero(known))
    if not len(rows):
        return np.broadcast_to(np.nan, (columns, len(times)))
    has = np.zeros(columns, dtype=bool)
    has[column[rows.code]] = True
    some = np.flatnonzero(has)
    last = last_known(rows.t_ns, (np.cumsum(has) - 1)[column[rows.code]], times, len(some))
    values = np.full((columns, len(times)), np.nan)
    values[some] = np.where(last < 0, np.nan, rows.value[name][last])
    return values
