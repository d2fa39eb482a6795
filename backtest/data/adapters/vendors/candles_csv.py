"""Reads candles of one instrument for each source, as CSV with a header, Parquet or Feather.  [S8.2]

The label is the *opening* time of a bar, as text or as a whole stamp; a bar is known at its close.  Only the close
is used; a file may hold nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from backtest.data.adapters import cells, rows
from backtest.data.adapters.bars import breaks, check_bars, closing_labels, left_out, traded
from backtest.data.adapters.base import Adapter, BarBreak, Chunk, SourceSpec
from backtest.data.adapters.files import check_options, flag, matching, need, shown, text
from backtest.data.adapters.identity import check_columns, check_name
from backtest.data.adapters.instruments import DECLARED, DECLARED_MORE, InstrumentListing, declared, table
from backtest.data.adapters.tables import whole_table
from backtest.data.adapters.times import UNITS, time_ns
from engine.errors import DataError
from engine.records import IntArray

# Names that venues and libraries give the columns; of each only one may be in a file.
_LABELS: Final = (
    "open_time", "openTime", "Open time", "Open Time", "startTime", "start", "timestamp", "ts", "time", "date", "Date",
    "datetime", "t",
)  # fmt: skip
_OPENS: Final = ("open", "Open", "openPrice", "o")
_PRICES: Final = ("close", "Close", "closePrice", "c")
_VOLUMES: Final = ("volume", "Volume", "vol", "v")
_INTERVALS: Final = ("interval", "timeframe", "i")


def read(root: Path, spec: SourceSpec) -> Iterator[Chunk]:
    """Yield one chunk a file.

    Options: the instrument (``venue, kind, base, quote, feed`` = bar, ``bar``, for a perp ``funding_h``); ``label``,
    the unit of the label: text, s, ms, us or ns; ``drop_zero_volume``; ``drop_last``: true where the last bar of
    each file may be unfinished.  A bar that OKX marks as unfinished (``confirm`` = 0) is left out.  Raises
    ``DataError`` if bars are not in ascending order or not of the declared length, if the name of the file or a column
    names another instrument, or if a column is missing.
    """
    check_options(spec, (*DECLARED, "bar", "label", "drop_zero_volume", "drop_last"), DECLARED_MORE)
    listing = declared(spec)
    for path in matching(root, spec):
        where = shown(root, path)
        check_name(path, listing, where)
        yield _chunk(whole_table(path, where), listing, spec, path.name, where)


def _chunk(frame: pd.DataFrame, listing: InstrumentListing, spec: SourceSpec, file: str, where: str) -> Chunk:
    unit, drop = text(spec, "label", UNITS), flag(spec, "drop_zero_volume")
    check_columns(frame, listing, where)
    price, volume = _column(frame, _PRICES), _column(frame, _VOLUMES)
    need(frame, [price or "close", *([volume or "volume"] if drop else [])], where)
    open_ns = opening_ns(frame, unit, where)
    back = np.flatnonzero(np.diff(open_ns) <= 0)
    if len(back):
        raise DataError(
            f"{where}, row {cells.row_of(frame, int(back[0]) + 1)}: expected bars in ascending order, each once, was "
            f"{np.datetime64(int(open_ns[back[0] + 1]), 'ns')} after {np.datetime64(int(open_ns[back[0]]), 'ns')} "
            f"({len(back)} such rows); sort the file, each bar once"
        )
    closing = closing_labels(frame)
    ends_ns = None if closing is None else time_ns(frame[closing], unit, where)
    check_bars(open_ns, listing.bar_ns, spec, file, where, ends_ns, frame.iloc[:, 0])
    _check_interval(frame, spec, where)
    whole = np.ones(len(frame), dtype=bool)
    if flag(spec, "drop_last"):
        # a file fetched within a bar ends with what it was at that time
        whole[-1] = False
    if "confirm" in frame.columns:
        whole &= cells.numbers(frame, "confirm", where) != 0
    with_trade = np.ones(len(frame), dtype=bool) if volume is None else traded(frame[volume], drop, where)
    keep, close = whole & with_trade, cells.numbers(frame, price or "close", where)
    bars = rows.bars(open_ns[keep] + listing.bar_ns, listing.name, close[keep])
    far: tuple[BarBreak, ...] = ()
    first = _column(frame, _OPENS)
    if first is not None:
        open_ = cells.numbers(frame, first, where)
        far = breaks(open_ns[keep], open_[keep], close[keep], listing.bar_ns, listing.name)
    return Chunk(where, table([listing]), bars, left_out(int((whole & ~with_trade).sum())), far)


def opening_ns(frame: pd.DataFrame, unit: str, where: str) -> IntArray:
    """Return the label column of ``frame`` as int64 ns UTC, shape (n,); ``unit`` is ``text`` or that of a stamp.

    Raises ``DataError`` if there is not exactly one label column or a label is no time.
    """
    label_columns = [name for name in _LABELS if name in frame.columns]
    # two labels may be the opening and the close; choosing one would be a guess
    if len(label_columns) != 1:
        raise DataError(
            f"{where}: expected one label column of {', '.join(_LABELS)}, was {', '.join(map(str, frame.columns))}"
        )
    return time_ns(frame[label_columns[0]], unit, where)


def _column(frame: pd.DataFrame, names: tuple[str, ...]) -> str | None:
    return next((name for name in names if name in frame.columns), None)


def _check_interval(frame: pd.DataFrame, spec: SourceSpec, where: str) -> None:
    column = _column(frame, _INTERVALS)
    if column is not None and (others := {str(value) for value in frame[column].unique()} - {spec.options["bar"]}):
        raise DataError(
            f"{where}, column {column}: expected bars of {spec.options['bar']} as declared, was {sorted(others)[0]}"
        )


ADAPTER: Final = Adapter(
    name="candles_csv",
    title="Candles of one instrument, CSV with header",
    verified=(
        "Hyperliquid hyperliquid_BTC_1h.csv, 4,321 rows, SHA-256 "
        "46ba137b6c430e25a1fbbab3c2b13cc813428c50716ba44629a3746e37000155: "
        "github.com/mozanaydin/tradebot-backtest-lab at 647448c; "
        "Bybit USDCUSDT_1h.csv, 11,000 rows, SHA-256 "
        "82b3eee1a4f727142e91fb95d132b9808b40b2fbf8c3690f8381e2256dd708ab: "
        "github.com/yili1992/stablecoin_arbi at 6c3d7a3"
    ),
    ordered=True,
    read=read,
)
