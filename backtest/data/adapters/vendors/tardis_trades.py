"""CSV files of Tardis ``trades``: last prices as bars, for there is no touch in them.  [S8.2, S3.3]

A trade has the price that somebody paid, not one that was on offer.  So trades become bars: the last price received
inside a bar, known at the bar's close, with spread and depth unknown.  A bar without a trade is not there.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from backtest.data.adapters import cells, rows
from backtest.data.adapters.base import Adapter, Chunk, SourceSpec
from backtest.data.adapters.files import bar_ns, check_options, csv_parts, matching, need, shown, text
from backtest.data.adapters.identity import check_symbol_option
from backtest.data.adapters.instruments import (
    DECLARED,
    DECLARED_MORE,
    InstrumentListing,
    declared,
    deribit_listings,
    table,
)
from backtest.data.adapters.times import epoch_ns
from backtest.data.adapters.vendors.tardis import check_deribit, check_exchange
from engine.errors import DataError
from engine.records import Feed


def read(root: Path, spec: SourceSpec) -> Iterator[Chunk]:
    """Yield the chunks of ``trades`` files as bars.

    Options: ``bar``, its length; ``market`` = deribit (the symbol names the instrument) or declared (``symbol`` is the
    one symbol kept, with ``venue, kind, base, quote, feed`` = bar ...).  The file's last bar counts as whole: Tardis
    cuts its files at midnight.  Raises ``DataError`` if a receive time is before that of the row above, or if the file
    has no trade of the symbol.
    """
    by_name = text(spec, "market", ("deribit", "declared")) == "deribit"
    more = [name for name in DECLARED_MORE if name != "bar"]
    check_options(
        spec, ("market", "bar") if by_name else ("market", "symbol", "bar", *DECLARED), () if by_name else more
    )
    bar, market = bar_ns(spec), None if by_name else declared(spec)
    if market is not None:
        check_symbol_option(spec, text(spec, "symbol"), market)
    for path in matching(root, spec):
        where, found = shown(root, path), False
        for closes in _closes(path, where, bar, None if by_name else text(spec, "symbol"), market):
            found = True
            yield _chunk(closes, bar, market, where)
        if not found:
            raise DataError(f"{where}: expected trades of {spec.options.get('symbol', 'deribit')}, found none")


def _closes(
    path: Path, where: str, bar: int, symbol: str | None, market: InstrumentListing | None
) -> Iterator[pd.DataFrame]:
    """Yield ``symbol, number, price``: the last price of each finished bar, whatever the parts the file is read in."""
    open_, newest = pd.DataFrame({"symbol": [], "number": np.empty(0, np.int64), "price": []}), 0
    for frame in csv_parts(path, where):
        need(frame, ("exchange", "symbol", "local_timestamp", "price"), where)
        if market is not None:
            check_exchange(frame[cells.names(frame, "symbol", where) == symbol], market, where)
        else:
            check_deribit(frame, where)
            deribit_listings(frame[~frame["symbol"].duplicated()], "symbol", Feed.BAR, where, bar=bar)
        t_ns = epoch_ns(frame["local_timestamp"], "us", where)
        if len(t_ns) and (newest > t_ns[0] or (np.diff(t_ns) < 0).any()):
            back = int(np.argmax(np.diff(t_ns, prepend=newest) < 0))
            raise DataError(
                f"{where}, row {cells.row_of(frame, back)}, column local_timestamp: expected times that never go back, "
                f"was {np.datetime64(int(t_ns[back]), 'ns')}; sort the file by it"
            )
        newest = int(t_ns[-1]) if len(t_ns) else newest
        price = cells.positives(frame, "price", where)
        trades = pd.DataFrame({"symbol": cells.names(frame, "symbol", where), "number": t_ns // bar, "price": price})
        parts = [
            part for part in (open_, trades if symbol is None else trades[trades["symbol"] == symbol]) if len(part)
        ]
        if not parts:
            continue
        last = pd.concat(parts, ignore_index=True).drop_duplicates(["symbol", "number"], keep="last")
        # a part of the file may end inside a bar: it waits for the next part
        finished = last["number"] < newest // bar
        open_ = last[~finished]
        if finished.any():
            yield last[finished].reset_index(drop=True)
    if len(open_):
        yield open_.reset_index(drop=True)


def _chunk(closes: pd.DataFrame, bar: int, market: InstrumentListing | None, where: str) -> Chunk:
    first = closes.drop_duplicates("symbol")
    listings = [market] * len(first) if market else deribit_listings(first, "symbol", Feed.BAR, where, bar=bar)
    known = dict(zip(first["symbol"].tolist(), listings, strict=True))
    names = closes["symbol"].map({name: listing.name for name, listing in known.items()}).to_numpy(dtype=object)
    close_ns = (closes["number"].to_numpy(dtype=np.int64) + 1) * bar
    table_ = rows.bars(close_ns, names, rows.positive(closes["price"]))
    return Chunk(where, table(known.values()), rows.last_of_each(table_))


ADAPTER: Final = Adapter(
    name="tardis_trades",
    title="Tardis trades as bars of last prices, CSV (.gz)",
    verified=(
        "bitmex_trades_2020-04-01_XBTUSD.csv, 1 row, SHA-256 "
        "312364b74df1f15f33b8eaea613a7966e295ce36be8f9b39a9b2e0eb436c7e91: "
        "github.com/ondra-novak/quarkbot_core, docs/superpowers/plans/2026-08-13-tardis-data-source.md at 4ff2cc9, "
        "quoted"
    ),
    ordered=True,
    read=read,
)
