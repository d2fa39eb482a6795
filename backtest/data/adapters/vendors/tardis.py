"""CSV files of Tardis: option chains, derivative tickers, quotes and book snapshots.  [S8.2]

One format of time for all: microseconds, ``timestamp`` the exchange's, ``local_timestamp`` the recorder's, which is
when a row was knowable.  Amounts are the exchange's own: coin for options, spot and linear perps, USD at Deribit's
inverse futures, contracts elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from backtest.data.adapters import rows
from backtest.data.adapters.base import Adapter, Chunk, SourceSpec
from backtest.data.adapters.files import check_options, csv_parts, epoch_ns, matching, need, shown, text
from backtest.data.adapters.identity import check_symbol_option
from backtest.data.adapters.instruments import (
    DECLARED,
    DECLARED_MORE,
    DECLARED_SIZED,
    InstrumentListing,
    declared,
    deribit,
    table,
)
from engine.errors import DataError, UsageError
from engine.records import Feed, FloatArray, IntArray, Kind, Right
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


TouchPart = Callable[[pd.DataFrame, IntArray, Any, AmountUnit, str], pd.DataFrame]


def read_touch(root: Path, spec: SourceSpec) -> Iterator[Chunk]:
    """Yield the chunks of ``quotes`` and ``book_snapshot_5/25`` files: the touch with its sizes.

    Options: ``market`` = deribit (the symbol names the instrument) or declared (``symbol`` is the one symbol kept, with
    ``venue, kind, base, quote, feed`` = book ...; ``contract_size`` for a linear perp that its venue counts in
    contracts).
    """
    yield from _read(root, spec, _touch, sized=True)


def read_ticker(root: Path, spec: SourceSpec) -> Iterator[Chunk]:
    """Yield the chunks of ``derivative_ticker`` files: mark, index and the published funding rate.

    Options as for quotes.  A ticker does not hold what was settled: SETTLE rows come from a funding history.
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
                frame = frame[frame["symbol"] == text(spec, "symbol")]
                check_exchange(frame, market, where)
            kept += len(frame)
            if len(frame):
                yield _chunk(frame.reset_index(drop=True), market, part, where)
        if not kept:
            raise DataError(f"{where}: expected rows of {spec.options.get('symbol', 'deribit')}, found none")


def _chunk(frame: pd.DataFrame, market: InstrumentListing | None, part: TouchPart, where: str) -> Chunk:
    if market is None:
        if others := set(frame["exchange"]) - {"deribit"}:
            raise DataError(f"{where}: expected rows of deribit, there were rows of {', '.join(sorted(others))}")
        listing = {symbol: deribit(symbol, Feed.BOOK) for symbol in frame["symbol"].unique()}
        names = frame["symbol"].map({symbol: each.name for symbol, each in listing.items()}).to_numpy(dtype=object)
        face = frame["symbol"].map(
            {symbol: _DERIBIT_AMOUNT_USD if each.inverse else 0.0 for symbol, each in listing.items()}
        )
        listings, unit = list(listing.values()), AmountUnit(face.to_numpy(dtype=np.float64), np.ones(len(frame)))
    else:
        listings, names = [market], np.full(len(frame), market.name, dtype=object)
        usd = market.contract_size if market.inverse else 0.0
        unit = AmountUnit(np.full(len(frame), usd), np.full(len(frame), market.base_per_amount))
    t_ns = epoch_ns(frame["local_timestamp"], "us", where)
    # columns of the contract beside its name allow a check that costs nothing
    if any(each.kind == Kind.OPTION for each in listings):
        _agree(frame, {each.symbol: each for each in listings}, where)
    return Chunk(where, table(listings), rows.last_of_each(part(frame, t_ns, names, unit, where)))


def _agree(frame: pd.DataFrame, listings: dict[str, InstrumentListing], where: str) -> None:
    """Refuse a chain whose columns and symbols are of different contracts."""
    if not {"type", "strike_price", "expiration"} <= set(frame.columns):
        return
    first = frame.drop_duplicates("symbol")
    columns = (first[name].tolist() for name in ("symbol", "strike_price", "expiration", "type"))
    for symbol, strike, expiration, right in zip(*columns, strict=True):
        listing = listings[symbol]
        stated = (float(strike), int(expiration) * NS_PER_US, _RIGHTS.get(right))
        if listing.kind == Kind.OPTION and stated != (listing.strike, listing.expiry_ns, listing.right):
            raise DataError(f"{where}: expected {symbol} to be what its columns say, was {stated}")


def _sized(price: FloatArray, amount: FloatArray, unit: AmountUnit) -> FloatArray:
    """Return amounts in base units: of dollars over the price, of base units as they are."""
    return np.where(unit.usd > 0, amount * unit.usd / price, amount * unit.base)


def check_exchange(frame: pd.DataFrame, market: InstrumentListing, where: str) -> None:
    """Raise ``DataError`` (4) if rows are of another exchange, or of another market of it, than ``market``."""
    names = _SPOT if market.kind == Kind.SPOT else _INVERSE if market.inverse else _LINEAR
    others = sorted(
        {str(name) for name in frame["exchange"].unique()} - {n for n, of in names.items() if of == market.venue}
    )
    if others:
        raise DataError(
            f"{where}, column exchange: expected rows of {market.name} ({Kind(market.kind).name.lower()}), "
            f"there were rows of {', '.join(others[:5])}, another market: its symbol may be the same"
        )


def _touch(frame: pd.DataFrame, t_ns: IntArray, names: Any, unit: AmountUnit, where: str) -> pd.DataFrame:
    book = "asks[0].price" in frame.columns
    ask, ask_amount = ("asks[0].price", "asks[0].amount") if book else ("ask_price", "ask_amount")
    bid, bid_amount = ("bids[0].price", "bids[0].amount") if book else ("bid_price", "bid_amount")
    need(frame, (ask, ask_amount, bid, bid_amount), where)
    return _quotes(frame, t_ns, names, unit, (bid, ask, bid_amount, ask_amount), where)


def _chain(frame: pd.DataFrame, t_ns: IntArray, names: Any, unit: AmountUnit, where: str) -> pd.DataFrame:
    columns = ("bid_price", "ask_price", "bid_amount", "ask_amount")
    need(frame, (*columns, "mark_price", "type", "strike_price", "expiration"), where)
    mark = rows.positive(frame["mark_price"])
    known = ~np.isnan(mark)
    return rows.together(
        _quotes(frame, t_ns, names, unit, columns, where), rows.marks(t_ns[known], names[known], mark[known])
    )


def _ticker(frame: pd.DataFrame, t_ns: IntArray, names: Any, _unit: AmountUnit, where: str) -> pd.DataFrame:
    need(frame, ("funding_rate", "index_price", "mark_price"), where)
    mark, index = rows.positive(frame["mark_price"]), rows.positive(frame["index_price"])
    rate = frame["funding_rate"].to_numpy(dtype=np.float64)
    known, stated = ~(np.isnan(mark) & np.isnan(index)), ~np.isnan(rate)
    return rows.together(
        rows.marks(t_ns[known], names[known], mark[known], index[known]),
        rows.published(t_ns[stated], names[stated], rate[stated]),
    )


def _quotes(
    frame: pd.DataFrame, t_ns: IntArray, names: Any, unit: AmountUnit, columns: tuple[str, ...], where: str
) -> pd.DataFrame:
    bid, ask = (rows.positive(frame[column]) for column in columns[:2])
    bid_amount = rows.amounts(frame[columns[2]], bid, where)
    ask_amount = rows.amounts(frame[columns[3]], ask, where)
    return rows.quotes(t_ns, names, bid, ask, _sized(bid, bid_amount, unit), _sized(ask, ask_amount, unit))


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
        "github.com/nautechsystems/nautilus_trader, crates/adapters/tardis/test_data/csv at abed516"
    ),
    ordered=True,
    read=read_ticker,
)
CHAIN: Final = Adapter(
    name="tardis_options_chain",
    title="Tardis options_chain of Deribit, CSV (.gz)",
    verified="",
    ordered=True,
    read=read_options_chain,
)
