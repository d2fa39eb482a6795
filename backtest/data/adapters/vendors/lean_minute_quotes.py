"""Reads minute quotes in the form of QuantConnect's Lean: a zip a day and symbol, no header.  [S8.2]

Columns: milliseconds of the day, bid O H L C and size, ask O H L C and size.  The close of a minute is its last quote
and is known at the minute's end.  Units of size differ: base units for spot and linear perps, contracts for inverse
ones (100 USD a contract at Binance BTC, 1 USD at Bybit): the source declares ``face_usd``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from backtest.data.adapters import cells, rows
from backtest.data.adapters.archives import only_member
from backtest.data.adapters.bars import check_bars
from backtest.data.adapters.base import Adapter, Chunk, SourceSpec
from backtest.data.adapters.files import BAR_NS, check_options, csv_parts, matching, shown
from backtest.data.adapters.identity import check_name
from backtest.data.adapters.instruments import DECLARED, DECLARED_SIZED, declared, table
from engine.errors import DataError
from engine.units import NS_PER_DAY, NS_PER_MS, NS_PER_SECOND

_DAY: Final = re.compile(r"(?<!\d)(20\d{6})(?!\d)")
_COLUMNS: Final = 11


def read(root: Path, spec: SourceSpec) -> Iterator[Chunk]:
    """Yield one chunk a zip of quotes; the day is in the name of the file.

    Options: the instrument (``venue, kind, base, quote, feed`` = book; for a perp ``funding_h``, inverse ``face_usd``).
    Raises ``DataError`` if the columns are others or the times of a day do not ascend.
    """
    check_options(spec, DECLARED, DECLARED_SIZED)
    listing = declared(spec, sized=True)
    for path in matching(root, spec):
        where = shown(root, path)
        check_name(path, listing, where)
        if path.suffix == ".zip":
            check_name(Path(only_member(path, where)), listing, where)
        frame = pd.concat(csv_parts(path, where, header=None))
        if frame.shape[1] != _COLUMNS:
            raise DataError(f"{where}: expected {_COLUMNS} columns of a quote file, was {frame.shape[1]}")
        frame = frame.set_axis([str(number) for number in frame.columns], axis=1)
        ms = cells.wholes(frame, "0", where)
        outside = (ms < 0) | (ms >= NS_PER_DAY // NS_PER_MS) | (np.diff(ms, prepend=-1) <= 0)
        if outside.any():
            at = int(np.argmax(outside))
            raise DataError(
                f"{where}, row {cells.row_of(frame, at)}, column 1: expected milliseconds of a day in ascending order, "
                f"was {ms[at]}{f' after {ms[at - 1]}' if at else ''}; repair the file"
            )
        open_ns = _midnight_ns(path.name, where) + ms * NS_PER_MS
        check_bars(open_ns, BAR_NS["1m"], spec, path.name, where)
        t_ns = open_ns + BAR_NS["1m"]
        bid, ask = cells.positives(frame, "4", where), cells.positives(frame, "9", where)
        amounts = cells.sizes(frame, "5", bid, where), cells.sizes(frame, "10", ask, where)
        sizes = listing.base_size(amounts[0], bid), listing.base_size(amounts[1], ask)
        yield Chunk(where, table([listing]), rows.quotes(t_ns, listing.name, bid, ask, *sizes))


def _midnight_ns(name: str, where: str) -> int:
    match = _DAY.search(name)
    try:
        day = datetime.strptime(match[1] if match else "", "%Y%m%d").replace(tzinfo=UTC)
    except ValueError as error:
        raise DataError(f"{where}: expected a day like 20221213 in the name of the file, was {name}") from error
    return int(day.timestamp()) * NS_PER_SECOND


ADAPTER: Final = Adapter(
    name="lean_minute_quotes",
    title="Minute quotes of Lean, zip a day, no header",
    verified=(
        "5 files of Bybit, Binance and dYdX, 2022-12-13 and 2026-01-01; "
        "cryptofuture_binance_btcusd_20221213_quote.zip, "
        "1,104 rows, SHA-256 1e0631775e091c2f5874e8360083b23920013c800260094c4b43b2f3a2d9c9f0: "
        "github.com/QuantConnect/Lean at 2486390"
    ),
    ordered=True,
    read=read,
)
