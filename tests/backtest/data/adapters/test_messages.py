"""A refusal names file, row, field, what was expected and what was there, in units that a reader uses."""

from __future__ import annotations

from pathlib import Path

import pytest

from backtest.data.adapters.base import SourceSpec
from backtest.data.adapters.binance import archive
from backtest.data.adapters.hyperliquid.recordings import book_touch
from engine.errors import DataError

PERP = {"table": "fundingRate", "venue": "binance", "kind": "linear_perp", "base": "BTC", "quote": "USDT"}


def test_a_schedule_that_changes_is_told_in_hours_with_its_moment(tmp_path: Path) -> None:
    """Two settlements of eight hours, then one of four."""
    rows = ["calc_time,funding_interval_hours,last_funding_rate"]
    rows += [f"{1706745600000 + hour * 3_600_000},{every},0.0001" for hour, every in ((0, 8), (8, 8), (12, 4))]
    (tmp_path / "BTCUSDT-fundingRate-2024-02.csv").write_text("\n".join(rows) + "\n")
    options = {**PERP, "feed": "bar", "bar": "1h", "funding_h": 8}

    with pytest.raises(DataError) as refused:
        list(archive.ADAPTER.read(tmp_path, SourceSpec("binance_archive", "*.csv", options, "a test", "none")))

    for word in (
        "2024-02.csv, row 3, ",
        "funding_interval_hours",
        "expected 8 h",
        "4 h from 2024-02-01T12:00",
        "split",
    ):
        assert word in str(refused.value)


@pytest.mark.parametrize("coin", ["@107", "PURR/USDC"])
def test_a_spot_pair_among_perps_is_named_as_one(coin: str) -> None:
    """Hyperliquid names spot pairs by number or by two coins; the reader reads perps."""
    with pytest.raises(DataError, match=r"f\.jsonl, line 1, field coin: expected a perp, was the spot pair"):
        book_touch({"coin": coin, "levels": [[], []]}, "f.jsonl, line 1")
