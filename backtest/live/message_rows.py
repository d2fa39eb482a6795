"""From the bytes of one recorded message to rows: what each form holds, read as adapters read it.  [live L0.4, L2.1]

A row may be used from the receipt of its message on; its quote also has a lag, how long before that the event was at
least: receipt less min(receipt, event + upper bound of the clock).  A message whose lag exceeds `MAX_LAG_NS` says what
the market was, not what it is: it is counted as late, its quote is kept with its lag, marks and rates are left out.
Forms that give no rows (trades, differences of books, answers to subscriptions) are passed over and counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pandas as pd

from backtest.data.adapters import cells, rows
from backtest.data.adapters.deribit.tickers import ticker_rows
from backtest.data.adapters.hyperliquid.recordings import book_touch, is_spot_pair, perp, perp_coin
from backtest.data.adapters.instruments import InstrumentListing, deribit, linear_perp, names_of, spot
from backtest.data.format.schema import Channel
from backtest.data.panels.asof import MAX_LAG_NS
from backtest.live.dated_intervals import IntervalAnswer, intervals_of_answer
from engine.errors import DataError
from engine.records import Feed
from engine.units import NS_PER_HOUR, NS_PER_MS

ON_CHANGE: Final = ".agg2"
"""End of the channels of Deribit that are sent on change: silence there says that nothing changed."""
_QUOTES: Final = ("USDT", "USDC")
_BINANCE_FUNDING_NS: Final = 8 * NS_PER_HOUR


@dataclass
class MessageRows:
    """What the messages of a day gave so far: rows by form, instruments by name, and counts of what gave none."""

    listings: dict[str, InstrumentListing] = field(default_factory=dict)
    ahead_ns: Callable[[str, int], int] = lambda _venue, _wall_ns: 0  # upper bound of our clock less the venue's
    quotes: list[tuple[int, str, float, float, float, float]] = field(default_factory=list)
    marks: list[tuple[int, str, float, float]] = field(default_factory=list)
    rates: list[tuple[int, str, float]] = field(default_factory=list)
    tickers: list[tuple[int, Mapping[str, Any]]] = field(default_factory=list)
    late_tickers: set[int] = field(default_factory=set)  # numbers in ``tickers``
    lags: list[tuple[int, str, int]] = field(default_factory=list)  # receipt, instrument, lag in ns
    on_change: list[tuple[int, str]] = field(default_factory=list)  # receipt, instrument of streams sent on change
    settled: list[pd.DataFrame] = field(default_factory=list)
    delivered: list[tuple[str, str, float]] = field(default_factory=list)  # coin, day, price
    intervals: list[IntervalAnswer] = field(default_factory=list)  # of contracts of Binance
    passed_over: Counter[str] = field(default_factory=Counter)

    def name(self, listing: InstrumentListing) -> str:
        """Return the name of an instrument, which is listed from now on."""
        name = listing.name
        self.listings[name] = listing
        return name

    def frames(self, where: str) -> Iterator[pd.DataFrame]:
        """Yield the rows of each form; ``t_ns`` is the receipt, of a settlement its nominal time."""
        if self.quotes:
            t_ns, names, *columns = zip(*self.quotes, strict=True)
            bid, ask, *sizes = (np.array(column, dtype=np.float64) for column in columns)
            times = np.array(t_ns, dtype=np.int64)
            bid, ask = rows.positive(bid), rows.positive(ask)
            bid_size, ask_size = (rows.amounts(size, price, times, where)
                                  for size, price in zip(sizes, (bid, ask), strict=True))  # fmt: skip
            yield rows.quotes(times, np.array(names, dtype=object), bid, ask, bid_size, ask_size)
        if self.marks:
            t_ns, names, mark, index = zip(*self.marks, strict=True)
            yield rows.marks(np.array(t_ns, dtype=np.int64), np.array(names, dtype=object), mark, index)
        if self.rates:
            t_ns, names, rate = zip(*self.rates, strict=True)
            yield rows.published(np.array(t_ns, dtype=np.int64), np.array(names, dtype=object), rate)
        if self.tickers:
            frame = pd.DataFrame([data for _, data in self.tickers])
            listings, ticked = ticker_rows(frame, np.array([t for t, _ in self.tickers], dtype=np.int64), where)
            self.listings.update({listing.name: listing for listing in listings})
            late = {(self.tickers[at][0], listings[at].name) for at in self.late_tickers}
            if late:
                of_late = [key in late for key in zip(ticked["t_ns"], ticked["name"], strict=True)]
                ticked = ticked[(ticked["channel"] == int(Channel.QUOTE)) | ~np.array(of_late, dtype=bool)]
            yield ticked
        yield from self.settled
        yield from self._deliveries()

    def _deliveries(self) -> Iterator[pd.DataFrame]:
        """Yield a DELIVERY row of each contract of a coin that expired on a day whose price is known."""
        for coin, day, price in dict.fromkeys(self.delivered):
            expired = [each for each in self.listings.values() if each.underlying == coin and each.expiry_ns
                       and str(np.datetime64(each.expiry_ns, "ns").astype("datetime64[D]")) == day]  # fmt: skip
            if expired:
                yield pd.DataFrame({
                    "channel": np.full(len(expired), int(Channel.DELIVERY), np.uint8),
                    "t_ns": np.array([each.expiry_ns for each in expired], dtype=np.int64),
                    "name": names_of(expired),
                    "price": np.full(len(expired), price),
                })  # fmt: skip


def read_stream(venue: str, wall_ns: int, body: bytes, found: MessageRows, where: str) -> None:
    """Add the rows of one stream message of ``venue`` (the name of its feed file), received at ``wall_ns``.

    Raises ``DataError`` (4) naming ``where`` and the field for a message of a known form whose values are not.
    """
    message = cells.json_value(body, where)
    if not isinstance(message, dict):
        found.passed_over["no object"] += 1
        return
    _STREAMS[venue](wall_ns, message, found, where)


def read_answer(venue: str, wall_ns: int, request: bytes, body: bytes, found: MessageRows, where: str) -> None:
    """Add the rows of one REST answer: settlements, funding that accrued, delivery prices.  Raises as `read_stream`."""
    url = request.decode("utf-8", "replace").partition("\n")[0].partition(" ")[2]
    split = urlsplit(url)
    for ending, read in _ANSWERS.get(venue, {}).items():
        if split.path.endswith(ending):
            read(wall_ns, request, parse_qs(split.query), cells.json_value(body, where), found, where)
            return
    found.passed_over["request"] += 1


def _is_late(venue: str, wall_ns: int, event_ms: int, name: str, found: MessageRows) -> bool:
    """Note the lag of the quote of ``name`` received at ``wall_ns`` and return whether its message is late."""
    lag = wall_ns - min(wall_ns, event_ms * NS_PER_MS + found.ahead_ns(venue, wall_ns))
    found.lags.append((wall_ns, name, lag))
    found.passed_over["late"] += lag > MAX_LAG_NS
    return lag > MAX_LAG_NS


def _binance(venue: str) -> Callable[[int, dict[str, Any], MessageRows, str], None]:
    def read(wall_ns: int, message: dict[str, Any], found: MessageRows, where: str) -> None:
        stream = message.get("stream")
        if not isinstance(stream, str) or "data" not in message:
            found.passed_over["answer"] += 1
            return
        symbol, _, form = stream.partition("@")
        kind, data = form.partition("@")[0], message["data"]
        if not isinstance(data, dict) or not (kind == "bookTicker" or kind == "markPrice" or kind.startswith("depth")):
            found.passed_over[kind or "answer"] += 1
            return
        listing = _listing_of(venue, symbol.upper(), where)
        late = "E" in data and _is_late(venue, wall_ns, cells.whole(data, "E", where), listing.name, found)
        if kind == "bookTicker":
            touch = [cells.number(data, key, where) for key in ("b", "a", "B", "A")]
            found.quotes.append((wall_ns, found.name(listing), *touch))  # type: ignore[arg-type]  # four numbers
        elif kind == "markPrice":
            name = found.name(listing)
            if late:
                return
            found.marks.append((wall_ns, name, cells.number(data, "p", where), cells.number(data, "i", where)))
            found.rates.append((wall_ns, name, cells.number(data, "r", where)))
        elif kind in ("depth5", "depth10", "depth20"):
            keys = ("bids", "asks") if "bids" in data else ("b", "a")
            (bid, bid_size), (ask, ask_size) = (_best(data, key, where) for key in keys)
            found.quotes.append((wall_ns, found.name(listing), bid, ask, bid_size, ask_size))
        else:
            found.passed_over[kind] += 1  # differences: the book they belong to is not rebuilt

    return read


def _best(data: dict[str, Any], key: str, where: str) -> tuple[float, float]:
    """Return price and size of the first level of a side; NaN for a side that is empty.  Deeper ones are not read."""
    levels = _listed(cells.item(data, key, where), where)
    return cells.pairs(levels[:1], f"{where}, field {key}")[0] if levels else (np.nan, np.nan)


def _listing_of(venue: str, symbol: str, where: str) -> InstrumentListing:
    try:
        return _binance_listing(venue, symbol)
    except DataError as problem:
        raise DataError(f"{where}: {problem}") from problem


@cache
def _binance_listing(venue: str, symbol: str) -> InstrumentListing:
    for quote in _QUOTES:
        if symbol.endswith(quote) and len(symbol) > len(quote):
            base = symbol.removesuffix(quote)
            if venue == "binance-spot":
                return spot("binance", base, quote, Feed.BOOK)
            return linear_perp("binance", base, quote, Feed.BOOK, funding_ns=_BINANCE_FUNDING_NS)
    raise DataError(f"expected a symbol that ends with {' or '.join(_QUOTES)}, was {symbol!r}")


def _deribit(wall_ns: int, message: dict[str, Any], found: MessageRows, where: str) -> None:
    if message.get("testnet") is True:
        raise DataError(f"{where}: expected messages of production, was testnet: true")
    params = message.get("params")
    channel = params.get("channel") if isinstance(params, dict) else None
    if not isinstance(channel, str) or not channel.startswith("ticker."):
        found.passed_over["answer" if channel is None else str(channel).partition(".")[0]] += 1
        return
    data = cells.item(params, "data", where)
    name = deribit(cells.text(data, "instrument_name", where), Feed.BOOK).name
    if _is_late("deribit", wall_ns, cells.whole(data, "timestamp", where), name, found):
        found.late_tickers.add(len(found.tickers))
    found.tickers.append((wall_ns, data))
    if channel.endswith(ON_CHANGE):
        found.on_change.append((wall_ns, name))


@cache
def _perp(coin: str) -> InstrumentListing:
    return perp(coin, Feed.BOOK)


def _hyperliquid(wall_ns: int, message: dict[str, Any], found: MessageRows, where: str) -> None:
    channel, data = message.get("channel"), message.get("data")
    if channel == "l2Book":
        coin, *touch = book_touch(data, where)
        name = found.name(_perp(coin))
        _is_late("hyperliquid", wall_ns, cells.whole(data, "time", where), name, found)
        found.quotes.append((wall_ns, name, *touch))  # type: ignore[arg-type]
    elif channel == "activeAssetCtx" and not is_spot_pair(cells.text(data, "coin", where)):
        name, context = found.name(_perp(perp_coin(data, "coin", where))), cells.item(data, "ctx", where)
        mark, index, rate = (cells.number(context, key, where) for key in ("markPx", "oraclePx", "funding"))
        found.marks.append((wall_ns, name, mark, index))
        found.rates.append((wall_ns, name, rate))
    else:
        found.passed_over[str(channel)] += 1


def _settlements(
    listing: InstrumentListing, entries: list[Any], keys: tuple[str, str], found: MessageRows, where: str
) -> None:
    """Add a SETTLE row of each entry, on an hour; the published rate is a stream's, so its FUNDING row is left out."""
    if entries:
        labels = np.array([cells.whole(each, keys[0], where) for each in entries], dtype=np.int64) * NS_PER_MS
        rates = np.array([cells.number(each, keys[1], where) for each in entries])
        table = rows.settled(labels, found.name(listing), rates, NS_PER_HOUR)
        found.settled.append(table[table["channel"] == Channel.SETTLE])


def _binance_funding(
    _wall_ns: int, _request: bytes, query: dict[str, list[str]], answer: Any, found: MessageRows, where: str
) -> None:
    listing = _listing_of("binance-usdm", query["symbol"][0], where)
    _settlements(listing, _listed(answer, where), ("fundingTime", "fundingRate"), found, where)


def _binance_intervals(
    wall_ns: int, _request: bytes, _query: dict[str, list[str]], answer: Any, found: MessageRows, where: str
) -> None:
    found.intervals.append((wall_ns, intervals_of_answer(_listed(answer, where), where)))


def _hyperliquid_funding(
    _wall_ns: int, _request: bytes, _query: dict[str, list[str]], answer: Any, found: MessageRows, where: str
) -> None:
    if not isinstance(answer, list) or not answer or not isinstance(answer[0], dict) or "fundingRate" not in answer[0]:
        found.passed_over["info"] += 1  # the lists of contracts are answers of the same path
        return
    _settlements(_perp(perp_coin(answer[0], "coin", where)), answer, ("time", "fundingRate"), found, where)


def _deribit_funding(
    _wall_ns: int, _request: bytes, query: dict[str, list[str]], answer: Any, found: MessageRows, where: str
) -> None:
    entries = _listed(cells.item(answer, "result", where), where)
    if entries:
        name = found.name(deribit(query["instrument_name"][0], Feed.BOOK))
        hours = np.array([cells.whole(each, "timestamp", where) for each in entries], dtype=np.int64) * NS_PER_MS
        found.settled.append(
            rows.accrued(hours, name, np.array([cells.number(each, "interest_1h", where) for each in entries]))
        )


def _deribit_delivery(
    _wall_ns: int, _request: bytes, query: dict[str, list[str]], answer: Any, found: MessageRows, where: str
) -> None:
    coin = query["index_name"][0].partition("_")[0].upper()
    for entry in _listed(cells.item(cells.item(answer, "result", where), "data", where), where):
        found.delivered.append((coin, cells.text(entry, "date", where), cells.number(entry, "delivery_price", where)))


def _listed(value: Any, where: str) -> list[Any]:
    if not isinstance(value, list):
        raise DataError(f"{where}: expected a list, was {str(value)!r:.100}")
    return value


_STREAMS: Final[Mapping[str, Callable[[int, dict[str, Any], MessageRows, str], None]]] = {
    "binance-spot": _binance("binance-spot"),
    "binance-usdm": _binance("binance-usdm"),
    "deribit": _deribit,
    "hyperliquid": _hyperliquid,
}
_ANSWERS: Final[Mapping[str, Mapping[str, Callable[..., None]]]] = {
    "binance-usdm": {"/fapi/v1/fundingRate": _binance_funding, "/fapi/v1/fundingInfo": _binance_intervals},
    "deribit": {"/get_funding_rate_history": _deribit_funding, "/get_delivery_prices": _deribit_delivery},
    "hyperliquid": {"/info": _hyperliquid_funding},
}
VENUES: Final = tuple(_STREAMS)
"""Names of feed files whose messages are read, in the order of their listing."""
