"""Reads candles of one instrument for each source, as CSV with a header.  [S8.2]

The label is the *opening* time of a bar, as text or as an integer stamp; a bar is known at its close.  Only the close
is used; a file may hold nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from backtest.data.adapters import rows
from backtest.data.adapters.base import Adapter, Chunk, SourceSpec
from backtest.data.adapters.files import check_options, csv_parts, epoch_ns, flag, matching, need, shown, text, utc_ns
from backtest.data.adapters.instruments import DECLARED, DECLARED_MORE, declared, table
from engine.errors import DataError
from engine.records import IntArray

_UNITS: Final = ("text", "s", "ms", "us", "ns")
_LABELS: Final = ("open_time", "timestamp", "ts", "time", "date")


def read(root: Path, spec: SourceSpec) -> Iterator[Chunk]:
    """Yield one chunk a file.

    Options: the instrument (``venue, kind, base, quote, feed`` = bar, ``bar``, for a perp ``funding_h``); ``label``,
    the unit of the label: text, s, ms, us or ns; ``drop_zero_volume``; ``drop_last``: true where the last bar of
    each file may be unfinished.  Raises ``DataError`` if bars are not in ascending order or a column is missing.
    """
    check_options(spec, (*DECLARED, "bar", "label", "drop_zero_volume", "drop_last"), DECLARED_MORE)
    listing, unit = declared(spec), text(spec, "label", _UNITS)
    for path in matching(root, spec):
        where = shown(root, path)
        frame = pd.concat(csv_parts(path, where))
        need(frame, ["close", *(["volume"] if flag(spec, "drop_zero_volume") else [])], where)
        open_ns = opening_ns(frame, unit, where)
        if np.any(np.diff(open_ns) <= 0):
            raise DataError(f"{where}: expected bars in ascending order, each once")
        keep = np.ones(len(frame), dtype=bool)
        if flag(spec, "drop_last"):
            # a file fetched within a bar ends with what it was at that time
            keep[-1] = False
        if flag(spec, "drop_zero_volume"):
            keep &= frame["volume"].to_numpy() > 0
        close_ns = open_ns[keep] + listing.bar_ns
        yield Chunk(where, table([listing]), rows.bars(close_ns, listing.name, frame["close"].to_numpy()[keep]))


def opening_ns(frame: pd.DataFrame, unit: str, where: str) -> IntArray:
    """Return the label column of ``frame`` as int64 ns UTC, shape (n,); ``unit`` is ``text`` or that of a stamp.

    Raises ``DataError`` if there is not exactly one label column or a label is no time.
    """
    label_columns = [name for name in _LABELS if name in frame.columns]
    # two labels may be the opening and the close; choosing one would be a guess
    if len(label_columns) != 1:
        raise DataError(f"{where}: expected one label column of {', '.join(_LABELS)}, was {', '.join(frame.columns)}")
    labels = frame[label_columns[0]]
    return utc_ns(labels, where) if unit == "text" else epoch_ns(labels, unit, where)


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
