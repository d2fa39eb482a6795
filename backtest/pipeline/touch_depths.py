"""The deepest touch of each book that a signal hits, over the test window: H2 read upwards.  [spec README]

    touch.parquet    book, quotes, depth_usd     usable quotes of known depth, and the 99.9% point of their notionals

The point is the order statistic ceil(0.999 n): at most one usable quote in a thousand was deeper.  The quotes are read
in the pass of `backtest.pipeline.placements`.
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
from backtest.pipeline.window import WindowRun
from backtest.records import Plan
from backtest.results.tables import book_of, checked_table, read_table
from engine.costs.depth import touch_usd
from engine.market.leg_charge import depth_known
from engine.market.view import PreparedPanel
from engine.records import FloatArray, Instruments, IntArray

TOUCH: Final = "touch.parquet"
ABOVE: Final = 1_000
"""One usable quote in so many may be deeper than the point."""
SCHEMA: Final = pa.schema([("book", pa.string()), ("quotes", pa.int64()), ("depth_usd", pa.float64())])

BookSide = tuple[int, bool]
"""Code of the instrument; whether its ask is hit."""

Touches = tuple[IntArray, FloatArray]
"""`LargestTouches.count` and `LargestTouches.largest` of one span."""


def books_hit(run: WindowRun) -> dict[str, list[BookSide]]:
    """Return the books that signals of the window hit, by underlying, each once: several hit those of a dollar pair."""
    first: dict[BookSide, str] = {}
    for signal in run.signals:
        for leg in signal.legs:
            first.setdefault((int(leg.code), leg.quantity > 0.0), signal.underlying)
    books: dict[str, list[BookSide]] = defaultdict(list)
    for book in sorted(first):
        books[first[book]].append(book)
    return dict(sorted(books.items()))


def largest_kept(dataset: Dataset, underlying: str, plan: Plan) -> int:
    """Return how many of the largest notionals of a piece hold the point, however the quotes fall into pieces."""
    return len(dataset.grid(underlying, plan.t0_ns, plan.t1_ns)) // ABOVE + 1


class LargestTouches:
    """How many usable quotes of known depth each of ``books`` has in [from, to), and their ``keep`` largest notionals.

    ``count`` is int64 of shape (books,), ``largest`` of shape (books, keep), USD, -inf where there are fewer.
    """

    def __init__(self, books: Sequence[BookSide], keep: int, from_ns: int, to_ns: int) -> None:
        self._books, self._span_ns = tuple(books), (from_ns, to_ns)
        self.count = np.zeros(len(books), dtype=np.int64)
        self.largest = np.full((len(books), keep), -np.inf)

    def add(self, view: PreparedPanel) -> None:
        """Add the quotes of ``view``, which has all instruments: whether a quote is usable depends on the others."""
        keep, rows = self.largest.shape[1], slice(*np.searchsorted(view.panel.times_ns, self._span_ns).tolist())
        for b, (code, ask) in enumerate(self._books):
            values = notionals(view, code, ask, rows)
            self.count[b] += len(values)
            both = np.concatenate([self.largest[b], values])
            self.largest[b] = np.partition(both, len(both) - keep)[-keep:]


def notionals(view: PreparedPanel, code: int, ask: bool, rows: slice) -> FloatArray:
    """Return the touch notionals, USD, of one side of an instrument at the grid times ``rows`` of ``view``.

    Only where its quote is usable and shows depth.
    """
    panel = view.panel
    column = panel.column(code)
    if column < 0:
        return np.zeros(0)
    known = view.usable[rows, column] & ~np.isnan(view.half_spread[rows, column])
    known &= depth_known(panel, (rows, column))
    size, price = (panel.ask_size, panel.ask) if ask else (panel.bid_size, panel.bid)
    return touch_usd(*(values[rows, column][known] for values in (size, price, view.money)))


def touch_table(instruments: Instruments, of_task: Sequence[Sequence[BookSide]], found: Sequence[Touches]) -> pa.Table:
    """Return the table `SCHEMA` of the books of each task, by name, from the count and the largest of each.

    A book without a usable quote of known depth has no row.
    """
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
