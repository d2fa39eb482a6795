"""Reads raw websocket messages of Binance, one a line: ``<local ns> <JSON>``, gzip.  [S8.2]

The recorder's clock is not trusted (in the known sample it runs 1.27 s behind the exchange, so that messages arrive
before they happen): a row is known at the exchange's event time plus the declared latency.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from backtest.data.adapters import cells, rows
from backtest.data.adapters.archives import lines, opened
from backtest.data.adapters.base import Adapter, Chunk, SourceSpec
from backtest.data.adapters.files import check_options, matching, shown, text, whole
from backtest.data.adapters.identity import OTHERS, is_symbol_of
from backtest.data.adapters.instruments import DECLARED, DECLARED_SIZED, InstrumentListing, declared, table
from backtest.data.adapters.order_book import OrderBook
from backtest.data.adapters.times import epoch_ns
from engine.errors import DataError

_MOST_DIGITS: Final = 19  # of a local time in ns

Touch = tuple[int, float, float, float, float]  # event ms, bid, ask, bid size, ask size


def read(root: Path, spec: SourceSpec) -> Iterator[Chunk]:
    """Yield one chunk a file: the touch after each message, of several in one millisecond the last.

    Options: the instrument (``feed`` = book); ``stream`` = bookTicker (needs an event time in its messages, which the
    spot market does not send) or depth (the first snapshot and all differences, gaps checked); ``latency_ns``.  A depth
    recording cut into files goes on from one to the next in the order of their names: a file without a snapshot is
    read if its updates follow those of the file before.
    """
    check_options(spec, (*DECLARED, "stream", "latency_ns"), DECLARED_SIZED)
    listing, latency = declared(spec, sized=True), whole(spec, "latency_ns")
    touches = _book_ticker if text(spec, "stream", ("bookTicker", "depth")) == "bookTicker" else _Depth().touches
    for path in matching(root, spec):
        where = shown(root, path)
        own = _OwnMessages(path, listing, where)
        chunk = _chunk(list(touches(own)), listing, latency, where)
        yield replace(chunk, passed_over={OTHERS: own.others} if own.others else {})


def _chunk(touches: list[Touch], listing: InstrumentListing, latency: int, where: str) -> Chunk:
    if not touches:
        raise DataError(
            f"{where}: expected messages of the option stream of {listing.symbol}, found none; is stream or the "
            f"instrument another?"
        )
    columns = np.array([touch[1:] for touch in touches], dtype=np.float64)
    t_ns = epoch_ns(pd.Series([touch[0] for touch in touches], name="E"), "ms", where) + latency
    bid, ask = rows.positive(columns[:, :2]).T
    bid_size, ask_size = rows.amounts(columns[:, 2], bid, t_ns, where), rows.amounts(columns[:, 3], ask, t_ns, where)
    sizes = listing.base_size(bid_size, bid), listing.base_size(ask_size, ask)
    quotes = rows.quotes(t_ns, listing.name, bid, ask, *sizes)
    return Chunk(where, table([listing]), rows.last_of_each(quotes))


def messages(path: Path, where: str) -> Iterator[tuple[str, int, dict[str, Any]]]:
    """Yield (place, local ns, message) of each line of a ``.gz`` recording; a combined stream's message is unwrapped.

    ``place`` names file and line.  Raises ``DataError`` naming them if a line is no ``<ns> <JSON object>`` or the file
    is cut short.
    """
    with opened(path, where) as stream:
        for place, _, line in lines(stream, where):
            stamp, _, body = line.partition(b" ")
            if not (stamp.isdigit() and len(stamp) <= _MOST_DIGITS):
                raise DataError(f"{place}: expected '<ns> <JSON object>', was {line[:80]!r}; take the line out")
            message = cells.json_value(body, place)
            if isinstance(message, dict) and "stream" in message and "data" in message:
                message = message["data"]
            if not isinstance(message, dict):
                raise DataError(f"{place}: expected '<ns> <JSON object>', was a {type(message).__name__}")
            yield place, int(stamp), message


class _OwnMessages:
    """Iterates over place and message of one instrument in a recording; ``others`` counts those of other symbols."""

    def __init__(self, path: Path, listing: InstrumentListing, where: str) -> None:
        self._path, self._listing, self.where = path, listing, where
        self.others = 0

    def __iter__(self) -> Iterator[tuple[str, dict[str, Any]]]:
        unnamed = False
        for place, _, message in messages(self._path, self.where):
            symbol = message.get("s")
            if isinstance(symbol, str) and not is_symbol_of(self._listing, symbol):
                self.others += 1
                continue
            # a snapshot by request holds no symbol, so beside messages of two symbols it may be either's
            unnamed |= "lastUpdateId" in message and symbol is None
            yield place, message
        if unnamed and self.others:
            raise DataError(
                f"{self.where}: expected snapshots that name their symbol where messages of several symbols are "
                f"recorded, was one without; record {self._listing.symbol} in a file of its own"
            )


def _book_ticker(own: _OwnMessages) -> Iterator[Touch]:
    for place, message in own:
        if message.get("e") == "bookTicker":
            bid, ask, bid_size, ask_size = (cells.number(message, key, place) for key in ("b", "a", "B", "A"))
            yield cells.whole(message, "E", place), bid, ask, bid_size, ask_size
        elif "B" in message and "e" not in message:
            raise DataError(
                f"{place}: expected bookTicker messages with an event time (E), was one without; use stream = 'depth'"
            )


@dataclass(frozen=True, slots=True)
class _Update:
    """One ``depthUpdate``: its place, the number before it, its last number, event time and the levels it sets."""

    place: str
    before: int
    last: int
    event_ms: int
    bids: list[tuple[float, float]]
    asks: list[tuple[float, float]]

    @staticmethod
    def of(message: dict[str, Any], place: str) -> _Update:
        first = cells.whole(message, "U", place)
        # Futures send the last number before (`pu`); spot numbers are consecutive, so it is the first less 1.
        before = cells.whole(message, "pu", place) if message.get("pu") is not None else first - 1
        last, event_ms = (cells.whole(message, key, place) for key in ("u", "E"))
        bids, asks = (cells.levels(message, key, place) for key in ("b", "a"))
        return _Update(place, before, last, event_ms, bids, asks)


class _Depth:
    """The book of one recording, through all its files: a day's file goes on where the file before ended."""

    def __init__(self) -> None:
        self._book = OrderBook()
        self._last: int | None = None

    def touches(self, own: _OwnMessages) -> Iterator[Touch]:
        """Yield the touch after each update of one file."""
        # a file is joined to the one before by its first update that is new, or else waits for a snapshot of its own
        joined, waiting = False, list[_Update]()
        for place, message in own:
            if "lastUpdateId" in message:
                if joined:
                    continue
                self._last = cells.whole(message, "lastUpdateId", place)
                self._book.replace(cells.levels(message, "bids", place), cells.levels(message, "asks", place))
                fresh, joined, waiting = [*waiting], True, []
            elif message.get("e") == "depthUpdate":
                fresh = [_Update.of(message, place)]
                if not joined:
                    joined = not waiting and self._last is not None and fresh[0].before <= self._last < fresh[0].last
                    if not joined:
                        # updates that the file before already holds are no gap
                        waiting += [] if self._last is not None and fresh[0].last <= self._last else fresh
                        continue
            else:
                continue
            for update in fresh:
                # Recorded before the snapshot was taken, and held in it.
                if update.last <= (self._last or 0):
                    continue
                if update.before > (self._last or 0):
                    raise DataError(
                        f"{update.place}: expected the update after {self._last}, was one after {update.before}: a gap"
                    )
                self._book.apply(update.bids, update.asks)
                self._last = update.last
                yield update.event_ms, *self._book.touch()
        if waiting:
            before = "no file is before it" if self._last is None else f"the file before ends with update {self._last}"
            raise DataError(
                f"{own.where}: expected a snapshot (lastUpdateId), or updates that follow those of the file before, "
                f"was neither: {before}, and this one goes on after {waiting[0].before}; give the days of a recording "
                f"to one source, in the order of their names, from a file with a snapshot on"
            )


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
