"""Reads Deribit option chains as CSV snapshots some hours apart: touch prices without sizes, marks, forwards.  [S8.2]

One label, several clocks.  Bid, ask, mark and ``underlying`` of a currency come from one call; then the collector
asks option by option, so ``index_price`` of a later row was read minutes after the label.  Hence the index of a
snapshot is the one in the first row of its currency, and a currency that was asked later is declared late with
``delay_ns``: a late quote may be used late, never early.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from backtest.data.adapters import cells, rows
from backtest.data.adapters.base import Adapter, Chunk, SourceSpec
from backtest.data.adapters.files import check_options, csv_parts, matching, need, shown, text, texts
from backtest.data.adapters.identity import terms_text
from backtest.data.adapters.index_currency import index_in_price_dollar
from backtest.data.adapters.instruments import (
    InstrumentListing,
    deribit,
    deribit_listings,
    is_deribit_future,
    names_of,
    table,
)
from backtest.data.adapters.times import utc_ns
from engine.errors import DataError, UsageError
from engine.records import Feed, Kind, Right

_COLUMNS: Final = (
    "timestamp",
    "instrument_name",
    "underlying",
    "underlying_name",
    "option_type",
    "strike",
    "expiry_datetime",
    "bid_price",
    "ask_price",
    "mark_price",
    "currency",
    "index_price",
)
_RIGHTS: Final = {"call": Right.CALL, "put": Right.PUT}


def read(root: Path, spec: SourceSpec) -> Iterator[Chunk]:
    """Yield one chunk a snapshot file.

    Options: ``currencies`` to keep; ``delay_ns`` a table currency = nanoseconds after the label at which its rows
    were known; ``futures`` = mark (the forward of each listed dated future as an instrument of feed MARK) or none.
    """
    check_options(spec, ("currencies", "delay_ns", "futures"))
    currencies, delays = texts(spec, "currencies"), _delays(spec)
    with_futures = text(spec, "futures", ("mark", "none")) == "mark"
    for path in matching(root, spec):
        where = shown(root, path)
        # with the second column of a name, which pandas numbers, so that it is refused
        frame = pd.concat(csv_parts(path, where, usecols=lambda name: name.partition(".")[0] in _COLUMNS))
        need(frame, _COLUMNS, where)
        currency_of = cells.names(frame, "currency", where)
        parts = [
            _currency(frame[currency_of == currency], delays[currency], with_futures, where) for currency in currencies
        ]
        listings = [listing for part, _ in parts for listing in part]
        yield Chunk(where, table(listings), rows.together(*(part for _, part in parts)))


def _delays(spec: SourceSpec) -> dict[str, int]:
    delays = spec.options["delay_ns"]
    wanted = texts(spec, "currencies")
    good = isinstance(delays, dict) and set(delays) == set(wanted)
    if not good or not all(isinstance(ns, int) and ns >= 0 for ns in delays.values()):  # type: ignore[attr-defined]
        raise UsageError(
            f"source {spec.adapter}: expected delay_ns with an integer >= 0 for each of {', '.join(wanted)}, "
            f"was {delays!r}"
        )
    return dict(delays)  # type: ignore[call-overload, no-any-return]


def _currency(
    frame: pd.DataFrame, delay_ns: int, with_futures: bool, where: str
) -> tuple[list[InstrumentListing], pd.DataFrame]:
    if frame.empty:
        return [], rows.quotes(np.empty(0, np.int64), "", np.empty(0), np.empty(0))
    t_ns = utc_ns(frame["timestamp"], where) + delay_ns
    # the first row was read at the label; later ones look ahead by minutes
    index = float(cells.positives(frame, "index_price", where)[0])
    listings = deribit_listings(frame, "instrument_name", Feed.TOUCH, where)
    _agree(frame, listings, where)
    indices = index_in_price_dollar(np.full(len(listings), index), listings, t_ns)
    names = names_of(listings)
    parts = [
        rows.quotes(t_ns, names, *(cells.positives(frame, side, where) for side in ("bid_price", "ask_price"))),
        rows.marks(t_ns, names, cells.positives(frame, "mark_price", where), indices),
    ]
    if with_futures:
        # an option of an expiry without a future may name no underlying
        named = [isinstance(name, str) and is_deribit_future(name) for name in frame["underlying_name"].tolist()]
        dated = frame[named].assign(underlying=cells.positives(frame, "underlying", where)[named])
        dated = dated[dated["underlying"].notna()]
        # Rows of one call differ by cents; the lower median is a forward that was quoted.
        forward = dated.groupby("underlying_name")["underlying"].quantile(0.5, interpolation="lower")
        futures = [deribit(str(symbol), Feed.MARK) for symbol in forward.index]
        times_ns = np.full(len(futures), t_ns[0])
        symbols = names_of(futures)
        price = forward.to_numpy(dtype=np.float64)
        parts += [
            rows.bars(times_ns, symbols, price),
            rows.marks(
                times_ns, symbols, price, index_in_price_dollar(np.full(len(futures), index), futures, times_ns)
            ),
        ]
        listings = listings + futures
    return listings, rows.together(*parts)


def _agree(frame: pd.DataFrame, listings: list[InstrumentListing], where: str) -> None:
    """Refuse a file whose columns and instrument names are of different contracts."""
    for at, (currency, listing) in enumerate(zip(frame["currency"].tolist(), listings, strict=True)):
        if currency not in (listing.base, listing.settle):
            raise DataError(
                f"{where}, row {cells.row_of(frame, at)}, column currency: expected that of {listing.symbol}, was "
                f"{currency!r}; repair the row or leave it out"
            )
    columns = zip(
        cells.numbers(frame, "strike", where).tolist(),
        utc_ns(frame["expiry_datetime"], where).tolist(),
        (_RIGHTS.get(right, Right.NONE) for right in cells.names(frame, "option_type", where)),
        listings,
        strict=True,
    )
    for at, (strike, expiry_ns, right, listing) in enumerate(columns):
        if (listing.kind, listing.strike, listing.expiry_ns, listing.right) != (Kind.OPTION, strike, expiry_ns, right):
            raise DataError(
                f"{where}, row {cells.row_of(frame, at)}: expected {listing.symbol} to be what its columns say, was "
                f"{terms_text(strike, expiry_ns, right)}; repair the row or leave it out"
            )


ADAPTER: Final = Adapter(
    name="deribit_snapshots",
    title="Deribit option chain snapshots, CSV (.gz), no sizes",
    verified=(
        "545 files, 459,514 BTC and 416,658 ETH rows, 2025-12-30 to 2026-05-16: "
        "github.com/znmahbub/SVCJ-Deribit-Inverse-Options-Pricer at 516b0cb; first file (packed), SHA-256 "
        "38b8c98c0317c6988f18c1b5692006f1bd9db323500085a9884a3664a00bd8d2"
    ),
    ordered=True,
    read=read,
    by_file=True,
)
