"""Prices the placebo entries of a window: each signal at each time the nulls of H1 shift it to.  [statistics 3.3]

    placements.parquet   signal_id, shift_ns, day, usd_micro      what a placebo entry earned, by UTC day
    unplaced.parquet     signal_id, shift_ns                      entries on which a leg was not listed or not quoted
    delayed.parquet      signal_id, delay_ns, day, usd_micro      what the signal earned at its own time, filled later

``shift_ns`` is circular over the window, in [0, its length); 0 is the signal's own time, priced as the others are.
N2 reads the shifts to the other days of the signal's fold, N3 the registered multiples; many shifts serve both.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from backtest.data.format.atomic_write import refusing_half
from backtest.data.format.dataset import Dataset
from backtest.data.panels import reader
from backtest.folds.curve_study import empty_history
from backtest.folds.registered_panels import registered_panels
from backtest.pipeline.window import WindowRun
from backtest.records import Plan, Registration, Stats
from backtest.results.tables import read_table
from backtest.tasks.progress import OnDayDone, watched
from backtest.tasks.scheduler import OnStep, Task, Workers, market_of, pool_of
from backtest.tasks.serialization import encode
from engine.market.view import PreparedPanel, prepare
from engine.positions.base import Signal
from engine.positions.portfolio import MARGIN
from engine.records import IntArray
from engine.repricing.base import PlaceboEarnings, SourceSignals, source_signals
from engine.repricing.contract_mapping import with_ranks
from engine.repricing.placebo_entries import reprice_all
from engine.units import NEVER_NS, NS_PER_DAY, NS_PER_SECOND

PLACED: Final = "placements.parquet"
UNPLACED: Final = "unplaced.parquet"
PIECE_NS: Final = 30 * NS_PER_DAY
"""The span of entries that one task prices; it reads on for as long as their positions live."""

DELAYED: Final = "delayed.parquet"

DELAYS_NS: Final = tuple(minutes * 60 * NS_PER_SECOND for minutes in (1, 5, 15, 60, 240, 480))
"""Delays of a fill beyond the registered latency, in nanoseconds: a sensitivity that no verdict reads."""

PLACED_SCHEMA: Final = pa.schema(
    [
        ("signal_id", pa.dictionary(pa.int32(), pa.string())),
        ("shift_ns", pa.int64()),
        ("day", pa.int32()),
        ("usd_micro", pa.int64()),
    ]
)
DELAYED_SCHEMA: Final = pa.schema(
    [pa.field("delay_ns", pa.int64()) if field.name == "shift_ns" else field for field in PLACED_SCHEMA]
)
UNPLACED_SCHEMA: Final = pa.schema(PLACED_SCHEMA.field(name) for name in ("signal_id", "shift_ns"))


@dataclass(frozen=True, slots=True)
class Placements:
    """The tables, sorted by (signal_id, shift_ns or delay_ns, day)."""

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


def place_window(dataset: Dataset, run: WindowRun, workers: Workers, report: OnDayDone | None) -> Placements:
    """Return the placements of a window's signals on ``dataset``; they do not depend on ``workers``.

    ``report`` is called with (days done, days in all) now and then; None watches nothing.
    """
    params, plan, stats = run.registration.params, run.plan, run.registration.stats
    pool, market = pool_of(workers), market_of(dataset, run.registration)
    signals = admitted_signals(run)
    anchors: list[SourceSignals] = pool.results(
        market, [_anchor_task(signals, name, plan) for name in params.underlyings], None
    )
    tasks, entries = [], []
    for name, sources in zip(params.underlyings, anchors, strict=True):
        signal, shift, delay = _entries(sources, plan, stats)
        t_ns = plan.t0_ns + (sources.t_ns[signal] - plan.t0_ns + shift) % (plan.t1_ns - plan.t0_ns)
        # Encoded once for all tasks of an underlying: the sources are by far the largest argument.
        shared = encode((name, plan.t1_ns, sources))
        for from_ns in range(plan.t0_ns, plan.t1_ns, PIECE_NS):
            in_piece = (t_ns >= from_ns) & (t_ns < from_ns + PIECE_NS)
            days = len(np.unique(t_ns[in_piece] // NS_PER_DAY))
            tasks.append(Task(place_piece, (shared, encode((signal[in_piece], t_ns[in_piece], delay[in_piece]))), days))
            entries.append(_Entries(sources, signal[in_piece], shift[in_piece], delay[in_piece]))
    with watched(sum(task.steps for task in tasks), report) as folder:
        earnings = pool.results(market, tasks, folder)
    return _tables(list(zip(entries, earnings, strict=True)))


def _anchor_task(signals: Sequence[Signal], underlying: str, plan: Plan) -> Task:
    of_underlying = tuple(signal for signal in signals if signal.underlying == underlying)
    return Task(anchor_signals, (encode(underlying), encode(plan), encode(of_underlying)), 0)


@dataclass(frozen=True, slots=True)
class _Entries:
    """Placebo entries of one underlying in consecutive days: int64 arrays of shape (entries,), ``signal`` a row."""

    sources: SourceSignals
    signal: IntArray
    shift_ns: IntArray
    delay_ns: IntArray


def _entries(sources: SourceSignals, plan: Plan, stats: Stats) -> tuple[IntArray, IntArray, IntArray]:
    """Return (signal, shift, delay) of all placebo entries, each once; an entry is shifted or delayed, never both."""
    common, late = n3_shifts(stats, plan), np.array(DELAYS_NS, dtype=np.int64)
    shifts_of = [np.union1d(common, n2_shifts(t, plan)) for t in sources.t_ns.tolist()]
    signals, none = np.arange(len(sources)), np.zeros(0, dtype=np.int64)
    signal = np.repeat(signals, [len(shifts) for shifts in shifts_of])
    shift = np.concatenate([none, *shifts_of, np.zeros(len(signals) * len(late), dtype=np.int64)])
    delay = np.concatenate([np.zeros(len(signal), dtype=np.int64), np.tile(late, len(signals))])
    return np.concatenate([signal, np.repeat(signals, len(late))]), shift, delay


def anchor_signals(
    dataset: Dataset,
    registration: Registration,
    _on_step: OnStep,
    underlying: str,
    plan: Plan,
    signals: tuple[Signal, ...],
) -> SourceSignals:
    """Return ``signals`` in columns with the rank of each dated leg: a task of `backtest.tasks.scheduler`."""
    params = registration.params
    sources = source_signals(signals, params)
    expiry = dataset.instruments.expiry_ns[np.maximum(sources.code, 0)]
    dated = ((sources.code >= 0) & (expiry != NEVER_NS)).any(axis=1)
    if not dated.any():
        return sources
    # A row of a view depends on its own grid time only, so the other grid times need not be read.
    times_ns = np.unique(sources.t_ns[dated])
    for panel in reader.panels(dataset, underlying, plan.t0_ns, plan.t1_ns, times_ns=times_ns):
        which = np.flatnonzero(dated & np.isin(sources.t_ns, panel.times_ns))
        sources = with_ranks(sources, prepare(panel, params, empty_history(params, underlying)), which)
    return sources


def place_piece(
    dataset: Dataset,
    registration: Registration,
    on_step: OnStep,
    shared: tuple[str, int, SourceSignals],
    entries: tuple[IntArray, IntArray, IntArray],
) -> PlaceboEarnings:
    """Return what placebo entries earn: a task of `backtest.tasks.scheduler`.

    ``shared`` is (underlying, end of the window in ns, source signals).  ``entries`` is (row of the signal, time in ns,
    delay in ns), int64 arrays of shape (entries,).
    """
    (underlying, end_ns, sources), (signal, t_ns, delay_ns) = shared, entries
    params = registration.params

    def views() -> Iterator[PreparedPanel]:
        from_ns = int(t_ns.min()) // NS_PER_DAY * NS_PER_DAY
        for panel in registered_panels(dataset, params, underlying, from_ns, end_ns):
            on_step()
            yield prepare(panel, params, empty_history(params, underlying))

    return reprice_all(views() if len(t_ns) else (), sources, signal, t_ns, params, end_ns, delay_ns)


def _tables(parts: Sequence[tuple[_Entries, PlaceboEarnings]]) -> Placements:
    placed, unplaced = [], []
    for task, earnings in parts:
        names = np.array([signal.signal_id for signal in task.sources.signals], dtype=object)
        # A delayed entry is missing wherever the signal's own is, which stands in the table already.
        lost = earnings.missing[task.delay_ns[earnings.missing] == 0]
        placed.append(
            pd.DataFrame(
                {
                    "signal_id": names[task.signal[earnings.row]],
                    "shift_ns": task.shift_ns[earnings.row],
                    "delay_ns": task.delay_ns[earnings.row],
                    "day": earnings.day.astype(np.int32),
                    "usd_micro": earnings.usd_micro,
                }
            )
        )
        unplaced.append(pd.DataFrame({"signal_id": names[task.signal[lost]], "shift_ns": task.shift_ns[lost]}))
    earned = pd.concat(placed, ignore_index=True)
    late = earned["delay_ns"] > 0
    return Placements(
        _sorted(earned[~late].drop(columns="delay_ns")),
        _sorted(pd.concat(unplaced, ignore_index=True)),
        _sorted(earned[late].drop(columns="shift_ns")),
    )


def _sorted(table: pd.DataFrame) -> pd.DataFrame:
    order = [name for name in ("signal_id", "shift_ns", "delay_ns", "day") if name in table]
    return table.sort_values(order, kind="stable", ignore_index=True)


def write_placements(folder: Path, placements: Placements) -> None:
    """Write the tables into the run directory.  Raises ``WriteError`` (5) if the disk refuses."""
    # `PLACED` comes last: a reader takes its presence for the sign that all three are complete.
    for name, table, schema in (
        (DELAYED, placements.delayed, DELAYED_SCHEMA),
        (UNPLACED, placements.unplaced, UNPLACED_SCHEMA),
        (PLACED, placements.placed, PLACED_SCHEMA),
    ):
        buffer = io.BytesIO()
        pq.write_table(pa.Table.from_pandas(table, schema=schema, preserve_index=False), buffer, compression="zstd")
        with refusing_half(folder / name):
            beside = (folder / name).with_suffix(".part")
            # Under another name until it is whole, for the same reason.
            beside.write_bytes(buffer.getvalue())
            beside.replace(folder / name)


def read_placements(folder: Path) -> Placements | None:
    """Return the placements of a run directory; None where the stage was not run.

    Raises ``MissingError`` (3) if a table is missing or cut short.
    """
    if not (folder / PLACED).exists():
        return None
    tables = (read_table(folder / name) for name in (PLACED, UNPLACED, DELAYED))
    return Placements(*(table.astype({"signal_id": "str"}) for table in tables))
