"""Reads a table of quotes whose columns the plan names: CSV, Parquet or Feather, one instrument a source.  [S8.2]

For data of one's own: nothing about the form is assumed but that each row is the touch from its time on.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from backtest.data.adapters import cells, rows
from backtest.data.adapters.base import Adapter, Chunk, SourceSpec
from backtest.data.adapters.files import check_options, matching, need, shown, text, whole
from backtest.data.adapters.identity import check_columns, check_name
from backtest.data.adapters.instruments import DECLARED, DECLARED_SIZED, InstrumentListing, declared, table
from backtest.data.adapters.tables import whole_table
from backtest.data.adapters.times import UNITS, time_ns
from engine.errors import DataError, UsageError
from engine.records import FloatArray, IntArray

_SIZES: Final = ("bid_size", "ask_size")
_REPLACED: Final = "quotes with the time of a later row, which replaces them"


def read(root: Path, spec: SourceSpec) -> Iterator[Chunk]:
    """Yield one chunk a file.

    Options: the instrument (``venue, kind, base, quote, feed`` = book or touch; for a perp ``funding_h``, for a dated
    future ``expiry``, for an inverse contract ``face_usd``); ``time``, ``bid``, ``ask``, the names of these columns;
    ``bid_size`` and ``ask_size`` (both or neither), sizes in base units, of an inverse contract in contracts;
    ``label``, the unit of the time: text, s, ms, us or ns; ``latency_ns``, from that time to the moment at which the
    row was known.  An empty cell is a side that is not there; of rows with one time the last one counts.  Raises
    ``UsageError`` for another feed or one size without the other, ``DataError`` where a column is missing, times go
    back, or the name of the file or a column names another instrument.
    """
    check_options(spec, (*DECLARED, "time", "bid", "ask", "label", "latency_ns"), (*DECLARED_SIZED, *_SIZES))
    text(spec, "feed", ("book", "touch"))
    given = [key for key in _SIZES if key in spec.options]
    if len(given) == 1:
        raise UsageError(
            f"source {spec.adapter} ({spec.path}): expected both of bid_size and ask_size or neither, was {given[0]}"
        )
    listing = declared(spec, sized=bool(given))
    for path in matching(root, spec):
        where = shown(root, path)
        check_name(path, listing, where)
        yield _chunk(whole_table(path, where), listing, spec, bool(given), where)


def _chunk(frame: pd.DataFrame, listing: InstrumentListing, spec: SourceSpec, sized: bool, where: str) -> Chunk:
    check_columns(frame, listing, where)
    time, bid_name, ask_name = (text(spec, key) for key in ("time", "bid", "ask"))
    need(frame, [time, bid_name, ask_name], where)
    t_ns = _known_ns(frame, time, spec, where)
    bid, ask = cells.positives(frame, bid_name, where), cells.positives(frame, ask_name, where)
    sizes = _sizes(frame, spec, listing, bid, ask, where) if sized else (np.nan, np.nan)
    quotes = rows.quotes(t_ns, listing.name, bid, ask, *sizes)
    last = rows.last_of_each(quotes)
    replaced = len(quotes) - len(last)
    return Chunk(where, table([listing]), last, {_REPLACED: replaced} if replaced else {})


def _known_ns(frame: pd.DataFrame, column: str, spec: SourceSpec, where: str) -> IntArray:
    """Return when each row was known, int64 ns UTC, shape (n,)."""
    t_ns = time_ns(frame[column], text(spec, "label", UNITS), where)
    back = np.flatnonzero(np.diff(t_ns) < 0)
    if len(back):
        at = int(back[0]) + 1
        raise DataError(
            f"{where}, row {cells.row_of(frame, at)}, column {column}: expected times that do not go back, was "
            f"{np.datetime64(int(t_ns[at]), 'ns')} after {np.datetime64(int(t_ns[at - 1]), 'ns')} ({len(back)} such "
            "rows); sort the file by time"
        )
    return t_ns + whole(spec, "latency_ns")


def _sizes(
    frame: pd.DataFrame, spec: SourceSpec, listing: InstrumentListing, bid: FloatArray, ask: FloatArray, where: str
) -> tuple[FloatArray, FloatArray]:
    """Return the sizes of both sides in base units, each of shape (n,)."""
    names = [text(spec, key) for key in _SIZES]
    need(frame, names, where)
    amounts = [cells.sizes(frame, name, price, where) for name, price in zip(names, (bid, ask), strict=True)]
    return listing.base_size(amounts[0], bid), listing.base_size(amounts[1], ask)


ADAPTER: Final = Adapter(
    name="quotes_table",
    title="Quotes of one instrument with columns of any name, CSV, Parquet or Feather",
    verified="",
    ordered=True,
    read=read,
)
