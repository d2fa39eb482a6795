"""Reads Hyperliquid's public archive once unpacked: ``asset_ctxs`` CSV and ``l2Book`` JSON lines.  [S8.2]

The archive is packed with LZ4, which this project does not read: unpack the files first.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from backtest.data.adapters import cells, rows
from backtest.data.adapters.archives import lines, opened
from backtest.data.adapters.base import Adapter, Chunk, SourceSpec
from backtest.data.adapters.files import check_options, csv_parts, matching, need, shown, texts, whole
from backtest.data.adapters.hyperliquid.recordings import book_touch, perp, perps_of
from backtest.data.adapters.instruments import names_of, table
from backtest.data.adapters.schedule import refuse_eight_hour_rates, since_ns
from backtest.data.adapters.times import label_form, label_ns
from engine.errors import DataError
from engine.records import Feed

_LINES_AT_A_TIME: Final = 100_000


def read_contexts(root: Path, spec: SourceSpec) -> Iterator[Chunk]:
    """Yield the chunks of ``asset_ctxs`` files: mark, oracle as index, the rate of the hour in force.

    Options: ``coins`` to keep; ``latency_ns``; ``since`` (may be left out), a time before which rates are left out,
    marks are not.  Raises ``DataError`` for a rate before 2023-06-08 00:05, which is one of eight hours.
    """
    check_options(spec, ("coins", "latency_ns"), ("since",))
    coins, latency = texts(spec, "coins"), whole(spec, "latency_ns")
    listings = perps_of(spec, coins)
    for path in matching(root, spec):
        where, form = shown(root, path), ""
        for frame in csv_parts(path, where, na_values=["null"]):
            need(frame, ("time", "coin", "funding", "oracle_px", "mark_px"), where)
            coin = cells.names(frame, "coin", where)
            kept = np.isin(coin.astype(str), coins)
            frame, coin = frame[kept], coin[kept]
            if frame.empty:
                continue
            names = np.array([listings[each].name for each in coin], dtype=object)
            form = form or label_form(frame["time"], where)
            t_ns = label_ns(frame["time"], where, form) + latency
            mark, index = (cells.positives(frame, name, where) for name in ("mark_px", "oracle_px"))
            rate = cells.numbers(frame, "funding", where)
            has_rate = ~np.isnan(rate) & (t_ns - latency >= since_ns(spec))
            refuse_eight_hour_rates(t_ns[has_rate] - latency, listings[coins[0]], where)
            parts = rows.together(
                rows.marks(t_ns, names, mark, index), rows.published(t_ns[has_rate], names[has_rate], rate[has_rate])
            )
            yield Chunk(where, table(listings.values()), rows.last_of_each(parts))


def read_books(root: Path, spec: SourceSpec) -> Iterator[Chunk]:
    """Yield the chunks of ``l2Book`` files, one JSON object a line: ``time`` and the message under ``raw``.

    Option: ``latency_ns``, from the recorder's ``time`` (where there is one, else the book's own) to the row.
    """
    check_options(spec, ("latency_ns",))
    latency = whole(spec, "latency_ns")
    for path in matching(root, spec):
        where = shown(root, path)
        with opened(path, where) as stream:
            messages, clock = lines(stream, where), _Clock()
            while books := list(islice(_books(messages, clock), _LINES_AT_A_TIME)):
                number, times, touches, listings = zip(*books, strict=True)
                labels = pd.Series(times, number, name="time")
                clock.form = clock.form or label_form(labels, where)
                t_ns = label_ns(labels, where, clock.form) + latency
                quotes = rows.quotes(t_ns, names_of(listings), *np.array(touches).T)
                yield Chunk(where, table(listings), rows.last_of_each(quotes))


@dataclass(slots=True)
class _Clock:
    """Whose times a file has, the recorder's or the book's, and in which form: a file of both would mix two clocks."""

    recorded: bool | None = None
    form: str = ""


def _books(messages: Iterable[tuple[str, int, bytes]], clock: _Clock) -> Iterator[tuple[int, Any, list[float], Any]]:
    """Yield line (from 0), time, touch and instrument of each message."""
    for place, number, line in messages:
        message = cells.json_value(line, place)
        book = cells.item(cells.item(message, "raw", place), "data", place)
        recorded = "time" in message
        if clock.recorded is not None and recorded != clock.recorded:
            raise DataError(
                f"{place}, field time: expected the recorder's time in every line or in none, was mixed; cut the file"
            )
        clock.recorded = recorded
        coin, *touch = book_touch(book, place)
        yield number - 1, cells.item(message if recorded else book, "time", place), touch, perp(coin, Feed.BOOK)


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
