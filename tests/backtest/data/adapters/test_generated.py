"""Valid files with every legal oddity are read to the values they were made from: generated for each kind of format.

Oddities: columns in any order, columns more, empty cells (null), exponents and whole floats as numbers, capital letters
where a vendor writes them, sides without a level, numbers as texts.
"""

from __future__ import annotations

import csv
import gzip
import json
import math
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backtest.data.adapters.base import SourceSpec
from backtest.data.adapters.registry import adapter
from backtest.data.format.schema import Channel

T0 = 1_753_617_600  # 2025-07-27 12:00
BTC: dict[str, Any] = {"venue": "binance", "kind": "linear_perp", "base": "BTC", "quote": "USDT", "funding_h": 8}
EVERY = settings(deadline=None, max_examples=12, suppress_health_check=[HealthCheck.too_slow])

PRICES = st.integers(1, 10**9).map(lambda ticks: ticks / 1000)
SIDES = st.one_of(st.none(), PRICES)
RATES = st.integers(-(10**6), 10**6).map(lambda parts: parts / 10**9)
NOTES = {"Extra": "x", "open_interest": "", "Überschuss": "1,5", "predicted": "null"}


@st.composite
def written(draw: st.DrawFn, value: float | int | str | None) -> str:
    """A value as some program writes it into a cell."""
    if value is None:
        return draw(st.sampled_from(["", "null", "NaN", "nan", "None"]))
    if isinstance(value, str):
        return value
    plain = repr(value)
    whole = [f"{int(value)}", f"{int(value)}.0"] if float(value).is_integer() and abs(value) < 2**53 else []
    return draw(st.sampled_from([plain, f"{value:.17e}" if isinstance(value, float) else plain, *whole]))


@st.composite
def tables(draw: st.DrawFn, records: list[dict[str, Any]], exact: tuple[str, ...] = ()) -> str:
    """A CSV of the records: columns in any order with others between; ``exact`` columns are written as they are."""
    extra = draw(st.lists(st.sampled_from(sorted(NOTES)), unique=True, max_size=3))
    columns = draw(st.permutations([*records[0], *extra]))
    cells = [
        [str(r[c]) if c in exact else draw(written(r[c])) if c in r else NOTES[c] for c in columns] for r in records
    ]
    with tempfile.TemporaryFile("w+", newline="") as file:
        csv.writer(file, lineterminator=draw(st.sampled_from(["\n", "\r\n"]))).writerows([columns, *cells])
        file.seek(0)
        return file.read()


def read(name: str, file: str, body: str | bytes, **options: Any) -> pd.DataFrame:
    """The rows that the adapter makes of one file."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / file).write_bytes(body.encode() if isinstance(body, str) else body)
        chunks = adapter(name).read(Path(folder), SourceSpec(name, file, options, "a test", "none"))
        return pd.concat([chunk.rows for chunk in chunks], ignore_index=True)


def same(found: pd.DataFrame, expected: list[tuple[Any, ...]], columns: tuple[str, ...]) -> None:
    """The columns hold the expected values, None for what is not there."""
    got = [
        tuple(None if v != v else v for v in row)
        for row in found.reindex(columns=list(columns)).itertuples(index=False, name=None)
    ]
    assert got == expected


@EVERY
@given(st.data(), st.lists(st.tuples(SIDES, SIDES, PRICES, PRICES), min_size=1, max_size=4))
def test_quotes_of_tardis(data: st.DataObject, books: list[tuple[Any, ...]]) -> None:
    """Touch and sizes in a declared market; a side that is not quoted is not there."""
    records = [
        {"exchange": "binance-futures", "symbol": "BTCUSDT", "timestamp": T0 * 10**6 + n, "ask_price": ask,
         "local_timestamp": T0 * 10**6 + n + 5, "bid_price": bid, "bid_amount": bid and a, "ask_amount": ask and b}
        for n, (bid, ask, a, b) in enumerate(books)
    ]  # fmt: skip
    body = data.draw(tables(records))
    rows = read("tardis_quotes", "q.csv", body, **BTC, feed="book", market="declared", symbol="BTCUSDT")
    expected = [
        ((T0 * 10**6 + n + 5) * 1000, bid, ask, bid and a, ask and b) for n, (bid, ask, a, b) in enumerate(books)
    ]
    same(rows, expected, ("t_ns", "bid", "ask", "bid_size", "ask_size"))


@EVERY
@given(st.data(), st.lists(st.tuples(SIDES, SIDES, PRICES, PRICES), min_size=1, max_size=4), st.integers(0, 10**9))
def test_quotes_with_columns_of_any_name(data: st.DataObject, books: list[tuple[Any, ...]], late: int) -> None:
    """The plan names the columns; a side that is not quoted is not there."""
    records = [
        {"when": (T0 + n) * 1000, "b": bid, "a": ask, "b n": bid and x, "a n": ask and y}
        for n, (bid, ask, x, y) in enumerate(books)
    ]
    names = {"time": "when", "bid": "b", "ask": "a", "bid_size": "b n", "ask_size": "a n"}
    body = data.draw(tables(records))
    rows = read("quotes_table", "q.csv", body, **BTC, **names, feed="book", label="ms", latency_ns=late)
    expected = [((T0 + n) * 10**9 + late, r["b"], r["a"], r["b n"], r["a n"]) for n, r in enumerate(records)]
    same(rows, expected, ("t_ns", "bid", "ask", "bid_size", "ask_size"))


@EVERY
@given(st.data(), st.lists(st.tuples(SIDES, SIDES, SIDES, st.integers(1, 10**6)), min_size=1, max_size=4),
       st.sampled_from("dD"))  # fmt: skip
def test_the_chain_of_tardis(data: st.DataObject, options: list[tuple[Any, ...]], point: str) -> None:
    """Strikes with a point in either letter are Deribit's names; touch and mark are read."""
    records, names = [], []
    for n, (bid, ask, mark, strike) in enumerate(options):
        whole, part = divmod(strike, 1000)
        tail = f"{part:03d}".rstrip("0")
        symbol = f"AVAX_USDC-29MAY26-{whole}{point + tail if tail else ''}-P"
        names.append(f"deribit:{symbol.replace('D' + tail + '-P', 'd' + tail + '-P') if tail else symbol}")
        records.append({"exchange": "deribit", "symbol": symbol, "timestamp": T0 * 10**6, "type": "put",
                        "local_timestamp": T0 * 10**6 + n, "strike_price": strike / 1000, "bid_price": bid,
                        "expiration": 1_780_041_600_000_000, "ask_price": ask, "bid_amount": bid and 2.0,
                        "ask_amount": ask and 3.0, "mark_price": mark})  # fmt: skip
    rows = read("tardis_options_chain", "o.csv", data.draw(tables(records)), market="deribit")
    quote = rows[rows["channel"] == Channel.QUOTE]
    expected = [(name, o[0], o[1], o[0] and 2.0, o[1] and 3.0) for name, o in zip(names, options, strict=True)]
    same(quote, expected, ("name", "bid", "ask", "bid_size", "ask_size"))
    marks = [(name, o[2]) for name, o in zip(names, options, strict=True) if o[2] is not None]
    same(rows[rows["channel"] == Channel.MARK], marks, ("name", "mark"))


@EVERY
@given(st.data(), st.lists(RATES, min_size=1, max_size=4), st.sampled_from(["fundingRate", "rate", "Funding Rate"]),
       st.sampled_from(["fundingTime", "ts", "Date"]), st.sampled_from([1, 1000, 10**6]), st.booleans())  # fmt: skip
def test_settled_funding(
    data: st.DataObject, rates: list[float], rate: str, time: str, unit: int, as_json: bool
) -> None:
    """Any of the names, any unit of stamps, as CSV or as a list of objects with numbers or texts."""
    records = [{time: (T0 + 14_400 * n) * unit, rate: value} for n, value in enumerate(rates)]
    if as_json:
        read_as = data.draw(st.sampled_from([str, float]))
        body = json.dumps([{**record, "markPrice": None, rate: read_as(record[rate])} for record in records])
    else:
        body = data.draw(tables(records))
    options = {**BTC, "funding_h": 4, "feed": "bar", "bar": "1h"}
    rows = read("funding_history", "f.json" if as_json else "f.csv", body, **options)
    expected = [((T0 + 14_400 * n) * 10**9, value) for n, value in enumerate(rates)]
    same(rows[rows["channel"] == Channel.SETTLE], expected, ("t_ns", "rate"))


@EVERY
@given(st.data(), st.lists(st.tuples(SIDES, PRICES), min_size=1, max_size=4))
def test_candles(data: st.DataObject, bars: list[tuple[Any, Any]]) -> None:
    """A close that is not there stays not there; columns more and in another order change nothing."""
    records = [{"ts": T0 + 3600 * n, "close": close, "volume": volume} for n, (close, volume) in enumerate(bars)]
    options = {**BTC, "feed": "bar", "bar": "1h", "label": "s", "drop_zero_volume": True, "drop_last": False}
    rows = read("candles_csv", "c.csv", data.draw(tables(records)), **options)
    same(rows, [((T0 + 3600 * (n + 1)) * 10**9, bar[0]) for n, bar in enumerate(bars)], ("t_ns", "bid"))


@EVERY
@given(st.data(), st.lists(st.tuples(SIDES, SIDES, st.one_of(st.none(), RATES)), min_size=1, max_size=4))
def test_contexts_of_hyperliquid(data: st.DataObject, contexts: list[tuple[Any, Any, Any]]) -> None:
    """Marks and oracles with holes; a rate that is null makes no row; other coins are passed over."""
    records = [
        {"time": f"{np.datetime64(T0 + 60 * n, 's')}Z", "coin": coin, "mark_px": mark, "oracle_px": oracle,
         "funding": rate}
        for n, (mark, oracle, rate) in enumerate(contexts) for coin in ("BTC", "ETH")
    ]  # fmt: skip
    rows = read("hyperliquid_asset_ctxs", "x.csv", data.draw(tables(records)), coins=["BTC"], latency_ns=7)
    times = [(T0 + 60 * n) * 10**9 + 7 for n in range(len(contexts))]
    marks = [(t, c[0], c[1]) for t, c in zip(times, contexts, strict=True)]
    same(rows[rows["channel"] == Channel.MARK], marks, ("t_ns", "mark", "index"))
    rates = [(t, c[2]) for t, c in zip(times, contexts, strict=True) if c[2] is not None]
    same(rows[rows["channel"] == Channel.FUNDING], rates, ("t_ns", "rate"))


LEVELS = st.lists(st.tuples(PRICES, PRICES), max_size=3)


@EVERY
@given(st.lists(st.tuples(LEVELS, LEVELS), min_size=1, max_size=4), st.booleans(), st.booleans())
def test_books_as_json_lines(books: list[tuple[Any, Any]], as_text: bool, own_time: bool) -> None:
    """Sides without a level are not there; numbers are texts or numbers; the time is the recorder's or the book's."""
    read_as = str if as_text else float
    lines = []
    for n, sides in enumerate(books):
        levels = [[{"px": read_as(p), "sz": read_as(a), "n": 1} for p, a in side] for side in sides]
        book = {"coin": "BTC", "time": (T0 + n) * 1000 if own_time else 1, "levels": levels}
        time = {} if own_time else {"time": f"{np.datetime64(T0 + n, 's')}.000000009"}
        lines.append(json.dumps({**time, "raw": {"channel": "l2Book", "data": book}}))
    rows = read("hyperliquid_l2book", "b.jsonl", "\n".join(lines) + "\n", latency_ns=0)
    late = 0 if own_time else 9
    expected = [((T0 + n) * 10**9 + late, *(b[0] if b else (None, None)), *(a[0] if a else (None, None)))
                for n, (b, a) in enumerate(books)]  # fmt: skip
    same(rows, expected, ("t_ns", "bid", "bid_size", "ask", "ask_size"))


@EVERY
@given(st.lists(st.dictionaries(st.integers(1, 30), st.integers(0, 3), max_size=4), min_size=1, max_size=6),
       st.integers(1, 5), st.booleans())  # fmt: skip
def test_a_depth_recording(changes: list[dict[int, int]], cut: int, as_text: bool) -> None:
    """Bids set and removed, in one file or cut into two days: the touch is that of a plain dictionary of levels."""
    read_as = str if as_text else float
    messages: list[dict[str, Any]] = [{"lastUpdateId": 10, "bids": [[read_as(5.0), read_as(1.0)]], "asks": []}]
    book, expected = {5: 1}, []
    for n, change in enumerate(changes):
        bids = [[read_as(float(price)), read_as(float(amount))] for price, amount in change.items()]
        messages.append({"e": "depthUpdate", "E": T0 * 1000 + n, "U": 11 + n, "u": 11 + n, "b": bids, "a": []})
        book = {price: amount for price, amount in {**book, **change}.items() if amount}
        top = max(book, default=None)
        expected.append((None if top is None else float(top), None if top is None else float(book[top])))
    options = {**BTC, "feed": "book", "stream": "depth", "latency_ns": 0}
    with tempfile.TemporaryDirectory() as folder:
        for name, part in (("1.gz", messages[: cut + 1]), ("2.gz", messages[cut + 1 :])):
            if part:
                text = "".join(f"{T0 * 10**9} {json.dumps(one)}\n" for one in part)
                (Path(folder) / name).write_bytes(gzip.compress(text.encode()))
        chunks = adapter("binance_ws").read(Path(folder), SourceSpec("binance_ws", "*.gz", options, "a test", "none"))
        rows = pd.concat([chunk.rows for chunk in chunks], ignore_index=True)
    same(rows, expected, ("bid", "bid_size"))
    assert all(math.isnan(ask) for ask in rows["ask"])
