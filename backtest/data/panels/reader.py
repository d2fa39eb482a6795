"""Reads quote files as panels: an as-of join, one (underlying, UTC day) at a time.  [S1.1, S1.3]

At grid time t an instrument carries its last row with knowable time <= t, each channel by itself.  What was carried
into a day comes from the ``carry_days`` days before it and from nothing older, so that a panel is a function of those
files alone: reading from another start gives the same panel.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields, replace
from typing import Final

import numpy as np

from backtest.data.format.dataset import Dataset
from backtest.data.format.schema import Channel
from backtest.data.panels.asof import MAX_LAG_NS, QuoteTiming, values_at
from backtest.data.panels.delivery import delivery_means, delivery_rows
from backtest.data.panels.funding import MEAN_NS, funding_mean, funding_paid, rates_of_day, settled_mean
from backtest.data.panels.joined_quotes import joined_quotes, quotes_of, rows_of
from backtest.data.panels.rows import DayRows, load_day, merge, tail_of
from engine.errors import UsageError
from engine.records import IntArray, Panel
from engine.units import NEVER_NS, NS_PER_DAY


def panels(
    dataset: Dataset,
    underlying: str,
    from_ns: int,
    to_ns: int,
    *,
    grid_ns: int | None = None,
    codes: Sequence[int] | None = None,
    times_ns: IntArray | None = None,
    funding_average_ns: int | None = None,
    delivery_windows_ns: IntArray | None = None,
    carry_days: int = 1,
    max_lag_ns: int = MAX_LAG_NS,
    refreshed: Collection[str] = (),
) -> Iterator[Panel]:
    """Yield one panel for each UTC day that has grid times in [from, to), with the columns of ``FX``.  [S1.3]

    Parameters
    ----------
    dataset : Dataset
        An opened data set.
    underlying : str
        One of ``dataset.underlyings``.
    from_ns, to_ns : int
        The span [from, to) of grid times, ns UTC.
    grid_ns : int, optional
        A step instead of the data set's.
    codes : sequence of int, optional
        The instruments to keep, those of ``FX`` too; all by default.
    times_ns : int64 array of shape (T,), optional
        Grid times, ascending, instead of the grid.
    funding_average_ns : int, optional
        The trailing span of ``funding_mean``; without it ``funding_mean`` is all NaN.
    delivery_windows_ns : int64 array of shape (instruments,), optional
        The averaging windows before expiry, 0 for none; without it ``delivery_mean`` is all NaN.
    carry_days : int, optional
        For how many days a value is carried.
    max_lag_ns : int, optional
        A recorded quote that came longer after its event is unusable; 2 s where not given.
    refreshed : collection of str, optional
        Venues whose quotes are as fresh as their connection shows; none where not given.

    Yields
    ------
    Panel
        Arrays of shape [T, N], read-only: the last value knowable at each grid time, NaN for what was never known.  A
        day with grid times but without rows gives what is still carried, possibly without columns.  A span without grid
        times gives no panel.

    Raises
    ------
    UsageError
        If ``underlying`` is unknown or ``times_ns`` does not ascend (2).
    MissingError, GateError, DataError
        If a quote file is missing (3), differs from the manifest (21), or is not in form (4).

    Examples
    --------
    >>> import tempfile
    >>> from backtest.data.adapters.base import SourceSpec
    >>> from pathlib import Path
    >>> from backtest.data.build.assemble import build
    >>> from backtest.data.format.dataset import open_dataset
    >>> temporary = tempfile.TemporaryDirectory()
    >>> folder = Path(temporary.name)
    >>> _ = (folder / "btc.csv").write_text("ts,close\\n1767225600000,90000\\n1767229200000,90100\\n")
    >>> options = {"venue": "binance", "kind": "spot", "base": "BTC", "quote": "USDT", "feed": "bar", "bar": "1h"}
    >>> options |= {"label": "ms", "drop_zero_volume": False, "drop_last": False}
    >>> source = SourceSpec("candles_csv", "btc.csv", options, "an example", "none")
    >>> dataset = open_dataset(build([source], folder, folder / "set", "example", grid_ns=3_600_000_000_000))
    >>> start_ns = 1767225600 * 10**9
    >>> (panel,) = panels(dataset, "BTC", start_ns, start_ns + 3 * 3_600_000_000_000)
    >>> panel.bid[:, 0]  # a bar is known at its close
    array([   nan, 90000., 90100.])
    >>> temporary.cleanup()
    """
    if underlying not in dataset.underlyings:
        raise UsageError(f"{dataset.path}: expected an underlying of {dataset.underlyings}, was {underlying!r}")
    times, earlier_time = _grid(dataset, underlying, from_ns, to_ns, grid_ns, times_ns)
    if not len(times):
        # a span between two snapshots
        return
    wanted = None
    if codes is not None:
        wanted = np.zeros(len(dataset.instruments), dtype=bool)
        wanted[list(codes)] = True
    # one panel a UTC day, as quote files are
    days = times // NS_PER_DAY
    starts = np.flatnonzero(np.diff(days, prepend=-1))
    stops = np.append(starts[1:], len(times))
    timing = QuoteTiming(max_lag_ns, np.array([venue in refreshed for venue in dataset.instruments.venue], dtype=bool))
    tails: dict[int, tuple[list[DayRows], dict[int, float]]] = {}

    def load(of_day: int) -> tuple[tuple[DayRows, ...], list[DayRows], dict[int, float]]:
        parts = load_day(dataset, underlying, of_day, wanted)
        means = delivery_means(parts, dataset.instruments, delivery_windows_ns, of_day)
        return parts, [tail_of(part) for part in parts], means

    # one day ahead: decoding releases the interpreter lock while this thread joins
    with ThreadPoolExecutor(1) as pool:
        following = [pool.submit(load, day) for day in days[:1].tolist()]
        for start, stop in zip(starts.tolist(), stops.tolist(), strict=True):
            day, (parts, own_tails, own_means) = int(days[start]), following.pop().result()
            following += [pool.submit(load, d) for d in days[stop : stop + 1].tolist()]
            tails = {
                earlier: tails[earlier] if earlier in tails else load(earlier)[1:]
                for earlier in range(day - carry_days, day)
            }
            before = [tail for of_day, _ in tails.values() for tail in of_day]
            tails[day] = own_tails, own_means
            means = {code: mean for _, of_day in tails.values() for code, mean in of_day.items()}
            previous = int(times[start - 1]) if start else earlier_time
            now = times[start:stop]
            read = (before, parts, own_tails, means)
            made = [_panel(dataset, underlying, day, now, previous, read, funding_average_ns, carry_days, timing)]
            # of each day one copy of the rows, while the next is being decoded
            del parts, read
            # nor the panel, once the caller has let go of it
            yield made.pop()


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
    read: tuple[Sequence[DayRows], Sequence[DayRows], Sequence[DayRows], dict[int, float]],
    funding_average_ns: int | None,
    carry_days: int,
    timing: QuoteTiming,
) -> Panel:
    """Return the panel of some grid times of ``day``.

    ``read``: tails of earlier days, the day's rows, their tails, and the means of the index before each expiry.
    """
    instruments, (before, parts, tails, means) = dataset.instruments_on(day), read
    present = np.zeros(len(instruments), dtype=bool)
    for part in (*before, *tails):
        for of_channel in part.values():
            present[of_channel.code] = True
    # the expired leave on the day after, once a grid time has seen their settlement
    leaves_ns = day * NS_PER_DAY if previous is None else min(day * NS_PER_DAY, previous + 1)
    present &= instruments.expiry_ns >= leaves_ns
    code = np.flatnonzero(present).astype(np.int32)
    column = np.full(len(instruments), -1, dtype=np.int64)
    column[code] = np.arange(len(code))
    carried, chunks = quotes_of(before, before, present), quotes_of(parts, tails, present)
    quotes = joined_quotes(carried, chunks, column, code, times, timing)

    rows = {
        channel: rows_of(of_channel, present)
        for channel, of_channel in merge([*before, *parts], set(Channel) - {Channel.QUOTE}).items()
    }
    # a rate is published for the interval in force: on a day of another one it is that day's share of time
    of_day = rates_of_day(rows[Channel.FUNDING], instruments, dataset.funding_steps)
    rows[Channel.FUNDING] = replace(rows[Channel.FUNDING], value={"rate": of_day})
    values = {name: array.T for name, array in quotes.value.items()}
    for name, channel, known in _OTHERS:
        values[name] = values_at(rows[channel], known, column, times, len(code)).T
    first_ns = np.full(len(code), NEVER_NS)
    # only settlements need the first quote of an instrument
    pays = instruments.funding_interval_ns > 0
    for of_channel in (*carried, *chunks):
        of = np.flatnonzero(pays[of_channel.code])
        np.minimum.at(first_ns, column[of_channel.code[of]], of_channel.t_ns[of])
    funding, settle = rows[Channel.FUNDING], rows[Channel.SETTLE]
    since_ns = min([int(times[0]) - MEAN_NS, *([] if previous is None else [previous])])
    schedules = {
        int(column[c]): steps.due(since_ns, int(times[-1])) for c, steps in dataset.funding_steps.items() if present[c]
    }
    values["funding_mean"] = funding_mean(
        funding.t_ns, column[funding.code], funding.value["rate"], times, len(code), funding_average_ns
    )
    values["settled_mean"] = settled_mean(
        settle.t_ns,
        column[settle.code],
        rates_of_day(settle, instruments, dataset.funding_steps),
        times,
        instruments.funding_interval_ns[code],
        schedules,
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
        schedules,
    )
    values["delivery_mean"] = delivery_rows(means, instruments, code, times)
    panel = Panel(
        underlying=underlying,
        times_ns=times.copy(),
        code=code,
        instruments=instruments,
        age_ns=quotes.age_ns.T,
        **values,
    )
    for field in fields(Panel):
        array = getattr(panel, field.name)
        if isinstance(array, np.ndarray):
            # panels are shared by constraints and workers
            array.setflags(write=False)
    return panel


# Fields of a panel that are the last known value of a channel other than the quotes.
_OTHERS: Final = (
    ("mark", Channel.MARK, "mark"),
    ("index", Channel.MARK, "index"),
    ("settlement", Channel.DELIVERY, "price"),
    ("funding_rate", Channel.FUNDING, "rate"),
    ("funding_8h", Channel.FUNDING_8H, "rate"),
)
