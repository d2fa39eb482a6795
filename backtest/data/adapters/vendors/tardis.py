"""CSV files of Tardis: option chains, derivative tickers, quotes and book snapshots.  [S8.2]

One format of time for all: microseconds, ``timestamp`` the exchange's, ``local_timestamp`` the recorder's, which is
when a row was knowable.  Amounts are the exchange's own: coin for options, spot and linear perps, USD at Deribit's
inverse futures, contracts elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from backtest.data.adapters import cells, rows
from backtest.data.adapters.base import Adapter, Chunk, SourceSpec
from backtest.data.adapters.files import check_options, csv_parts, matching, need, shown, text
from backtest.data.adapters.identity import check_symbol_option, terms_text
from backtest.data.adapters.index_currency import index_in_price_dollar
from backtest.data.adapters.instruments import (
    DECLARED,
    DECLARED_MORE,
    DECLARED_SIZED,
    InstrumentListing,
    declared,
    deribit_listings,
    names_of,
    table,
)
from backtest.data.adapters.times import epoch_ns
from engine.errors import DataError, UsageError
from engine.records import BoolArray, Feed, FloatArray, IntArray, Kind, Right
from engine.units import NS_PER_US

_KEY: Final = ("exchange", "symbol", "local_timestamp")
_DERIBIT_AMOUNT_USD: Final = 1.0  # Tardis keeps Deribit's amounts of inverse futures in USD
_RIGHTS: Final = {"call": Right.CALL, "put": Right.PUT}

# What Tardis calls the markets of a venue: one symbol may name a spot pair and a perp.
_SPOT: Final = {
    "binance": "binance", "bybit-spot": "bybit", "okex": "okx", "huobi": "htx", "gate-io": "gate", "bitget": "bitget",
    "kucoin": "kucoin", "kraken": "kraken", "coinbase": "coinbase", "bitstamp": "bitstamp", "bitfinex": "bitfinex",
}  # fmt: skip
_LINEAR: Final = {
    "binance-futures": "binance", "bybit": "bybit", "okex-swap": "okx", "huobi-dm-linear-swap": "htx",
    "gate-io-futures": "gate", "bitget-futures": "bitget", "kucoin-futures": "kucoin", "cryptofacilities": "kraken",
    "bitfinex-derivatives": "bitfinex", "dydx": "dydx", "dydx-v4": "dydx", "hyperliquid": "hyperliquid",
    "bitmex": "bitmex", "deribit": "deribit",
}  # fmt: skip
_INVERSE: Final = {
    "binance-delivery": "binance", "bybit": "bybit", "okex-swap": "okx", "huobi-dm-swap": "htx",
    "gate-io-futures": "gate", "bitget-futures": "bitget", "kucoin-futures": "kucoin", "cryptofacilities": "kraken",
    "bitmex": "bitmex", "deribit": "deribit",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class AmountUnit:
    """What an amount of 1 is in each row, shape (n,): ``usd`` dollars, or ``base`` base units where ``usd`` is 0."""

    usd: FloatArray
    base: FloatArray


Listings = list[InstrumentListing]  # of each row
TouchPart = Callable[[pd.DataFrame, IntArray, Listings, AmountUnit, str], pd.DataFrame]


def read_touch(root: Path, spec: SourceSpec) -> Iterator[Chunk]:
    """Yield the chunks of ``quotes`` and ``book_snapshot_5/25`` files: the touch with its sizes.

    Options: ``market`` = deribit (the symbol names the instrument) or declared (``symbol`` is the one symbol kept, with
    ``venue, kind, base, quote, feed`` = book ...; ``contract_size`` for a linear perp that its venue counts in
    contracts).
    """
    yield from _read(root, spec, _touch, sized=True)


def read_ticker(root: Path, spec: SourceSpec) -> Iterator[Chunk]:
    """Yield the chunks of ``derivative_ticker`` files: mark, index and the published funding rate.

    Options as for quotes.  A ticker does not hold what was settled: SETTLE rows come from a funding history.  An index
    in USDC or USDT and the rate of an interval that is over are left out.
    """
    yield from _read(root, spec, _ticker)


def read_options_chain(root: Path, spec: SourceSpec) -> Iterator[Chunk]:
    """Yield the chunks of Deribit's ``options_chain`` files: touch with sizes in coin, mark.

    Option: ``market`` = deribit; another one raises ``UsageError``.  ``underlying_price`` is a forward, not the index,
    and is left out.
    """
    if spec.options.get("market") != "deribit":
        raise UsageError(
            f"source {spec.adapter} ({spec.path}): expected market = 'deribit', the one chain that is known"
        )
    yield from _read(root, spec, _chain)


def _read(root: Path, spec: SourceSpec, part: TouchPart, *, sized: bool = False) -> Iterator[Chunk]:
    by_name = text(spec, "market", ("deribit", "declared")) == "deribit"
    more = DECLARED_SIZED if sized else DECLARED_MORE
    check_options(spec, ("market",) if by_name else ("market", "symbol", *DECLARED), () if by_name else more)
    market = None if by_name else declared(spec, sized=sized)
    if market is not None:
        check_symbol_option(spec, text(spec, "symbol"), market)
    for path in matching(root, spec):
        where, kept = shown(root, path), 0
        for frame in csv_parts(path, where):
            need(frame, _KEY, where)
            if market is not None:
                frame = frame[cells.names(frame, "symbol", where) == text(spec, "symbol")]
                check_exchange(frame, market, where)
            kept += len(frame)
            if len(frame):
                yield _chunk(frame, market, part, where)
        if not kept:
            raise DataError(f"{where}: expected rows of {spec.options.get('symbol', 'deribit')}, found none")


def _chunk(frame: pd.DataFrame, market: InstrumentListing | None, part: TouchPart, where: str) -> Chunk:
    if market is None:
        check_deribit(frame, where)
        symbols = cells.names(frame, "symbol", where)
        # A chain repeats each symbol many times, and a symbol is parsed by a pattern and a date.
        first = frame[~frame["symbol"].duplicated()]
        listing = dict(zip(first["symbol"].tolist(), deribit_listings(first, "symbol", Feed.BOOK, where), strict=True))
        of_rows = [listing[symbol] for symbol in symbols]
        face = np.array([_DERIBIT_AMOUNT_USD if each.inverse else 0.0 for each in of_rows])
        listings, unit = list(listing.values()), AmountUnit(face, np.ones(len(frame)))
    else:
        listings, of_rows = [market], [market] * len(frame)
        # Contracts of an inverse market are of dollars.
        usd = market.contract_size if market.inverse else 0.0
        unit = AmountUnit(np.full(len(frame), usd), np.full(len(frame), market.base_per_amount))
    t_ns = epoch_ns(frame["local_timestamp"], "us", where)
    # columns of the contract beside its name allow a check that costs nothing
    if any(each.kind == Kind.OPTION for each in listings):
        _agree(frame, listing, where)
    return Chunk(where, table(listings), rows.last_of_each(part(frame, t_ns, of_rows, unit, where)))


def _agree(frame: pd.DataFrame, listings: dict[str, InstrumentListing], where: str) -> None:
    """Refuse a chain whose columns and symbols are of different contracts."""
    if not {"type", "strike_price", "expiration"} <= set(frame.columns):
        return
    first = frame.drop_duplicates("symbol")
    columns = (first["symbol"].tolist(), cells.numbers(first, "strike_price", where),
               cells.numbers(first, "expiration", where), cells.names(first, "type", where))  # fmt: skip
    for at, (symbol, strike, expiration, right) in enumerate(zip(*columns, strict=True)):
        listing = listings[symbol]
        expiry_ns = None if np.isnan(expiration) else int(expiration) * NS_PER_US
        terms = (float(strike), expiry_ns, _RIGHTS.get(right.lower()))
        if listing.kind == Kind.OPTION and terms != (listing.strike, listing.expiry_ns, listing.right):
            raise DataError(
                f"{where}, row {cells.row_of(first, at)}: expected {symbol} to be what its columns say, was "
                f"{terms_text(*terms)}; repair the row or leave it out"
            )


def _sized(price: FloatArray, amount: FloatArray, unit: AmountUnit) -> FloatArray:
    """Return amounts in base units: of dollars over the price, of base units as they are."""
    return np.where(unit.usd > 0, amount * unit.usd / price, amount * unit.base)


def check_deribit(frame: pd.DataFrame, where: str) -> None:
    """Raise ``DataError`` (4) naming the row if one is of another exchange than Deribit."""
    other = np.flatnonzero(cells.names(frame, "exchange", where) != "deribit")
    if len(other):
        raise DataError(
            f"{where}, row {cells.row_of(frame, int(other[0]))}, column exchange: expected rows of deribit, was "
            f"{frame['exchange'].iloc[other[0]]!r}; declare the instrument with market = 'declared'"
        )


def check_exchange(frame: pd.DataFrame, market: InstrumentListing, where: str) -> None:
    """Raise ``DataError`` (4) if rows are of another exchange, or of another market of it, than ``market``."""
    names = _SPOT if market.kind == Kind.SPOT else _INVERSE if market.inverse else _LINEAR
    allowed = {name for name, venue in names.items() if venue == market.venue}
    names_of_rows = cells.names(frame, "exchange", where)
    others = sorted(set(names_of_rows) - allowed)
    if others:
        row = cells.row_of(frame, int(np.argmax(np.isin(names_of_rows.astype(str), others))))
        raise DataError(
            f"{where}, row {row}, column exchange: expected rows of {market.name} ({Kind(market.kind).name.lower()}), "
            f"there were rows of {', '.join(others[:5]):.200}, another market: its symbol may be the same"
        )


def _touch(frame: pd.DataFrame, t_ns: IntArray, listings: Listings, unit: AmountUnit, where: str) -> pd.DataFrame:
    book = "asks[0].price" in frame.columns
    ask, ask_amount = ("asks[0].price", "asks[0].amount") if book else ("ask_price", "ask_amount")
    bid, bid_amount = ("bids[0].price", "bids[0].amount") if book else ("bid_price", "bid_amount")
    need(frame, (ask, ask_amount, bid, bid_amount), where)
    return _quotes(frame, t_ns, listings, unit, (bid, ask, bid_amount, ask_amount), where)


def _chain(frame: pd.DataFrame, t_ns: IntArray, listings: Listings, unit: AmountUnit, where: str) -> pd.DataFrame:
    columns = ("bid_price", "ask_price", "bid_amount", "ask_amount")
    need(frame, (*columns, "mark_price", "type", "strike_price", "expiration"), where)
    mark = cells.positives(frame, "mark_price", where)
    known, names = ~np.isnan(mark), names_of(listings)
    return rows.together(
        _quotes(frame, t_ns, listings, unit, columns, where), rows.marks(t_ns[known], names[known], mark[known])
    )


def _ticker(frame: pd.DataFrame, t_ns: IntArray, listings: Listings, _unit: AmountUnit, where: str) -> pd.DataFrame:
    need(frame, ("funding_rate", "index_price", "mark_price"), where)
    mark, index = cells.positives(frame, "mark_price", where), cells.positives(frame, "index_price", where)
    rate = cells.numbers(frame, "funding_rate", where)
    index, names = index_in_price_dollar(index, listings, t_ns), names_of(listings)
    known, published = ~(np.isnan(mark) & np.isnan(index)), ~np.isnan(rate) & ~_interval_over(frame, t_ns, where)
    return rows.together(
        rows.marks(t_ns[known], names[known], mark[known], index[known]),
        rows.published(t_ns[published], names[published], rate[published]),
    )


def _interval_over(frame: pd.DataFrame, t_ns: IntArray, where: str) -> BoolArray:
    """Return where the rate is that of an interval which had ended when the row was received, shape (n,).

    After a settlement OKX goes on for some seconds to publish the rate that was settled, with its time in
    ``funding_timestamp``: it is not the rate of the interval in force.
    """
    if "funding_timestamp" not in frame.columns:
        return np.zeros(len(frame), dtype=bool)
    due_us = cells.numbers(frame, "funding_timestamp", where)
    # NaN compares false: a row without the time keeps its rate.
    return np.asarray(due_us <= t_ns / NS_PER_US)


def _quotes(
    frame: pd.DataFrame, t_ns: IntArray, listings: Listings, unit: AmountUnit, columns: tuple[str, ...], where: str
) -> pd.DataFrame:
    bid, ask = (cells.positives(frame, column, where) for column in columns[:2])
    bid_amount, ask_amount = cells.sizes(frame, columns[2], bid, where), cells.sizes(frame, columns[3], ask, where)
    sizes = _sized(bid, bid_amount, unit), _sized(ask, ask_amount, unit)
    return rows.quotes(t_ns, names_of(listings), bid, ask, *sizes)


TOUCH: Final = Adapter(
    name="tardis_quotes",
    title="Tardis quotes and book_snapshot_5/25, CSV (.gz)",
    verified=(
        "binance-futures_book_snapshot_5_BTCUSDT.csv, 10 rows, SHA-256 "
        "65f8b70744bacbbf64091e3b912a9fbbab6b287b6cf0cb99b403f61323655c01: "
        "github.com/nautechsystems/nautilus_trader, tests/test_data/tardis at 17b9c23; "
        "huobi-dm-swap_quotes_2020-04-01_BTC-USD.csv, 1 row, SHA-256 "
        "d75133acc188c66f1d6f505a6f852f89216354b06f40753d694efd1bacb58048: "
        "github.com/ondra-novak/quarkbot_core, docs/superpowers/plans/2026-08-13-tardis-data-source.md at 4ff2cc9, "
        "quoted"
    ),
    unmet="book_snapshot_25 (book_snapshot_5 with more levels, of which none is read)",
    ordered=True,
    read=read_touch,
)
TICKER: Final = Adapter(
    name="tardis_derivative_ticker",
    title="Tardis derivative_ticker, CSV (.gz)",
    verified=(
        "deribit_derivative_ticker.csv, 3 rows, SHA-256 "
        "862e9d6bdea8ba170c5ba1f71b39d5244ec477d65803ffa23ddf3c0a6b5075ec: "
        "github.com/nautechsystems/nautilus_trader, crates/adapters/tardis/test_data/csv at abed516; "
        "okex-swap BTC-USDC-SWAP, 6 rows, SHA-256 "
        "23b5d40055ac81e01812c4b409b12d6572cace735987f1c01b79c96f1aefae75: the same repository at 648970c"
    ),
    ordered=True,
    read=read_ticker,
)
CHAIN: Final = Adapter(
    name="tardis_options_chain",
    title="Tardis options_chain of Deribit, CSV (.gz)",
    verified=(
        "options_chain_sample.csv.gz, 408 rows of 2026-05-01, SHA-256 "
        "4ccbd42e9732d5e6dafe43bf7f24dff1417adae51c59fd9da8f014d81ac3fe8c: "
        "github.com/seungpyoson/bolt-v2 at d1131df"
    ),
    ordered=True,
    read=read_options_chain,
)
