"""From quote files to panels: an as-of join, one (underlying, UTC day) at a time.  [S1.1, S1.3]

At grid time t an instrument carries its last row with knowable time <= t, each channel by itself.  What was carried
into a day comes from the ``carry_days`` days before it and from nothing older, so that a panel is a function of those
files alone: reading from another start gives the same panel.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import fields

import numpy as np

from backtest.data.dataset import Dataset
from backtest.data.funding import funding_mean, funding_paid
from backtest.data.rows import DayRows, Rows, load_day, merge, tail_of
from backtest.data.schema import CHANNEL_COLUMNS, Channel
from engine.errors import UsageError
from engine.records import FloatArray, IntArray, Panel
from engine.units import NEVER_NS, NS_PER_DAY


def panels(
    dataset: Dataset,
    underlying: str,
    from_ns: int,
    to_ns: int,
    *,
    grid_ns: int | None,
    codes: Sequence[int] | None,
    times_ns: IntArray | None,
    funding_average_ns: int | None,
    carry_days: int,
) -> Iterator[Panel]:
    """Yield one panel a UTC day that has grid times in [from, to), columns of ``FX`` joined.  [S1.3]

    ``grid_ns`` overrides the data set's step; ``times_ns`` (ascending) replaces the grid; ``codes`` restricts the
    columns, those of ``FX`` too; ``funding_average_ns`` is the trailing span of ``funding_mean`` (None: all NaN).
    A day with grid times but without rows gives the panel of what is still carried, possibly without columns.
    Raises ``UsageError`` (2) for an unknown underlying; see :meth:`Dataset.read` for the files.
    """
    if underlying not in dataset.underlyings:
        raise UsageError(f"{dataset.path}: expected an underlying of {dataset.underlyings}, was {underlying!r}")
    times, before = _grid(dataset, underlying, from_ns, to_ns, grid_ns, times_ns)
    wanted = None
    if codes is not None:
        wanted = np.zeros(len(dataset.instruments), dtype=bool)
        wanted[list(codes)] = True
    tails: deque[tuple[int, DayRows]] = deque(maxlen=carry_days)
    days = times // NS_PER_DAY
    starts = np.flatnonzero(np.diff(days, prepend=-1))
    for start, stop in zip(starts, np.append(starts[1:], len(times)), strict=True):
        day = int(days[start])
        known = {of_day: tail for of_day, tail in tails if of_day >= day - carry_days}
        for earlier in range(day - carry_days, day):
            tail = known[earlier] if earlier in known else tail_of(load_day(dataset, underlying, earlier, wanted))
            known[earlier] = tail
        rows = load_day(dataset, underlying, day, wanted)
        merged = merge([known[of_day] for of_day in sorted(known)] + [rows])
        previous = int(times[start - 1]) if start else before
        yield _panel(dataset, underlying, day, times[start:stop], previous, merged, funding_average_ns, carry_days)
        tails = deque([*sorted(known.items(), key=lambda item: item[0]), (day, tail_of(rows))], maxlen=carry_days)


def _grid(
    dataset: Dataset, underlying: str, from_ns: int, to_ns: int, grid_ns: int | None, times_ns: IntArray | None
) -> tuple[IntArray, int | None]:
    """Return the grid times in [from, to) and the one before them (None: there is none)."""
    if times_ns is not None:
        times = np.asarray(times_ns, dtype=np.int64)
        if (np.diff(times) <= 0).any():
            raise UsageError("times_ns: expected ascending times")
        low, high = np.searchsorted(times, [from_ns, to_ns])
        return times[low:high], int(times[low - 1]) if low else None
    times = dataset.grid(underlying, from_ns, to_ns, grid_ns)
    step = dataset.grid_ns if grid_ns is None else grid_ns
    if not len(times):
        return times, None
    if step > 0:
        return times, int(times[0]) - step
    earlier = dataset.grid(underlying, 0, int(times[0]), 0)
    return times, int(earlier[-1]) if len(earlier) else None


def _panel(
    dataset: Dataset,
    underlying: str,
    day: int,
    times: IntArray,
    previous: int | None,
    rows: DayRows,
    funding_average_ns: int | None,
    carry_days: int,
) -> Panel:
    instruments = dataset.instruments
    present = np.zeros(len(instruments), dtype=bool)
    for own in rows.values():
        present[own.code] = True
    present &= instruments.expiry_ns >= day * NS_PER_DAY  # the expired leave on the day after
    code = np.flatnonzero(present).astype(np.int32)
    column = np.full(len(instruments), -1, dtype=np.int64)
    column[code] = np.arange(len(code))
    if not present.all():
        rows = {channel: own.where(present[own.code]) for channel, own in rows.items()}
    quote, mark = rows[Channel.QUOTE], rows[Channel.MARK]

    at_quote = last_known(quote.t_ns, column[quote.code], times, len(code))
    stamp = np.append(0, quote.t_ns)
    age_ns = np.where(at_quote > 0, times[:, None] - stamp[at_quote], NEVER_NS)
    first_ns = np.full(len(code), NEVER_NS)
    np.minimum.at(first_ns, column[quote.code], quote.t_ns)
    values = {name: _take(at_quote, quote.value[name]) for name in CHANNEL_COLUMNS[Channel.QUOTE]}
    for name in CHANNEL_COLUMNS[Channel.MARK]:
        values[name] = _as_of(mark.where(~np.isnan(mark.value[name])), name, column, times, len(code))
    values["settlement"] = _as_of(rows[Channel.DELIVERY], "price", column, times, len(code))
    values["funding_rate"] = _as_of(rows[Channel.FUNDING], "rate", column, times, len(code))
    funding, settle = rows[Channel.FUNDING], rows[Channel.SETTLE]
    values["funding_mean"] = funding_mean(
        funding.t_ns, column[funding.code], funding.value["rate"], times, len(code), funding_average_ns
    )
    values["funding_paid"] = funding_paid(
        settle.t_ns,
        column[settle.code],
        settle.value["rate"],
        times,
        previous,
        first_ns,
        instruments.funding_interval_ns[code],
        (day - carry_days) * NS_PER_DAY,
    )
    panel = Panel(
        underlying=underlying, times_ns=times.copy(), code=code, instruments=instruments, age_ns=age_ns, **values
    )
    for field in fields(Panel):
        array = getattr(panel, field.name)
        if isinstance(array, np.ndarray):
            array.setflags(write=False)
    return panel


def last_known(t_ns: IntArray, column: IntArray, times: IntArray, columns: int) -> IntArray:
    """Return, ``[T, columns]``, 1 + the number of the last row with ``t_ns`` <= time, 0 where there is none.

    The rows of one column ascend in time.  A row enters at the first grid time at or after it and stays until a later
    row of its column enters.
    """
    enters = np.searchsorted(times, t_ns, side="left")
    numbers = np.flatnonzero(enters < len(times))
    last = np.zeros(len(times) * columns, dtype=np.int64)
    last[enters[numbers] * columns + column[numbers]] = numbers + 1  # assigned in order: the last one stays
    return np.asarray(np.maximum.accumulate(last.reshape(len(times), columns), axis=0))


def _take(at: IntArray, values: FloatArray) -> FloatArray:
    """Return the values of the rows ``at`` (1-based), NaN for 0."""
    return np.append(np.nan, values)[at]


def _as_of(rows: Rows, name: str, column: IntArray, times: IntArray, columns: int) -> FloatArray:
    """Return the last ``name`` of each column, ``[T, columns]``; only columns that have one are joined."""
    values = np.full((len(times), columns), np.nan)
    some, own = np.unique(column[rows.code], return_inverse=True)
    if len(some):
        values[:, some] = _take(last_known(rows.t_ns, own, times, len(some)), rows.value[name])
    return values
