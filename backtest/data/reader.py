"""From quote files to panels: an as-of join, one (underlying, UTC day) at a time.  [S1.1, S1.3]

At grid time t an instrument carries its last row with knowable time <= t, each channel by itself.  What was carried
into a day comes from the ``carry_days`` days before it and from nothing older, so that a panel is a function of those
files alone: reading from another start gives the same panel.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from typing import Any

import numpy as np

from backtest.data.dataset import Dataset
from backtest.data.funding import funding_mean, funding_paid
from backtest.data.rows import DayRows, Rows, load_day, merge, tail_of
from backtest.data.schema import CHANNEL_COLUMNS, Channel
from engine.errors import UsageError
from engine.records import BoolArray, FloatArray, IntArray, Panel
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
    days = times // NS_PER_DAY
    starts = np.flatnonzero(np.diff(days, prepend=-1))
    stops = np.append(starts[1:], len(times))
    tails: dict[int, DayRows] = {}
    with ThreadPoolExecutor(1) as pool:
        following = [pool.submit(load_day, dataset, underlying, day, wanted) for day in days[:1].tolist()]
        for start, stop in zip(starts.tolist(), stops.tolist(), strict=True):
            day, parts = int(days[start]), following.pop().result()
            following += [pool.submit(load_day, dataset, underlying, d, wanted) for d in days[stop : stop + 1].tolist()]
            tails = {
                earlier: tails[earlier] if earlier in tails else _tail(load_day(dataset, underlying, earlier, wanted))
                for earlier in range(day - carry_days, day)
            }
            rows = merge([*tails.values(), *parts])
            tails[day] = _tail(parts)
            del parts  # of each day one copy of the rows, while the next is being decoded
            previous = int(times[start - 1]) if start else before
            panel = _panel(dataset, underlying, day, times[start:stop], previous, rows, funding_average_ns, carry_days)
            del rows
            yield panel


def _tail(parts: Sequence[DayRows]) -> DayRows:
    """Return what a day hands on to those after it."""
    return merge([tail_of(part) for part in parts])


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
    rows = {channel: _of_these(own, present) for channel, own in rows.items()}
    quote, mark = rows[Channel.QUOTE], rows[Channel.MARK]

    quoted = column[quote.code]
    at_quote = last_known(quote.t_ns, quoted, times, len(code))
    never = at_quote < 0
    age_ns = times[:, None] - _taken(quote.t_ns, at_quote)
    age_ns[never] = NEVER_NS
    values = {name: _known(quote.value[name], at_quote, never) for name in CHANNEL_COLUMNS[Channel.QUOTE]}
    first_ns = np.full(len(code), NEVER_NS)
    pays = np.flatnonzero(
        (instruments.funding_interval_ns[code] > 0)[quoted]
    )  # nobody asks for the first quote of others
    np.minimum.at(first_ns, quoted[pays], quote.t_ns[pays])
    for name in CHANNEL_COLUMNS[Channel.MARK]:
        values[name] = _as_of(mark.where(np.flatnonzero(~np.isnan(mark.value[name]))), name, column, times, len(code))
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


def _of_these(rows: Rows, present: BoolArray) -> Rows:
    """Return the rows of the codes that are ``present``."""
    keep = present[rows.code]
    return rows if keep.all() else rows.where(np.flatnonzero(keep))


def last_known(t_ns: IntArray, column: IntArray, times: IntArray, columns: int) -> IntArray:
    """Return, ``[T, columns]``, the number of the last row with ``t_ns`` <= time, -1 where there is none.

    The rows of one column ascend in time.  A row enters at the first grid time at or after it and stays until a later
    row of its column enters.
    """
    cell = _entering(t_ns, times)
    cell *= columns
    cell += column
    last = np.full((len(times) + 1) * columns, -1, dtype=np.int64)  # one line more, for what is later than all times
    last[cell] = np.arange(len(t_ns))  # assigned in order: the last one stays
    lines = last[: len(times) * columns].reshape(len(times), columns)
    return np.asarray(np.maximum.accumulate(lines, axis=0, out=lines))


def _entering(t_ns: IntArray, times: IntArray) -> IntArray:
    """Return the number of the first of ``times`` at or after each moment, ``len(times)`` where there is none."""
    steps = np.diff(times)
    if len(steps) == 0 or (steps != steps[0]).any():
        return np.searchsorted(times, t_ns, side="left")
    entering = t_ns - (times[0] - steps[0] + 1)  # on a regular grid a division tells, which a search takes longer for
    entering //= steps[0]
    return np.asarray(np.clip(entering, 0, len(times), out=entering))


def _taken(values: FloatArray | IntArray, at: IntArray) -> Any:
    """Return the values of the rows ``at``; anything where that is -1."""
    return values[at] if len(values) else np.zeros(at.shape, dtype=values.dtype)


def _known(values: FloatArray, at: IntArray, never: BoolArray) -> FloatArray:
    """Return the values of the rows ``at``, NaN where there is ``never`` one."""
    known: FloatArray = _taken(values, at)
    known[never] = np.nan
    return known


def _as_of(rows: Rows, name: str, column: IntArray, times: IntArray, columns: int) -> FloatArray:
    """Return the last ``name`` of each column, ``[T, columns]``; only columns that have one are joined."""
    values = np.full((len(times), columns), np.nan)
    some, own = np.unique(column[rows.code], return_inverse=True)
    if len(some):
        at = last_known(rows.t_ns, own, times, len(some))
        values[:, some] = _known(rows.value[name], at, at < 0)
    return values
