"""Option snapshots and the candles beside them: clocks, missing sides, forwards."""

from __future__ import annotations

import gzip
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from backtest.data.format.schema import Channel
from engine.errors import DataError, UsageError
from engine.records import Feed, Kind
from tests.backtest.data.adapters.conftest import Read

LABEL = "2026-01-02T09:18:09.153333+00:00"
LABEL_NS = 1_767_345_489_153_333_000
SECOND = 1_000_000_000
HEADER = (
    "timestamp,instrument_name,underlying,underlying_name,option_type,strike,expiry_datetime,"
    "bid_price,ask_price,mark_price,currency,index_price\n"
)


def line(
    name: str, forward: str, of: str, bid: str, ask: str, index: str, right: str = "call", strike: str = "90000.0"
) -> str:
    contract = f"{name},{forward},{of},{right},{strike},2026-03-27T08:00:00+00:00"
    return f"{LABEL},{contract},{bid},{ask},0.05,{name[:3]},{index}\n"


BODY = (
    line("BTC-27MAR26-90000-C", "89558.3", "BTC-27MAR26", "0.05", "0.052", "88530.23")
    + line("BTC-27MAR26-95000-C", "89559.4", "BTC-27MAR26", "", "0.03", "88548.41", strike="95000.0")
    + line("BTC-27MAR26-99000-C", "89559.4", "BTC-27MAR26", "0.0", "0.03", "88549.99", strike="99000.0")
    + line("ETH-27MAR26-90000-C", "3000.0", "SYN.ETH-27MAR26", "0.01", "0.02", "2978.25")
)
BOTH = {"currencies": ["BTC", "ETH"], "delay_ns": {"BTC": 0, "ETH": 600 * SECOND}, "futures": "mark"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "a.csv").write_text(HEADER + BODY)
    return tmp_path


def test_btc_is_known_at_the_label_and_eth_as_late_as_declared(read: Read, folder: Path) -> None:
    """The collector asks ETH only after its loop over BTC."""
    _, rows = read("deribit_snapshots", folder, "*.csv", **BOTH)
    eth = rows["name"].str.startswith("deribit:ETH")
    assert set(rows["t_ns"][~eth]) == {LABEL_NS}
    assert set(rows["t_ns"][eth]) == {LABEL_NS + 600 * SECOND}


def test_an_empty_or_zero_price_is_a_missing_side_and_never_zero(read: Read, folder: Path) -> None:
    """No bid and a bid of 0 both mean that nobody bids."""
    _, rows = read("deribit_snapshots", folder, "*.csv", **BOTH)
    quote = rows[rows["channel"] == Channel.QUOTE].set_index("name")
    assert quote["bid"].isna().to_dict() == {
        "deribit:BTC-27MAR26-90000-C": False,
        "deribit:BTC-27MAR26-95000-C": True,
        "deribit:BTC-27MAR26-99000-C": True,
        "deribit:BTC-27MAR26": False,
        "deribit:ETH-27MAR26-90000-C": False,
    }
    assert (quote["ask"] > 0).all()
    assert quote["bid_size"].isna().all()


def test_the_index_is_the_one_read_at_the_label_not_minutes_later(read: Read, folder: Path) -> None:
    """Later rows carry an index from after the label; using it would look ahead."""
    _, rows = read("deribit_snapshots", folder, "*.csv", **BOTH)
    marks = rows[rows["channel"] == Channel.MARK]
    assert set(marks.loc[marks["name"].str.contains("BTC"), "index"]) == {88530.23}


def test_a_listed_future_is_quoted_at_its_mark_and_a_synthetic_forward_is_none(read: Read, folder: Path) -> None:
    """The lower median of the forwards of one call, feed MARK, at the same moment as the options."""
    instruments, rows = read("deribit_snapshots", folder, "*.csv", **BOTH)
    futures = instruments[instruments["kind"] == Kind.FUTURE]
    assert list(futures.index) == ["deribit:BTC-27MAR26"]
    assert futures["feed"].iloc[0] == Feed.MARK
    quote = rows[(rows["name"] == "deribit:BTC-27MAR26") & (rows["channel"] == Channel.QUOTE)]
    assert quote[["bid", "ask"]].to_numpy().tolist() == [[89559.4, 89559.4]]
    assert quote["t_ns"].tolist() == [LABEL_NS]
    without, _ = read("deribit_snapshots", folder, "*.csv", **{**BOTH, "futures": "none"})
    assert not (without["kind"] == Kind.FUTURE).any()


def test_columns_that_contradict_the_name_are_an_error(read: Read, folder: Path) -> None:
    """A strike in another unit or a shifted column does not pass silently."""
    (folder / "a.csv").write_text(HEADER + line("BTC-27MAR26-90000-C", "1", "x", "1", "1", "1", strike="90.0"))
    with pytest.raises(DataError, match=r"row 2: .* was strike 90, expiry 2026-03-27T08:00, call"):
        read("deribit_snapshots", folder, "*.csv", **BOTH)


def test_a_delay_is_declared_for_each_currency(read: Read, folder: Path) -> None:
    """No currency is taken to be in time by default."""
    with pytest.raises(UsageError, match="delay_ns"):
        read("deribit_snapshots", folder, "*.csv", **{**BOTH, "delay_ns": {"BTC": 0}})


def test_a_missing_column_is_named(read: Read, folder: Path) -> None:
    """The message says which column is not there."""
    (folder / "a.csv").write_text((HEADER + BODY).replace("bid_price", "bid"))
    with pytest.raises(DataError, match="bid_price"):
        read("deribit_snapshots", folder, "*.csv", **BOTH)


@pytest.mark.real
@pytest.mark.slow
def test_snapshots_are_read_row_for_row(read: Read, real_data: Path) -> None:
    """Every line of the options of a month is a quote, none is lost, none is crossed; lines are counted as text."""
    path = "deribit-options-6h/*snapshot_202602*.csv.gz"
    files = sorted(real_data.glob(path))
    texts = [gzip.decompress(file.read_bytes()).decode().splitlines()[1:] for file in files]
    names = [text.split(",")[1] for lines in texts for text in lines]
    _, rows = read("deribit_snapshots", real_data, path, **{**BOTH, "futures": "none"})
    quotes = rows[rows["channel"] == Channel.QUOTE]

    assert len(files) > 80
    assert quotes["name"].str[8:].value_counts().to_dict() == Counter(names)
    assert not (quotes["bid"] > quotes["ask"]).any()
    assert quotes["t_ns"].nunique() == 2 * len(files)


@pytest.mark.real
def test_marks_of_futures_lie_in_the_range_the_source_gives(read: Read, real_data: Path) -> None:
    """An independent file lists, for each snapshot and future, the least and greatest forward in its option rows."""
    path = "deribit-options-6h/*snapshot_202601[01]*.csv.gz"
    _, rows = read("deribit_snapshots", real_data, path, **{**BOTH, "delay_ns": {"BTC": 0, "ETH": 0}})
    future = rows[(rows["channel"] == Channel.QUOTE) & (rows["name"].str.count("-") == 1)]
    told = pd.read_csv(real_data / "deribit-options-6h/term_futures_marks.csv")
    told["name"] = "deribit:" + told["futures_instrument_name"]
    told["t_ns"] = pd.to_datetime(told["timestamp"], format="ISO8601").dt.as_unit("ns").astype("int64")
    both = future.merge(told, on=["name", "t_ns"])
    assert len(both) > 500
    assert len(both) == len(future)
    assert both["bid"].between(both["snapshot_term_mark_min"], both["snapshot_term_mark_max"]).all()


@pytest.mark.real
@pytest.mark.parametrize(
    ("name", "count"), [("perpetual_futures_prices.csv", 838 - 11), ("term_futures_marks.csv", 5_854 - 2_905)]
)
def test_no_candle_is_known_at_its_label(read: Read, real_data: Path, name: str, count: int) -> None:
    """The candle nearest a label contains it: it closes within a minute after, and that is when its row comes.

    11 and 2,905 minutes hold no trade and are no rows.
    """
    options = {"currencies": ["BTC", "ETH"], "drop_zero_volume": True}
    instruments, rows = read("deribit_candles", real_data, f"deribit-options-6h/{name}", **options)
    label = np.unique(pd.read_csv(real_data / "deribit-options-6h" / name)["snapshot_timestamp_ms"]) * 1_000_000
    assert len(rows) == count
    assert set(instruments["feed"]) == {Feed.BAR}
    at = np.searchsorted(label, rows["t_ns"].to_numpy(), side="right") - 1
    late = rows["t_ns"].to_numpy() - label[at]
    assert late.min() > 0
    assert late.max() <= 60 * SECOND
