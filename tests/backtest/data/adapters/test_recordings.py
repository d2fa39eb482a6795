"""Tickers, books and quotes with sizes: units, clocks, order."""

from __future__ import annotations

import gzip
import json
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from backtest.data.adapters.workbook import read_sheet
from backtest.data.format.schema import Channel
from engine.errors import DataError, UsageError
from tests.backtest.data.adapters.conftest import Read

SPOT = {"venue": "binance", "kind": "spot", "base": "BTC", "quote": "USDT", "feed": "book"}
INVERSE = {"venue": "binance", "kind": "inverse_perp", "base": "BTC", "quote": "USD", "feed": "book", "funding_h": 8, "face_usd": 100}  # fmt: skip  # noqa: E501
LINEAR = {**SPOT, "kind": "linear_perp", "funding_h": 8}
MS = 1_000_000


def record(path: Path, messages: list[dict[str, object]]) -> None:
    path.write_bytes(gzip.compress("".join(f"{k} {json.dumps(m)}\n" for k, m in enumerate(messages)).encode()))


def update(first: int, last: int, bids: list[list[str]], asks: list[list[str]]) -> dict[str, object]:
    time = 1_723_161_256_000 + last
    return {"stream": "x@depth", "data": {"e": "depthUpdate", "E": time, "U": first, "u": last, "b": bids, "a": asks}}


SNAPSHOT = {"lastUpdateId": 10, "bids": [["100.0", "1"], ["99.0", "2"]], "asks": [["101.0", "3"]]}


def test_a_book_is_kept_from_a_snapshot_and_what_came_before_it(read: Read, tmp_path: Path) -> None:
    """Old updates are passed over, waiting ones applied; a removed level uncovers the next; event time decides."""
    messages = [
        update(5, 9, [["100.5", "9"]], []),
        update(10, 12, [["100.0", "0"]], []),
        SNAPSHOT,
        update(13, 14, [], [["100.5", "4"]]),
        update(15, 15, [["99.0", "0"]], []),
    ]
    record(tmp_path / "x.gz", messages)
    _, rows = read("binance_ws", tmp_path, "x.gz", **SPOT, stream="depth", latency_ns=7)
    columns = ["bid", "ask", "bid_size", "ask_size"]
    expected = [[99.0, 101.0, 2.0, 3.0], [99.0, 100.5, 2.0, 4.0], [np.nan, 100.5, np.nan, 4.0]]
    assert np.array_equal(rows[columns].to_numpy(), expected, equal_nan=True)
    assert rows["t_ns"].tolist() == [(1_723_161_256_000 + k) * MS + 7 for k in (12, 14, 15)]


def test_a_gap_in_the_updates_stops_the_read(read: Read, tmp_path: Path) -> None:
    """A book with a hole is no book."""
    record(tmp_path / "x.gz", [SNAPSHOT, update(11, 12, [], []), update(14, 15, [], [])])
    with pytest.raises(DataError, match="gap"):
        read("binance_ws", tmp_path, "x.gz", **SPOT, stream="depth", latency_ns=0)


def test_spot_tickers_without_event_time_are_refused(read: Read, tmp_path: Path) -> None:
    """The recorder's clock is not trusted, and spot bookTicker has no other."""
    record(
        tmp_path / "x.gz", [{"stream": "x", "data": {"u": 1, "s": "BTCUSDT", "b": "1", "B": "1", "a": "2", "A": "1"}}]
    )
    with pytest.raises(DataError, match="stream = 'depth'"):
        read("binance_ws", tmp_path, "x.gz", **SPOT, stream="bookTicker", latency_ns=0)


@pytest.mark.parametrize("body", [b"123 {broken\n", b"123\n", b"abc {}\n", b"1 []\n"])
def test_a_broken_line_is_named(read: Read, tmp_path: Path, body: bytes) -> None:
    """Which line of which file."""
    (tmp_path / "x.gz").write_bytes(gzip.compress(b'1 {"a": 1}\n' + body))
    with pytest.raises(DataError, match=r"x\.gz, line 2"):
        read("binance_ws", tmp_path, "x.gz", **SPOT, stream="depth", latency_ns=0)


def test_contracts_of_an_inverse_perp_become_coin(read: Read, tmp_path: Path) -> None:
    """The size is contracts x 100 USD / price, each side at its own price; the quote is known at the minute's end."""
    with zipfile.ZipFile(tmp_path / "20221213_quote.zip", "w") as archive:
        archive.writestr("q.csv", "60000,1,1,1,20000,50,1,1,1,25000,100\n")
    _, rows = read("lean_minute_quotes", tmp_path, "*.zip", **INVERSE)
    assert rows[["bid_size", "ask_size"]].to_numpy().tolist() == [[0.25, 0.4]]
    assert rows["t_ns"].tolist() == [1_670_889_600_000 * MS + 120_000 * MS]


def test_depth_must_agree_with_the_best_price_beside_it(read: Read, tmp_path: Path) -> None:
    """The old CSV holds lists; they are read as JSON, never evaluated."""
    good = {"instrument_name": "BTC-26JUN20-9000-C", "timestamp": 1590103193775, "best_bid_price": 0.02,
            "best_bid_amount": 9.0, "best_ask_price": 0.0, "best_ask_amount": 0.0,
            "mark_price": 0.021, "index_price": 9095.8,
            "bids": "[[0.02, 9.0], [0.01, 1.0]]", "asks": "[]"}  # fmt: skip
    pd.DataFrame([good]).to_csv(tmp_path / "x.csv")
    _, rows = read("deribit_book_csv", tmp_path, "x.csv", latency_ns=0)
    assert rows[rows["channel"] == Channel.QUOTE][["bid", "bid_size"]].to_numpy().tolist() == [[0.02, 9.0]]
    assert rows["ask"].isna().all()
    for bad in ("[[0.01, 1.0], [0.02, 9.0]]", "[[0.019, 9.0]]", "__import__('os')", "[" * 100_000):
        pd.DataFrame([{**good, "bids": bad}]).to_csv(tmp_path / "x.csv")
        with pytest.raises(DataError, match="expected"):
            read("deribit_book_csv", tmp_path, "x.csv", latency_ns=0)


@pytest.mark.parametrize("stamp", ["soon", "", 1590103193775.5, None])
def test_a_ticker_without_a_whole_millisecond_is_refused(read: Read, tmp_path: Path, stamp: object) -> None:
    """A text, a hole and a fraction in the column of times, each by the name of the column."""
    good = {"instrument_name": "BTC-26JUN20-9000-C", "best_bid_price": 0.02, "best_bid_amount": 9.0,
            "best_ask_price": 0.0, "best_ask_amount": 0.0, "mark_price": 0.021, "index_price": 9095.8,
            "bids": "[[0.02, 9.0]]", "asks": "[]"}  # fmt: skip
    pd.DataFrame([{**good, "timestamp": stamp}]).to_csv(tmp_path / "x.csv")
    with pytest.raises(DataError, match=r"x\.csv, row 2, column timestamp: expected a whole number"):
        read("deribit_book_csv", tmp_path, "x.csv", latency_ns=0)


def test_contexts_need_a_time_and_the_place_of_each_coin(read: Read, tmp_path: Path) -> None:
    """The message carries neither names nor a time."""
    context = {"markPx": "100.5", "oraclePx": "100.0", "funding": "0.0000125"}
    (tmp_path / "c.json").write_text(json.dumps({"data": {"ctxs": [["", [context, context]]]}}))
    _, rows = read("hyperliquid_contexts", tmp_path, "c.json", time_ns=17 * 10**17, positions={"BTC": 0})
    assert rows[["mark", "index", "rate"]].max().tolist() == [100.5, 100.0, 0.0000125]
    with pytest.raises(UsageError, match="positions"):
        read("hyperliquid_contexts", tmp_path, "c.json", time_ns=17 * 10**17, positions="BTC")
    with pytest.raises(DataError, match="contexts"):
        read("hyperliquid_contexts", tmp_path, "c.json", time_ns=17 * 10**17, positions={"BTC": 7})


@pytest.mark.real
@pytest.mark.parametrize("file", ["usdm_btcusdt_20240808.gz"])
def test_the_rebuilt_book_has_the_touch_the_exchange_sends(read: Read, real_data: Path, file: str) -> None:
    """Depth differences and bookTicker are two streams of one book: at shared times they show the same prices."""
    path = f"binance-l2-20240808/{file}"
    _, depth = read("binance_ws", real_data, path, **LINEAR, stream="depth", latency_ns=0)
    _, ticker = read("binance_ws", real_data, path, **LINEAR, stream="bookTicker", latency_ns=0)
    both = pd.merge_asof(depth, ticker, on="t_ns", suffixes=("", "_told"))
    same = (both["bid"] == both["bid_told"]) & (both["ask"] == both["ask_told"])
    assert same.mean() > 0.9
    assert not (depth["bid"] >= depth["ask"]).any()


@pytest.mark.real
def test_a_workbook_of_tickers_has_sizes_in_coin(read: Read, real_data: Path) -> None:
    """656 options and 9 futures; an inverse future's amount in USD over its price is its size; calamine agrees."""
    path = "deribit-btc-daily-xlsx/BTC_20260114.xlsx"
    _, rows = read("deribit_xlsx", real_data, path, latency_ns=0)
    quote = rows[rows["channel"] == Channel.QUOTE].set_index("name")
    assert len(quote) == 656 + 9
    assert quote.loc["deribit:BTC-PERPETUAL", "bid_size"] == 526_070 / 96_719.5
    assert quote.loc["deribit:BTC-15JAN26-100000-C", "ask_size"] == 2.5
    assert np.isnan(quote.loc["deribit:BTC-15JAN26-100000-C", "bid"])
    ours = read_sheet(real_data / path, "futures_raw", "x")
    theirs = pd.read_excel(real_data / path, sheet_name="futures_raw", engine="calamine")
    for column in ("best_bid_price", "best_ask_amount", "mark_price", "timestamp", "current_funding"):
        assert np.array_equal(ours[column].astype(float), theirs[column].astype(float), equal_nan=True), column


@pytest.mark.real
def test_three_venues_show_london_time_and_the_shift_of_two_of_them(read: Read, real_data: Path) -> None:
    """Binance closes equal the hourly candles in summer and winter; Bybit and OKX do only four hours earlier."""
    options = {"channels": ["spot"], "bar": "1h", "funding_h": 8, "perp_quote": "", "drop_zero_volume": True}
    _, hourly = read("candles_feather", real_data, "binance-1h-2018-2026/BTC_USDT-1h-*", venue="binance", **options)
    truth = hourly.set_index("t_ns")["bid"]
    apart = {}
    for venue, shift_h in (("binance", 0), ("bybit", 0), ("bybit", -4), ("okx", 0), ("okx", -4)):
        path = "threevenue-8h-2023-2024/all_exchanges.csv"
        _, rows = read("threevenue", real_data, path, venue=venue, zone="Europe/London", channels=["bars"])
        own = rows[rows["name"] == f"{venue}:BTCUSDT"]
        reference = truth.reindex(own["t_ns"] + shift_h * 3_600_000 * MS).to_numpy()
        apart[venue, shift_h] = float(np.nanmedian(np.abs(own["bid"].to_numpy() / reference - 1))) * 1e4
    assert apart["binance", 0] == 0.0
    assert apart["bybit", -4] < 2 < 20 < apart["bybit", 0]
    assert apart["okx", -4] < 2 < 20 < apart["okx", 0]


@pytest.mark.real
def test_summaries_of_books_are_put_in_order(read: Read, real_data: Path) -> None:
    """2,734 BTC and 2,737 ETH rows that are not in time order in their files."""
    _, rows = read("hyperliquid_book_summary", real_data, "hyperliquid-funding-l2summary-2024-2025/*.jsonl")
    assert len(rows) == 2_734 + 2_737
    assert (rows["bid"] < rows["ask"]).mean() > 0.99
