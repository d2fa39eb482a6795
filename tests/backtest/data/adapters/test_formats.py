"""What venues and vendors write otherwise than their first files: each form is read right, or refused with a reason."""

from __future__ import annotations

import gzip
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from backtest.data.format.schema import Channel
from engine.errors import DataError, UsageError
from engine.records import Kind
from tests.backtest.data.adapters.conftest import Read

SAMPLES = Path(__file__).parent / "samples"
S, MS, HOUR = 10**9, 10**6, 3_600 * 10**9
BTC: dict[str, Any] = {"venue": "binance", "kind": "linear_perp", "base": "BTC", "quote": "USDT", "feed": "bar",
                       "bar": "1h", "funding_h": 8}  # fmt: skip
HOURLY: dict[str, Any] = {**BTC, "venue": "hyperliquid", "quote": "USD", "funding_h": 1}
FUTURE: dict[str, Any] = {"venue": "binance", "kind": "linear_future", "base": "BTC", "quote": "USDT",
                          "expiry": "2025-12-26"}  # fmt: skip
FEATHER: dict[str, Any] = {"venue": "hyperliquid", "channels": ["futures", "funding_rate"], "bar": "1h",
                           "funding_h": 1, "perp_quote": "", "drop_zero_volume": True}  # fmt: skip
EXPIRY = 1_766_736_000 * S  # 2025-12-26 08:00
T0 = 1_753_617_600  # 2025-07-27 12:00
T1 = T0 + 3_600


def channel(rows: pd.DataFrame, which: Channel) -> pd.DataFrame:
    """The rows of one channel."""
    return rows[rows["channel"] == which].reset_index(drop=True)


def test_a_strike_with_a_point_in_capitals_is_deribits_own_instrument(read: Read) -> None:
    """Tardis writes 8D6 where Deribit writes 8d6; the real day is read, every row of it, under Deribit's name."""
    instruments, rows = read("tardis_options_chain", SAMPLES / "tardis", "deribit_options_chain*", market="deribit")
    assert instruments.index.tolist() == ["deribit:AVAX_USDC-29MAY26-8d6-P"]
    assert instruments[["strike", "expiry_ns"]].to_numpy().tolist() == [[8.6, 1_780_041_600 * S]]
    text = gzip.decompress((SAMPLES / "tardis/deribit_options_chain_2026-05-01_AVAX.csv.gz").read_bytes()).decode()
    lines = [line.split(",") for line in text.splitlines()[1:]]
    assert len(lines) == 408
    # one row for each moment of receipt, the last one; sides by the columns' places in the vendor's header
    last = {int(line[3]) * 1000: (float(line[9]), float(line[12]), float(line[10]), float(line[13])) for line in lines}
    quote = channel(rows, Channel.QUOTE)
    assert dict(zip(quote["t_ns"], quote[["bid", "ask", "bid_size", "ask_size"]].itertuples(index=False, name=None),
                    strict=True)) == last  # fmt: skip


def test_index_klines_of_the_archive(read: Read, tmp_path: Path) -> None:
    """The form is read; an index in USDT is none in USD, and is refused with that reason."""
    usdt = {**BTC, "base": "1000000BOB", "table": "indexPriceKlines"}
    with pytest.raises(UsageError, match="expected an index in USD, was one in USDT"):
        read("binance_archive", SAMPLES / "binance", "1000000BOB*", **usdt)
    shutil.copy(SAMPLES / "binance/1000000BOBUSDT-1h-2025-07-31.csv", tmp_path / "BOBUSD-1h-2025-07-31.csv")
    usd = {**usdt, "kind": "inverse_perp", "base": "BOB", "quote": "USD", "face_usd": 10}
    _, rows = read("binance_archive", tmp_path, "*.csv", **usd)
    assert rows[["t_ns", "index"]].to_numpy().tolist() == [
        [1_753_920_000 * S + HOUR, 0.05849142], [1_753_920_000 * S + 2 * HOUR, 0.05804089]
    ]  # fmt: skip


def test_an_index_in_usdc_is_not_stored_as_one_in_usd(read: Read, tmp_path: Path) -> None:
    """OKX's index of a USDC contract is left out, the mark is kept; Deribit's became the one in USD on 2025-07-15."""
    options = {**BTC, "venue": "okx", "quote": "USDC", "market": "declared", "symbol": "BTC-USDC-SWAP", "feed": "book"}
    del options["bar"]
    _, rows = read("tardis_derivative_ticker", SAMPLES / "tardis", "okex-swap*", **options)
    marks = channel(rows, Channel.MARK)
    assert marks["mark"].tolist() == [28479.0, 28479.1, 28479.2, 29304.1, 29304.1, 29304.1]
    assert marks["index"].isna().all()
    head = "exchange,symbol,timestamp,local_timestamp,funding_rate,index_price,mark_price\n"
    days = [int(np.datetime64(day, "us").astype(int)) for day in ("2025-07-14T12", "2025-07-15T12")]
    body = "".join(f"deribit,{symbol},{t},{t},,100,101\n" for t in days for symbol in
                   ("BTC_USDC-PERPETUAL", "SOL_USDC-PERPETUAL", "BTC-PERPETUAL"))  # fmt: skip
    (tmp_path / "t.csv").write_text(head + body)
    _, rows = read("tardis_derivative_ticker", tmp_path, "t.csv", market="deribit")
    indices = {
        (name, t // 1000): index for name, t, index in zip(rows["name"], rows["t_ns"], rows["index"], strict=True)
    }
    assert indices["deribit:BTC_USDC-PERPETUAL", days[1]] == 100
    assert indices["deribit:BTC-PERPETUAL", days[0]] == 100
    for key in (("BTC_USDC", 0), ("SOL_USDC", 0), ("SOL_USDC", 1)):
        assert np.isnan(indices[f"deribit:{key[0]}-PERPETUAL", days[key[1]]])


def test_the_settled_rate_is_not_the_rate_in_force(read: Read, tmp_path: Path) -> None:
    """For seven seconds after 08:00 OKX goes on to publish the rate that was settled; then comes that of 16:00."""
    due = 1_680_336_000 * 10**6
    rows_ = [
        (due - 10**6, due, 0.0001),
        (due + 3 * 10**6, due, 0.0001),
        (due + 7 * 10**6, due + 8 * 3600 * 10**6, 2e-4),
    ]
    (tmp_path / "t.csv").write_text(
        "exchange,symbol,timestamp,local_timestamp,funding_timestamp,funding_rate,index_price,mark_price\n"
        + "".join(f"okex-swap,BTC-USDT-SWAP,{t},{t},{at},{rate},9,9\n" for t, at, rate in rows_)
    )
    options = {**BTC, "venue": "okx", "market": "declared", "symbol": "BTC-USDT-SWAP", "feed": "book"}
    del options["bar"]
    rates = channel(read("tardis_derivative_ticker", tmp_path, "t.csv", **options)[1], Channel.FUNDING)
    assert list(zip(rates["t_ns"], rates["rate"], strict=True)) == [
        ((due - 10**6) * 1000, 0.0001), ((due + 7 * 10**6) * 1000, 0.0002)
    ]  # fmt: skip


def test_contexts_before_the_hourly_schedule_are_rates_of_eight_hours(read: Read, tmp_path: Path) -> None:
    """Refused with the time of the change; cut with `since`, rates begin there and marks are all kept."""
    body = "time,coin,funding,oracle_px,mark_px\n" + "".join(
        f"2023-06-08T00:0{minute}:00Z,BTC,{rate},26350,26352\n"
        for minute, rate in ((3, 1e-4), (5, 1.25e-5), (6, 1.25e-5))
    )
    (tmp_path / "x.csv").write_text(body)
    options: dict[str, Any] = {"coins": ["BTC"], "latency_ns": 0}
    with pytest.raises(DataError, match="before 2023-06-08 00:05 Hyperliquid's rates are of eight hours"):
        read("hyperliquid_asset_ctxs", tmp_path, "x.csv", **options)
    _, rows = read("hyperliquid_asset_ctxs", tmp_path, "x.csv", **options, since="2023-06-08T00:05:00")
    assert channel(rows, Channel.FUNDING)["rate"].tolist() == [1.25e-5, 1.25e-5]
    assert len(channel(rows, Channel.MARK)) == 3
    (tmp_path / "f.csv").write_text("time,fundingRate\n2023-06-08T00:00:00,1e-4\n2023-06-08T01:00:00,1.25e-5\n")
    with pytest.raises(DataError, match="rates are of eight hours"):
        read("funding_history", tmp_path, "f.csv", **HOURLY)


@pytest.mark.parametrize(
    ("venue", "answer"),
    [
        ("hyperliquid", [{"coin": "BTC", "fundingRate": "0.0000125", "premium": "0.0004", "time": T0 * 1000 + 110_963},
                         {"coin": "BTC", "fundingRate": "-0.00002", "premium": "0", "time": T0 * 1000 + 3_600_059}]),
        ("binance", [{"symbol": "BTCUSDT", "fundingTime": T0 * 1000, "fundingRate": "0.0000125", "markPrice": "1"},
                     {"symbol": "BTCUSDT", "fundingTime": T1 * 1000 + 5, "fundingRate": "-2E-5", "markPrice": ""}]),
        ("okx", {"code": "0", "msg": "", "data": [
            {"instId": "BTC-USDT-SWAP", "fundingRate": "9", "realizedRate": "-0.00002", "fundingTime": f"{T1}000"},
            {"instId": "BTC-USDT-SWAP", "fundingRate": "9", "realizedRate": "0.0000125", "fundingTime": f"{T0}000"}]}),
        ("bybit", {"retCode": 0, "result": {"category": "linear", "list": [
            {"symbol": "BTCUSDT", "fundingRate": "-0.00002", "fundingRateTimestamp": str((T0 + 3600) * 1000)},
            {"symbol": "BTCUSDT", "fundingRate": "0.0000125", "fundingRateTimestamp": str(T0 * 1000)}]}}),
    ],
)  # fmt: skip
def test_the_venues_own_answers_of_settled_funding(read: Read, tmp_path: Path, venue: str, answer: object) -> None:
    """Their own keys and envelope, newest first or last, 111 s late: due on schedule, at the rate that was settled."""
    (tmp_path / "f.json").write_text(json.dumps(answer))
    options = {**HOURLY, "venue": venue, "quote": "USDT"}
    settled = channel(read("funding_history", tmp_path, "f.json", **options)[1], Channel.SETTLE)
    assert settled[["t_ns", "rate"]].to_numpy().tolist() == [[T0 * S, 1.25e-5], [(T0 + 3600) * S, -2e-5]]
    symbol = "ETH-PERP" if venue == "hyperliquid" else "ETHUSDT-PERP"  # the one name of a perp of Hyperliquid
    with pytest.raises(DataError, match=f"expected rows of {venue}:{symbol}"):
        read("funding_history", tmp_path, "f.json", **{**options, "base": "ETH"})


@pytest.mark.parametrize(("time", "rate"), [("fundingTime", "fundingRate"), ("ts", "rate"), ("date", "funding_rate")])
@pytest.mark.parametrize("ending", ["csv", "parquet", "feather"])
@pytest.mark.parametrize("form", ["ms", "float", "us", "s", "text"])
def test_funding_under_the_names_and_stamps_that_people_have(
    read: Read, tmp_path: Path, time: str, rate: str, ending: str, form: str
) -> None:
    """Float stamps, stamps of any unit and text; CSV, Parquet and Feather give the same settlements."""
    seconds = [T0, T0 + 28_800]
    stamps = {"ms": [t * 1000 for t in seconds], "float": [float(t * 1000) for t in seconds], "s": seconds,
              "us": [t * 10**6 for t in seconds],
              "text": [str(np.datetime64(t, "s")) for t in seconds]}[form]  # fmt: skip
    frame = pd.DataFrame({"extra": ["x", "y"], rate: [1e-4, -2.5e-5], time: stamps})
    path = tmp_path / f"f.{ending}"
    {"csv": lambda: frame.to_csv(path, index=False), "parquet": lambda: frame.to_parquet(path),
     "feather": lambda: frame.to_feather(path)}[ending]()  # fmt: skip
    settled = channel(read("funding_history", tmp_path, path.name, **{**BTC, "funding_h": 4})[1], Channel.SETTLE)
    assert settled[["t_ns", "rate"]].to_numpy().tolist() == [[T0 * S, 1e-4], [(T0 + 28_800) * S, -2.5e-5]]


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_candles_with_float_stamps_under_the_venues_own_name(read: Read, tmp_path: Path, ending: str) -> None:
    """`openTime` in milliseconds as a float is a label as any other."""
    frame = pd.DataFrame({"openTime": [T0 * 1000.0], "close": [5.0], "volume": [1.0]})
    path = tmp_path / f"c.{ending}"
    frame.to_csv(path, index=False) if ending == "csv" else frame.to_parquet(path)
    options = {**BTC, "label": "ms", "drop_zero_volume": True, "drop_last": False}
    _, rows = read("candles_csv", tmp_path, path.name, **options)
    assert rows[["t_ns", "bid"]].to_numpy().tolist() == [[T0 * S + HOUR, 5.0]]


def test_files_of_a_download_tool_of_2026(read: Read, tmp_path: Path) -> None:
    """`date, funding_rate` is settled funding; `-251226-` in a name is a dated future with its expiry."""
    date = pd.to_datetime([T0, T0 + 3600], unit="s", utc=True).as_unit("us")
    pd.DataFrame({"date": date, "funding_rate": [1.25e-5, -2e-5]}).to_feather(
        tmp_path / "BTC_USDC_USDC-1h-funding_rate.feather"
    )
    candles = pd.DataFrame({"date": date, "open": [6.0, 7.0], "close": [7.0, 8.0], "volume": [1.0, 2.0]})
    candles.to_feather(tmp_path / "BTC_USDT_USDT-251226-1h-futures.feather")
    instruments, rows = read("candles_feather", tmp_path, "*.feather", **FEATHER)
    settled = channel(rows, Channel.SETTLE)
    assert settled[["t_ns", "rate"]].to_numpy().tolist() == [[T0 * S, 1.25e-5], [(T0 + 3600) * S, -2e-5]]
    future = instruments.loc["hyperliquid:BTCUSDT_251226"]
    assert future[["kind", "expiry_ns", "inverse"]].tolist() == [Kind.FUTURE, EXPIRY, False]
    assert rows[rows["name"] == future.name]["bid"].tolist() == [7.0, 8.0]
    candles.to_feather(tmp_path / "BTC_USD_BTC-1h-futures.feather")
    with pytest.raises(DataError, match="settles in dollars, was one in BTC"):
        read("candles_feather", tmp_path, "*_USD_*.feather", **FEATHER)


def test_dated_futures_of_the_archive_and_of_csv(read: Read, tmp_path: Path) -> None:
    """A declared expiry makes a future under the venue's own name; a day that is none is refused."""
    options = {**FUTURE, "feed": "bar", "bar": "1h"}
    (tmp_path / "c.csv").write_text(f"ts,close,volume\n{T0},5,1\n")
    instruments, rows = read(
        "candles_csv", tmp_path, "c.csv", **options, label="s", drop_zero_volume=True, drop_last=False
    )
    assert instruments.index.tolist() == ["binance:BTCUSDT_251226"]
    assert instruments[["kind", "expiry_ns", "funding_interval_ns"]].to_numpy().tolist() == [[Kind.FUTURE, EXPIRY, 0]]
    assert rows["bid"].tolist() == [5.0]
    (tmp_path / "BTCUSDT_251226-1h-2025-07.csv").write_text(
        f"{T0 * 1000},1,2,0.5,1.5,10,{T0 * 1000 + 3_599_999},15,3,5,7,0\n"
    )
    instruments, rows = read("binance_klines", tmp_path, "BTCUSDT_*", **options)
    assert (instruments.index.tolist(), rows["bid"].tolist()) == (["binance:BTCUSDT_251226"], [1.5])
    coin = {**options, "kind": "inverse_future", "quote": "USD", "face_usd": 100}
    with pytest.raises(DataError, match="expected a file of BTCUSD_251226"):
        read("binance_klines", tmp_path, "BTCUSDT_*", **coin)
    shutil.copy(tmp_path / "BTCUSDT_251226-1h-2025-07.csv", tmp_path / "BTCUSD_251226-1h-2025-07.csv")
    instruments, _ = read("binance_klines", tmp_path, "BTCUSD_*", **coin)
    row = instruments.loc["binance:BTCUSD_251226"]
    assert row[["settle", "inverse", "contract_size", "expiry_ns"]].tolist() == ["BTC", True, 100.0, EXPIRY]
    deribit = {**coin, "venue": "deribit", "label": "s", "drop_zero_volume": True, "drop_last": False}
    instruments, _ = read("candles_csv", tmp_path, "c.csv", **{**deribit, "face_usd": 10})
    assert instruments.index.tolist() == ["deribit:BTC-26DEC25"]
    with pytest.raises(UsageError, match="expected face_usd = 10, the contract of deribit:BTC-26DEC25, was 100"):
        read("candles_csv", tmp_path, "c.csv", **deribit)
    for expiry in ("2025-02-30", "251226"):
        with pytest.raises(UsageError, match="expected option expiry = a day like"):
            read("binance_klines", tmp_path, "BTCUSDT_*", **{**options, "expiry": expiry})


def _depth(path: Path, *messages: dict[str, object]) -> None:
    path.write_bytes(gzip.compress("".join(f"{T0 * S} {json.dumps(one)}\n" for one in messages).encode()))


def _update(first: int, last: int, bid: str) -> dict[str, object]:
    return {"e": "depthUpdate", "E": T0 * 1000 + last, "U": first, "u": last, "b": [[bid, "1"]], "a": []}


def test_a_depth_recording_goes_on_from_the_day_before(read: Read, tmp_path: Path) -> None:
    """A day without snapshot continues the book; alone, or after a hole, it is refused with what is lacking."""
    snapshot = {"lastUpdateId": 10, "bids": [["100", "1"]], "asks": [["110", "2"]]}
    options = {**BTC, "feed": "book", "stream": "depth", "latency_ns": 0}
    del options["bar"]
    _depth(tmp_path / "1.gz", snapshot, _update(11, 12, "101"))
    _depth(tmp_path / "2.gz", _update(11, 12, "101"), _update(13, 14, "102"))
    _, rows = read("binance_ws", tmp_path, "*.gz", **options)
    assert rows["bid"].tolist() == [101.0, 102.0]
    assert rows["ask"].tolist() == [110.0, 110.0]
    with pytest.raises(DataError, match=r"2\.gz: expected a snapshot .* no file is before it"):
        read("binance_ws", tmp_path, "2.gz", **options)
    _depth(tmp_path / "3.gz", _update(19, 20, "103"))
    with pytest.raises(DataError, match=r"3\.gz: .* ends with update 14, and this one goes on after 18"):
        read("binance_ws", tmp_path, "*.gz", **options)
    _depth(tmp_path / "3.gz", _update(19, 20, "103"), {**snapshot, "lastUpdateId": 19}, _update(21, 21, "104"))
    _, rows = read("binance_ws", tmp_path, "*.gz", **options)
    assert rows["bid"].tolist() == [101.0, 102.0, 103.0, 104.0]
