"""The deepest touch of each book that a signal hits, over the test window: H2 read upwards.  [spec README]

    touch.parquet    book, quotes, depth_usd     usable quotes of known depth, and the 99.9% point of their notionals

The point is the order statistic ceil(0.999 n): at most one usable quote in a thousand was deeper.
"""

from __future__ import annotations

import io
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from backtest.data.format.atomic_write import write_whole
from backtest.data.format.dataset import Dataset
from backtest.folds.curve_study import empty_history
from backtest.folds.registered_panels import registered_panels
from backtest.pipeline.window import WindowRun
from backtest.records import Registration
from backtest.results.tables import book_of, checked_table, read_table
from backtest.tasks.progress import OnDayDone, watched
from backtest.tasks.scheduler import OnStep, Task, Workers, market_of, pool_of
from backtest.tasks.serialization import encode
from engine.costs.depth import touch_usd
from engine.market.leg_charge import depth_known
from engine.market.view import PreparedPanel, prepare
from engine.records import FloatArray, Instruments, IntArray
from engine.units import NS_PER_DAY

TOUCH: Final = "touch.parquet"
ABOVE: Final = 1_000
"""One usable quote in so many may be deeper than the point."""
PIECE_NS: Final = 30 * NS_PER_DAY
"""The span that one task reads."""
SCHEMA: Final = pa.schema([("book", pa.string()), ("quotes", pa.int64()), ("depth_usd", pa.float64())])

BookSide = tuple[int, bool]
"""Code of the instrument; whether its ask is hit."""


def touch_depths(dataset: Dataset, run: WindowRun, workers: Workers, report: OnDayDone | None) -> pa.Table:
    """Return the table `SCHEMA` of the books that the window's signals hit, by name; it does not depend on ``workers``.

    A book without a usable quote of known depth has no row.  ``report`` is called with (days done, days in all).
    """
    plan, pool, market = run.plan, pool_of(workers), market_of(dataset, run.registration)
    tasks, of_task = [], []
    for underlying, books in _books(run).items():
        # So many of the largest values hold the point, however the quotes fall into pieces.
        keep = len(dataset.grid(underlying, plan.t0_ns, plan.t1_ns)) // ABOVE + 1
        wanted = encode((underlying, tuple(code for code, _ in books), tuple(ask for _, ask in books), keep))
        for from_ns in range(plan.t0_ns, plan.t1_ns, PIECE_NS):
            to_ns = min(from_ns + PIECE_NS, plan.t1_ns)
            tasks.append(Task(largest_of_piece, (wanted, encode((from_ns, to_ns))), (to_ns - from_ns) // NS_PER_DAY))
            of_task.append(books)
    with watched(sum(task.steps for task in tasks), report) as folder:
        found = pool.results(market, tasks, folder)
    return _table(run.instruments, of_task, found)


def _books(run: WindowRun) -> dict[str, list[BookSide]]:
    """Return the books to read by underlying, each once: a dollar pair is hit by signals of several."""
    first: dict[BookSide, str] = {}
    for signal in run.signals:
        for leg in signal.legs:
            first.setdefault((int(leg.code), leg.quantity > 0.0), signal.underlying)
    books: dict[str, list[BookSide]] = defaultdict(list)
    for book in sorted(first):
        books[first[book]].append(book)
    return dict(sorted(books.items()))


def largest_of_piece(
    dataset: Dataset,
    registration: Registration,
    on_step: OnStep,
    wanted: tuple[str, tuple[int, ...], tuple[bool, ...], int],
    span: tuple[int, int],
) -> tuple[IntArray, FloatArray]:
    """Return how many usable quotes of known depth each book has in ``span``, ``[B]``, and their largest notionals.

    The second is ``[B, keep]``, in USD, -inf where there are fewer: a task of `backtest.tasks.scheduler`.
    """
    (underlying, codes, asks, keep), (from_ns, to_ns) = wanted, span
    params = registration.params
    count, largest = np.zeros(len(codes), dtype=np.int64), np.full((len(codes), keep), -np.inf)
    for panel in registered_panels(dataset, params, underlying, from_ns, to_ns):
        # All instruments are prepared: whether a quote is usable depends on the others.
        view = prepare(panel, params, empty_history(params, underlying))
        for b, (code, ask) in enumerate(zip(codes, asks, strict=True)):
            values = notionals(view, code, ask)
            count[b] += len(values)
            both = np.concatenate([largest[b], values])
            largest[b] = np.partition(both, len(both) - keep)[-keep:]
        on_step()
    return count, largest


def notionals(view: PreparedPanel, code: int, ask: bool) -> FloatArray:
    """Return the touch notionals of one side of an instrument where its quote is usable and shows depth, USD."""
    panel = view.panel
    column = panel.column(code)
    if column < 0:
        return np.zeros(0)
    known = view.usable[:, column] & ~np.isnan(view.half_spread[:, column])
    known &= depth_known(panel, (slice(None), column))
    size, price = (panel.ask_size, panel.ask) if ask else (panel.bid_size, panel.bid)
    return touch_usd(size[known, column], price[known, column], view.money[known, column])


def _table(
    instruments: Instruments, of_task: Sequence[Sequence[BookSide]], found: Sequence[tuple[IntArray, FloatArray]]
) -> pa.Table:
    count: dict[BookSide, int] = defaultdict(int)
    largest: dict[BookSide, list[FloatArray]] = defaultdict(list)
    for books, (counts, values) in zip(of_task, found, strict=True):
        for b, book in enumerate(books):
            count[book] += int(counts[b])
            largest[book].append(values[b])
    rows = [
        {
            "book": book_of(str(instruments.name[code]), ask),
            "quotes": count[code, ask],
            "depth_usd": float(np.sort(np.concatenate(largest[code, ask]))[-1 - count[code, ask] // ABOVE]),
        }
        for code, ask in count
        if count[code, ask]
    ]
    return checked_table("touch", sorted(rows, key=lambda row: str(row["book"])), SCHEMA)


def write_touch(folder: Path, table: pa.Table) -> None:
    """Write the table into the run directory.  Raises ``WriteError`` (5) if the disk refuses."""
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd")
    write_whole(folder / TOUCH, buffer.getvalue())


def read_touch(folder: Path) -> dict[str, float] | None:
    """Return the point of each book, USD by name; None where the stage was not run.

    Raises ``MissingError`` (3) if the table is cut short.
    """
    if not (folder / TOUCH).exists():
        return None
    table = read_table(folder / TOUCH)
    return dict(zip(table["book"].tolist(), table["depth_usd"].tolist(), strict=True))
