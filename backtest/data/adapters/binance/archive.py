"""Reads Binance's public archive: klines, mark and index klines, funding rates, bookTicker; zip or CSV.  [S8.2]

A header is there or not, and stamps are milliseconds or, since 2025 for spot, microseconds: both are read off the
file and checked against the month in its name.  ``premiumIndexKlines`` and ``bookDepth`` hold nothing that a data set
has a column for (a premium is no rate, depth within 1% is not the touch).
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
from backtest.data.adapters.bars import breaks, check_bars, closing_labels, drops, left_out, traded
from backtest.data.adapters.base import Adapter, BarBreak, Chunk, SourceSpec
from backtest.data.adapters.files import BAR_NS, check_options, csv_parts, matching, shown, text
from backtest.data.adapters.instruments import (
    DECLARED,
    DECLARED_MORE,
    DECLARED_SIZED,
    InstrumentListing,
    declared,
    table,
)
from backtest.data.adapters.schedule import DAY_HOURS, contradicted
from backtest.data.format.funding_intervals import intervals_of_gaps
from engine.errors import DataError, UsageError
from engine.records import IntArray, Kind
from engine.units import NS_PER_MS, NS_PER_SECOND, NS_PER_US

_KLINE: Final = (
    "open_time", "open", "high", "low", "close", "volume", "close_time", "quote_volume", "count",
    "taker_buy_volume", "taker_buy_quote_volume", "ignore",
)  # fmt: skip
_TICKER: Final = (
    "update_id", "best_bid_price", "best_bid_qty", "best_ask_price", "best_ask_qty", "transaction_time",
    "event_time",
)  # fmt: skip
_COLUMNS: Final = {
    "klines": _KLINE,
    "markPriceKlines": _KLINE,
    "indexPriceKlines": _KLINE,
    "fundingRate": ("calc_time", "funding_interval_hours", "last_funding_rate"),
    "bookTicker": _TICKER,
}
_STAMP: Final = {"fundingRate": "calc_time", "bookTicker": "event_time"}
_PERIOD: Final = re.compile(r"-(20\d\d)-(\d\d)(?:-(\d\d))?\.(?:zip|csv|csv\.gz)\Z")
_UNITS: Final = {"ms": NS_PER_MS, "us": NS_PER_US}


def read_klines(root: Path, spec: SourceSpec) -> Iterator[Chunk]:
    """Yield the chunks of ``klines`` of one symbol.

    Options: the instrument (``venue, kind, base, quote, feed`` = bar, ``bar``; for a perp ``funding_h``, inverse
    ``face_usd``); ``drop_zero_volume`` (may be left out: true, as klines always hold a volume).
    """
    check_options(spec, (*DECLARED, "bar"), (*DECLARED_MORE, "drop_zero_volume"))
    yield from _read(root, spec, "klines")


def read(root: Path, spec: SourceSpec) -> Iterator[Chunk]:
    """Yield the chunks of another table of one symbol.

    Options: ``table``, one of the archive's names; the instrument as for klines, with its own feed.  An index is in USD
    here, so ``indexPriceKlines`` are read for instruments priced in USD only; others raise ``UsageError``: an index in
    USDT stored as USD would be a conversion of 1.
    """
    kind = text(spec, "table", [name for name in _COLUMNS if name != "klines"])
    check_options(spec, ("table", *DECLARED), DECLARED_SIZED if kind == "bookTicker" else DECLARED_MORE)
    quote = text(spec, "quote")
    if kind == "indexPriceKlines" and quote != "USD":
        raise UsageError(f"source {spec.adapter} ({spec.path}): expected an index in USD, was one in {quote}")
    yield from _read(root, spec, kind)


def _read(root: Path, spec: SourceSpec, kind: str) -> Iterator[Chunk]:
    listing = declared(spec, sized=kind == "bookTicker")
    for path in matching(root, spec):
        where = shown(root, path)
        _check_symbol(path, listing, kind, where)
        names, unit = None, ""
        # as text: the unit of the stamps is decided from all of them
        for frame in csv_parts(path, where, header=None, dtype=str):
            if names is None:
                names, frame = _header(frame, kind, where)
            if frame.empty:  # the header alone
                continue
            frame = frame.set_axis(names, axis=1)
            unit = unit or unit_of(frame[_STAMP.get(kind, "open_time")], path.name, where)
            yield _chunk(frame, kind, listing, spec, path.name, unit, where)
        if not unit:
            raise DataError(f"{where}: expected rows after the header, was none: fetch the file again")


def _header(frame: pd.DataFrame, kind: str, where: str) -> tuple[list[str], pd.DataFrame]:
    """Return the column names, from the first row where it is one, and the rows after it."""
    first = ["" if pd.isna(value) else str(value).strip() for value in frame.iloc[0]]
    wanted = _COLUMNS[kind]
    # a row begins with a stamp, and no header begins with a digit
    if "0" <= first[0][:1] <= "9":
        if len(first) != len(wanted):
            raise DataError(
                f"{where}: expected the {len(wanted)} columns of {kind}, was {len(first)}: is table another?"
            )
        return list(wanted), frame
    needed = {_STAMP.get(kind, "open_time"), *({"close"} if "Klines" in kind or kind == "klines" else wanted[1:5])}
    if len(set(first)) < len(first):
        raise DataError(f"{where}: expected each column once, header was {', '.join(first):.200}")
    if missing := needed - set(first):
        raise DataError(
            f"{where}: expected the columns {', '.join(sorted(missing))}, header was {', '.join(first):.200}"
        )
    return first, frame.iloc[1:]


def _check_symbol(path: Path, listing: InstrumentListing, kind: str, where: str) -> None:
    """Refuse a file whose name, or folder in the archive's own layout, is of another symbol or market."""
    pair = f"{listing.base}{'USD' if listing.inverse else listing.quote}".upper()
    # the index of a coin-margined contract is that of its pair
    wanted = f"{pair}_PERP" if listing.inverse and kind != "indexPriceKlines" else pair
    if listing.kind == Kind.FUTURE and kind != "indexPriceKlines":
        wanted = listing.symbol
    words = path.name.split("-")
    if wanted not in words:
        raise DataError(f"{where}: expected a file of {wanted} ({listing.name}) by its name, was {path.name}")
    market = "spot" if listing.kind == Kind.SPOT else "cm" if listing.inverse else "um"
    # A symbol is the same in all three, so only the folder can contradict the declared market.
    folders = {"spot", "um", "cm"} & set(where.split("/")[:-1])
    if folders and market not in folders:
        raise DataError(
            f"{where}: expected a file of the market {market} ({listing.name}), was in {', '.join(folders)}"
        )


def _chunk(
    frame: pd.DataFrame, kind: str, listing: InstrumentListing, spec: SourceSpec, file: str, unit: str, where: str
) -> Chunk:
    none, open_ns, far = np.zeros(len(frame), dtype=bool), np.empty(0, np.int64), tuple[BarBreak, ...]()
    if "lines" in kind:
        if listing.bar_ns == 0:
            raise UsageError(
                f"source {spec.adapter} ({spec.path}): expected feed = 'bar' with the length of the {kind}, was none: "
                f"a bar is known at its close"
            )
        open_ns = stamps_ns(frame["open_time"], unit, file, where)
        column = closing_labels(frame)
        ends_ns = None if column is None else stamps_ns(frame[column], unit, file, where)
        check_bars(open_ns, listing.bar_ns, spec, file, where, ends_ns, frame["open_time"])
        if kind == "klines" and "volume" in frame.columns:
            none = ~traded(frame["volume"], drops(spec), where)
    kept = frame[~none]
    if kind == "klines" and "open" in frame.columns:
        prices = cells.numbers(kept, "open", where), cells.numbers(kept, "close", where)
        far = breaks(open_ns[~none], *prices, listing.bar_ns, listing.name)
    return Chunk(where, table([listing]), _rows(kept, kind, listing, file, unit, where), left_out(int(none.sum())), far)


def _intervals_ns(frame: pd.DataFrame, t_ns: IntArray, where: str) -> IntArray:
    """Return after which interval each settlement came, as the rows state it and the time between them confirms."""
    column = "funding_interval_hours"
    hours = cells.wholes(frame, column, where)
    wrong = np.flatnonzero((hours < 1) | (DAY_HOURS % np.maximum(hours, 1) != 0))
    if len(wrong):
        raise DataError(
            f"{where}, row {cells.row_of(frame, int(wrong[0]))}, column {column}: expected whole hours that divide a "
            f"day, was {int(hours[wrong[0]])}; fetch the file again"
        )
    interval_ns = intervals_of_gaps(t_ns, hours * BAR_NS["1h"])
    at = contradicted(t_ns, interval_ns)
    if at >= 0:
        before, now = (np.datetime64(int(ns), "ns").astype("datetime64[m]") for ns in t_ns[at - 1 : at + 1])
        raise DataError(
            f"{where}, row {cells.row_of(frame, at)}, column {column}: expected the hours since the settlement before, "
            f"was {int(hours[at])} h at {now} UTC after one at {before}; fetch the file again, each settlement once"
        )
    return interval_ns


def _rows(frame: pd.DataFrame, kind: str, listing: InstrumentListing, file: str, unit: str, where: str) -> pd.DataFrame:
    if frame.empty:
        return rows.bars(np.empty(0, np.int64), listing.name, np.empty(0))
    t_ns = stamps_ns(frame[_STAMP.get(kind, "open_time")], unit, file, where)
    if kind == "fundingRate":
        rate = cells.numbers(frame, "last_funding_rate", where, empty=False)
        return rows.settled(t_ns, listing.name, rate, _intervals_ns(frame, t_ns, where))
    if kind == "bookTicker":
        bid, ask = (cells.positives(frame, f"best_{side}_price", where) for side in ("bid", "ask"))
        bid_size = cells.sizes(frame, "best_bid_qty", bid, where)
        ask_size = cells.sizes(frame, "best_ask_qty", ask, where)
        sizes = listing.base_size(bid_size, bid), listing.base_size(ask_size, ask)
        return rows.last_of_each(rows.quotes(t_ns, listing.name, bid, ask, *sizes))
    close_ns, close = t_ns + listing.bar_ns, cells.numbers(frame, "close", where)
    if kind == "klines":
        return rows.bars(close_ns, listing.name, close)
    nothing = np.full(len(close), np.nan)
    mark, index = (close, nothing) if kind == "markPriceKlines" else (nothing, close)
    return rows.marks(close_ns, listing.name, mark, index)


def unit_of(stamps: pd.Series, file: str, where: str) -> str:
    """Return the unit, ms or us, that puts the first of ``stamps`` into the period of the file's name.  [S1.5]

    Raises ``DataError`` if neither does, or if the name holds no month or day.
    """
    low, high = _period_ns(file, where)
    column = str(stamps.name)
    (first,) = cells.wholes(stamps.iloc[:1].to_frame(column), column, where).tolist()
    for unit, scale in _UNITS.items():
        if low <= first * scale < high:
            return unit
    raise DataError(
        f"{where}, row {cells.row_of(stamps, 0)}, column {column}: expected a stamp in ms or us of "
        f"{_months(low, high)} by the file's name, was {first}; is it a file of another period?"
    )


def stamps_ns(stamps: pd.Series, unit: str, file: str, where: str) -> IntArray:
    """Return stamps in ``unit``, shape (n,), as int64 ns UTC, shape (n,).  [S1.5]

    Raises ``DataError`` with the row if one lies outside the period of the file's name: a change of unit within a file
    among them.
    """
    low, high = _period_ns(file, where)
    column, scale = str(stamps.name), _UNITS[unit]
    values = cells.wholes(stamps.to_frame(column), column, where)
    outside = np.flatnonzero((values < low // scale) | (values >= high // scale))
    if len(outside):
        raise DataError(
            f"{where}, row {cells.row_of(stamps, int(outside[0]))}, column {column}: expected stamps in {unit} of "
            f"{_months(low, high)} by the file's name, was {values[outside[0]]}; is it of another period or unit?"
        )
    return values * scale


def _period_ns(file: str, where: str) -> tuple[int, int]:
    """Return the period [low, high) of a file's name in ns UTC, with the first second after it."""
    match = _PERIOD.search(file)
    if match is None:
        raise DataError(f"{where}: expected a name that ends in -YYYY-MM or -YYYY-MM-DD, was {file}")
    year, month, day = int(match[1]), int(match[2]), match[3]
    try:
        start = datetime(year, month, int(day or 1), tzinfo=UTC)
    except ValueError as error:
        raise DataError(f"{where}: expected a name that ends in a month or day, was {match[0]}") from error
    end = datetime(year + month // 12, month % 12 + 1, 1, tzinfo=UTC) if day is None else None
    low = int(start.timestamp()) * NS_PER_SECOND
    high = int(end.timestamp()) * NS_PER_SECOND if end else low + BAR_NS["1d"]
    # The last event of a period may be stamped in the next one's first second.
    return low, high + NS_PER_SECOND


def _months(low: int, high: int) -> str:
    first, last = (str(np.datetime64(ns, "ns").astype("datetime64[D]")) for ns in (low, high - 2 * NS_PER_SECOND))
    return first if first == last else f"{first} to {last}"


KLINES: Final = Adapter(
    name="binance_klines",
    title="Binance public archive: klines; zip or CSV",
    verified=(
        "ADABTC-1m-2021-11-27.csv, 10 rows, SHA-256 "
        "5ceb1568e561c967b8fb0baff3e797207b69ace9cf00e9614bbdb5421762f751: "
        "github.com/nautechsystems/nautilus_trader, tests/test_data at be2268f"
    ),
    ordered=True,
    read=read_klines,
)
ADAPTER: Final = Adapter(
    name="binance_archive",
    title="Binance public archive: mark and index klines, fundingRate, bookTicker; zip or CSV",
    verified=(
        "BTCUSDT-bookTicker-2023-06-15.csv, 1 row, SHA-256 "
        "23839b08fb86018e3f735c1c37b67fbebab8ae987f49ecf67a0c016d105fed82: "
        "github.com/anshul-vijay-chinchole/Perplab, tests/unit/test_ingest_bulk.py at 9418ac7, quoted; "
        "BTCUSDT-fundingRate-2025-08.csv, 2 rows, SHA-256 "
        "9b05cd357308e8cfcdf5064a71ed861900ca510fff5f5b39a039c853ab9a236d, and markPriceKlines, 1 row, SHA-256 "
        "f84c87bfddc45d35e6f9e412b3053fc2645a671d5a916d6d7220b5a189fb76bd: a public report of a probe of "
        "data.binance.vision, quoted; their values equal an independent copy; "
        "indexPriceKlines 1000000BOBUSDT-1h-2025-07-31.csv, 2 rows, SHA-256 "
        "b0b9a4811b61ffc8a1bf6b7a2931827da95a1025e1a8f873168873a76533ef47, quoted by a public document"
    ),
    ordered=True,
    read=read,
)
