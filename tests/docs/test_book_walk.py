"""The walk down a book and the registered formula beside it, counted by hand; stored books are read whole."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.book_walk import Book, binance, hyperliquid, registered_bps, walked_bps

BOOK = Book([(99.0, 500.0), (98.0, 100.0)], [(101.0, 100.0), (102.0, 300.0)])


@pytest.mark.parametrize(
    ("usd", "buy", "walked"), [(100, True, 100.0), (200, True, 150.0), (400, True, 175.0), (600, False, 350 / 3)]
)
def test_a_walk_pays_the_average_of_the_levels(usd: float, buy: bool, walked: float) -> None:
    """Of 100 at +1% and the rest at +2%; a side that ends earlier has no price."""
    assert walked_bps(BOOK, usd, buy) == pytest.approx(walked)
    assert np.isnan(walked_bps(BOOK, 601.0, buy))


def test_the_formula_is_half_the_spread_and_the_share_of_the_touch() -> None:
    """200 bps of spread: 100 and 200 Q/D; at the touch itself it charges more than the walk."""
    assert registered_bps(BOOK, 100.0, buy=True) == pytest.approx(300.0)
    assert registered_bps(BOOK, 50.0, buy=False) == pytest.approx(120.0)


def test_changes_are_laid_upon_the_first_snapshot(tmp_path: Path) -> None:
    """Changes before it are no book; a size of 0 takes a level away; one book a second; contracts are 100 USD."""
    folder = tmp_path / "binance-l2-20240808"
    folder.mkdir()
    change = {"e": "depthUpdate", "b": [["99", "0"], ["98", "7"]], "a": []}
    lines = [
        (1, {"data": {"e": "depthUpdate", "b": [["1", "1"]], "a": [["2", "1"]]}}),
        (2_000_000_000, {"lastUpdateId": 1, "bids": [["99", "5"]], "asks": [["101", "3"]]}),
        (2_500_000_000, {"data": change}),
        (3_500_000_000, {"data": {"e": "depthUpdate", "b": [], "a": []}}),
    ]
    text = "".join(f"{stamp} {json.dumps(message)}\n" for stamp, message in lines)
    (folder / "cm_btcusd_perp_20240808.gz").write_bytes(gzip.compress(text.encode()))

    first, second = binance(tmp_path, "cm_btcusd_perp")

    assert first == Book([(99.0, 500.0)], [(101.0, 300.0)])
    assert second == Book([(98.0, 700.0)], [(101.0, 300.0)])


def test_hyperliquid_levels_are_in_coin(tmp_path: Path) -> None:
    """Notional is price times size; other channels are passed over."""
    folder = tmp_path / "hyperliquid-raw-samples"
    folder.mkdir()
    level = {"n": 1, "px": "100.5", "sz": "2"}
    lines = [{"channel": "trades", "data": []}, {"channel": "l2Book", "data": {"levels": [[level], [level]]}}]
    text = "".join(f"1 {json.dumps(line)}\n" for line in lines)
    (folder / "btcusd_1.gz").write_bytes(gzip.compress(text.encode()))

    assert list(hyperliquid(tmp_path)) == [Book([(100.5, 201.0)], [(100.5, 201.0)])]
