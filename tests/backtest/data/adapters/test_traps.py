"""Traps of the stored data in a few rows each: the expected values are worked out by hand.  [S1.1, S1.5, S8.2]

`docs/traps.md` names for every trap the test that holds it; here are those that no test of a single adapter held.
"""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from backtest.data.format.schema import Channel
from engine.errors import DataError
from tests.backtest.data.adapters.conftest import Read

HOUR = 3_600 * 1_000_000_000
JULY = 1_688_169_600 * 1_000_000_000
"""2023-07-01T00:00:00Z."""

THREE = "time,exchange,pair,contract,close,funding rate\n"
CANDLE = "coin,instrument_name,candle_open_time_ms,candle_close_time_ms,candle_close,candle_volume\n"
PERP = {"venue": "hyperliquid", "kind": "linear_perp", "base": "BTC", "quote": "USD", "feed": "bar", "bar": "1h", "funding_h": 1}  # fmt: skip  # noqa: E501


def test_clock_times_of_london_are_an_hour_early_in_summer(read: Read, tmp_path: Path) -> None:
    """01:00 in July is 00:00 UTC, the bar is known 8 h later; 00:00 in January is 00:00 UTC; one venue a source."""
    (tmp_path / "x.csv").write_text(
        THREE
        + "2023-01-01 00:00:00,binance,BTC/USDT,spot,16500.0,\n"
        + "2023-07-01 01:00:00,binance,BTC/USDT,spot,30500.0,\n"
        + "2023-07-01 01:00:00,bybit,BTC/USDT,spot,30666.0,\n"
    )
    options = {"venue": "binance", "channels": ["bars"]}
    _, rows = read("threevenue", tmp_path, "x.csv", zone="Europe/London", **options)
    assert rows[["t_ns", "bid"]].to_numpy().tolist() == [
        [JULY - 181 * 24 * HOUR + 8 * HOUR, 16500.0],
        [JULY + 8 * HOUR, 30500.0],
    ]
    with pytest.raises(DataError, match="grid of bars of 8h, was 2023-07-01T01:00"):
        read("threevenue", tmp_path, "x.csv", zone="UTC", **options)


@pytest.mark.parametrize(
    ("label", "says"),
    [("2023-10-29 01:00:00", ""), ("2023-03-26 01:00:00", "Europe/London")],
    ids=["shown twice", "never shown"],
)
def test_the_hours_at_which_london_changes_its_clock(read: Read, tmp_path: Path, label: str, says: str) -> None:
    """01:00 is shown twice on 2023-10-29, and the first, 00:00 UTC, is meant; never on 2023-03-26, hence refused."""
    (tmp_path / "x.csv").write_text(THREE + f"{label},okx,BTC/USDT,spot,1.0,\n")
    options = {"venue": "okx", "zone": "Europe/London", "channels": ["bars"]}
    if says:
        with pytest.raises(DataError, match=says):
            read("threevenue", tmp_path, "x.csv", **options)
    else:
        _, rows = read("threevenue", tmp_path, "x.csv", **options)
        assert rows["t_ns"].tolist() == [1_698_537_600 * 1_000_000_000 + 8 * HOUR]  # 2023-10-29T00:00:00Z and a bar


def test_a_candle_that_contains_its_label_comes_after_it(read: Read, tmp_path: Path) -> None:
    """Label 00:00:35, candle 00:00 to 00:01: known at 00:01.  The mark beside it, its own price again, is not read."""
    start_ms = JULY // 1_000_000
    (tmp_path / "p.csv").write_text(
        CANDLE.replace("\n", ",snapshot_timestamp_ms,perp_futures_mark_price\n")
        + f"BTC,BTC-PERPETUAL,{start_ms},{start_ms + 60_000},30000.0,5.0,{start_ms + 35_000},30000.0\n"
        + f"BTC,BTC-PERPETUAL,{start_ms + 120_000},{start_ms + 180_000},30000.0,0.0,{start_ms + 121_000},30000.0\n"
    )
    _, rows = read("deribit_candles", tmp_path, "p.csv", currencies=["BTC"], drop_zero_volume=True)
    assert rows[["channel", "t_ns", "bid"]].to_numpy().tolist() == [[Channel.QUOTE, JULY + HOUR // 60, 30000.0]]


def test_each_ticker_has_its_own_time(read: Read, tmp_path: Path) -> None:
    """Two options of one snapshot stamped 53 s apart stay 53 s apart: how old a leg may be is the engine's to judge."""
    row = {"best_bid_price": 0.02, "best_bid_amount": 9.0, "best_ask_price": 0.0, "best_ask_amount": 0.0,
           "mark_price": 0.021, "index_price": 9095.8, "bids": "[[0.02, 9.0]]", "asks": "[]"}  # fmt: skip
    rows = [{**row, "instrument_name": f"BTC-26JUN20-{k}000-C", "timestamp": 1_590_103_193_775 + s * 1000} for k, s in
            ((9, 0), (10, 53))]  # fmt: skip
    pd.DataFrame(rows).to_csv(tmp_path / "x.csv")
    _, found = read("deribit_book_csv", tmp_path, "x.csv", latency_ns=0)
    own = found[found["channel"] == Channel.QUOTE].set_index("name")["t_ns"]
    assert own["deribit:BTC-26JUN20-10000-C"] - own["deribit:BTC-26JUN20-9000-C"] == 53 * 1_000_000_000


def test_summaries_out_of_order_are_sorted(read: Read, tmp_path: Path) -> None:
    """The later line first: rows come in time order, each with half its spread of 2 bps on either side of the mid."""
    lines = [{"timestamp": f"2023-07-01T0{h}:00:00Z", "asset": "BTC", "mid_price": 10_000.0 + h, "spread_bps": 2.0} for h in (6, 0)]  # fmt: skip  # noqa: E501
    (tmp_path / "x.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    _, rows = read("hyperliquid_book_summary", tmp_path, "x.jsonl")
    assert rows["t_ns"].tolist() == [JULY, JULY + 6 * HOUR]
    assert rows[["bid", "ask"]].to_numpy().tolist() == [
        pytest.approx([9_999.0, 10_001.0]),
        pytest.approx([10_004.9994, 10_007.0006]),
    ]


def test_a_rate_divided_by_eight_and_filled_forward_is_no_settlement(read: Read, tmp_path: Path) -> None:
    """The quarterly files carry the 8-hour rate / 8 on every hour: bars are read from them, rates never."""
    (tmp_path / "fut_expirys.csv").write_text(
        "symbol,deliveryDate,baseAsset,quoteAsset\nBTCUSDT_230929,1695945600000,BTC,USDT\n"
    )
    (tmp_path / "BTCUSDT_1h.csv").write_text(
        "Timestamp,perp_close,funding_rate\n"
        "2023-07-01 00:00:00,30000.0,0.0000125\n"
        "2023-07-01 01:00:00,30001.0,0.0000125\n"
    )
    _, rows = read("binance_quarterly", tmp_path, "BTCUSDT_1h.csv", legs=["perp"], drop_last=False)
    assert set(rows["channel"]) == {Channel.QUOTE}
    assert rows["t_ns"].tolist() == [JULY + HOUR, JULY + 2 * HOUR]


def test_a_venue_that_settled_every_eight_hours_is_read_from_its_change_on(read: Read, tmp_path: Path) -> None:
    """Five labels 8 h apart in a file declared hourly are refused; from ``since`` on the two hourly ones are read."""
    hours = [0, 8, 16, 24, 32, 33, 34]
    lines = [f"{pd.Timestamp(JULY + h * HOUR)},0.0001,0.0" for h in hours]
    (tmp_path / "f.csv").write_text("timestamp,funding_rate,premium\n" + "\n".join(lines) + "\n")
    with pytest.raises(DataError, match="each 1h, was each 8h from 2023-07-01"):
        read("funding_history", tmp_path, "f.csv", **PERP)
    _, rows = read("funding_history", tmp_path, "f.csv", **PERP, since="2023-07-02T09:00:00Z")
    assert rows[rows["channel"] == Channel.SETTLE]["t_ns"].tolist() == [JULY + 33 * HOUR, JULY + 34 * HOUR]


def test_a_long_hole_in_a_schedule_is_no_other_schedule(read: Read, tmp_path: Path) -> None:
    """Nine days are missing from each month of a stored file: what is there is read, nothing is filled in."""
    hours = [0, 1, 2, 223, 224, 445, 446]
    body = [{"coin": "BTC", "funding_rate": "0.0001", "time": (JULY + h * HOUR) // 1_000_000} for h in hours]
    (tmp_path / "f.json").write_text(json.dumps(body))
    _, rows = read("funding_history", tmp_path, "f.json", **PERP)
    assert rows[rows["channel"] == Channel.SETTLE]["t_ns"].tolist() == [JULY + h * HOUR for h in hours]
