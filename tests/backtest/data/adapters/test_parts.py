"""A file that is read in parts is one file: the size of the parts changes no row and no refusal.  [S8.2]"""

from __future__ import annotations

import csv
import io
import itertools
import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from backtest.data.adapters import files
from backtest.data.adapters.base import SourceSpec
from backtest.data.adapters.hyperliquid import archive
from backtest.data.adapters.registry import adapter
from engine.errors import DataError
from tests.backtest.data.adapters.test_words_for_numbers import in_order, rows_of
from tests.fuzz.whole_data import FORMS, MS, lines, table

ROWWISE = [form for form in FORMS if form[2] in ("table", "jsonl")]


@pytest.fixture(params=[1, 500_000], ids=["part of a row", "whole"])
def part(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """The rows or lines that are in memory at once."""
    monkeypatch.setattr(files, "ROWS_AT_A_TIME", request.param)
    monkeypatch.setattr(archive, "_LINES_AT_A_TIME", request.param)
    return int(request.param)


@pytest.mark.parametrize("form", ROWWISE, ids=lambda form: f"{form[0]}-{form[1]}")
def test_parts_of_a_row_give_the_rows_of_the_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: tuple[Any, ...]
) -> None:
    """Every adapter that reads rows, each form of its files."""
    name, file, _, options, bodies = form
    for body in bodies:
        whole = rows_of(tmp_path, name, file, options, body)
        with monkeypatch.context() as patched:
            patched.setattr(files, "ROWS_AT_A_TIME", 1)
            patched.setattr(archive, "_LINES_AT_A_TIME", 1)
            parts = rows_of(tmp_path, name, file, options, body)
        assert len(whole)
        pd.testing.assert_frame_equal(in_order(whole), in_order(parts))


CONTEXTS = "time,coin,funding,oracle_px,mark_px"
BOOK = {"coin": "BTC", "time": MS, "levels": [[{"px": "1", "sz": "1"}], [{"px": "2", "sz": "1"}]]}
KLINE = ("open_time,open,high,low,close,volume,close_time,quote_volume,count,taker_buy,taker_quote,ignore",
         f"{MS},1,2,0.5,1,10,{MS + 3_599_999},15,3,5,7.5,0",
         f"{(MS + 3_600_000) * 1000},1,2,0.5,1,10,{(MS + 7_199_999) * 1000},15,3,5,7.5,0")  # fmt: skip
BTC = {"venue": "binance", "kind": "linear_perp", "base": "BTC", "quote": "USDT", "funding_h": 8, "feed": "bar"}
MIXED = {
    "ms, then s": ("hyperliquid_asset_ctxs", "c.csv", {"coins": ["BTC"], "latency_ns": 0},
                   table(CONTEXTS, f"{MS},BTC,0.1e-4,1,1", f"{MS // 1000 + 60},BTC,0.1e-4,1,1"), "row 3, column time"),
    "text, then s": ("hyperliquid_asset_ctxs", "c.csv", {"coins": ["BTC"], "latency_ns": 0},
                     table(CONTEXTS, "2024-02-01T00:00:00,BTC,0.1e-4,1,1", f"{MS // 1000},BTC,0.1e-4,1,1"),
                     "row 3, column time"),
    "ms, then us": ("binance_klines", "BTCUSDT-1h-2024-02.csv", {**BTC, "bar": "1h"}, table(*KLINE),
                    "row 3, column open_time"),
    "ms, then ns in lines": ("hyperliquid_l2book", "b.jsonl", {"latency_ns": 0},
                             lines(*({"time": t, "raw": {"data": BOOK}} for t in (MS, MS * 10**6))), "row 2"),
    "a clock, then none": ("hyperliquid_l2book", "b.jsonl", {"latency_ns": 0},
                           lines({"time": MS, "raw": {"data": BOOK}}, {"raw": {"data": BOOK}}), "line 2"),
}  # fmt: skip
"""Adapter, file, options, content, and the place that its refusal names."""


@pytest.mark.usefixtures("part")
@pytest.mark.parametrize("case", MIXED, ids=str)
def test_a_form_of_times_that_changes_inside_a_file_is_refused(tmp_path: Path, case: str) -> None:
    """Each part by itself would be read; which of the two is meant nothing says."""
    name, file, options, body, place = MIXED[case]
    with pytest.raises(DataError, match=rf"{file}, {place}.*: expected"):
        rows_of(tmp_path, name, file, options, body)


@pytest.mark.usefixtures("part")
def test_a_name_of_digits_is_the_same_name_in_every_part(tmp_path: Path) -> None:
    """A column of digits alone would be numbers, and 007 another coin than in a part with a word."""
    (tmp_path / "c.csv").write_bytes(table(CONTEXTS, f"{MS},BTC,1e-5,1,1", f"{MS},007,1e-5,1,7"))
    spec = SourceSpec("hyperliquid_asset_ctxs", "c.csv", {"coins": ["007"], "latency_ns": 0}, "a test", "none")
    chunks = list(adapter(spec.adapter).read(tmp_path, spec))

    assert [name for chunk in chunks for name in chunk.rows["name"]] == ["hyperliquid:007-PERP"] * 2


@pytest.mark.usefixtures("part")
@pytest.mark.parametrize("form", [f for f in FORMS if f[2] == "table"], ids=lambda form: f"{form[0]}-{form[1]}")
def test_a_refusal_names_the_row_that_an_editor_shows(tmp_path: Path, form: tuple[Any, ...]) -> None:
    """A word in the first or the last row, in each column in turn: the row is that of the file; its header is row 1."""
    name, file, _, options, bodies = form
    for body in bodies:
        content, refused = list(csv.reader(io.StringIO(body.decode()))), dict[int, set[int]]()
        for row, column in itertools.product({1, len(content) - 1}, range(len(content[0]))):
            other = [list(cells) for cells in content]
            other[row][column] = "n.a."
            out = io.StringIO()
            csv.writer(out).writerows(other)
            try:
                rows_of(tmp_path, name, file, options, out.getvalue().encode())
            except DataError as error:
                if place := re.search(r", row (\d+)", str(error)):
                    refused.setdefault(row + 1, set()).add(int(place[1]))
        assert refused
        assert all(named == {row} for row, named in refused.items()), refused
