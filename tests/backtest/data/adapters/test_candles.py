"""Bars are known at their close, funding at its settlement; checks of one source against another."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import feather

from backtest.data.format.schema import Channel
from engine.errors import DataError, MissingError, UsageError
from engine.records import Kind
from tests.backtest.data.adapters.conftest import Read

HOUR = 3_600 * 1_000_000_000
T0 = 1_704_067_200 * 1_000_000_000  # 2024-01-01
FEATHER = {
    "venue": "binance",
    "channels": ["spot", "futures", "mark", "funding_rate"],
    "bar": "1h",
    "funding_h": 8,
    "perp_quote": "",
    "drop_zero_volume": True,
}
PERP = {
    "venue": "hyperliquid",
    "kind": "linear_perp",
    "base": "BTC",
    "quote": "USD",
    "feed": "bar",
    "bar": "1h",
    "funding_h": 1,
}
CSV = {**PERP, "label": "text", "drop_zero_volume": True, "drop_last": True}


def store(path: Path, dates: list[str], close: list[float], volume: list[float]) -> None:
    date = pa.array(np.array(dates, dtype="datetime64[ns]"), pa.timestamp("ns", tz="UTC"))
    prices = dict.fromkeys(("open", "high", "low", "close"), close)
    feather.write_feather(pa.table({"date": date, **prices, "volume": volume}), path)


def price(rows: pd.DataFrame, name: str) -> pd.Series:
    """The closes of one instrument by the time at which they were known."""
    own = rows[(rows["name"] == name) & (rows["channel"] == Channel.QUOTE)]
    return own.set_index("t_ns")["bid"]


def test_a_bar_is_known_at_its_close_with_both_sides_at_it(read: Read, tmp_path: Path) -> None:
    """The label is the opening; the row comes a bar later; sizes are unknown; an hour without trade is dropped."""
    store(tmp_path / "BTC_USDT-1h-spot.feather", ["2024-01-01", "2024-01-01T01"], [100.0, 101.0], [1.0, 0.0])
    instruments, rows = read("candles_feather", tmp_path, "*.feather", **FEATHER)
    assert rows[["t_ns", "bid", "ask"]].to_numpy().tolist() == [[T0 + HOUR, 100.0, 100.0]]
    assert rows["bid_size"].isna().all()
    assert instruments.loc["binance:BTCUSDT", ["kind", "bar_ns"]].tolist() == [Kind.SPOT, HOUR]


def test_mark_and_funding_of_a_perp_go_to_their_own_channels(read: Read, tmp_path: Path) -> None:
    """A mark bar is known at its close; a settlement stamped 151 ms late is due when it was due, known when stamped."""
    store(tmp_path / "BTC_USDT_USDT-1h-mark.feather", ["2024-01-01"], [100.5], [0.0])
    store(tmp_path / "BTC_USDT_USDT-8h-funding_rate.feather", ["2024-01-01T08:00:00.151"], [0.0001], [0.0])
    instruments, rows = read("candles_feather", tmp_path, "*.feather", **FEATHER)
    by = rows.set_index("channel")
    assert (by.loc[Channel.MARK, "t_ns"], by.loc[Channel.MARK, "mark"]) == (T0 + HOUR, 100.5)
    assert (by.loc[Channel.SETTLE, "t_ns"], by.loc[Channel.SETTLE, "rate"]) == (T0 + 8 * HOUR, 0.0001)
    assert (by.loc[Channel.FUNDING, "t_ns"], by.loc[Channel.FUNDING, "rate"]) == (T0 + 8 * HOUR + 151_000_000, 0.0001)
    assert instruments["funding_interval_ns"].tolist() == [8 * HOUR]


def test_bars_of_another_length_are_refused(read: Read, tmp_path: Path) -> None:
    """A 15-minute file among hourly ones would be called an hour too early."""
    store(tmp_path / "BTC_USDT_USDT-15m-futures.feather", ["2024-01-01"], [100.0], [1.0])
    with pytest.raises(DataError, match="15m"):
        read("candles_feather", tmp_path, "*.feather", **FEATHER)
    with pytest.raises(MissingError, match="spot"):
        read("candles_feather", tmp_path, "*.feather", **{**FEATHER, "channels": ["spot"]})


@pytest.mark.parametrize(("label", "stamps"), [("text", ["2024-01-01 00:00:00", "2024-01-01 01:00:00"]),
                                               ("ms", [1704067200000, 1704070800000])])  # fmt: skip
def test_csv_candles_take_text_or_stamps_and_drop_an_unfinished_bar(
    read: Read, tmp_path: Path, label: str, stamps: list[object]
) -> None:
    """The same bars under two forms of label; the last of a file may still be open."""
    pd.DataFrame({"timestamp": stamps, "close": [5.0, 6.0], "volume": [1, 1]}).to_csv(tmp_path / "x.csv", index=False)
    _, rows = read("candles_csv", tmp_path, "x.csv", **{**CSV, "label": label})
    assert rows[["t_ns", "bid"]].to_numpy().tolist() == [[T0 + HOUR, 5.0]]
    _, rows = read("candles_csv", tmp_path, "x.csv", **{**CSV, "label": label, "drop_last": False})
    assert len(rows) == 2


def test_csv_candles_that_run_backwards_are_refused(read: Read, tmp_path: Path) -> None:
    """Order is a promise, not a repair."""
    (tmp_path / "x.csv").write_text("ts,close,volume\n1704070800000,1,1\n1704067200000,1,1\n")
    with pytest.raises(DataError, match="ascending"):
        read("candles_csv", tmp_path, "x.csv", **{**CSV, "label": "ms"})
    with pytest.raises(UsageError, match="label"):
        read("candles_csv", tmp_path, "x.csv", **{**CSV, "label": "minutes"})


def test_funding_files_of_both_forms_agree(read: Read, tmp_path: Path) -> None:
    """A CSV and a JSON of the same settlements give the same rows; another coin in the file is an error."""
    (tmp_path / "f.csv").write_text("Symbol,Date,Funding Rate\nBTC,2024-01-01 01:00:00,0.0002\n")
    (tmp_path / "f.json").write_text(json.dumps([{"coin": "BTC", "funding_rate": "0.0002", "time": 1704070800000}]))
    first = read("funding_history", tmp_path, "f.csv", **PERP)[1]
    pd.testing.assert_frame_equal(first, read("funding_history", tmp_path, "f.json", **PERP)[1])
    with pytest.raises(DataError, match="there were rows of BTC"):
        read("funding_history", tmp_path, "f.json", **{**PERP, "base": "ETH"})


def test_a_quarterly_bar_after_expiry_or_without_contract_is_refused(read: Read, tmp_path: Path) -> None:
    """The contract of each bar is looked up; an unknown one stops the read."""
    (tmp_path / "fut_expirys.csv").write_text(
        "symbol,deliveryDate,baseAsset,quoteAsset\nBTCUSDT_240329,1711699200000,BTC,USDT\n"
    )
    good = "Timestamp,prompt_close,prompt_contract\n2024-03-29 07:00:00,100.0,BTCUSDT_240329\n"
    (tmp_path / "BTCUSDT_1h.csv").write_text(good)
    instruments, rows = read("binance_quarterly", tmp_path, "*USDT_1h.csv", legs=["prompt"], drop_last=False)
    assert rows["t_ns"].tolist() == instruments["expiry_ns"].tolist() == [1_711_699_200_000 * 1_000_000]
    (tmp_path / "BTCUSDT_1h.csv").write_text(good.replace("07:00", "08:00"))
    with pytest.raises(DataError, match="expiry"):
        read("binance_quarterly", tmp_path, "*USDT_1h.csv", legs=["prompt"], drop_last=False)
    (tmp_path / "BTCUSDT_1h.csv").write_text(good.replace("_240329", "_240628"))
    with pytest.raises(DataError, match="BTCUSDT_240628"):
        read("binance_quarterly", tmp_path, "*USDT_1h.csv", legs=["prompt"], drop_last=False)


@pytest.mark.real
@pytest.mark.parametrize("pair", ["BTCUSDT", "ETHUSDT"])
def test_two_collectors_of_binance_agree_on_every_hour(read: Read, real_data: Path, pair: str) -> None:
    """Spot and perp of the quarterly files equal the candle files, 0.0 bps apart, at the same known times."""
    _, ours = read("candles_feather", real_data, f"binance-1h-2018-2026/{pair[:3]}_*-1h-*", **FEATHER)
    _, theirs = read(
        "binance_quarterly",
        real_data,
        f"binance-quarterly-1h-2023-2025/{pair}_1h.csv",
        legs=["spot", "perp"],
        drop_last=True,
    )
    for name in (f"binance:{pair}", f"binance:{pair}-PERP"):
        a, b = price(ours, name), price(theirs, name)
        joint = a.index.intersection(b.index)
        assert len(joint) > 15_700
        assert np.array_equal(a[joint], b[joint])


def test_a_time_from_which_to_read_settlements_needs_their_channel(tmp_path: Path, read: Read) -> None:
    """`since` leaves out settlements only: with bars alone its writer would believe that bars are cut off too."""
    store(tmp_path / "BTC_USDT-1h-spot.feather", ["2024-01-01"], [100.0], [1.0])
    with pytest.raises(UsageError, match="option since for the channel funding_rate only"):
        read("candles_feather", tmp_path, "*.feather", **{**FEATHER, "channels": ["spot"], "since": "2024-01-01"})


@pytest.mark.real
def test_hyperliquid_bars_before_its_market_are_dropped(read: Read, real_data: Path) -> None:
    """4-hour bars with volume 0 before 2023-02-26 16:00 are another venue's prices: 533 rows."""
    path = "hyperliquid-candles-funding/BTC*-4h-futures.feather"
    options = {**FEATHER, "venue": "hyperliquid", "bar": "4h", "funding_h": 1, "perp_quote": "USD"}
    _, rows = read("candles_feather", real_data, path, **options)
    assert len(rows) == 5_814 - 533
    assert rows["t_ns"].min() == 1_677_427_200_000_000_000 + 4 * HOUR  # the bar of 2023-02-26 16:00


@pytest.mark.real
def test_funding_of_two_collectors_agrees_to_the_settlement(read: Read, real_data: Path) -> None:
    """Hyperliquid funding of a feather and of a JSON file: equal rates at equal nominal hours."""
    options = {**FEATHER, "venue": "hyperliquid", "funding_h": 1, "perp_quote": "USD", "channels": ["funding_rate"]}
    options["since"] = "2023-06-08T01:00:00Z"
    _, a = read("candles_feather", real_data, "hyperliquid-candles-funding/BTC*funding*", **options)
    _, b = read("funding_history", real_data, "hyperliquid-funding-l2summary-2024-2025/hl_BTC_funding*", **PERP)
    one, two = (rows[rows["channel"] == Channel.SETTLE].set_index("t_ns")["rate"] for rows in (a, b))
    joint = one.index.intersection(two.index)
    assert len(joint) == 9_552
    assert np.array_equal(one[joint], two[joint])
    assert (one.index.to_numpy() % HOUR == 0).all()


@pytest.mark.real
def test_a_schedule_of_eight_hours_is_not_read_as_one_of_an_hour(read: Read, real_data: Path) -> None:
    """Hyperliquid settled every 8 hours to 2023-06-08; read as hourly, its rates would count 8 times."""
    options = {**FEATHER, "venue": "hyperliquid", "funding_h": 1, "perp_quote": "USD", "channels": ["funding_rate"]}
    with pytest.raises(DataError, match="rates are of eight hours"):
        read("candles_feather", real_data, "hyperliquid-candles-funding/BTC*funding*", **options)


@pytest.mark.real
def test_labels_three_hours_early_match_when_the_registered_shift_is_applied(read: Read, real_data: Path) -> None:
    """The 1-minute perps are labelled UTC+3: their quarter-hour closes equal the 15-minute bars after -3 h only.

    The label is shifted by the build, so the adapter's rows still carry it.
    """
    minute = {**CSV, "venue": "binance", "quote": "USDT", "bar": "1m", "funding_h": 8, "label_shift_ns": -3 * HOUR}
    path = "binance-usdc-usdt-perp-1m-202506/BTCUSDT.csv"
    _, one = read("candles_csv", real_data, path, **minute)
    opens = pd.read_csv(real_data / path)["open"].to_numpy()
    quarter = pd.read_feather(real_data / "binance-perp-15m-2023-2025/BTC_USDT_USDT-15m-futures.feather")
    opening = quarter["date"].dt.as_unit("ns").astype("int64").to_numpy()
    by_open = dict(zip(opening, quarter["open"].to_numpy(), strict=True))
    labels = one["t_ns"].to_numpy() - 60 * 1_000_000_000
    found = [(by_open.get(t - 3 * HOUR), opens[k]) for k, t in enumerate(labels)]
    pairs = [(a, b) for a, b in found if a is not None]
    assert len(pairs) > 500
    assert all(a == b for a, b in pairs)
