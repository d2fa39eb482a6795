"""Formats of public archives, from rows written by hand in their documented form."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest

from backtest.data.format.schema import Channel
from engine.errors import DataError, UsageError
from tests.backtest.data.adapters.conftest import Read

US = 1_000
T_US = 1_591_574_400_196_008
CHAIN = (
    "exchange,symbol,timestamp,local_timestamp,type,strike_price,expiration,open_interest,last_price,bid_price,"
    "bid_amount,bid_iv,ask_price,ask_amount,ask_iv,mark_price,mark_iv,underlying_index,underlying_price,delta,gamma,"
    "vega,theta,rho\n"
    f"deribit,BTC-9JUN20-9875-P,1591574399413000,{T_US},put,9875,1591689600000000,0.1,0.03,0.02,15.0,55.9,0.0235,15.5,"
    "68.9,0.0221,62.9,SYN.BTC-9JUN20,9756.36,-0.6,0.001,2.2,-53.1,-0.2\n"
    f"deribit,BTC-10JUN20-10000-C,1591574399413000,{T_US + 1},call,10000,1591776000000000,,0.03,,,,,,,0.0316,58.2,"
    "SYN.BTC-10JUN20,9760.4,,,,,\n"
)
KLINES = "1735689600000000,1,2,0.5,1.5,10,1735693199999999,15,3,5,7.5,0\n"
PERP = {"venue": "binance", "kind": "linear_perp", "base": "BTC", "quote": "USDT", "funding_h": 8}


def test_an_option_chain_is_known_when_it_was_received(read: Read, tmp_path: Path) -> None:
    """Local time, sizes in coin, an empty side is missing; the mark stands without a quote."""
    (tmp_path / "c.csv").write_text(CHAIN)
    instruments, rows = read("tardis_options_chain", tmp_path, "c.csv", market="deribit")
    quote = rows[rows["channel"] == Channel.QUOTE].set_index("name")
    assert quote.loc["deribit:BTC-9JUN20-9875-P", ["bid", "ask", "bid_size", "ask_size"]].tolist() == [
        0.02,
        0.0235,
        15.0,
        15.5,
    ]
    assert quote["t_ns"].tolist() == [T_US * US, (T_US + 1) * US]
    assert np.isnan(quote.loc["deribit:BTC-10JUN20-10000-C", "bid"])
    assert rows[rows["channel"] == Channel.MARK]["mark"].tolist() == [0.0221, 0.0316]
    assert instruments["expiry_ns"].tolist() == [1_591_689_600_000_000 * US, 1_591_776_000_000_000 * US]
    (tmp_path / "c.csv").write_text(CHAIN.replace("put,9875", "call,9875"))
    with pytest.raises(DataError, match="BTC-9JUN20-9875-P"):
        read("tardis_options_chain", tmp_path, "c.csv", market="deribit")
    # Beyond 64 bits in nanoseconds: found by the fuzz drive of 2026-11-30 in the message itself.
    (tmp_path / "c.csv").write_text(CHAIN.replace("1591689600000000", "1" * 30))
    with pytest.raises(DataError, match=r"row 2: expected BTC-9JUN20-9875-P .* expiry 1{15}\d+ ns, put"):
        read("tardis_options_chain", tmp_path, "c.csv", market="deribit")


@pytest.mark.parametrize("header", ["ask_amount,ask_price,bid_price,bid_amount",
                                    "asks[0].amount,asks[0].price,bids[0].price,bids[0].amount"])  # fmt: skip
def test_quotes_and_book_snapshots_have_one_touch(read: Read, tmp_path: Path, header: str) -> None:
    """Deribit's amounts of inverse futures are USD; columns are found by name, whatever their order."""
    lead = "exchange,symbol,timestamp,local_timestamp,"
    (tmp_path / "q.csv").write_text(f"{lead}{header}\nderibit,BTC-PERPETUAL,{T_US},{T_US},5000,10000,8000,4000\n")
    _, rows = read("tardis_quotes", tmp_path, "q.csv", market="deribit")
    assert rows[["bid", "ask", "bid_size", "ask_size"]].to_numpy().tolist() == [[8000.0, 10000.0, 0.5, 0.5]]
    options = {**PERP, "market": "declared", "symbol": "BTC-OTHER", "feed": "book"}
    with pytest.raises(DataError, match="rows of BTC-OTHER"):
        read("tardis_quotes", tmp_path, "q.csv", **options)
    with pytest.raises(UsageError, match="of one coin"):
        read("tardis_quotes", tmp_path, "q.csv", **{**options, "symbol": "OTHER"})
    with pytest.raises(DataError, match="rows of deribit, another market"):
        read("tardis_quotes", tmp_path, "q.csv", **{**options, "symbol": "BTC-PERPETUAL"})
    (tmp_path / "q.csv").write_text(f"{lead}{header}\nbinance-futures,BTCUSDT,{T_US},{T_US},5000,10000,8000,4000\n")
    _, rows = read("tardis_quotes", tmp_path, "q.csv", **{**options, "symbol": "BTCUSDT"})
    assert rows["bid_size"].tolist() == [4000.0]


def test_a_ticker_tells_mark_index_and_rate_but_no_settlement(read: Read, tmp_path: Path) -> None:
    """An empty rate makes no row; the last of two rows of one moment stands."""
    (tmp_path / "t.csv").write_text(
        "exchange,symbol,timestamp,local_timestamp,funding_timestamp,funding_rate,predicted_funding_rate,open_interest,"
        "last_price,index_price,mark_price\n"
        f"binance-futures,BTCUSDT,{T_US},{T_US},,0.0001,,1,9000,9001,9002\n"
        f"binance-futures,BTCUSDT,{T_US},{T_US},,,,1,9000,9001,9003\n"
    )
    options = {**PERP, "market": "declared", "symbol": "BTCUSDT", "feed": "book"}
    _, rows = read("tardis_derivative_ticker", tmp_path, "t.csv", **options)
    by = rows.set_index("channel")
    assert by.loc[Channel.MARK, "mark"] == 9003.0
    assert np.isnan(by.loc[Channel.MARK, "index"])  # an index in USDT is none in USD
    assert by.loc[Channel.FUNDING, "rate"] == 0.0001
    assert Channel.SETTLE not in by.index


@pytest.mark.parametrize("head", ["", "open_time,open,high,low,close,volume,close_time,a,b,c,d,e\n"])
@pytest.mark.parametrize("scale", [1, 1000])
def test_klines_come_with_or_without_header_in_ms_or_us(read: Read, tmp_path: Path, head: str, scale: int) -> None:
    """The unit is the one that puts the stamps into the month of the file's name."""
    body = KLINES.replace("1735689600000000", str(1_735_689_600_000_000 // scale))
    body = body.replace("1735693199999999", str(1_735_693_199_999_999 // scale))
    with zipfile.ZipFile(tmp_path / "BTCUSDT-1h-2025-01.zip", "w") as archive:
        archive.writestr("x.csv", head + body)
    options = {"venue": "binance", "kind": "spot", "base": "BTC", "quote": "USDT", "feed": "bar", "bar": "1h"}
    _, rows = read("binance_klines", tmp_path, "*.zip", **options)
    assert rows[["t_ns", "bid", "ask"]].to_numpy().tolist() == [[(1_735_689_600 + 3_600) * 10**9, 1.5, 1.5]]


def test_stamps_outside_the_month_of_the_name_are_refused(read: Read, tmp_path: Path) -> None:
    """A changed unit or a misnamed file stops the read."""
    options = {"venue": "binance", "kind": "spot", "base": "BTC", "quote": "USDT", "feed": "bar", "bar": "1h"}
    (tmp_path / "BTCUSDT-1h-2025-02.csv").write_text(KLINES)
    with pytest.raises(
        DataError, match="row 1, column open_time: expected a stamp in ms or us of 2025-02-01 to 2025-02-28"
    ):
        read("binance_klines", tmp_path, "*.csv", **options)


def test_funding_and_book_tickers_of_the_archive(read: Read, tmp_path: Path) -> None:
    """A rate is settled on its schedule; a touch is known at its event time; the interval is the row's."""
    (tmp_path / "BTCUSDT-fundingRate-2024-01.csv").write_text(
        "calc_time,funding_interval_hours,last_funding_rate\n1704067200003,8,0.0002\n"
    )
    _, rows = read("binance_archive", tmp_path, "*fundingRate*", **PERP, table="fundingRate", feed="bar", bar="1h")
    assert rows[rows["channel"] == Channel.SETTLE]["t_ns"].tolist() == [1_704_067_200 * 10**9]
    assert rows[rows["channel"] == Channel.FUNDING]["t_ns"].tolist() == [1_704_067_200_003 * 10**6]
    assert (rows["interval_ns"] == 8 * 3_600 * 10**9).all()
    (tmp_path / "BTCUSDT-bookTicker-2024-01-01.csv").write_text("1,100,2,101,3,1704067200001,1704067200005\n")
    _, rows = read("binance_archive", tmp_path, "*bookTicker*", **PERP, table="bookTicker", feed="book")
    assert rows["t_ns"].tolist() == [1_704_067_200_005 * 10**6]
    assert rows[["bid", "ask", "bid_size", "ask_size"]].to_numpy().tolist() == [[100.0, 101.0, 2.0, 3.0]]


@pytest.mark.parametrize("table", ["premiumIndexKlines", "bookDepth", "klines"])
def test_tables_without_a_place_in_the_data_set_are_refused(read: Read, tmp_path: Path, table: str) -> None:
    """A premium is no rate and depth within 1% is not the touch; klines have an adapter of their own."""
    with pytest.raises(UsageError, match="one of"):
        read("binance_archive", tmp_path, "*", **PERP, table=table, feed="book")


def test_an_index_in_usdt_is_not_taken_for_one_in_usd(read: Read, tmp_path: Path) -> None:
    """A conversion of 1 is never assumed."""
    with pytest.raises(UsageError, match="was one in USDT"):
        read("binance_archive", tmp_path, "*", **PERP, table="indexPriceKlines", feed="bar", bar="1h")


def test_the_archive_of_hyperliquid_tells_contexts_and_books(read: Read, tmp_path: Path) -> None:
    """Oracle as index; the recorder's time where there is one; a coin not asked for is left out."""
    (tmp_path / "a.csv").write_text(
        "time,coin,funding,open_interest,prev_day_px,day_ntl_vlm,premium,oracle_px,mark_px,mid_px,impact_bid_px,"
        "impact_ask_px\n2024-01-01T00:00:00Z,BTC,0.0000125,1,1,1,0.1,100,101,null,null,null\n"
        "2024-01-01T00:00:00Z,APT,0.1,1,1,1,,1,1,,,\n"
    )
    _, rows = read("hyperliquid_asset_ctxs", tmp_path, "a.csv", coins=["BTC"], latency_ns=9)
    assert rows[rows["channel"] == Channel.MARK][["mark", "index"]].to_numpy().tolist() == [[101.0, 100.0]]
    assert set(rows["t_ns"]) == {1_704_067_200 * 10**9 + 9}
    book = {"coin": "BTC", "time": 1_704_067_199_000, "levels": [[{"px": "100", "sz": "2", "n": 1}], []]}
    line = {"time": "2024-01-01T00:00:00.190000000", "raw": {"channel": "l2Book", "data": book}}
    (tmp_path / "b.jsonl").write_text(json.dumps(line) + "\n")
    _, rows = read("hyperliquid_l2book", tmp_path, "b.jsonl", latency_ns=0)
    assert rows["t_ns"].tolist() == [1_704_067_200_190 * 10**6]
    assert rows["bid"].tolist() == [100.0]
    assert rows["ask"].isna().all()
    (tmp_path / "b.jsonl").write_text("{}\n")
    with pytest.raises(DataError, match=r"b\.jsonl, line 1, field raw: expected a value, was missing"):
        read("hyperliquid_l2book", tmp_path, "b.jsonl", latency_ns=0)
