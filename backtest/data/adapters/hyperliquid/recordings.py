"""Hyperliquid as recorded: websocket lines, a message of all contexts, and a collector's summary of books.  [S8.2]"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from backtest.data.adapters import rows
from backtest.data.adapters.base import Adapter, Chunk, SourceSpec
from backtest.data.adapters.binance.websocket import messages
from backtest.data.adapters.files import check_options, matching, need, read_member, shown, utc_ns, whole
from backtest.data.adapters.instruments import InstrumentListing, linear_perp, names_of, table
from engine.errors import DataError, UsageError
from engine.records import Feed
from engine.units import BPS, NS_PER_HOUR

VENUE: Final = "hyperliquid"


def perp(coin: str, feed: Feed) -> InstrumentListing:
    """Return the perp on ``coin``: priced in USD, margined in USDC, funding every hour."""
    return linear_perp(VENUE, coin, "USD", feed, funding_ns=NS_PER_HOUR)


def book_touch(levels: Any, where: str) -> tuple[float, float, float, float]:
    """Return bid, ask and their sizes of an ``l2Book`` message's ``levels``; NaN for a side that is empty.

    Raises ``DataError`` naming ``where`` if the levels are not two sides of ``px`` and ``sz``.
    """
    try:
        (bid, bid_size), (ask, ask_size) = (
            (float(side[0]["px"]), float(side[0]["sz"])) if side else (np.nan, np.nan) for side in levels
        )
    except (TypeError, ValueError, KeyError, IndexError) as error:
        raise DataError(f"{where}: expected two sides of levels with px and sz: {error!r}") from error
    return bid, ask, bid_size, ask_size


def read_ws(root: Path, spec: SourceSpec) -> Iterator[Chunk]:
    """Yield one chunk a recording of ``<local ns> <JSON>`` lines: the touch of each ``l2Book``, known when received.

    No options.  Trades are passed over.  Raises ``DataError`` for a file without such messages.
    """
    check_options(spec, ())
    for path in matching(root, spec):
        where = shown(root, path)
        books = [(ns, m["data"]) for ns, m in messages(path, where) if m.get("channel") == "l2Book"]
        if not books:
            raise DataError(f"{where}: expected l2Book messages, found none")
        listings = [perp(book["coin"], Feed.BOOK) for _, book in books]
        touches = np.array([book_touch(book["levels"], where) for _, book in books])
        t_ns = np.array([ns for ns, _ in books], dtype=np.int64)
        names = names_of(listings)
        yield Chunk(where, table(listings), rows.last_of_each(rows.quotes(t_ns, names, *touches.T)))


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
    for path in matching(root, spec):
        where = shown(root, path)
        try:
            contexts = json.loads(read_member(path, where))["data"]["ctxs"][0][1]
            values = np.array(
                [[float(contexts[at][key]) for key in ("markPx", "oraclePx", "funding")] for at in positions.values()]
            )
        except (ValueError, KeyError, IndexError, TypeError) as error:
            raise DataError(f"{where}: expected a message of contexts: {error!r}") from error
        listings = [perp(coin, Feed.MARK) for coin in positions]
        names = names_of(listings)
        t_ns = np.full(len(names), whole(spec, "time_ns"), dtype=np.int64)
        parts = (rows.marks(t_ns, names, values[:, 0], values[:, 1]), rows.published(t_ns, names, values[:, 2]))
        yield Chunk(where, table(listings), rows.together(*parts))


def read_book_summary(root: Path, spec: SourceSpec) -> Iterator[Chunk]:
    """Yield one chunk a JSON-lines file of mid and spread, put into time order; sizes at the touch are unknown.

    No options.  bid, ask = mid (1 -+ spread/2).  Raises ``DataError`` for a line that is no JSON object.
    """
    check_options(spec, ())
    for path in matching(root, spec):
        where = shown(root, path)
        try:
            frame = pd.DataFrame([json.loads(line) for line in read_member(path, where).splitlines() if line.strip()])
        except ValueError as error:
            raise DataError(f"{where}: expected one JSON object a line: {error}") from error
        need(frame, ("timestamp", "asset", "mid_price", "spread_bps"), where)
        half = frame["mid_price"].to_numpy() * frame["spread_bps"].to_numpy() / (2 * BPS)
        listings = [perp(coin, Feed.TOUCH) for coin in frame["asset"]]
        names = names_of(listings)
        mid = frame["mid_price"].to_numpy()
        quotes = rows.quotes(utc_ns(frame["timestamp"], where), names, mid - half, mid + half)
        yield Chunk(where, table(listings), rows.last_of_each(quotes))


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
