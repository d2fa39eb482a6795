"""Reads raw websocket messages of Binance, one a line: ``<local ns> <JSON>``, gzip.  [S8.2]

The recorder's clock is not trusted (in the known sample it runs 1.27 s behind the exchange, so that messages arrive
before they happen): a row is known at the exchange's event time plus the declared latency.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from backtest.data.adapters import rows
from backtest.data.adapters.base import Adapter, Chunk, SourceSpec
from backtest.data.adapters.files import check_options, matching, shown, text, whole
from backtest.data.adapters.identity import OTHERS, is_symbol_of
from backtest.data.adapters.instruments import DECLARED, DECLARED_SIZED, InstrumentListing, declared, table
from backtest.data.adapters.order_book import OrderBook
from engine.errors import DataError
from engine.units import NS_PER_MS

_LONGEST_LINE: Final = 16 * 2**20

Touch = tuple[int, float, float, float, float]  # event ms, bid, ask, bid size, ask size


def read(root: Path, spec: SourceSpec) -> Iterator[Chunk]:
    """Yield one chunk a file: the touch after each message, of several in one millisecond the last.

    Options: the instrument (``feed`` = book); ``stream`` = bookTicker (needs an event time in its messages, which the
    spot market does not send) or depth (the first snapshot and all differences, gaps checked); ``latency_ns``.
    """
    check_options(spec, (*DECLARED, "stream", "latency_ns"), DECLARED_SIZED)
    listing, latency = declared(spec, sized=True), whole(spec, "latency_ns")
    touches = _book_ticker if text(spec, "stream", ("bookTicker", "depth")) == "bookTicker" else _depth
    for path in matching(root, spec):
        where = shown(root, path)
        own = _OwnMessages(path, listing, where)
        chunk = _chunk(list(touches(own, where)), listing, latency, where)
        yield replace(chunk, passed_over={OTHERS: own.others} if own.others else {})


def _chunk(touches: list[Touch], listing: InstrumentListing, latency: int, where: str) -> Chunk:
    if not touches:
        raise DataError(f"{where}: expected messages of the stream, found none")
    columns = np.array([touch[1:] for touch in touches], dtype=np.float64)
    t_ns = np.array([touch[0] for touch in touches], dtype=np.int64) * NS_PER_MS + latency
    bid, ask = rows.positive(columns[:, :2]).T
    bid_size, ask_size = rows.amounts(columns[:, 2], bid, where), rows.amounts(columns[:, 3], ask, where)
    sizes = listing.base_size(bid_size, bid), listing.base_size(ask_size, ask)
    quotes = rows.quotes(t_ns, listing.name, bid, ask, *sizes)
    return Chunk(where, table([listing]), rows.last_of_each(quotes))


def messages(path: Path, where: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield (local ns, message) of each line of a ``.gz`` recording; the message of a combined stream is unwrapped.

    Raises ``DataError`` naming ``where`` and the line if one is no ``<ns> <JSON object>`` (a ``ValueError`` inside) or
    the file is cut short.
    """
    number = 0
    try:
        with gzip.open(path, "rb") as stream:
            for line in iter(lambda: stream.readline(_LONGEST_LINE), b""):
                number += 1
                stamp, _, body = line.partition(b" ")
                message = json.loads(body)
                if not isinstance(message, dict):
                    raise ValueError(f"a JSON {type(message).__name__}")
                yield int(stamp), message.get("data", message) if "stream" in message else message
    except (ValueError, RecursionError) as error:
        raise DataError(f"{where}, line {number}: expected '<ns> <JSON object>': {error}") from error
    except (gzip.BadGzipFile, EOFError) as error:
        raise DataError(f"{where}: expected a whole gzip file: {error}") from error


class _OwnMessages:
    """Iterates over the messages of one instrument in a recording; ``others`` counts those of other symbols."""

    def __init__(self, path: Path, listing: InstrumentListing, where: str) -> None:
        self._path, self._listing, self._where = path, listing, where
        self.others = 0

    def __iter__(self) -> Iterator[dict[str, Any]]:
        unnamed = False
        for _, message in messages(self._path, self._where):
            symbol = message.get("s")
            if isinstance(symbol, str) and not is_symbol_of(self._listing, symbol):
                self.others += 1
                continue
            # a snapshot by request holds no symbol, so beside messages of two symbols it may be either's
            unnamed |= "lastUpdateId" in message and symbol is None
            yield message
        if unnamed and self.others:
            raise DataError(
                f"{self._where}: expected snapshots that name their symbol where messages of several symbols are "
                f"recorded, was one without; record {self._listing.symbol} in a file of its own"
            )


def _book_ticker(own: _OwnMessages, where: str) -> Iterator[Touch]:
    for message in own:
        if message.get("e") == "bookTicker":
            yield message["E"], *(float(message[key]) for key in ("b", "a", "B", "A"))
        elif "B" in message and "e" not in message:
            raise DataError(f"{where}: bookTicker messages without event time: use stream = 'depth'")


def _depth(own: _OwnMessages, where: str) -> Iterator[Touch]:
    book, last = OrderBook(), None
    waiting: list[dict[str, Any]] = []
    for message in own:
        if "lastUpdateId" in message:
            if last is not None:
                continue
            last = message["lastUpdateId"]
            book.replace(message["bids"], message["asks"])
            fresh = [update for update in waiting if update["u"] > last]
        elif message.get("e") == "depthUpdate":
            fresh = [message]
        else:
            continue
        if last is None:
            waiting += fresh
            continue
        for update in fresh:
            if update["u"] <= last:
                continue
            before = update.get("pu", update["U"] - 1)
            if before > last:
                raise DataError(f"{where}: expected the update after {last}, was one after {before}: a gap")
            book.apply(update["b"], update["a"])
            last = update["u"]
            yield update["E"], *book.touch()


ADAPTER: Final = Adapter(
    name="binance_ws",
    title="Binance raw websocket recordings, bookTicker or depth, gzip",
    verified=(
        "6 files of 2024-08-08, spot, linear and inverse; btcusdt_20240808.gz (USDT perp), 93,954 lines, SHA-256 "
        "0ad7b3a0f5cff220761ea890cfd6e3c15f6899edc7f94637ec915043d7a72251: github.com/nkaz001/hftbacktest at 5f3ec40"
    ),
    ordered=True,
    read=read,
)
