"""Every signal of a window at every time the nulls of H1 move it to: a stage after the engine.  [statistics 3.3]

    placements.parquet   signal_id, shift_ns, day, usd_micro      what a moved signal earned, by day
    unplaced.parquet     signal_id, shift_ns                      moves on which a leg was not listed or not quoted
    delayed.parquet      signal_id, delay_ns, day, usd_micro      what it earned where it stood, filled later

``shift_ns`` is circular over the window, in [0, its length); 0 is the signal where it was, priced as moved ones are.
N2 reads the shifts to the other days of the signal's fold, N3 the registered multiples; many are the same.
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
from joblib import Parallel, delayed

from backtest.curves import empty_history
from backtest.data.atomic import refusing_half
from backtest.data.dataset import open_dataset
from backtest.progress import Report, step, watched
from backtest.records import Plan, Stats
from backtest.runner import WindowRun
from backtest.tables import read_table
from engine.market import View, prepare
from engine.moves.base import Movables, Placed, columns_of
from engine.moves.listing import anchored
from engine.moves.place import place_all
from engine.params import Params
from engine.records import IntArray
from engine.signals.base import Signal
from engine.signals.book import MARGIN
from engine.units import NEVER_NS, NS_PER_DAY, NS_PER_SECOND

PLACED: Final = "placements.parquet"
UNPLACED: Final = "unplaced.parquet"

DELAYED: Final = "delayed.parquet"

DELAYS_NS: Final = tuple(minutes * 60 * NS_PER_SECOND for minutes in (1, 5, 15, 60, 240, 480))
"""By how much later than the registered latency a signal is filled: a sensitivity, no verdict reads it."""

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


def movable(run: WindowRun) -> tuple[Signal, ...]:
    """Return the signals that are moved: those of the window which margin admitted.  [spec README "Tests"]"""
    refused = {trade.position.signal.signal_id for trade in run.trades if trade.rejected == MARGIN}
    return tuple(signal for signal in run.signals if signal.signal_id not in refused)


def n2_shifts(t_ns: int, plan: Plan) -> IntArray:
    """Return the shifts of a signal to each day of its fold, in order of day; its own is 0.  [statistics 3.3]"""
    into = (t_ns - plan.t0_ns) % plan.fold_ns // NS_PER_DAY
    days = np.arange(plan.fold_ns // NS_PER_DAY, dtype=np.int64)
    return (days - into) * NS_PER_DAY % (plan.t1_ns - plan.t0_ns)


def n3_shifts(stats: Stats, plan: Plan) -> IntArray:
    """Return the registered circular shifts, below the window's length."""
    longest = min(stats.n3_max_ns, plan.t1_ns - plan.t0_ns - 1)
    return np.arange(stats.n3_min_ns, longest + 1, stats.n3_step_ns, dtype=np.int64)


def place_window(path: Path, run: WindowRun, workers: int, report: Report | None) -> Placements:
    """Return the placements of a window's signals on the data set at ``path``: the same for any number of workers."""
    params, plan, stats = run.registration.params, run.plan, run.registration.stats
    tasks = []
    pieces = max(1, -(-2 * workers // len(params.underlyings)))
    every = movable(run)
    anchors = Parallel(n_jobs=workers)(
        delayed(_anchor)(
            path, name, [s for s in every if s.underlying == name], params, plan, run.instruments.expiry_ns
        )
        for name in params.underlyings
    )
    for underlying, movables in zip(params.underlyings, anchors, strict=True):
        signal, shift, delay = _moves(movables, plan, stats)
        t_ns = plan.t0_ns + (movables.t_ns[signal] - plan.t0_ns + shift) % (plan.t1_ns - plan.t0_ns)
        for days in np.array_split(np.arange(plan.t0_ns, plan.t1_ns, NS_PER_DAY), pieces):
            mine = (t_ns >= days[0]) & (t_ns < days[-1] + NS_PER_DAY)
            tasks.append(_Task(underlying, movables, signal[mine], shift[mine], delay[mine], t_ns[mine]))
    total = sum(len(np.unique(task.t_ns // NS_PER_DAY)) for task in tasks)
    with watched(total, report) as folder:
        found = Parallel(n_jobs=workers)(
            delayed(_place)(path, task, params, plan, folder / f"place{n}" if folder else None)
            for n, task in enumerate(tasks)
        )
    return _tables(list(zip(tasks, found, strict=True)))


@dataclass(frozen=True, slots=True)
class _Task:
    """Moves of one underlying whose times lie in consecutive days; one entry a move."""

    underlying: str
    movables: Movables
    signal: IntArray
    shift_ns: IntArray
    delay_ns: IntArray
    t_ns: IntArray


def _moves(movables: Movables, plan: Plan, stats: Stats) -> tuple[IntArray, IntArray, IntArray]:
    """Return the (signal, shift, delay) of all moves, each once; what is delayed is not shifted."""
    common, late = n3_shifts(stats, plan), np.array(DELAYS_NS, dtype=np.int64)
    each = [np.union1d(common, n2_shifts(t, plan)) for t in movables.t_ns.tolist()]
    signals, none = np.arange(len(movables)), np.zeros(0, dtype=np.int64)
    signal = np.repeat(signals, [len(shifts) for shifts in each])
    shift = np.concatenate([none, *each, np.zeros(len(signals) * len(late), dtype=np.int64)])
    delay = np.concatenate([np.zeros(len(signal), dtype=np.int64), np.tile(late, len(signals))])
    return np.concatenate([signal, np.repeat(signals, len(late))]), shift, delay


def _anchor(
    path: Path, underlying: str, signals: Sequence[Signal], params: Params, plan: Plan, expiry_ns: IntArray
) -> Movables:
    """Return ``signals`` in columns with the rank of each dated leg; days without such a signal are not judged."""
    movables = columns_of(signals, params)
    expiry = expiry_ns[np.maximum(movables.code, 0)]
    dated = ((movables.code >= 0) & (expiry != NEVER_NS)).any(axis=1)
    if not dated.any():
        return movables
    last_ns = int(movables.t_ns[dated].max()) + 1
    panels = open_dataset(path).panels(underlying, plan.t0_ns, last_ns)
    for panel in panels:
        which = np.flatnonzero(dated & np.isin(movables.t_ns, panel.times_ns))
        if len(which):
            movables = anchored(movables, prepare(panel, params, empty_history(params, underlying)), which)
    return movables


def _place(path: Path, task: _Task, params: Params, plan: Plan, progress: Path | None) -> Placed:
    def views() -> Iterator[View]:
        from_ns = int(task.t_ns.min()) // NS_PER_DAY * NS_PER_DAY
        for panel in open_dataset(path).panels(task.underlying, from_ns, plan.t1_ns):
            step(progress)
            yield prepare(panel, params, empty_history(params, task.underlying))

    source = views() if len(task.t_ns) else ()
    return place_all(source, task.movables, task.signal, task.t_ns, params, plan.t1_ns, task.delay_ns)


def _tables(parts: Sequence[tuple[_Task, Placed]]) -> Placements:
    placed, unplaced = [], []
    for task, found in parts:
        names = np.array([each.signal_id for each in task.movables.signals], dtype=object)
        lost = found.missing[task.delay_ns[found.missing] == 0]
        placed.append(
            pd.DataFrame(
                {
                    "signal_id": names[task.signal[found.row]],
                    "shift_ns": task.shift_ns[found.row],
                    "delay_ns": task.delay_ns[found.row],
                    "day": found.day.astype(np.int32),
                    "usd_micro": found.usd_micro,
                }
            )
        )
        unplaced.append(pd.DataFrame({"signal_id": names[task.signal[lost]], "shift_ns": task.shift_ns[lost]}))
    every = pd.concat(placed, ignore_index=True)
    late = every["delay_ns"] > 0
    return Placements(
        _sorted(every[~late].drop(columns="delay_ns")),
        _sorted(pd.concat(unplaced, ignore_index=True)),
        _sorted(every[late].drop(columns="shift_ns")),
    )


def _sorted(table: pd.DataFrame) -> pd.DataFrame:
    order = [name for name in ("signal_id", "shift_ns", "delay_ns", "day") if name in table]
    return table.sort_values(order, kind="stable", ignore_index=True)


def write_placements(folder: Path, placements: Placements) -> None:
    """Write the tables into the run directory, the one that says they are complete last."""
    for name, table, schema in (
        (DELAYED, placements.delayed, DELAYED_SCHEMA),
        (UNPLACED, placements.unplaced, UNPLACED_SCHEMA),
        (PLACED, placements.placed, PLACED_SCHEMA),
    ):
        buffer = io.BytesIO()
        pq.write_table(pa.Table.from_pandas(table, schema=schema, preserve_index=False), buffer, compression="zstd")
        with refusing_half(folder / name):
            beside = (folder / name).with_suffix(".part")
            beside.write_bytes(buffer.getvalue())
            beside.replace(folder / name)


def read_placements(folder: Path) -> Placements | None:
    """Return the placements of a run directory; None where the stage was not run."""
    if not (folder / PLACED).exists():
        return None
    tables = (read_table(folder / name) for name in (PLACED, UNPLACED, DELAYED))
    return Placements(*(table.astype({"signal_id": "str"}) for table in tables))
