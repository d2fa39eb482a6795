"""Valid files of the other adapters with every legal oddity, and that no adapter is without such a test.

As `test_generated`: columns in any order, columns more, empty cells (null), exponents and whole floats as numbers,
sides without a level, numbers as texts, other resolutions of time.
"""

from __future__ import annotations

import gzip
import inspect
import io
import json
import re
import tempfile
import zipfile
from dataclasses import astuple
from datetime import date
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import openpyxl
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backtest.data.adapters.base import SourceSpec
from backtest.data.adapters.registry import ADAPTERS, adapter
from backtest.data.format.schema import Channel
from tests.backtest.data.adapters import test_generated
from tests.backtest.data.adapters.test_generated import BTC, EVERY, LEVELS, PRICES, RATES, SIDES, read, same, tables

T0 = 1_706_745_600  # 2024-02-01
BAR: dict[str, Any] = {**BTC, "feed": "bar", "bar": "1h"}
TOUCHES = st.lists(st.tuples(SIDES, SIDES, SIDES), min_size=1, max_size=4)
CLOSES = st.lists(st.tuples(SIDES, st.integers(0, 2)), min_size=1, max_size=4)


def of(rows: pd.DataFrame, channel: Channel) -> pd.DataFrame:
    return rows[rows["channel"] == channel]


def test_every_adapter_has_generated_files() -> None:
    """A new adapter needs a property test here or in `test_generated` that reads files drawn for it."""
    drawn = {name for module in (test_generated, _this()) for name in _read_by_properties(module)}

    assert [member.name for member in ADAPTERS if member.name not in drawn] == []


def _this() -> ModuleType:
    return inspect.getmodule(_this) or pytest.fail("no module")


def _read_by_properties(module: ModuleType) -> set[str]:
    """Names of the adapters that tests under ``@given`` call in a module."""
    tests = [f for name, f in vars(module).items() if name.startswith("test_") and hasattr(f, "hypothesis")]
    sources = [inspect.getsource(test.hypothesis.inner_test) for test in tests]
    return {name for text in sources for name in re.findall(r'\b(?:read|adapter)\("(\w+)"', text)}


@EVERY
@given(st.data(), TOUCHES, PRICES, st.integers(0, 10**12))
def test_snapshots_of_deribit(data: st.DataObject, quoted: list[tuple[Any, ...]], index: float, late: int) -> None:
    """An option a row; its sides and its mark may be missing; rows of another coin are passed over."""
    records = [
        {"timestamp": "2024-02-01T00:00:00", "instrument_name": f"{coin}-29MAR24-{40_000 + 500 * n}-C",
         "underlying": 42_100.5, "underlying_name": f"{coin}-29MAR24", "option_type": "call",
         "strike": 40_000 + 500 * n, "expiry_datetime": "2024-03-29T08:00:00", "bid_price": bid, "ask_price": ask,
         "mark_price": mark, "currency": coin, "index_price": index}
        for coin in ("ETH", "BTC") for n, (bid, ask, mark) in enumerate(quoted)
    ]  # fmt: skip
    options = {"currencies": ["BTC"], "delay_ns": {"BTC": late}, "futures": "none"}
    rows = read("deribit_snapshots", "s.csv", data.draw(tables(records)), **options)
    names = [f"deribit:BTC-29MAR24-{40_000 + 500 * n}-C" for n in range(len(quoted))]
    known = T0 * 10**9 + late
    same(of(rows, Channel.QUOTE), [(known, name, *q[:2]) for name, q in zip(names, quoted, strict=True)],
         ("t_ns", "name", "bid", "ask"))  # fmt: skip
    same(of(rows, Channel.MARK), [(name, q[2], index) for name, q in zip(names, quoted, strict=True)],
         ("name", "mark", "index"))  # fmt: skip


@EVERY
@given(st.data(), CLOSES)
def test_candles_of_deribit(data: st.DataObject, bars: list[tuple[Any, int]]) -> None:
    """A minute without a trade is left out where the plan says so."""
    records = [
        {"coin": "BTC", "instrument_name": "BTC-PERPETUAL", "candle_open_time_ms": (T0 + 60 * n) * 1000,
         "candle_close_time_ms": (T0 + 60 * (n + 1)) * 1000, "candle_close": close, "candle_volume": volume}
        for n, (close, volume) in enumerate([*bars, (1.5, 1)])
    ]  # fmt: skip
    body = data.draw(tables(records))
    rows = read("deribit_candles", "c.csv", body, currencies=["BTC"], drop_zero_volume=True)
    expected = [((T0 + 60 * (n + 1)) * 10**9, bar[0]) for n, bar in enumerate([*bars, (1.5, 1)]) if bar[1]]
    same(rows, expected, ("t_ns", "bid"))


TICKERS = st.lists(st.tuples(SIDES, SIDES, SIDES, st.integers(0, 5)), min_size=1, max_size=4)


def tickers(quoted: list[tuple[Any, ...]]) -> tuple[list[dict[str, Any]], list[tuple[Any, ...]]]:
    """Rows of options as Deribit's ticker names them, and what is read of them."""
    records, expected = [], []
    for n, (bid, ask, mark, amount) in enumerate(quoted):
        symbol = f"BTC-29MAR24-{40_000 + 500 * n}-P"
        records.append({
            "instrument_name": symbol, "timestamp": T0 * 1000 + n, "best_bid_price": bid, "best_ask_price": ask,
            "best_bid_amount": None if bid is None else float(amount), "best_ask_amount": None if ask is None else 2.5,
            "mark_price": mark, "index_price": 42_000.5,
        })  # fmt: skip
        sizes = None if bid is None else float(amount), None if ask is None else 2.5
        expected.append(((T0 * 1000 + n) * 10**6 + 7, f"deribit:{symbol}", bid, ask, *sizes))
    return records, expected


SIZED = ("t_ns", "name", "bid", "ask", "bid_size", "ask_size")


@EVERY
@given(st.data(), TICKERS)
def test_workbooks_of_deribit(data: st.DataObject, quoted: list[tuple[Any, ...]]) -> None:
    """Cells that are empty, columns in any order with others between; a size of 0 stays 0."""
    records, expected = tickers(quoted)
    columns = data.draw(st.permutations([*records[0], "greeks.delta", "current_funding"]))
    book = openpyxl.Workbook()
    book.remove(book.worksheets[0])
    for sheet in ("options_raw", "derived", "futures_raw"):
        page = book.create_sheet(sheet)
        page.append(columns)
        for record in records[: None if sheet == "options_raw" else 1]:
            page.append([record.get(name) for name in columns])
    out = io.BytesIO()
    book.save(out)
    rows = of(read("deribit_xlsx", "b.xlsx", out.getvalue(), latency_ns=7), Channel.QUOTE)
    same(rows, [*expected, expected[0]], SIZED)


@EVERY
@given(st.data(), TICKERS, st.booleans())
def test_books_of_deribit(data: st.DataObject, quoted: list[tuple[Any, ...]], whole: bool) -> None:
    """Depth as a list in a cell, empty where there is no side; further levels change nothing."""
    records, expected = tickers(quoted)
    for record in records:
        for side, sign in (("bid", -1), ("ask", 1)):
            price, amount = record[f"best_{side}_price"], record[f"best_{side}_amount"]
            more = [[price * (1 + sign / 2), 1]] if whole and price is not None else []
            record[f"{side}s"] = json.dumps([] if price is None else [[price, amount], *more])
    body = data.draw(tables(records, exact=("bids", "asks")))
    rows = of(read("deribit_book_csv", "b.csv", body, latency_ns=7), Channel.QUOTE)
    same(rows, expected, SIZED)


@EVERY
@given(st.data(), CLOSES, st.sampled_from(["s", "ms", "us", "ns"]))
def test_candles_in_feather(data: st.DataObject, bars: list[tuple[Any, int]], unit: str) -> None:
    """Times of any resolution; a bar without a trade is left out, a close that is not there stays so."""
    bars = [*bars, (2.5, 3)]
    columns = data.draw(st.permutations(["date", "open", "high", "close", "volume", "extra"]))
    date = pd.to_datetime([T0 + 3600 * n for n in range(len(bars))], unit="s", utc=True).as_unit(unit)
    values = {"date": date, "close": [bar[0] for bar in bars], "volume": [float(bar[1]) for bar in bars]}
    frame = pd.DataFrame({name: values.get(name, 1.0) for name in columns})
    out = io.BytesIO()
    frame.to_feather(out)
    options = {"venue": "binance", "channels": ["futures"], "bar": "1h", "funding_h": 8, "perp_quote": "",
               "drop_zero_volume": True}  # fmt: skip
    rows = read("candles_feather", "BTC_USDT_USDT-1h-futures.feather", out.getvalue(), **options)
    same(rows, [((T0 + 3600 * (n + 1)) * 10**9, bar[0]) for n, bar in enumerate(bars) if bar[1]], ("t_ns", "bid"))


@EVERY
@given(st.data(), st.lists(st.tuples(SIDES, SIDES, SIDES), min_size=1, max_size=4))
def test_quarterlies_of_binance(data: st.DataObject, closes: list[tuple[Any, ...]]) -> None:
    """Legs without a price at an hour have no row; the table of contracts stands beside, in any order of columns."""
    records = [
        {"Timestamp": f"{np.datetime64(T0 + 3600 * n, 's')}".replace("T", " "), "spot_close": spot, "perp_close": perp,
         "prompt_close": prompt, "prompt_contract": "BTCUSDT_240329"}
        for n, (spot, perp, prompt) in enumerate(closes)
    ]  # fmt: skip
    contract = {"symbol": "BTCUSDT_240329", "deliveryDate": 1_711_699_200_000, "baseAsset": "BTC", "quoteAsset": "USDT"}
    options = {"legs": ["spot", "perp", "prompt"], "drop_last": False}
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "fut_expirys.csv").write_text(data.draw(tables([contract])))
        (Path(folder) / "BTCUSDT_1h.csv").write_text(data.draw(tables(records)))
        spec = SourceSpec("binance_quarterly", "BTCUSDT_1h.csv", options, "a test", "none")
        (chunk,) = adapter("binance_quarterly").read(Path(folder), spec)
    hours = [(T0 + 3600 * (n + 1)) * 10**9 for n in range(len(closes))]
    expected = [(t, price) for t, c in zip(hours, closes, strict=True) for price in c if price is not None]
    same(chunk.rows, expected, ("t_ns", "bid"))


@EVERY
@given(st.lists(st.tuples(LEVELS, LEVELS), min_size=1, max_size=4), st.booleans())
def test_recordings_of_hyperliquid(books: list[tuple[Any, Any]], as_text: bool) -> None:
    """Sides without a level, numbers as texts or numbers, other channels and keys between."""
    read_as = str if as_text else float
    lines = [f'{T0 * 10**9} {{"channel": "trades", "data": null}}\n']
    for n, sides in enumerate(books):
        levels = [[{"n": None, "sz": read_as(a), "px": read_as(p)} for p, a in side] for side in sides]
        book = {"extra": None, "levels": levels, "time": 1, "coin": "BTC"}
        lines.append(f"{T0 * 10**9 + n} {json.dumps({'data': book, 'channel': 'l2Book'})}\n")
    rows = read("hyperliquid_ws", "r.gz", gzip.compress("".join(lines).encode()))
    expected = [(T0 * 10**9 + n, *(b[0] if b else (None, None)), *(a[0] if a else (None, None)))
                for n, (b, a) in enumerate(books)]  # fmt: skip
    same(rows, expected, ("t_ns", "bid", "bid_size", "ask", "ask_size"))


@EVERY
@given(st.lists(st.tuples(PRICES, PRICES, RATES), min_size=1, max_size=4), st.booleans())
def test_all_contexts_of_hyperliquid(contexts: list[tuple[float, ...]], as_text: bool) -> None:
    """By position, whatever other keys there are; numbers as texts or numbers."""
    read_as = str if as_text else float
    made = [{"midPx": None, "funding": read_as(rate), "oraclePx": read_as(oracle), "markPx": read_as(mark)}
            for mark, oracle, rate in contexts]  # fmt: skip
    body = json.dumps({"channel": "allDexsAssetCtxs", "data": {"ctxs": [["", made], ["xyz", []]]}})
    last = len(made) - 1
    rows = read("hyperliquid_contexts", "c.json", body, time_ns=T0 * 10**9, positions={"BTC": last})
    same(of(rows, Channel.MARK), [(T0 * 10**9, *contexts[last][:2])], ("t_ns", "mark", "index"))
    same(of(rows, Channel.FUNDING), [(contexts[last][2],)], ("rate",))


@EVERY
@given(st.lists(st.tuples(PRICES, st.integers(0, 400)), min_size=1, max_size=4), st.booleans())
def test_summaries_of_hyperliquid(lines: list[tuple[float, int]], as_text: bool) -> None:
    """Mid and spread as texts or numbers, an empty line between, keys in any order."""
    read_as = str if as_text else float
    body = "\n\n".join(
        json.dumps({"spread_bps": read_as(spread / 8), "note": None, "mid_price": read_as(mid), "asset": "BTC",
                    "timestamp": f"{np.datetime64(T0 + n, 's')}"})
        for n, (mid, spread) in enumerate(lines)
    )  # fmt: skip
    rows = read("hyperliquid_book_summary", "s.jsonl", body + "\n")
    assert rows["t_ns"].tolist() == [(T0 + n) * 10**9 for n in range(len(lines))]
    for column, sign in (("bid", -1), ("ask", 1)):
        wanted = [mid * (1 + sign * spread / 8 / 2 / 1e4) for mid, spread in lines]
        assert rows[column].tolist() == pytest.approx(wanted)


@EVERY
@given(st.data(), st.lists(st.tuples(SIDES, st.one_of(st.none(), RATES)), min_size=1, max_size=4))
def test_three_venues_in_one_file(data: st.DataObject, bars: list[tuple[Any, Any]]) -> None:
    """Rows of other venues are passed over; a bar without a close and an interval without a rate make no price."""
    records = [
        {"time": f"{np.datetime64(T0 + 28_800 * n, 's')}".replace("T", " "), "exchange": venue, "pair": "BTCUSDT",
         "close": close, "funding rate": rate, "contract": "perp"}
        for n, (close, rate) in enumerate([*bars, (2.5, 1e-4)]) for venue in ("binance", "okx")
    ]  # fmt: skip
    options = {"venue": "okx", "zone": "UTC", "channels": ["bars", "funding"]}
    rows = read("threevenue", "a.csv", data.draw(tables(records)), **options)
    times = [(T0 + 28_800 * n) * 10**9 for n in range(len(bars) + 1)]
    closes = [(t + 28_800 * 10**9, c) for t, (c, _) in zip(times, [*bars, (2.5, 1e-4)], strict=True) if c is not None]
    got = of(rows, Channel.QUOTE)
    same(got[got["bid"].notna()], closes, ("t_ns", "bid"))
    rates = [(t, r) for t, (_, r) in zip(times, [*bars, (2.5, 1e-4)], strict=True) if r is not None]
    same(of(rows, Channel.SETTLE), rates, ("t_ns", "rate"))


@EVERY
@given(st.data(), TICKERS)
def test_minute_quotes_of_lean(data: st.DataObject, quoted: list[tuple[Any, ...]]) -> None:
    """No header, so that columns stand where they stand; a missing side is empty."""
    lines, expected = [], []
    for n, (bid, ask, _, amount) in enumerate(quoted):
        size = None if bid is None else float(amount), None if ask is None else 2.5
        cells = ["1", "1", "1", bid, size[0], "1", "1", "1", ask, size[1]]
        written = [data.draw(test_generated.written(cell)) for cell in cells]
        lines.append(",".join([str(60_000 * n), *written]))
        expected.append(((T0 + 60 * (n + 1)) * 10**9, bid, ask, *size))
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("20240201_btcusdt_minute_quote.csv", "\n".join(lines) + "\n")
    rows = read("lean_minute_quotes", "20240201_quote.zip", out.getvalue(), **BTC, feed="book")
    same(rows, expected, ("t_ns", "bid", "ask", "bid_size", "ask_size"))


@EVERY
@given(st.data(), st.lists(st.tuples(SIDES, st.one_of(st.none(), RATES)), min_size=1, max_size=4))
def test_tickers_of_tardis(data: st.DataObject, quoted: list[tuple[Any, Any]]) -> None:
    """A mark or a rate that is not there makes no row; the index of a market in USDT is no index in USD."""
    records = [
        {"exchange": "binance-futures", "symbol": "BTCUSDT", "timestamp": T0 * 10**6 + n, "mark_price": mark,
         "local_timestamp": T0 * 10**6 + n + 5, "funding_timestamp": (T0 + 28_800) * 10**6, "funding_rate": rate,
         "index_price": None, "last_price": 1.5}
        for n, (mark, rate) in enumerate([*quoted, (2.5, 1e-4)])
    ]  # fmt: skip
    options = {**BTC, "market": "declared", "symbol": "BTCUSDT", "feed": "book"}
    rows = read("tardis_derivative_ticker", "t.csv", data.draw(tables(records)), **options)
    times = [(T0 * 10**6 + n + 5) * 1000 for n in range(len(records))]
    marks = [(t, r["mark_price"]) for t, r in zip(times, records, strict=True) if r["mark_price"] is not None]
    same(of(rows, Channel.MARK), marks, ("t_ns", "mark"))
    rates = [(t, r["funding_rate"]) for t, r in zip(times, records, strict=True) if r["funding_rate"] is not None]
    same(of(rows, Channel.FUNDING), rates, ("t_ns", "rate"))


@EVERY
@given(st.data(), st.lists(st.tuples(PRICES, st.integers(0, 90)), min_size=1, max_size=6))
def test_trades_of_tardis(data: st.DataObject, trades: list[tuple[float, int]]) -> None:
    """The last price of each minute, by a plain loop."""
    second, records, last = T0, [], dict[int, float]()
    for price, later in trades:
        second += later
        last[second // 60] = price
        records.append({
            "exchange": "binance-futures", "symbol": "BTCUSDT", "timestamp": second * 10**6, "id": "",
            "local_timestamp": second * 10**6, "side": "unknown", "price": price, "amount": None,
        })  # fmt: skip
    options = {**BTC, "market": "declared", "symbol": "BTCUSDT", "feed": "bar", "bar": "1m"}
    rows = read("tardis_trades", "t.csv", data.draw(tables(records)), **options)
    same(rows, [((minute + 1) * 60 * 10**9, price) for minute, price in last.items()], ("t_ns", "bid"))


@EVERY
@given(st.data(), CLOSES, st.sampled_from([1000, 10**6]))
def test_klines_of_binance(data: st.DataObject, bars: list[tuple[Any, int]], unit: int) -> None:
    """Milliseconds or microseconds, columns in any order under a header; bars without a trade are left out."""
    bars = [*bars, (2.5, 1)]
    records = [
        {"open_time": (T0 + 3600 * n) * unit, "open": 1.5, "close": close, "volume": volume,
         "close_time": (T0 + 3600 * (n + 1)) * unit - 1, "count": 3}
        for n, (close, volume) in enumerate(bars)
    ]  # fmt: skip
    rows = read("binance_klines", "BTCUSDT-1h-2024-02.csv", data.draw(tables(records)), **BAR)
    same(rows, [((T0 + 3600 * (n + 1)) * 10**9, bar[0]) for n, bar in enumerate(bars) if bar[1]], ("t_ns", "bid"))


@EVERY
@given(st.data(), st.lists(RATES, min_size=1, max_size=4), TICKERS)
def test_other_tables_of_binance(data: st.DataObject, rates: list[float], quoted: list[tuple[Any, ...]]) -> None:
    """Settled rates of a schedule; a touch with sides that are not there and sizes of 0."""
    records = [{"calc_time": (T0 + 28_800 * n) * 1000 + n, "funding_interval_hours": 8, "last_funding_rate": rate}
               for n, rate in enumerate(rates)]  # fmt: skip
    body = data.draw(tables(records))
    rows = read("binance_archive", "BTCUSDT-fundingRate-2024-02.csv", body, **BAR, table="fundingRate")
    expected = [((T0 + 28_800 * n) * 10**9, rate) for n, rate in enumerate(rates)]
    same(of(rows, Channel.SETTLE), expected, ("t_ns", "rate"))

    records, touches = [], []
    for n, (bid, ask, _, amount) in enumerate(quoted):
        sizes = None if bid is None else float(amount), None if ask is None else 2.5
        records.append({
            "update_id": n, "best_bid_price": bid, "best_bid_qty": sizes[0], "best_ask_price": ask,
            "best_ask_qty": sizes[1], "transaction_time": T0 * 1000, "event_time": T0 * 1000 + n,
        })  # fmt: skip
        touches.append(((T0 * 1000 + n) * 10**6, bid, ask, *sizes))
    body = data.draw(tables(records))
    rows = read("binance_archive", "BTCUSDT-bookTicker-2024-02-01.csv", body, **BTC, feed="book", table="bookTicker")
    same(rows, touches, ("t_ns", "bid", "ask", "bid_size", "ask_size"))


@EVERY
@given(st.dictionaries(st.dates(date(2020, 1, 1), date(2030, 1, 1)), PRICES, min_size=1, max_size=4), st.booleans())
def test_settlement_prices_of_days(drawn: dict[date, float], of_deribit: bool) -> None:
    """A price a day, by its date or by any time of it, in any order; it goes to no contract before a build."""
    days = {day.toordinal() - date(1970, 1, 1).toordinal(): price for day, price in drawn.items()}
    answer: object = [
        {"deliveryTime": 86_400_000 * day + 3_600_000 * (day % 24), "deliveryPrice": price}
        for day, price in days.items()
    ]
    options = {"answer": "delivery-price", "pair": "BTCUSDT"}
    if of_deribit:
        data = [{"date": day.isoformat(), "delivery_price": price} for day, price in drawn.items()]
        answer, options = {"result": {"data": data}}, {"answer": "get_delivery_prices", "index": "btc_usdc"}
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "d.json").write_text(json.dumps(answer))
        spec = SourceSpec("deliveries", "d.json", options, "a test", "none")
        (chunk,) = adapter("deliveries").read(Path(folder), spec)
    of = ("deribit", "BTC", "USDC") if of_deribit else ("binance", "BTC", "USDT")
    expected = [(*of, "", day, price) for day, price in days.items()]
    assert [astuple(each) for each in chunk.deliveries] == expected
    assert len(chunk.rows) == 0
