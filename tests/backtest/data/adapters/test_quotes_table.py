"""Quotes under column names of one's own: what is read, in which units, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from backtest.data.adapters.base import Chunk, SourceSpec
from backtest.data.adapters.registry import adapter
from engine.errors import CmeError, DataError, UsageError

T0_MS = 1_706_745_600_000  # 2024-02-01
NAMES: dict[str, Any] = {"time": "t", "bid": "b", "ask": "a", "bid_size": "bq", "ask_size": "aq"}
LINEAR: dict[str, Any] = {
    "venue": "binance", "kind": "linear_perp", "base": "ETH", "quote": "USDT", "funding_h": 8, "feed": "book",
    "label": "ms", "latency_ns": 250, **NAMES,
}  # fmt: skip


def chunk(folder: Path, body: str | pd.DataFrame, **options: Any) -> Chunk:
    """What the adapter makes of one file; a frame is written as Parquet."""
    name = "mine.csv" if isinstance(body, str) else "mine.parquet"
    if isinstance(body, str):
        (folder / name).write_text(body)
    else:
        body.to_parquet(folder / name)
    given = {key: value for key, value in {**LINEAR, **options}.items() if value is not None}
    (found,) = adapter("quotes_table").read(folder, SourceSpec("quotes_table", name, given, "a test", "none"))
    return found


def test_of_rows_with_one_time_the_last_counts_and_the_others_are_counted(tmp_path: Path) -> None:
    """Three rows, two of one time: two quotes, known 250 ns after their stamps."""
    found = chunk(tmp_path, f"t,b,bq,a,aq\n{T0_MS},10,1,11,2\n{T0_MS},10.5,3,11,4\n{T0_MS + 1},,,12,5\n")

    assert found.rows["t_ns"].tolist() == [T0_MS * 10**6 + 250, (T0_MS + 1) * 10**6 + 250]
    assert found.rows["bid"].tolist()[0] == 10.5
    assert found.rows[["bid", "bid_size"]].isna().all(axis=1).tolist() == [False, True]
    assert found.rows["ask_size"].tolist() == [4.0, 5.0]
    assert list(found.passed_over.values()) == [1]


def test_parquet_and_times_as_text(tmp_path: Path) -> None:
    """A column of times without a zone is UTC, as everywhere."""
    frame = pd.DataFrame({"t": ["2024-02-01 00:00:00"], "b": [1.5], "a": [1.75], "bq": [1.0], "aq": [2.0]})
    found = chunk(tmp_path, frame, label="text")

    assert found.rows["t_ns"].tolist() == [T0_MS * 10**6 + 250]


def test_sizes_of_an_inverse_contract_are_in_contracts(tmp_path: Path) -> None:
    """Two contracts of 100 USD at a bid of 50 are 4 coins; without sizes they are unknown, never zero."""
    body = f"t,b,bq,a,aq\n{T0_MS},50,2,100,3\n"
    inverse = {"kind": "inverse_perp", "quote": "USD", "face_usd": 100}
    found = chunk(tmp_path, body, **inverse)
    assert (found.rows["bid_size"].item(), found.rows["ask_size"].item()) == (2 * 100 / 50, 3 * 100 / 100)

    bare = chunk(tmp_path, body, **inverse, bid_size=None, ask_size=None)
    assert bare.rows[["bid_size", "ask_size"]].isna().all().all()


@pytest.mark.parametrize(
    ("body", "options", "kind", "words"),
    [
        (f"t,b,bq,a,aq\n{T0_MS},1,1,2,1\n{T0_MS - 1},1,1,2,1\n", {}, DataError, "row 3, column t: expected times that"),
        (f"t,b,bq,a\n{T0_MS},1,1,2\n", {}, DataError, "aq"),
        (f"t,b,bq,a,aq\n{T0_MS},1,1,2,-1\n", {}, DataError, "a size of 0 or more"),
        (f"t,b,bq,a,aq,symbol\n{T0_MS},1,1,2,1,BTCUSDT\n", {}, DataError, "rows of BTCUSDT"),
        (f"t,b,bq,a,aq\n{T0_MS * 1000},1,1,2,1\n", {}, DataError, "is the unit another"),
        (f"t,b,bq,a,aq\n{T0_MS},1,1,2,1\n", {"ask_size": None}, UsageError, "both of bid_size and ask_size or neither"),
        (f"t,b,bq,a,aq\n{T0_MS},1,1,2,1\n", {"feed": "bar", "bar": "1h"}, UsageError, "unknown options bar|feed"),
    ],
)  # fmt: skip
def test_what_is_refused(tmp_path: Path, body: str, options: dict[str, Any], kind: type[CmeError], words: str) -> None:
    """Times that go back, a lacking column, a negative size, another instrument, another unit, half the sizes, bars."""
    with pytest.raises(kind, match=words):
        chunk(tmp_path, body, **options)
