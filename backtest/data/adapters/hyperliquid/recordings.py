"""Hyperliquid as recorded: websocket lines, a message of all contexts, and a collector's summary of books.  [S8.2]"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from backtest.data.adapters import cells, rows
from backtest.data.adapters.archives import lines, opened
from backtest.data.adapters.base import Adapter, Chunk, SourceSpec
from backtest.data.adapters.binance.websocket import messages
from backtest.data.adapters.files import check_options, matching, read_json, shown, whole
from backtest.data.adapters.instruments import InstrumentListing, linear_perp, names_of, table
from backtest.data.adapters.schedule import refuse_eight_hour_rates
from backtest.data.adapters.times import epoch_ns, label_ns
from engine.errors import DataError, UsageError
from engine.records import Feed
from engine.units import BPS, NS_PER_HOUR

VENUE: Final = "hyperliquid"


def perp(coin: str, feed: Feed) -> InstrumentListing:
    """Return the perp on ``coin``: priced in USDT, paid in USDC one to one, funding every hour.  [venues V1]"""
    return linear_perp(VENUE, coin, "USD", feed, funding_ns=NS_PER_HOUR)


def is_spot_pair(coin: str) -> bool:
    """Return whether Hyperliquid's name of a market is that of a spot pair: its index ``@107``, or ``PURR/USDC``."""
    return coin.startswith("@") or "/" in coin


def perps_of(spec: SourceSpec, coins: Iterable[str]) -> dict[str, InstrumentListing]:
    """Return the perp, of feed MARK, on each coin that an option of ``spec`` names; ``UsageError`` (2) for a pair."""
    if pairs := sorted(coin for coin in coins if is_spot_pair(coin)):
        raise UsageError(
            f"source {spec.adapter} ({spec.path}): expected coins of perps, was the spot pair {pairs[0]!r}"
        )
    return {coin: perp(coin, Feed.MARK) for coin in coins}


def perp_coin(message: Any, key: str, where: str) -> str:
    """Return the coin ``message[key]`` of a perp; raise ``DataError`` (4) naming ``where`` for a spot pair."""
    coin = cells.text(message, key, where)
    if is_spot_pair(coin):
        raise DataError(f"{where}, field {key}: expected a perp, was the spot pair {coin!r}; leave its rows out")
    return coin


def book_touch(book: Any, where: str) -> tuple[str, float, float, float, float]:
    """Return coin, bid, ask and their sizes of the data of an ``l2Book`` message; NaN for a side that is empty.

    Raises ``DataError`` naming ``where`` and the field if it is not a coin and two sides of ``px`` and ``sz``.
    """
    coin, sides = perp_coin(book, "coin", where), cells.item(book, "levels", where)
    if not (isinstance(sides, list) and len(sides) == 2 and all(isinstance(side, list) for side in sides)):
        raise DataError(f"{where}, field levels: expected two lists of levels, was {str(sides)!r}")
    (bid, bid_size), (ask, ask_size) = (
        (cells.number(side[0], "px", where), cells.number(side[0], "sz", where)) if side else (np.nan, np.nan)
        for side in sides
    )
    return coin, bid, ask, bid_size, ask_size


def read_ws(root: Path, spec: SourceSpec) -> Iterator[Chunk]:
    """Yield one chunk a recording of ``<local ns> <JSON>`` lines: the touch of each ``l2Book``, known when received.

    No options.  Trades are passed over.  Raises ``DataError`` for a file without such messages.
    """
    check_options(spec, ())
    for path in matching(root, spec):
        where = shown(root, path)
        books = [
            (ns, *book_touch(cells.item(message, "data", place), place))
            for place, ns, message in messages(path, where)
            if message.get("channel") == "l2Book"
        ]
        if not books:
            raise DataError(f"{where}: expected l2Book messages, found none; is it a recording of another channel?")
        listings = [perp(book[1], Feed.BOOK) for book in books]
        t_ns = epoch_ns(pd.Series([book[0] for book in books], name="local time"), "ns", where)
        touches = np.array([book[2:] for book in books])
        # Two messages may be received in one clock tick; the later one is the book.
        yield Chunk(where, table(listings), rows.last_of_each(rows.quotes(t_ns, names_of(listings), *touches.T)))


def read_contexts(root: Path, spec: SourceSpec) -> Iterator[Chunk]:
    """Yield one chunk a message ``allDexsAssetCtxs``: mark, oracle as index, and the funding rate of the hour.

    Options: ``time_ns``, when the message was received (it has no time of its own); ``positions``, a table coin =
    place in the first list, since contexts carry no names.  Raises ``UsageError`` for other positions,
    ``DataError`` for a message of another form.
    """
    check_options(spec, ("time_ns", "positions"))
    positions = spec.options["positions"]
    if not isinstance(positions, dict) or not all(isinstance(at, int) and at >= 0 for at in positions.values()):
        raise UsageError(f"source {spec.adapter}: expected positions = a table coin = place, was {positions!r}")
    listings = list(perps_of(spec, positions).values())
    for path in matching(root, spec):
        where = shown(root, path)
        contexts = _contexts(read_json(path, where), where)
        if beyond := [coin for coin, at in positions.items() if at >= len(contexts)]:
            raise DataError(f"{where}: expected contexts at the positions of {beyond!r:.200}, were {len(contexts)}")
        values = np.array(
            [
                [cells.number(contexts[at], key, f"{where}, {coin}") for key in ("markPx", "oraclePx", "funding")]
                for coin, at in positions.items()
            ]
        )
        names = names_of(listings)
        t_ns = np.full(len(names), whole(spec, "time_ns"), dtype=np.int64)
        refuse_eight_hour_rates(t_ns, perp("", Feed.MARK), where)
        parts = (rows.marks(t_ns, names, values[:, 0], values[:, 1]), rows.published(t_ns, names, values[:, 2]))
        yield Chunk(where, table(listings), rows.together(*parts))


def read_book_summary(root: Path, spec: SourceSpec) -> Iterator[Chunk]:
    """Yield one chunk a JSON-lines file of mid and spread, put into time order; sizes at the touch are unknown.

    No options.  bid, ask = mid (1 -+ spread/2).  Raises ``DataError`` for a line that is no JSON object.
    """
    check_options(spec, ())
    for path in matching(root, spec):
        where = shown(root, path)
        with opened(path, where) as stream:
            records = [(n - 1, *_summary(line, place)) for place, n, line in lines(stream, where) if line.strip()]
        if not records:
            raise DataError(f"{where}: expected one JSON object a line, was empty: fetch the file again")
        places, times, coins, mids, halves = zip(*records, strict=True)
        listings = [perp(coin, Feed.TOUCH) for coin in coins]
        mid, half = np.array(mids), np.array(halves)
        t_ns = label_ns(pd.Series(times, places, name="timestamp"), where)
        yield Chunk(
            where, table(listings), rows.last_of_each(rows.quotes(t_ns, names_of(listings), mid - half, mid + half))
        )


def _contexts(message: Any, where: str) -> list[Any]:
    """Return the contexts of the first list of a message; raise ``DataError`` for a message of another form."""
    lists = cells.item(cells.item(message, "data", where), "ctxs", where)
    if isinstance(lists, list) and lists and isinstance(lists[0], list) and len(lists[0]) == 2:
        contexts = lists[0][1]
        if isinstance(contexts, list):
            return contexts
    raise DataError(f"{where}, field ctxs: expected a list of [name, contexts], was {str(lists)[:100]!r}")


def _summary(line: bytes, where: str) -> tuple[object, str, float, float]:
    """Return time, coin, mid and half the spread of one line."""
    message = cells.json_value(line, where)
    mid = cells.number(message, "mid_price", where)
    half = mid * cells.number(message, "spread_bps", where) / (2 * BPS)
    return cells.item(message, "timestamp", where), perp_coin(message, "asset", where), mid, half


WS: Final = Adapter(
    name="hyperliquid_ws",
    title="Hyperliquid websocket recordings, l2Book, gzip",
    verified=(
        "btcusd_20250126.gz, 55 messages, SHA-256 0e48db38986847092dede9975bf64e108ffa3646a6d2ec1672bd1099627249e1: "
        "github.com/nkaz001/hftbacktest at 5f3ec40"
    ),
    ordered=True,
    read=read_ws,
)
CONTEXTS: Final = Adapter(
    name="hyperliquid_contexts",
    title="Hyperliquid message of all asset contexts, JSON",
    verified=(
        "ws_all_dexs_asset_ctxs.json, 9 dexs, SHA-256 "
        "fd186be6dd7bd3db6235b6707ce019c97e89f6d64ff2783a28b93152ad12e96d: "
        "github.com/nautechsystems/nautilus_trader at a95c804"
    ),
    ordered=True,
    read=read_contexts,
)
BOOK_SUMMARY: Final = Adapter(
    name="hyperliquid_book_summary",
    title="Hyperliquid mid and spread about four times a day, JSON lines",
    verified=(
        "hl_BTC_l2_book.jsonl, 2,734 rows, SHA-256 8480c0d56e85b5d663dfa6572379028335da5c586533bc6685f61267dc0022e1: "
        "github.com/yuchengzhang966/funding-rate-efficient-frontier at 9669d3d"
    ),
    ordered=True,
    read=read_book_summary,
)
