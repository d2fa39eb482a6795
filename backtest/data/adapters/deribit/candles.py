"""Reads one-minute candles of Deribit futures near snapshot times, CSV: perpetuals, and dated futures.  [S8.2]

The files hold the candle nearest each label, which is the minute that contains it: none of the candles is closed at
its label.  A bar is knowable at its close, so its row comes after the label and a grid at the labels never sees it;
a grid at the next full minute does, with the quotes of the label at most a minute old.  [S1.1]
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from backtest.data.adapters import cells, rows
from backtest.data.adapters.bars import left_out, length_text, traded
from backtest.data.adapters.base import Adapter, Chunk, SourceSpec
from backtest.data.adapters.files import BAR_NS, check_options, csv_parts, flag, matching, need, shown, texts
from backtest.data.adapters.instruments import deribit_listings, names_of, table
from backtest.data.adapters.times import epoch_ns
from engine.errors import DataError
from engine.records import Feed

_PERP: Final = {
    "currency": "coin",
    "symbol": "instrument_name",
    "open": "candle_open_time_ms",
    "end": "candle_close_time_ms",
    "close": "candle_close",
    "volume": "candle_volume",
}
_TERM: Final = {
    "currency": "currency",
    "symbol": "futures_instrument_name",
    "open": "term_candle_open_time_ms",
    "end": "term_candle_close_time_ms",
    "close": "term_candle_close",
    "volume": "term_candle_volume",
}


def read(root: Path, spec: SourceSpec) -> Iterator[Chunk]:
    """Yield one chunk a closing time of bars, known then: a chunk for each snapshot, in order.

    Options: ``currencies`` to keep; ``drop_zero_volume``: a minute without a trade repeats an older price, true drops
    it.  Feed BAR, 1 minute.  The forwards in the option rows are read by ``deribit_snapshots``: a data set takes the
    dated futures either from there (feed MARK) or from here.
    """
    check_options(spec, ("currencies", "drop_zero_volume"))
    currencies, drop = texts(spec, "currencies"), flag(spec, "drop_zero_volume")
    for path in matching(root, spec):
        where = shown(root, path)
        yield from _chunks(pd.concat(csv_parts(path, where)), currencies, drop, where)


def _chunks(frame: pd.DataFrame, currencies: tuple[str, ...], drop: bool, where: str) -> Iterator[Chunk]:
    names = _TERM if _TERM["symbol"] in frame.columns else _PERP
    need(frame, names.values(), where)
    frame = frame[np.isin(cells.names(frame, names["currency"], where).astype(str), currencies)]
    close_ns = epoch_ns(frame[names["end"]], "ms", where)
    length = close_ns - epoch_ns(frame[names["open"]], "ms", where)
    # the file holds opening and closing times: their distance shows a wrong unit or label
    if np.any(length != BAR_NS["1m"]):
        at = int(np.argmax(length != BAR_NS["1m"]))
        raise DataError(
            f"{where}, row {cells.row_of(frame, at)}: expected bars of 1m, was {length_text(int(length[at]))} from "
            f"opening to closing time; give the file of one-minute candles"
        )
    if np.any(close_ns % BAR_NS["1m"]):
        at = int(np.argmax(close_ns % BAR_NS["1m"] != 0))
        raise DataError(
            f"{where}, row {cells.row_of(frame, at)}, column {names['end']}: expected a candle that closes on a full "
            f"minute, was {np.datetime64(int(close_ns[at]), 'ns')}; is the column the close?"
        )
    keep = traded(frame[names["volume"]], drop, where)
    frame, close_ns, passed = frame[keep], close_ns[keep], left_out(int((~keep).sum()))
    for moment, part in frame.groupby(close_ns, sort=True):
        listings = deribit_listings(part, names["symbol"], Feed.BAR, where, bar=BAR_NS["1m"])
        for at, (listing, coin) in enumerate(zip(listings, part[names["currency"]].tolist(), strict=True)):
            if coin not in (listing.base, listing.settle):
                raise DataError(
                    f"{where}, row {cells.row_of(part, at)}, column {names['currency']}: expected that of "
                    f"{listing.symbol}, was {coin!r}; repair the row or leave it out"
                )
        symbols = names_of(listings)
        times_ns = np.full(len(part), moment, dtype=np.int64)
        bars = rows.bars(times_ns, symbols, cells.numbers(part, names["close"], where))
        yield Chunk(where, table(listings), bars, passed)
        # of the whole file, so counted once
        passed = {}


ADAPTER: Final = Adapter(
    name="deribit_candles",
    title="Deribit perpetual and dated-future one-minute candles near snapshots, CSV",
    verified=(
        "838 perpetual and 5,854 dated-future rows, 2025-12-30 to 2026-04-15; perpetual_futures_prices.csv, SHA-256 "
        "b7f2b66b2f21b01dd4570f5d355de981f5dc7c5904d817918938965a5357e69e: "
        "github.com/znmahbub/SVCJ-Deribit-Inverse-Options-Pricer at 516b0cb"
    ),
    ordered=True,
    read=read,
)
