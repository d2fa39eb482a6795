"""Prices the placebo entries of a window: each signal at each time the nulls of H1 shift it to.  [statistics 3.3]

    placements.parquet   signal_id, shift_ns, day, usd_micro      what a placebo entry earned, by UTC day
    unplaced.parquet     signal_id, shift_ns                      entries on which a leg was not listed or not quoted
    delayed.parquet      signal_id, delay_ns, at_trigger, day, usd_micro
                                                                  what it earned at its own time, filled later

``shift_ns`` is circular over the window, in [0, its length); 0 is the signal's own time, priced as the others are.
N2 reads the shifts to the other days of the signal's fold, N3 the registered multiples; many shifts serve both.
``delay_ns`` comes on top of the registered latency of entry and exit; ``at_trigger`` says that the exit has none, as if
it could be filled at the prices that trigger it: both are sensitivities.
"""

from __future__ import annotations

import io
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from backtest.data.format.atomic_write import refusing_half
from backtest.data.format.dataset import Dataset
from backtest.folds.curve_study import empty_history
from backtest.folds.registered_panels import registered_panels
from backtest.pipeline.covenant_orders import require_orders
from backtest.pipeline.signal_ranks import ranks_by_id, sources_of
from backtest.pipeline.touch_depths import BookSide, LargestTouches, Touches, books_hit, largest_kept, touch_table
from backtest.pipeline.window import WindowRun
from backtest.records import Plan, Registration, Stats
from backtest.results.tables import read_table
from backtest.tasks.progress import OnDayDone, watched
from backtest.tasks.scheduler import OnStep, Task, Workers, market_of, pool_of
from backtest.tasks.serialization import encode
from engine.market.view import PreparedPanel, prepare
from engine.positions.base import Signal
from engine.positions.portfolio import MARGIN
from engine.records import BoolArray, IntArray, Panel
from engine.repricing.base import PlaceboEarnings, SourceSignals
from engine.repricing.placebo_entries import reprice_all
from engine.units import NS_PER_DAY, NS_PER_SECOND

PLACED: Final = "placements.parquet"
UNPLACED: Final = "unplaced.parquet"
PIECE_NS: Final = 30 * NS_PER_DAY
"""The span of entries that one task prices; it reads on for as long as their positions live."""

DELAYED: Final = "delayed.parquet"

DELAYS_NS: Final = tuple(minutes * 60 * NS_PER_SECOND for minutes in (1, 5, 15, 60, 240, 480))
"""Delays of both fills beyond the registered latency, in nanoseconds: a sensitivity that no verdict reads."""

PLACED_SCHEMA: Final = pa.schema(
    [
        ("signal_id", pa.dictionary(pa.int32(), pa.string())),
        ("shift_ns", pa.int64()),
        ("day", pa.int32()),
        ("usd_micro", pa.int64()),
    ]
)
DELAYED_SCHEMA: Final = pa.schema(
    [
        PLACED_SCHEMA.field("signal_id"),
        pa.field("delay_ns", pa.int64()),
        pa.field("at_trigger", pa.bool_()),
        *(PLACED_SCHEMA.field(name) for name in ("day", "usd_micro")),
    ]
)
UNPLACED_SCHEMA: Final = pa.schema(PLACED_SCHEMA.field(name) for name in ("signal_id", "shift_ns"))
SCHEMAS: Final = {PLACED: PLACED_SCHEMA, UNPLACED: UNPLACED_SCHEMA, DELAYED: DELAYED_SCHEMA}


@dataclass(frozen=True, slots=True)
class Placements:
    """The tables, sorted by (signal_id, shift_ns or delay_ns and at_trigger, day)."""

    placed: pd.DataFrame
    unplaced: pd.DataFrame
    delayed: pd.DataFrame


def admitted_signals(run: WindowRun) -> tuple[Signal, ...]:
    """Return the signals that have placebo entries: those of the window that margin admitted.  [spec README "Tests"]"""
    refused = {trade.position.signal.signal_id for trade in run.trades if trade.rejected == MARGIN}
    return tuple(signal for signal in run.signals if signal.signal_id not in refused)


def n2_shifts(t_ns: int, plan: Plan) -> IntArray:
    """Return the shifts of a signal to each day of its fold, in order of day, int64 ns of shape (days of a fold,).

    The shift to the signal's own day is 0.  [statistics 3.3]
    """
    # Folds are counted from the start of the window, not from midnight of a calendar day.
    into = (t_ns - plan.t0_ns) % plan.fold_ns // NS_PER_DAY
    days = np.arange(plan.fold_ns // NS_PER_DAY, dtype=np.int64)
    return (days - into) * NS_PER_DAY % (plan.t1_ns - plan.t0_ns)


def n3_shifts(stats: Stats, plan: Plan) -> IntArray:
    """Return the registered circular shifts below the window's length, ascending, int64 ns of shape (shifts,)."""
    longest = min(stats.n3_max_ns, plan.t1_ns - plan.t0_ns - 1)
    return np.arange(stats.n3_min_ns, longest + 1, stats.n3_step_ns, dtype=np.int64)


def place_window(
    dataset: Dataset, run: WindowRun, workers: Workers, report: OnDayDone | None, *, moved_only: bool = False
) -> Placements:
    """Return the placements of a window's signals on ``dataset``; they do not depend on ``workers``.

    If ``moved_only``, no signal is priced at its own time: shift 0 and delays are left out.  [live L0.7]
    ``report`` is called with (days done, days in all) now and then; None watches nothing.
    """
    return _placed(dataset, run, workers, report, {}, moved_only)[0]


def place_and_touch(
    dataset: Dataset, run: WindowRun, workers: Workers, report: OnDayDone | None, *, moved_only: bool = False
) -> tuple[Placements, pa.Table]:
    """Return what `place_window` does, and of the same pass over the window the table of `touch_depths`."""
    return _placed(dataset, run, workers, report, books_hit(run), moved_only)


def _placed(
    dataset: Dataset,
    run: WindowRun,
    workers: Workers,
    report: OnDayDone | None,
    books: Mapping[str, Sequence[BookSide]],
    moved_only: bool,
) -> tuple[Placements, pa.Table]:
    params, plan, stats = run.registration.params, run.plan, run.registration.stats
    pool, market = pool_of(workers), market_of(dataset, run.registration)
    signals, ranks = admitted_signals(run), ranks_by_id(run)
    tasks, entries, hit = [], [], []
    for name in params.underlyings:
        sources = sources_of([signal for signal in signals if signal.underlying == name], ranks, params)
        signal, shift, delay, at_trigger = _entries(sources, plan, stats, moved_only)
        t_ns = plan.t0_ns + (sources.t_ns[signal] - plan.t0_ns + shift) % (plan.t1_ns - plan.t0_ns)
        # Encoded once for all tasks of an underlying: the sources are by far the largest argument.
        shared, of_name = encode((name, plan.t1_ns, sources)), books.get(name, ())
        wanted = encode((tuple(of_name), largest_kept(dataset, name, plan)))
        for from_ns in range(plan.t0_ns, plan.t1_ns, PIECE_NS):
            to_ns = min(from_ns + PIECE_NS, plan.t1_ns)
            in_piece = (t_ns >= from_ns) & (t_ns < to_ns)
            days = (to_ns - from_ns) // NS_PER_DAY if of_name else len(np.unique(t_ns[in_piece] // NS_PER_DAY))
            asked = _Entries(sources, signal[in_piece], shift[in_piece], delay[in_piece], at_trigger[in_piece])
            placed = (asked.signal, t_ns[in_piece], asked.delay_ns, asked.at_trigger)
            tasks.append(Task(place_piece, (shared, encode(placed), wanted, encode((from_ns, to_ns))), days))
            entries.append(asked)
            hit.append(of_name)
    with watched(sum(task.steps for task in tasks), report) as folder:
        done = pool.results(market, tasks, folder)
    earnings, touches = [part for part, _ in done], [part for _, part in done]
    return _tables(list(zip(entries, earnings, strict=True))), touch_table(run.instruments, hit, touches)


@dataclass(frozen=True, slots=True)
class _Entries:
    """Placebo entries of one underlying in consecutive days: arrays of shape (entries,), ``signal`` a row."""

    sources: SourceSignals
    signal: IntArray
    shift_ns: IntArray
    delay_ns: IntArray
    at_trigger: BoolArray


def _entries(
    sources: SourceSignals, plan: Plan, stats: Stats, moved_only: bool
) -> tuple[IntArray, IntArray, IntArray, BoolArray]:
    """Return (signal, shift, delay, at trigger) of all placebo entries, each once, one of the three set at most.

    All arrays have shape (entries,).
    """
    common, late = n3_shifts(stats, plan), np.array(DELAYS_NS, dtype=np.int64)
    shifts_of = [np.union1d(common, n2_shifts(t, plan)) for t in sources.t_ns.tolist()]
    signals, none = np.arange(len(sources)), np.zeros(0, dtype=np.int64)
    signal = np.repeat(signals, [len(shifts) for shifts in shifts_of])
    own = np.zeros(len(signals), dtype=np.int64)
    shift = np.concatenate([none, *shifts_of, np.repeat(own, len(late)), own])
    delay = np.concatenate([np.zeros(len(signal), dtype=np.int64), np.tile(late, len(signals)), own])
    every = np.concatenate([signal, np.repeat(signals, len(late)), signals])
    at_trigger = np.arange(len(every)) >= len(every) - len(signals)
    asked = shift != 0 if moved_only else np.ones(len(every), dtype=np.bool_)
    return every[asked], shift[asked], delay[asked], at_trigger[asked]


def place_piece(
    dataset: Dataset,
    registration: Registration,
    on_step: OnStep,
    shared: tuple[str, int, SourceSignals],
    entries: tuple[IntArray, IntArray, IntArray, BoolArray],
    books: tuple[tuple[BookSide, ...], int],
    span: tuple[int, int],
) -> tuple[PlaceboEarnings, Touches]:
    """Return what placebo entries earn, and the touches of books in a span: a task of `backtest.tasks.scheduler`.

    ``shared`` is (underlying, end of the window in ns, source signals).  ``entries`` is (row of the signal, time in ns,
    delay in ns, whether the exit is filled at its trigger), arrays of shape (entries,), all in ``span``; ``books`` are
    the books whose touches are read, and how many of the largest are kept.
    """
    require_orders(registration)
    (underlying, end_ns, sources), (signal, t_ns, delay_ns, at_trigger) = shared, entries
    params, touched = registration.params, LargestTouches(*books, *span)
    read_ns = span[0]

    def prepared(panel: Panel) -> PreparedPanel:
        nonlocal read_ns
        on_step()
        view = prepare(panel, params, empty_history(params, underlying))
        touched.add(view)
        read_ns = int(panel.times_ns[-1]) + 1
        return view

    def views(from_ns: int, to_ns: int) -> Iterator[PreparedPanel]:
        # `map` lets go of each day before it reads the next.
        return map(prepared, registered_panels(dataset, params, underlying, from_ns, to_ns))

    needed: Iterable[PreparedPanel] = ()
    if len(t_ns):
        first_ns = span[0] if books[0] else int(t_ns.min())
        needed = views(first_ns // NS_PER_DAY * NS_PER_DAY, end_ns)
    earned = reprice_all(needed, sources, signal, t_ns, params, end_ns, delay_ns, at_trigger)
    if books[0]:
        # Days after those that the entries live on.
        deque(views(read_ns, span[1]), maxlen=0)
    return earned, (touched.count, touched.largest)


def _tables(parts: Sequence[tuple[_Entries, PlaceboEarnings]]) -> Placements:
    placed, unplaced = [], []
    for task, earnings in parts:
        names = np.array([signal.signal_id for signal in task.sources.signals], dtype=object)
        # Of a signal that is filled otherwise at its own time, the table has that time already.
        lost = earnings.missing[~(task.at_trigger | (task.delay_ns > 0))[earnings.missing]]
        placed.append(
            pd.DataFrame(
                {
                    "signal_id": names[task.signal[earnings.row]],
                    "shift_ns": task.shift_ns[earnings.row],
                    "delay_ns": task.delay_ns[earnings.row],
                    "at_trigger": task.at_trigger[earnings.row],
                    "day": earnings.day.astype(np.int32),
                    "usd_micro": earnings.usd_micro,
                }
            )
        )
        unplaced.append(pd.DataFrame({"signal_id": names[task.signal[lost]], "shift_ns": task.shift_ns[lost]}))
    earned = pd.concat(placed, ignore_index=True)
    late = earned["at_trigger"] | (earned["delay_ns"] > 0)
    return Placements(
        sorted_rows(earned[~late].drop(columns=["delay_ns", "at_trigger"])),
        sorted_rows(pd.concat(unplaced, ignore_index=True)),
        sorted_rows(earned[late].drop(columns="shift_ns")),
    )


def sorted_rows(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table of placements in the order in which it is kept (`Placements`)."""
    order = [name for name in ("signal_id", "shift_ns", "delay_ns", "at_trigger", "day") if name in table]
    return table.sort_values(order, kind="stable", ignore_index=True)


def write_placements(folder: Path, placements: Placements) -> None:
    """Write the tables into the run directory.  Raises ``WriteError`` (5) if the disk refuses."""
    # `PLACED` comes last: a reader takes its presence for the sign that all three are complete.
    tables = {PLACED: placements.placed, UNPLACED: placements.unplaced, DELAYED: placements.delayed}
    for name, table in reversed(tables.items()):
        columns = pa.Table.from_pandas(table, schema=SCHEMAS[name], preserve_index=False)
        buffer = io.BytesIO()
        pq.write_table(columns, buffer, compression="zstd")
        with refusing_half(folder / name):
            beside = (folder / name).with_suffix(".part")
            # Under another name until it is whole, for the same reason.
            beside.write_bytes(buffer.getvalue())
            beside.replace(folder / name)


def read_placements(folder: Path) -> Placements | None:
    """Return the placements of a run directory; None where the stage was not run.

    Raises ``MissingError`` (3) if a table is missing or cut short, or lacks a column, as one of an earlier version may.
    """
    if not (folder / PLACED).exists():
        return None
    tables = (read_table(folder / name, schema.names) for name, schema in SCHEMAS.items())
    return Placements(*(table.astype({"signal_id": "str"}) for table in tables))
