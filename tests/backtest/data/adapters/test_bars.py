"""A bar is what its file says it is: its length, its trades, its grid; small files written by hand.  [S1.1, S1.5]"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import feather

from backtest.data.adapters.bars import NO_TRADE, breaks
from backtest.data.adapters.base import SourceSpec
from backtest.data.adapters.registry import adapter
from engine.errors import DataError
from engine.units import NS_PER_HOUR, NS_PER_SECOND
from tests.backtest.data.adapters.conftest import Read

T0_S = 1_706_745_600  # 2024-02-01T00:00:00Z
SPOT = {"venue": "binance", "kind": "spot", "base": "BTC", "quote": "USDT", "feed": "bar", "bar": "1h"}
CSV = {**SPOT, "label": "ms", "drop_zero_volume": True, "drop_last": False}
FEATHER = {"venue": "binance", "channels": ["spot", "mark"], "bar": "1h", "funding_h": 8, "perp_quote": "",
           "drop_zero_volume": True}  # fmt: skip


def klines(step_s: int, count: int = 6, volume: str = "12.5", first_s: int = T0_S) -> str:
    """Rows of the archive without a header, ``step_s`` seconds each."""
    return "".join(
        f"{start * 1000},1,1,1,100,{volume},{(start + step_s) * 1000 - 1},1,1,0,0,0\n"
        for start in range(first_s, first_s + count * step_s, step_s)
    )


def write(tmp_path: Path, reader: str, step_s: int, name_bar: str) -> tuple[str, dict[str, object]]:
    """A file of candles ``step_s`` apart in the form of ``reader``, and the options that declare hours."""
    labels = [T0_S + k * step_s for k in range(6)]
    if reader == "binance_klines":
        (tmp_path / f"BTCUSDT-{name_bar}-2024-02.csv").write_text(klines(step_s))
        return "*.csv", SPOT
    if reader == "binance_archive":
        (tmp_path / f"BTCUSDT-{name_bar}-2024-02.csv").write_text(klines(step_s, volume="0"))
        return "*.csv", {**SPOT, "table": "markPriceKlines"}
    if reader == "candles_csv":
        body = "".join(f"{t * 1000},1,{k},1\n" for k, t in enumerate(labels))
        (tmp_path / f"x_{name_bar}.csv").write_text("ts,open,close,volume\n" + body)
        return "*.csv", CSV
    if reader == "candles_feather":
        date = pa.array(np.array(labels, dtype="datetime64[s]").astype("datetime64[ns]"), pa.timestamp("ns", tz="UTC"))
        ones = [1.0] * len(labels)
        feather.write_feather(pa.table({"date": date, "open": ones, "close": ones, "volume": ones}),
                              tmp_path / f"BTC_USDT-{name_bar}-spot.feather")  # fmt: skip
        return "*.feather", FEATHER
    times = [str(pd.Timestamp(t, unit="s")) for t in labels]
    if reader == "binance_quarterly":
        (tmp_path / "fut_expirys.csv").write_text(
            "symbol,deliveryDate,baseAsset,quoteAsset\nBTCUSDT_240329,1711699200000,BTC,USDT\n"
        )
        (tmp_path / f"BTCUSDT_{name_bar}.csv").write_text("Timestamp,spot_close\n" + "".join(f"{t},1\n" for t in times))
        return "BTC*.csv", {"legs": ["spot"], "drop_last": False}
    raise AssertionError(reader)


READERS = ("binance_klines", "binance_archive", "candles_csv", "candles_feather", "binance_quarterly")


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize(("step_s", "length"), [(14_400, "4h"), (60, "1m"), (900, "15m")])
def test_a_length_that_the_labels_contradict_is_refused_with_both_values(
    read: Read, tmp_path: Path, reader: str, step_s: int, length: str
) -> None:
    """Rows four hours or a minute apart are no hours, whatever the name of the file says; closes would be early."""
    path, options = write(tmp_path, reader, step_s, "1h")
    with pytest.raises(DataError, match=f"expected bars of 1h as declared, was {length} from"):
        read(reader, tmp_path, path, **options)


@pytest.mark.parametrize("reader", READERS)
def test_a_length_in_the_name_is_compared_with_the_declared_one(read: Read, tmp_path: Path, reader: str) -> None:
    """One row tells nothing by its spacing; the name still does."""
    path, options = write(tmp_path, reader, 3_600, "4h")
    with pytest.raises(DataError, match="expected bars of 1h as declared, was 4h by the file's name"):
        read(reader, tmp_path, path, **options)


@pytest.mark.parametrize("reader", READERS)
def test_hours_that_are_hours_are_read_whole(read: Read, tmp_path: Path, reader: str) -> None:
    """The control of the two refusals above: six hours, each known at its close."""
    path, options = write(tmp_path, reader, 3_600, "1h")
    _, rows = read(reader, tmp_path, path, **options)
    assert rows["t_ns"].tolist() == [(T0_S + 3_600 * (k + 1)) * NS_PER_SECOND for k in range(6)]


def test_closing_times_of_another_length_are_refused(read: Read, tmp_path: Path) -> None:
    """Rows with holes of four hours may be hours; closing times say which."""
    body = "".join(f"{(T0_S + t) * 1000},1,{(T0_S + t + 14_400) * 1000 - 1},5\n" for t in (0, 14_400, 43_200, 100_800))
    (tmp_path / "x.csv").write_text("openTime,close,closeTime,volume\n" + body)
    with pytest.raises(DataError, match="was 4h from opening to closing time"):
        read("candles_csv", tmp_path, "x.csv", **CSV)
    assert len(read("candles_csv", tmp_path, "x.csv", **{**CSV, "bar": "4h"})[1]) == 4


def test_bars_left_out_of_a_file_are_no_other_length(read: Read, tmp_path: Path) -> None:
    """Venues leave out bars in which nothing traded: the most frequent distance is the length."""
    body = "".join(f"{(T0_S + 3_600 * k) * 1000},1,1\n" for k in (0, 1, 5, 6, 9, 30, 31))
    (tmp_path / "x.csv").write_text("ts,close,volume\n" + body)
    assert len(read("candles_csv", tmp_path, "x.csv", **CSV)[1]) == 7


@pytest.mark.parametrize("reader", ["binance_klines", "candles_csv"])
def test_labels_off_their_grid_are_refused_until_a_shift_is_declared(read: Read, tmp_path: Path, reader: str) -> None:
    """Hours that open at half past are labelled by something else; two grids in one file stay refused."""
    (tmp_path / "BTCUSDT-1h-2024-02.csv").write_text(
        klines(3_600, first_s=T0_S + 1_800)
        if reader == "binance_klines"
        else "ts,close,volume\n" + "".join(f"{(T0_S + 1_800 + 3_600 * k) * 1000},1,1\n" for k in range(6))
    )
    options = SPOT if reader == "binance_klines" else CSV
    with pytest.raises(DataError, match="grid of bars of 1h, was 2024-02-01T00:30"):
        read(reader, tmp_path, "*.csv", **options)
    assert len(read(reader, tmp_path, "*.csv", **options, label_shift_ns=1_800 * NS_PER_SECOND)[1]) == 6


def test_an_interval_in_a_column_is_compared_too(read: Read, tmp_path: Path) -> None:
    """Hyperliquid's own candles: t, T, s, i, o, c, h, l, v, n."""
    body = f"{T0_S * 1000},{(T0_S + 3_600) * 1000 - 1},BTC,1h,1,2,2,1,5,9\n"
    (tmp_path / "x.csv").write_text("t,T,s,i,o,c,h,l,v,n\n" + body)
    assert read("candles_csv", tmp_path, "x.csv", **CSV)[1]["bid"].tolist() == [2.0]
    (tmp_path / "x.csv").write_text("t,s,i,o,c,h,l,v,n\n" + f"{T0_S * 1000},BTC,4h,1,2,2,1,5,9\n")
    with pytest.raises(DataError, match="column i: expected bars of 1h as declared, was 4h"):
        read("candles_csv", tmp_path, "x.csv", **CSV)


@pytest.mark.parametrize(
    "header", ["openTime,open,close,volume", "startTime,openPrice,closePrice,volume", "ts,o,c,vol",
               "Open time,Open,Close,Volume"],
)  # fmt: skip
def test_candles_under_the_venues_own_column_names_are_read(read: Read, tmp_path: Path, header: str) -> None:
    """Binance, Bybit, OKX and exports; whole stamps may be floats."""
    (tmp_path / "x.csv").write_text(f"{header}\n{T0_S * 1000}.0,1,2,5\n{(T0_S + 3600) * 1000}.0,2,3,0\n")
    assert read("candles_csv", tmp_path, "x.csv", **CSV)[1][["t_ns", "bid"]].to_numpy().tolist() == [
        [(T0_S + 3_600) * NS_PER_SECOND, 2.0]
    ]


def passed_over(reader: str, root: Path, path: str, options: dict[str, object]) -> dict[str, int]:
    """What the chunks of a source left out, counted."""
    total: dict[str, int] = {}
    for chunk in adapter(reader).read(root, SourceSpec(reader, path, options, "a test", "none")):
        for what, count in chunk.passed_over.items():
            total[what] = total.get(what, 0) + count
    return total


@pytest.mark.parametrize("reader", ["binance_klines", "candles_csv", "candles_feather", "threevenue"])
def test_a_bar_without_a_trade_is_no_quote_and_is_counted(read: Read, tmp_path: Path, reader: str) -> None:
    """Of three bars the second holds no trade: its close is the first one's, so the older quote ages on."""
    options: dict[str, object] = SPOT if reader == "binance_klines" else CSV if reader == "candles_csv" else FEATHER
    path, step = "*.csv", 3_600
    if reader == "binance_klines":
        lines = klines(3_600, 3).splitlines()
        (tmp_path / "BTCUSDT-1h-2024-02.csv").write_text("\n".join([lines[0], lines[1].replace("12.5", "0"), lines[2]]))
    elif reader == "candles_csv":
        (tmp_path / "x.csv").write_text(
            "ts,close,volume\n" + "".join(f"{(T0_S + 3_600 * k) * 1000},1,{v}\n" for k, v in enumerate((1, 0, 1)))
        )
    elif reader == "candles_feather":
        path = "*.feather"
        date = pa.array(np.array([T0_S + 3_600 * k for k in range(3)], "datetime64[s]").astype("datetime64[ns]"),
                        pa.timestamp("ns", tz="UTC"))  # fmt: skip
        ones = [1.0] * 3
        feather.write_feather(pa.table({"date": date, "open": ones, "close": ones, "volume": [1.0, 0.0, 1.0]}),
                              tmp_path / "BTC_USDT-1h-spot.feather")  # fmt: skip
    else:
        step, options = 28_800, {"venue": "okx", "zone": "UTC", "channels": ["bars"]}
        (tmp_path / "x.csv").write_text(
            "time,exchange,pair,contract,close,volume,funding rate\n"
            + "".join(f"2024-02-01 {8 * k:02}:00:00,okx,BTC/USDT,spot,1.0,{v},\n" for k, v in enumerate((1, 0, 1)))
        )
    _, rows = read(reader, tmp_path, path, **options)
    assert rows["t_ns"].tolist() == [(T0_S + step) * NS_PER_SECOND, (T0_S + 3 * step) * NS_PER_SECOND]
    assert passed_over(reader, tmp_path, path, options) == {NO_TRADE: 1}
    if "drop_zero_volume" in options:
        with pytest.raises(DataError, match="volume 0 in 1 bars"):
            read(reader, tmp_path, path, **{**options, "drop_zero_volume": False})


def test_marks_of_the_archive_have_volume_0_and_stay(read: Read, tmp_path: Path) -> None:
    """A mark is computed, not traded: its volume says nothing."""
    path, options = write(tmp_path, "binance_archive", 3_600, "1h")
    assert len(read("binance_archive", tmp_path, path, **options)[1]) == 6


def test_bars_cut_off_before_their_end_are_found(tmp_path: Path) -> None:
    """Of four hours the second ends 99.5 bps from where the third begins; a hole in the labels is none."""
    open_ns = np.array([0, 1, 2, 9], dtype=np.int64) * NS_PER_HOUR
    found = breaks(open_ns, np.array([100.0, 101.0, 101.0 * (1 - 0.00995), 90.0]),
                   np.array([101.0, 101.0, 100.0, 90.0]), NS_PER_HOUR, "x:A")  # fmt: skip

    assert [(each.name, each.close_ns) for each in found] == [("x:A", 2 * NS_PER_HOUR)]
    assert found[0].gap_bps == pytest.approx(-99.5, abs=1e-6)
