"""What a file says of its instrument, size and contract is compared with what its source declares.  [S1.2, S8.2]"""

from __future__ import annotations

import gzip
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest

from backtest.data.adapters.base import SourceSpec
from backtest.data.adapters.binance.websocket import ADAPTER as RECORDING
from backtest.data.adapters.identity import OTHERS, is_symbol_of
from backtest.data.adapters.instruments import inverse_perp, linear_perp, spot
from engine.errors import DataError, UsageError
from engine.records import Feed
from tests.backtest.data.adapters.conftest import Read

SPOT = {"venue": "binance", "kind": "spot", "base": "BTC", "quote": "USDT"}
PERP = {**SPOT, "kind": "linear_perp", "funding_h": 8}
BAR = {"feed": "bar", "bar": "1h"}
HOUR = "1706745600000,1,1,1,1,1,1706749199999,1,1,1,1,1\n"
TARDIS = "exchange,symbol,timestamp,local_timestamp,ask_amount,ask_price,bid_price,bid_amount\n"
STAMPS = "1706745600000000,1706745600005000"


@pytest.mark.parametrize(
    ("text", "right"),
    [("BTCUSDT", True), ("BTC-USDT-SWAP", True), ("BTC/USDT:USDT", True), ("XBTUSDTM", True), ("BINANCE:BTCUSDT", True),
     ("btcusdt", True), ("BTC", True), ("ETHUSDT", False), ("BTCUSDC", False), ("BTCUSDT_240329", False),
     ("BTCDOMUSDT", False), ("BTCUSD_PERP", False)],
)  # fmt: skip
def test_a_symbol_is_recognised_in_the_forms_of_the_venues(text: str, right: bool) -> None:
    """The perp on BTC in USDT, and names that only begin like it."""
    assert is_symbol_of(linear_perp("binance", "BTC", "USDT", Feed.BAR, funding_ns=0), text) is right


def test_spot_and_inverse_have_other_names() -> None:
    """A swap is no spot pair; a coin-margined perp is not in USDT; USD stands for any dollar where it is linear."""
    assert not is_symbol_of(spot("okx", "BTC", "USDT", Feed.BAR), "BTC-USDT-SWAP")
    inverse = inverse_perp("binance", "BTC", Feed.BAR, face_usd=100.0, funding_ns=0)
    assert is_symbol_of(inverse, "BTCUSD_PERP")
    assert not is_symbol_of(inverse, "BTCUSDT")
    assert is_symbol_of(linear_perp("dydx", "BTC", "USD", Feed.BAR, funding_ns=0), "BTC-USDT")


@pytest.mark.parametrize("name", ["BTCUSDT_240329-1h-2024-02.csv", "ETHUSDT-1h-2024-02.csv", "BTCUSDC-1h-2024-02.csv"])
def test_the_archive_names_its_symbol(read: Read, tmp_path: Path, name: str) -> None:
    """A dated future, another coin, another dollar in the glob of a perp."""
    (tmp_path / name).write_text(HOUR)
    with pytest.raises(DataError, match="expected a file of BTCUSDT"):
        read("binance_klines", tmp_path, "*.csv", **PERP, **BAR)


def test_the_archive_s_folders_name_the_market(read: Read, tmp_path: Path) -> None:
    """Spot and perp have one symbol; their folders tell them apart."""
    (tmp_path / "spot").mkdir()
    (tmp_path / "spot" / "BTCUSDT-1h-2024-02.csv").write_text(HOUR)
    with pytest.raises(DataError, match="the market um"):
        read("binance_klines", tmp_path, "spot/*.csv", **PERP, **BAR)
    assert len(read("binance_klines", tmp_path, "spot/*.csv", **SPOT, **BAR)[1]) == 1


@pytest.mark.parametrize("column", ["Symbol", "coin", "pair", "instId"])
def test_rows_of_another_symbol_are_refused_in_funding_and_candles(read: Read, tmp_path: Path, column: str) -> None:
    """ETH's rates are not settled on BTC, nor its closes quoted."""
    (tmp_path / "f.csv").write_text(f"{column},timestamp,funding_rate\nETHUSDT,2024-02-01 00:00:00,0.0003\n")
    (tmp_path / "c.csv").write_text(f"{column},ts,close\nETH-USDT,1706745600000,2\nBTC-USDT,1706749200000,2\n")
    with pytest.raises(DataError, match="there were rows of ETHUSDT"):
        read("funding_history", tmp_path, "f.csv", **PERP, **BAR)
    candles = {"label": "ms", "drop_zero_volume": False, "drop_last": False}
    with pytest.raises(DataError, match="there were rows of ETH-USDT"):
        read("candles_csv", tmp_path, "c.csv", **SPOT, **BAR, **candles)


@pytest.mark.parametrize("name", ["BTCUSDC.csv", "hyperliquid_ETH_1h.csv", "ETH-USDT_1h.csv", "btcusdt_240329_1h.csv"])
def test_a_free_name_that_speaks_of_another_instrument_is_refused(read: Read, tmp_path: Path, name: str) -> None:
    """Collectors put the pair into the name in many forms; a name that speaks of none is accepted."""
    for each in (name, "binance_BTCUSDT_1h_2024.csv", "hl_BTC.csv", "x.csv"):
        (tmp_path / each).write_text("ts,close\n1706745600000,2\n")
    options = {**SPOT, **BAR, "label": "ms", "drop_zero_volume": False, "drop_last": False}
    with pytest.raises(DataError, match="by its name"):
        read("candles_csv", tmp_path, name, **options)
    for each in ("binance_BTCUSDT_1h_2024.csv", "hl_BTC.csv", "x.csv"):
        assert len(read("candles_csv", tmp_path, each, **options)[1]) == 1


def test_a_quote_file_of_lean_names_its_symbol_inside_the_zip(read: Read, tmp_path: Path) -> None:
    """The name of the zip is a day; the member's holds the pair."""
    with zipfile.ZipFile(tmp_path / "20240201_quote.zip", "w") as archive:
        archive.writestr("20240201_ethusdt_minute_quote.csv", "0,1,1,1,1,5,1,1,1,2,5\n")
    with pytest.raises(DataError, match="one of ethusdt by its name"):
        read("lean_minute_quotes", tmp_path, "*.zip", **SPOT, feed="book")


def ticker(symbol: str, bid: str, size: str = "1") -> dict[str, object]:
    stamp = 1_706_745_600_000 + int(float(bid))
    return {"e": "bookTicker", "E": stamp, "s": symbol, "b": bid, "B": size, "a": str(float(bid) + 1), "A": size}


def record(path: Path, *messages: dict[str, object]) -> None:
    path.write_bytes(gzip.compress("".join(f"1 {json.dumps(m)}\n" for m in messages).encode()))


def test_messages_of_another_symbol_are_passed_over_and_counted(read: Read, tmp_path: Path) -> None:
    """Two coins in one stream stay two coins; a recording of the other one alone is refused."""
    options = {**PERP, "feed": "book", "stream": "bookTicker", "latency_ns": 0}
    record(tmp_path / "r.gz", ticker("BTCUSDT", "42000"), ticker("ETHUSDT", "2300"), ticker("BTCUSDT", "42002"))
    _, rows = read("binance_ws", tmp_path, "r.gz", **options)
    assert rows["bid"].tolist() == [42000.0, 42002.0]
    chunk = next(RECORDING.read(tmp_path, SourceSpec("binance_ws", "r.gz", options, "", "")))
    assert chunk.passed_over == {OTHERS: 1}
    record(tmp_path / "e.gz", ticker("ETHUSDT", "2300"))
    with pytest.raises(DataError, match="found none"):
        read("binance_ws", tmp_path, "e.gz", **options)


def test_a_snapshot_without_a_symbol_beside_two_symbols_is_refused(read: Read, tmp_path: Path) -> None:
    """Nothing says whose book it is."""
    snapshot = {"lastUpdateId": 10, "bids": [["100", "1"]], "asks": [["101", "1"]]}
    updates = [{"e": "depthUpdate", "E": 1, "s": s, "U": 11, "u": 12, "b": [], "a": []} for s in ("BTCUSDT", "ETHUSDT")]
    record(tmp_path / "r.gz", snapshot, *updates)
    with pytest.raises(DataError, match="snapshots that name their symbol"):
        read("binance_ws", tmp_path, "r.gz", **PERP, feed="book", stream="depth", latency_ns=0)


def test_a_symbol_of_two_markets_is_told_apart_by_the_exchange(read: Read, tmp_path: Path) -> None:
    """Tardis calls Binance's spot and perp by one symbol in two exchanges."""
    (tmp_path / "q.csv").write_text(f"{TARDIS}binance,BTCUSDT,{STAMPS},1,101,100,1\n")
    options = {"market": "declared", "symbol": "BTCUSDT", "feed": "book"}
    assert len(read("tardis_quotes", tmp_path, "q.csv", **SPOT, **options)[1]) == 1
    with pytest.raises(DataError, match="there were rows of binance, another market"):
        read("tardis_quotes", tmp_path, "q.csv", **PERP, **options)


def sizes_of(read: Read, tmp_path: Path, reader: str, size: str) -> list[float]:
    """The two sizes that ``reader`` makes of ``size`` on both sides; an empty text is a size not given."""
    book = {**PERP, "feed": "book"}
    if reader == "tardis_quotes":
        (tmp_path / "q.csv").write_text(f"{TARDIS}binance-futures,BTCUSDT,{STAMPS},{size},101,100,{size}\n")
        _, rows = read(reader, tmp_path, "q.csv", **book, market="declared", symbol="BTCUSDT")
    elif reader == "tardis snapshot":
        header = "exchange,symbol,timestamp,local_timestamp,asks[0].amount,asks[0].price,bids[0].price,bids[0].amount\n"
        (tmp_path / "q.csv").write_text(f"{header}binance-futures,BTCUSDT,{STAMPS},{size},101,100,{size}\n")
        _, rows = read("tardis_quotes", tmp_path, "q.csv", **book, market="declared", symbol="BTCUSDT")
    elif reader == "lean_minute_quotes":
        with zipfile.ZipFile(tmp_path / "20240201_quote.zip", "w") as archive:
            archive.writestr("q.csv", f"0,1,1,1,100,{size},1,1,1,101,{size}\n")
        _, rows = read(reader, tmp_path, "*.zip", **book)
    elif reader == "binance_archive":
        head = "update_id,best_bid_price,best_bid_qty,best_ask_price,best_ask_qty,transaction_time,event_time\n"
        (tmp_path / "BTCUSDT-bookTicker-2024-02.csv").write_text(
            f"{head}1,100,{size},101,{size},1706745600000,1706745600000\n"
        )
        _, rows = read(reader, tmp_path, "*.csv", **book, table="bookTicker")
    elif reader == "binance_ws":
        record(tmp_path / "r.gz", ticker("BTCUSDT", "100", size))
        _, rows = read(reader, tmp_path, "r.gz", **book, stream="bookTicker", latency_ns=0)
    elif reader == "deribit_book_csv":
        level = f'"[[100, {size}]]","[[101, {size}]]"'
        head = "instrument_name,timestamp,best_bid_price,best_ask_price,best_bid_amount,best_ask_amount,mark_price,index_price,bids,asks\n"  # noqa: E501
        (tmp_path / "b.csv").write_text(f"{head}BTC-27MAR26-95000-C,1706745600000,100,101,{size},{size},1,1,{level}\n")
        _, rows = read(reader, tmp_path, "b.csv", latency_ns=0)
    else:
        levels = [[{"px": "100", "sz": size, "n": 1}], [{"px": "101", "sz": size, "n": 1}]]
        message = {"channel": "l2Book", "data": {"coin": "BTC", "time": 1706745600000, "levels": levels}}
        (tmp_path / "b.jsonl").write_text(json.dumps({"raw": message}) + "\n")
        _, rows = read(reader, tmp_path, "b.jsonl", latency_ns=0)
    return list(rows[["bid_size", "ask_size"]].dropna(how="all").to_numpy().ravel().tolist())


BOOKS = ("tardis_quotes", "tardis snapshot", "lean_minute_quotes", "binance_archive", "binance_ws", "deribit_book_csv",
         "hyperliquid_l2book")  # fmt: skip


@pytest.mark.parametrize("reader", BOOKS)
def test_a_size_of_0_stays_0_and_is_not_unknown(read: Read, tmp_path: Path, reader: str) -> None:
    """A price without depth cannot be traded; as an unknown size it would be, at the fallback."""
    assert sizes_of(read, tmp_path, reader, "0") == [0.0, 0.0]


@pytest.mark.parametrize("reader", ["tardis_quotes", "tardis snapshot", "lean_minute_quotes"])
def test_only_a_size_that_is_not_given_is_unknown(read: Read, tmp_path: Path, reader: str) -> None:
    """An empty cell is no size; a negative one is refused."""
    assert sizes_of(read, tmp_path, reader, "") == []
    with pytest.raises(DataError, match=r"row [12], column .*: expected a size of 0 or more, was -1"):
        sizes_of(read, tmp_path, reader, "-1")


def test_a_level_of_size_0_in_a_kept_book_is_no_level(read: Read, tmp_path: Path) -> None:
    """In a snapshot as in an update, 0 removes the level; the touch is the next one, with its own size."""
    snapshot = {"lastUpdateId": 10, "bids": [["100", "0"], ["99", "2"]], "asks": [["101", "3"]]}
    update = {
        "e": "depthUpdate",
        "E": 1_706_745_600_000,
        "s": "BTCUSDT",
        "U": 11,
        "u": 12,
        "b": [],
        "a": [["101", "0"]],
    }
    record(tmp_path / "r.gz", snapshot, update)
    _, rows = read("binance_ws", tmp_path, "r.gz", **PERP, feed="book", stream="depth", latency_ns=0)
    expected = [[99.0, np.nan, 2.0, np.nan]]
    assert np.array_equal(rows[["bid", "ask", "bid_size", "ask_size"]].to_numpy(), expected, equal_nan=True)


OKX = {**PERP, "venue": "okx", "feed": "book", "market": "declared", "symbol": "BTC-USDT-SWAP"}


def test_contracts_of_a_linear_perp_become_coin(read: Read, tmp_path: Path) -> None:
    """200 contracts of 0.01 BTC are 2 BTC and 150 are 1.5."""
    (tmp_path / "q.csv").write_text(f"{TARDIS}okex-swap,BTC-USDT-SWAP,{STAMPS},150,42001,42000,200\n")
    _, rows = read("tardis_quotes", tmp_path, "q.csv", **OKX, contract_size="0.01")
    assert rows[["bid_size", "ask_size"]].to_numpy().tolist() == [[2.0, 1.5]]
    for wrong in ({}, {"contract_size": 0.01}, {"contract_size": "-1"}, {"contract_size": "none"}):
        with pytest.raises(UsageError, match="contract_size = the base units of one contract"):
            read("tardis_quotes", tmp_path, "q.csv", **OKX, **wrong)


@pytest.mark.parametrize(
    ("options", "key"),
    [({**OKX, "contract_size": "0.01", "face_usd": 100}, "face_usd"),
     ({**OKX, "contract_size": "0.01", "bar": "1h"}, "bar"),
     ({**OKX, "kind": "spot", "contract_size": "0.01"}, "funding_h"),
     ({**{k: v for k, v in OKX.items() if k != "funding_h"}, "kind": "spot", "contract_size": "0.01"}, "contract_size"),
     ({**OKX, "kind": "inverse_perp", "face_usd": 100, "contract_size": "0.01"}, "contract_size")],
)  # fmt: skip
def test_an_option_of_no_use_for_the_kind_is_refused(
    read: Read, tmp_path: Path, options: dict[str, object], key: str
) -> None:
    """It would be accepted and change nothing: what its writer meant would be lost."""
    (tmp_path / "q.csv").write_text(f"{TARDIS}okex-swap,BTC-USDT-SWAP,{STAMPS},150,42001,42000,200\n")
    with pytest.raises(UsageError, match=f"expected option {key} for"):
        read("tardis_quotes", tmp_path, "q.csv", **options)
