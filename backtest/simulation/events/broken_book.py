"""E5: a published book whose bid side is stale: which rules reject it, and what the ask side still says.  [risk.md 21]

A snapshot gives average prices within each distance.  Bid and ask within 1% are read as one quote a snapshot: the
inclusion rule (bid < ask, spread within a limit) rejects what looks crossed; the guard of a feed that is live but
frozen rejects a bid side that repeats one value for over 60 s while the ask side moved over 5 bps.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from backtest.simulation.result import RECOMPUTED, SimulationResult, SimulationTask
from backtest.simulation.scenario import BrokenBook, table_of
from backtest.simulation.source_files import SourceFiles, in_order, of_file
from engine.errors import DataError
from engine.venue.integers import PPM
from engine.venue.oracle import included
from engine.venue.oracle_guards import is_frozen_feed

NS = 1_000_000_000
TICKS_PER_USD = 100
CANNOT_SAY = (
    "Bands are measured from a best bid that the file does not print; averages within 1% stand for the quotes.",
    "Whether the venue's own book or only the published copy was stale cannot be told from the file.",
)


def measure(task: SimulationTask) -> SimulationResult:
    """Return how many snapshots look crossed, what the rules reject, and the ask depth.

    Errors as `SourceFiles.table`; raises `DataError` (4) for snapshots that go back in time or lack a side.
    """
    given = table_of(task.plan, BrokenBook)
    files, name = of_file(task.data_root, given.file)
    book = _snapshots(files, name)
    ticks = [np.rint(book[side].to_numpy() * TICKS_PER_USD).astype(np.int64) for side in ("bid", "ask")]
    fresh = np.zeros(len(book), dtype=np.int64)
    usable = included(ticks[0], ticks[1], fresh, 0, round(float(given.max_spread) * PPM))
    crossed = ticks[0] > ticks[1]
    frozen = _frozen(book)
    before = book[book["time"] < book["time"].iloc[0].normalize() + pd.Timedelta(hours=20, minutes=50)]
    least = float(book["ask_usd"].min())
    calm = float(before["ask_usd"].median()) if len(before) else float("nan")
    figures: dict[str, Any] = {
        "snapshots": len(book), "crossed": int(crossed.sum()),
        "crossed_and_included": int((crossed & usable).sum()),
        "rejected_by_inclusion": int((~usable).sum()), "rejected_as_frozen": int(frozen.sum()),
        "rejected_by_either": int((~usable | frozen).sum()),
        "ask_depth_before_usd": round(calm, 2), "ask_depth_least_usd": round(least, 2),
        "ask_depth_fall": 1.0 - least / calm,
    }  # fmt: skip
    table = book.assign(included=usable, frozen=frozen).iloc[:: max(1, len(book) // 400)]
    layers = dict.fromkeys(figures, RECOMPUTED)
    return SimulationResult(figures, {"snapshots": table}, layers, files.digests, CANNOT_SAY)


def _snapshots(files: SourceFiles, name: str) -> pd.DataFrame:
    """Return a row a snapshot: time, average bid and ask within 1%, notionals within 1%."""
    table = files.table(name, ("percentage", "notional", "weighted_avg_price"), ("timestamp",))
    # One row of the real file starts with a space.
    table["time"] = pd.to_datetime(table["timestamp"].str.strip())
    sides = {side: table[table["percentage"] == sign].set_index("time") for side, sign in (("bid", -1), ("ask", 1))}
    if sides["bid"].index.has_duplicates or sides["ask"].index.has_duplicates:
        raise DataError(f"{name}: expected one row a time and distance, was more")
    book = pd.DataFrame({
        "bid": sides["bid"]["weighted_avg_price"], "ask": sides["ask"]["weighted_avg_price"],
        "bid_usd": sides["bid"]["notional"], "ask_usd": sides["ask"]["notional"],
    })  # fmt: skip
    if book.isna().any().any() or book.empty:
        raise DataError(
            f"{name}: expected both sides in every snapshot, was {int(book.isna().any(axis=1).sum())} without"
        )
    order = pd.Series(sides["bid"].index)
    in_order(order, name)
    return book.rename_axis("time").reset_index()


def _frozen(book: pd.DataFrame) -> np.ndarray:
    """Return which snapshots repeat the bid side for over 60 s while the ask side moved over 5 bps."""
    flags, since, reference = [], book["time"].iloc[0], float(book["ask"].iloc[0])
    last = float(book["bid_usd"].iloc[0])
    for time, bid, ask in zip(book["time"], book["bid_usd"], book["ask"], strict=True):
        if bid != last:
            since, reference, last = time, float(ask), bid
        move = round(abs(float(ask) / reference - 1.0) * PPM)
        flags.append(is_frozen_feed(round((time - since).total_seconds()) * NS, move))
    return np.array(flags, dtype=bool)
