"""Reads Deribit ticker objects in two stored forms: a workbook of a day, and a CSV of one snapshot with depth.  [S8.2]

Amounts are in coin for options and in USD for futures and perpetuals; sizes of the data set are in coin.  A row has
the exchange's own ``timestamp``; when it was received is not stored, so a latency is declared.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from backtest.data.adapters import cells, rows
from backtest.data.adapters.base import Adapter, Chunk, SourceSpec
from backtest.data.adapters.files import check_options, csv_parts, matching, need, shown, whole
from backtest.data.adapters.index_currency import index_in_price_dollar
from backtest.data.adapters.instruments import InstrumentListing, deribit_listings, names_of, table
from backtest.data.adapters.times import epoch_ns
from backtest.data.adapters.workbook import read_sheet
from engine.errors import DataError
from engine.records import Feed, IntArray, Kind

_SIDES: Final = ("best_bid_price", "best_ask_price", "best_bid_amount", "best_ask_amount")
_COLUMNS: Final = ("instrument_name", "timestamp", *_SIDES, "mark_price", "index_price")
_LONGEST_DEPTH: Final = 1_000_000  # characters of one side of one book


def read_xlsx(root: Path, spec: SourceSpec) -> Iterator[Chunk]:
    """Yield a chunk for each of the sheets ``options_raw`` and ``futures_raw`` of a workbook; the others are derived.

    Option: ``latency_ns``, from the exchange's stamp to the moment the ticker was known.
    """
    check_options(spec, ("latency_ns",))
    for path in matching(root, spec):
        for sheet in ("options_raw", "futures_raw"):
            where = f"{shown(root, path)} [{sheet}]"
            yield _tickers(read_sheet(path, sheet, where), whole(spec, "latency_ns"), shown(root, path), where)


def read_book_csv(root: Path, spec: SourceSpec) -> Iterator[Chunk]:
    """Yield one chunk a file with columns ``bids`` and ``asks``, lists of [price, amount], best first.

    The touch is the top of the lists and has to equal the best prices beside them, else ``DataError`` is raised.
    Option: ``latency_ns``.
    """
    check_options(spec, ("latency_ns",))
    for path in matching(root, spec):
        where = shown(root, path)
        frame = pd.concat(csv_parts(path, where))
        need(frame, ("bids", "asks", *_COLUMNS), where)
        for side, sign in (("bid", -1.0), ("ask", 1.0)):
            top = np.array(
                [
                    _top(text, sign, f"{where}, row {cells.row_of(frame, at)}, column {side}s")
                    for at, text in enumerate(frame[f"{side}s"].tolist())
                ]
            )
            best = np.column_stack([cells.numbers(frame, f"best_{side}_{what}", where) for what in ("price", "amount")])
            best = np.nan_to_num(best)  # an empty cell is an empty side
            if not np.array_equal(top, best):
                at = int(np.flatnonzero((top != best).any(axis=1))[0])
                raise DataError(
                    f"{where}, row {cells.row_of(frame, at)}, column {side}s: expected best_{side}_price and "
                    f"best_{side}_amount, {best[at].tolist()}, on top, was {top[at].tolist()}; repair the row"
                )
        yield _tickers(frame, whole(spec, "latency_ns"), where, where)


def _top(text: object, sign: float, where: str) -> tuple[float, float]:
    if not isinstance(text, str) or len(text) > _LONGEST_DEPTH:
        raise DataError(f"{where}: expected depth as a list of [price, amount], was {str(text)!r:.100}")
    book = cells.pairs(cells.json_value(text, where), where)
    # a list sorted the other way would put the worst price on top
    if any(sign * a[0] >= sign * b[0] for a, b in pairwise(book)):
        raise DataError(f"{where}: expected depth with the best price first, was {text!r:.100}; sort it")
    return book[0] if book else (0.0, 0.0)


def _tickers(frame: pd.DataFrame, latency_ns: int, file: str, where: str) -> Chunk:
    need(frame, _COLUMNS, where)
    t_ns = epoch_ns(frame["timestamp"], "ms", where) + latency_ns
    listings, found = ticker_rows(frame, t_ns, where)
    return Chunk(file, table(listings), found)


def ticker_rows(frame: pd.DataFrame, t_ns: IntArray, where: str) -> tuple[list[InstrumentListing], pd.DataFrame]:
    """Return the instrument of each ticker object of ``frame`` (n rows), and the rows known at ``t_ns``, shape (n,).

    Raises ``DataError`` naming ``where``, row and column for a missing column or a value that is none.
    """
    need(frame, _COLUMNS, where)
    listings = deribit_listings(frame, "instrument_name", Feed.BOOK, where)
    names = names_of(listings)
    bid, ask = (cells.positives(frame, column, where) for column in _SIDES[:2])
    bid_amount, ask_amount = cells.sizes(frame, _SIDES[2], bid, where), cells.sizes(frame, _SIDES[3], ask, where)
    in_usd = np.array([listing.inverse for listing in listings])
    touch = rows.quotes(
        t_ns,
        names,
        bid,
        ask,
        np.where(in_usd, bid_amount / bid, bid_amount),
        np.where(in_usd, ask_amount / ask, ask_amount),
    )
    # Deribit rounds the mark of an option that is nearly worthless to 0: no mark, no error.
    mark = cells.positives(frame, "mark_price", where)
    index = index_in_price_dollar(cells.positives(frame, "index_price", where), listings, t_ns)
    parts = [touch, rows.marks(t_ns, names, mark, index)]
    perp = np.array([listing.kind == Kind.PERP for listing in listings])
    # The rate of this instant, and what eight hours cost.  [venues V3]
    for column, channel in (("current_funding", rows.published), ("funding_8h", rows.eight_hours)):
        if perp.any() and column in frame.columns:
            # Options and dated futures have an empty cell there.
            rate = cells.numbers(frame, column, where)
            known = perp & ~np.isnan(rate)
            parts.append(channel(t_ns[known], names[known], rate[known]))
    return listings, rows.together(*parts)


XLSX: Final = Adapter(
    name="deribit_xlsx",
    title="Deribit daily workbooks of tickers: options, futures and perpetual with sizes",
    verified=(
        "5 workbooks, 2026-01-15 to 2026-01-18; BTC_20260114.xlsx, 656 options and 9 futures, SHA-256 "
        "3b1394536e3e1c905e629fdbaffadbca9a38231b6f8cba2dad71c5069c7dbac8: "
        "github.com/mikehyland-quant/crypto-options-relative-value at 6b862f3"
    ),
    ordered=True,
    read=read_xlsx,
)
BOOK_CSV: Final = Adapter(
    name="deribit_book_csv",
    title="Deribit option books with full depth, one snapshot, old CSV form",
    verified=(
        "20200521_btc_options_data.csv, 326 rows, SHA-256 "
        "ab4a62c00a1408abd7eefe07cbbf9b465ddb8ea8271800fb5fffade9593f70a1: "
        "github.com/schepal/deribit_data_collector at 8c22e83"
    ),
    ordered=True,
    read=read_book_csv,
)
