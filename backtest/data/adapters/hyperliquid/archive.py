"""Reads Hyperliquid's public archive once unpacked: ``asset_ctxs`` CSV and ``l2Book`` JSON lines.  [S8.2]

The archive is packed with LZ4, which this project does not read: unpack the files first.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np

from backtest.data.adapters import rows
from backtest.data.adapters.base import Adapter, Chunk, SourceSpec
from backtest.data.adapters.files import check_options, csv_parts, matching, need, shown, texts, utc_ns, whole
from backtest.data.adapters.hyperliquid.recordings import book_touch, perp
from backtest.data.adapters.instruments import names_of, table
from engine.errors import DataError
from engine.records import Feed
from engine.units import NS_PER_MS

_LINES_AT_A_TIME: Final = 100_000
_LONGEST_LINE: Final = 2**20


def read_contexts(root: Path, spec: SourceSpec) -> Iterator[Chunk]:
    """Yield the chunks of ``asset_ctxs`` files: mark, oracle as index, the rate of the hour in force.

    Options: ``coins`` to keep; ``latency_ns``.
    """
    check_options(spec, ("coins", "latency_ns"))
    coins, latency = texts(spec, "coins"), whole(spec, "latency_ns")
    listings = {coin: perp(coin, Feed.MARK) for coin in coins}
    for path in matching(root, spec):
        where = shown(root, path)
        for frame in csv_parts(path, where, na_values=["null"]):
            need(frame, ("time", "coin", "funding", "oracle_px", "mark_px"), where)
            frame = frame[frame["coin"].isin(coins)].reset_index(drop=True)
            if frame.empty:
                continue
            names = frame["coin"].map({coin: listing.name for coin, listing in listings.items()}).to_numpy(dtype=object)
            t_ns = utc_ns(frame["time"], where) + latency
            marks = rows.marks(t_ns, names, rows.positive(frame["mark_px"]), rows.positive(frame["oracle_px"]))
            rate = frame["funding"].to_numpy(dtype=np.float64)
            has_rate = ~np.isnan(rate)
            parts = rows.together(marks, rows.published(t_ns[has_rate], names[has_rate], rate[has_rate]))
            yield Chunk(where, table(listings.values()), rows.last_of_each(parts))


def read_books(root: Path, spec: SourceSpec) -> Iterator[Chunk]:
    """Yield the chunks of ``l2Book`` files, one JSON object a line: ``time`` and the message under ``raw``.

    Option: ``latency_ns``, from the recorder's ``time`` (where there is one, else the book's own) to the row.
    """
    check_options(spec, ("latency_ns",))
    latency = whole(spec, "latency_ns")
    for path in matching(root, spec):
        where = shown(root, path)
        with path.open("rb") as stream:
            while lines := [line for _, line in zip(range(_LINES_AT_A_TIME), stream, strict=False)]:
                yield _books(lines, latency, where)


def _books(lines: list[bytes], latency: int, where: str) -> Chunk:
    times, touches, listings = [], [], []
    for line in lines:
        try:
            if len(line) > _LONGEST_LINE:
                raise ValueError(f"a line of {len(line)} bytes")
            message = json.loads(line)
            book = message["raw"]["data"]
            times.append(int(np.datetime64(message["time"], "ns")) if "time" in message else book["time"] * NS_PER_MS)
            touches.append(book_touch(book["levels"], where))
            listings.append(perp(book["coin"], Feed.BOOK))
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise DataError(f"{where}: expected a JSON object with raw.data of an l2Book: {error!r}") from error
    names = names_of(listings)
    t_ns = np.array(times, dtype=np.int64) + latency
    return Chunk(where, table(listings), rows.last_of_each(rows.quotes(t_ns, names, *np.array(touches).T)))


CONTEXTS: Final = Adapter(
    name="hyperliquid_asset_ctxs",
    title="Hyperliquid archive asset_ctxs, CSV (unpacked)",
    verified="",
    ordered=True,
    read=read_contexts,
)
BOOKS: Final = Adapter(
    name="hyperliquid_l2book",
    title="Hyperliquid archive l2Book, JSON lines (unpacked)",
    verified=(
        "l2Book-ETH-20230601.jsonl, 1 line, SHA-256 "
        "4ff3f4595a61d0ca38b47fe892a2661549aee8da3d3bc8b1bae1ad431084301c: a literal of a public test whose "
        "repository is not known, found by its text 2023-06-01T00:00:03.299718723; Binance's price lay in its touch"
    ),
    ordered=True,
    read=read_books,
)
