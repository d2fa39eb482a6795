"""Adapters on what the venues and vendors really wrote: small third-party samples with source and hash.  [S8.2]"""

from __future__ import annotations

import hashlib
import shutil
import tomllib
from pathlib import Path

import pandas as pd
import pytest

from backtest.data.adapters.registry import ADAPTERS
from backtest.data.format.schema import Channel
from engine.errors import DataError
from tests.backtest.data.adapters.conftest import Read

SAMPLES = Path(__file__).parent / "samples"
LISTED = tomllib.loads((SAMPLES / "SOURCES.toml").read_text(encoding="utf-8"))["sample"]
S = 10**9
BTC_PERP = {"venue": "binance", "kind": "linear_perp", "base": "BTC", "quote": "USDT", "funding_h": 8}
XBT = {"venue": "bitmex", "kind": "inverse_perp", "base": "BTC", "quote": "USD", "funding_h": 8, "face_usd": 1}


def channel(rows: pd.DataFrame, which: Channel) -> pd.DataFrame:
    """The rows of one channel."""
    return rows[rows["channel"] == which].reset_index(drop=True)


def test_every_sample_is_listed_with_its_hash_and_cited_by_its_adapter() -> None:
    """The bytes are those that were found; a name and a source stand beside each; an adapter says that it met them."""
    files = {path.relative_to(SAMPLES).as_posix() for path in SAMPLES.rglob("*") if path.is_file()} - {"SOURCES.toml"}
    assert {sample["file"] for sample in LISTED} == files
    cited = " ".join(adapter.verified for adapter in ADAPTERS)
    for sample in LISTED:
        assert hashlib.sha256((SAMPLES / sample["file"]).read_bytes()).hexdigest() == sample["sha256"], sample["file"]
        assert sample["source"]
        assert sample["licence"]
        assert sample["sha256"] in cited or sample["file"].startswith("binance/klines"), sample["file"]


def test_a_derivative_ticker_of_deribit(read: Read) -> None:
    """Known when it was received; the rate changes in the third row."""
    _, rows = read("tardis_derivative_ticker", SAMPLES / "tardis", "deribit_derivative*.csv", market="deribit")
    rates = channel(rows, Channel.FUNDING)
    assert rates["rate"].tolist() == [4.59e-6, 4.59e-6, 4.52e-6]
    assert rates["t_ns"].tolist() == [1786320665533324000, 1786320665654382000, 1786320665661106000]
    assert channel(rows, Channel.MARK)[["mark", "index"]].to_numpy().tolist()[0] == [65220.13, 65203.53]


def test_a_book_snapshot_and_a_quote_of_tardis_have_the_same_touch(read: Read) -> None:
    """Level 0 of each side, whatever the order of the columns; contracts of 100 USD become coin."""
    options = {**BTC_PERP, "market": "declared", "symbol": "BTCUSDT", "feed": "book"}
    _, rows = read("tardis_quotes", SAMPLES / "tardis", "binance-futures_book*.csv", **options)
    assert len(rows) == 10
    assert rows[["bid", "ask", "bid_size", "ask_size"]].to_numpy().tolist()[-1] == [11657.07, 11657.08, 10.881, 1.393]
    inverse = {"venue": "htx", "kind": "inverse_perp", "base": "BTC", "quote": "USD", "funding_h": 8, "face_usd": 100}
    options = {**inverse, "market": "declared", "symbol": "BTC-USD", "feed": "book"}
    _, rows = read("tardis_quotes", SAMPLES / "tardis", "huobi*.csv", **options)
    assert rows[["bid", "ask", "bid_size", "ask_size"]].to_numpy().tolist() == [
        [6422.9, 6423.0, 112 * 100 / 6422.9, 86 * 100 / 6423.0]
    ]


def test_a_trade_of_tardis_becomes_a_bar_known_at_its_close(read: Read) -> None:
    """00:00:03 falls into the first minute, whose last price is known at 00:01:00, with no size."""
    options = {**XBT, "market": "declared", "symbol": "XBTUSD", "feed": "bar", "bar": "1m"}
    _, rows = read("tardis_trades", SAMPLES / "tardis", "bitmex*.csv", **options)
    assert rows["t_ns"].tolist() == [(1585699200 + 60) * S]
    assert rows[["bid", "ask"]].to_numpy().tolist() == [[6425.5, 6425.5]]
    assert rows[["bid_size", "ask_size"]].isna().all(axis=None)


def test_trades_are_the_same_bars_in_whatever_parts_they_are_read(
    read: Read, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last price received in a bar, carried over the edge of a part; a bar without a trade is not there."""
    stamps = [0, 59_999_999, 60_000_000, 61_000_000, 190_000_000]
    lines = [f"bitmex,XBTUSD,{1_585_699_200_000_000 + t},{1_585_699_200_000_000 + t},a,buy,{6000 + n},1" for n, t in
             enumerate(stamps)]  # fmt: skip
    head = "exchange,symbol,timestamp,local_timestamp,id,side,price,amount"
    (tmp_path / "t.csv").write_text("\n".join([head, *lines]) + "\n")
    options = {**XBT, "market": "declared", "symbol": "XBTUSD", "feed": "bar", "bar": "1m"}
    for part in (1, 2, 3, 100):
        monkeypatch.setattr("backtest.data.adapters.files.ROWS_AT_A_TIME", part)
        _, rows = read("tardis_trades", tmp_path, "t.csv", **options)
        seconds = ((rows["t_ns"] - 1_585_699_200 * S) // S).tolist()
        assert list(zip(seconds, rows["bid"], strict=True)) == [(60, 6001.0), (120, 6003.0), (240, 6004.0)], part
    (tmp_path / "t.csv").write_text("\n".join([head, lines[2], lines[1]]) + "\n")
    with pytest.raises(DataError, match="never go back"):
        read("tardis_trades", tmp_path, "t.csv", **options)


def test_funding_marks_klines_and_touch_of_binance(read: Read, tmp_path: Path) -> None:
    """A settlement at its nominal time, a bar at its close, a touch at its event time."""
    perp = {**BTC_PERP, "feed": "bar", "bar": "1h"}
    _, rows = read("binance_archive", SAMPLES / "binance", "*fundingRate*", **perp, table="fundingRate")
    assert channel(rows, Channel.SETTLE)["t_ns"].tolist() == [1754006400 * S, 1754035200 * S]
    assert channel(rows, Channel.SETTLE)["rate"].tolist() == [-1.408e-5, 1.549e-5]
    assert channel(rows, Channel.FUNDING)["t_ns"].tolist() == [1754006400_001 * 10**6, 1754035200_003 * 10**6]
    for kind, adapter in (("klines", "binance_klines"), ("markPriceKlines", "binance_archive")):
        shutil.copy(SAMPLES / "binance" / f"{kind}-BTCUSDT-1h-2025-08.csv", tmp_path / "BTCUSDT-1h-2025-08.csv")
        table = {} if kind == "klines" else {"table": kind}
        _, rows = read(adapter, tmp_path, "BTCUSDT-1h-*", **perp, **table)
        assert rows["t_ns"].tolist() == [(1754006400 + 3600) * S]
        price = rows["bid" if kind == "klines" else "mark"].tolist()
        assert price == ([115366.9] if kind == "klines" else [115372.82535004])
    _, rows = read("binance_archive", SAMPLES / "binance", "*bookTicker*", **BTC_PERP, table="bookTicker", feed="book")
    assert rows["t_ns"].tolist() == [1686787200_015 * 10**6]
    assert rows[["bid", "ask", "bid_size", "ask_size"]].to_numpy().tolist() == [[25115.9, 25116.0, 13.097, 1.23]]


def test_a_book_of_the_archive_of_hyperliquid(read: Read) -> None:
    """The recorder's time, 595 ms after the book's own; prices and sizes are texts in the file."""
    _, rows = read("hyperliquid_l2book", SAMPLES / "hyperliquid", "*.jsonl", latency_ns=0)
    assert rows["t_ns"].tolist() == [1_685_577_603_299_718_723]
    assert rows[["bid", "ask", "bid_size", "ask_size"]].to_numpy().tolist() == [[1872.7, 1873.3, 1.2498, 0.5195]]


@pytest.mark.real
def test_the_quoted_rows_equal_independent_copies(real_data: Path, read: Read) -> None:
    """Nobody made the samples up: their values stand in candles and funding that other people stored."""
    stored = real_data / "binance-1h-2018-2026"

    def hour(name: str, at: str) -> pd.Series:
        frame = pd.read_feather(stored / f"{name}.feather")
        return frame[frame["date"] == pd.Timestamp(at, tz="UTC")].iloc[0]

    assert hour("BTC_USDT_USDT-1h-funding_rate", "2025-08-01 00:00")["open"] == -1.408e-5
    assert hour("BTC_USDT_USDT-1h-funding_rate", "2025-08-01 08:00")["open"] == 1.549e-5
    assert hour("BTC_USDT_USDT-1h-mark", "2025-08-01 00:00")["close"] == 115372.82535004
    assert hour("BTC_USDT_USDT-1h-futures", "2025-08-01 00:00")["close"] == 115366.9
    assert hour("BTC_USDT_USDT-1h-futures", "2023-06-15 00:00")["open"] == 25115.9  # the first bookTicker's bid
    assert 1872.7 <= hour("ETH_USDT_USDT-1h-futures", "2023-06-01 00:00")["open"] <= 1873.3  # between the book's sides
