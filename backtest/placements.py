"""Every signal of a window at every time the nulls of H1 move it to: a stage after the engine.  [statistics 3.3]

    placements.parquet   signal_id, shift_ns, day, usd_micro      what a moved signal earned, by day
    unplaced.parquet     signal_id, shift_ns                      moves on which a leg was not listed or not quoted

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
from engine.market import View, prepare
from engine.moves.base import Movables, Placed, columns_of
from engine.moves.listing import anchored
from engine.moves.place import place_all
from engine.params import Params
from engine.records import IntArray
from engine.signals.base import Signal
from engine.signals.book import MARGIN
from engine.units import NEVER_NS, NS_PER_DAY

PLACED: Final = "placements.parquet"
UNPLACED: Final = "unplaced.parquet"

PLACED_SCHEMA: Final = pa.schema(
    [
        ("signal_id", pa.dictionary(pa.int32(), pa.string())),
        ("shift_ns", pa.int64()),
        ("day", pa.int32()),
        ("usd_micro", pa.int64()),
    ]
)
UNPLACED_SCHEMA: Final = pa.schema(PLACED_SCHEMA.field(name) for name in ("signal_id", "shift_ns"))


@dataclass(frozen=True, slots=True)
class Placements:
    """The two tables, sorted by (signal_id, shift_ns, day)."""

    placed: pd.DataFrame
    unplaced: pd.DataFrame


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
        signal, shift = _moves(movables, plan, stats)
        t_ns = plan.t0_ns + (movables.t_ns[signal] - plan.t0_ns + shift) % (plan.t1_ns - plan.t0_ns)
        for days in np.array_split(np.arange(plan.t0_ns, plan.t1_ns, NS_PER_DAY), pieces):
            mine = (t_ns >= days[0]) & (t_ns < days[-1] + NS_PER_DAY)
            tasks.append((underlying, movables, signal[mine], shift[mine], t_ns[mine]))
    total = sum(len(np.unique(t_ns // NS_PER_DAY)) for *_, t_ns in tasks)
    with watched(total, report) as folder:
        found = Parallel(n_jobs=workers)(
            delayed(_place)(path, name, movables, signal, t_ns, params, plan, folder / f"place{n}" if folder else None)
            for n, (name, movables, signal, _, t_ns) in enumerate(tasks)
        )
    return _tables([(task[1], task[2], task[3], placed) for task, placed in zip(tasks, found, strict=True)])


def _moves(movables: Movables, plan: Plan, stats: Stats) -> tuple[IntArray, IntArray]:
    """Return the (signal, shift) pairs, each once."""
    common = n3_shifts(stats, plan)
    each = [np.union1d(common, n2_shifts(t, plan)) for t in movables.t_ns.tolist()]
    none = np.zeros(0, dtype=np.int64)
    signal = np.repeat(np.arange(len(movables)), [len(shifts) for shifts in each])
    return signal, np.concatenate([none, *each])


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


def _place(
    path: Path,
    underlying: str,
    movables: Movables,
    signal: IntArray,
    t_ns: IntArray,
    params: Params,
    plan: Plan,
    progress: Path | None,
) -> Placed:
    def views() -> Iterator[View]:
        from_ns = int(t_ns.min()) // NS_PER_DAY * NS_PER_DAY
        for panel in open_dataset(path).panels(underlying, from_ns, plan.t1_ns):
            step(progress)
            yield prepare(panel, params, empty_history(params, underlying))

    return place_all(views() if len(t_ns) else (), movables, signal, t_ns, params, plan.t1_ns)


def _tables(parts: Sequence[tuple[Movables, IntArray, IntArray, Placed]]) -> Placements:
    placed, unplaced = [], []
    for movables, signal, shift, found in parts:
        names = np.array([each.signal_id for each in movables.signals], dtype=object)
        placed.append(
            pd.DataFrame(
                {
                    "signal_id": names[signal[found.row]],
                    "shift_ns": shift[found.row],
                    "day": found.day.astype(np.int32),
                    "usd_micro": found.usd_micro,
                }
            )
        )
        unplaced.append(pd.DataFrame({"signal_id": names[signal[found.missing]], "shift_ns": shift[found.missing]}))
    order = ["signal_id", "shift_ns", "day"]
    return Placements(
        pd.concat(placed, ignore_index=True).sort_values(order, kind="stable", ignore_index=True),
        pd.concat(unplaced, ignore_index=True).sort_values(order[:2], kind="stable", ignore_index=True),
    )


def write_placements(folder: Path, placements: Placements) -> None:
    """Write both tables into the run directory, the one that says they are complete last."""
    for name, table, schema in (
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
    placed, unplaced = (pd.read_parquet(folder / name) for name in (PLACED, UNPLACED))
    return Placements(*(table.astype({"signal_id": "str"}) for table in (placed, unplaced)))
