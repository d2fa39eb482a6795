"""A refusal names file, row, field, what was expected and what was there, in units that a reader uses."""

from __future__ import annotations

from pathlib import Path

import pytest

from backtest.data.adapters.base import SourceSpec
from backtest.data.adapters.binance import archive
from backtest.data.adapters.hyperliquid.recordings import book_touch
from backtest.data.adapters.registry import ADAPTERS, adapter
from engine.errors import DataError, UsageError

PERP = {"table": "fundingRate", "venue": "binance", "kind": "linear_perp", "base": "BTC", "quote": "USDT"}


def test_an_interval_that_its_time_contradicts_is_told_in_hours_with_its_moment(tmp_path: Path) -> None:
    """Two settlements of eight hours, then one that says so after four."""
    rows = ["calc_time,funding_interval_hours,last_funding_rate"]
    rows += [f"{1706745600000 + hour * 3_600_000},{every},0.0001" for hour, every in ((0, 8), (8, 8), (12, 8))]
    (tmp_path / "BTCUSDT-fundingRate-2024-02.csv").write_text("\n".join(rows) + "\n")
    options = {**PERP, "feed": "bar", "bar": "1h", "funding_h": 8}

    with pytest.raises(DataError) as refused:
        list(archive.ADAPTER.read(tmp_path, SourceSpec("binance_archive", "*.csv", options, "a test", "none")))

    for word in (
        "2024-02.csv, row 4, ",
        "funding_interval_hours",
        "expected the hours since the settlement before",
        "8 h at 2024-02-01T12:00 UTC after one at 2024-02-01T08:00",
    ):
        assert word in str(refused.value)


@pytest.mark.parametrize("coin", ["@107", "PURR/USDC"])
def test_a_spot_pair_among_perps_is_named_as_one(coin: str) -> None:
    """Hyperliquid names spot pairs by number or by two coins; the reader reads perps."""
    with pytest.raises(DataError, match=r"f\.jsonl, line 1, field coin: expected a perp, was the spot pair"):
        book_touch({"coin": coin, "levels": [[], []]}, "f.jsonl, line 1")


PAIRS: dict[str, tuple[dict[str, object], str]] = {
    "hyperliquid_asset_ctxs": ({"coins": ["BTC", "@107"], "latency_ns": 0}, "time,coin,funding,oracle_px,mark_px\n"),
    "hyperliquid_contexts": ({"time_ns": 0, "positions": {"PURR/USDC": 0}}, "{}"),
    "hyperliquid_book_summary": ({}, '{"timestamp": 1, "asset": "@107", "mid_price": 1, "spread_bps": 1}'),
    "hyperliquid_l2book": ({"latency_ns": 0}, '{"raw": {"data": {"coin": "@107", "time": 1, "levels": [[], []]}}}'),
    "hyperliquid_ws": ({}, '1 {"channel": "l2Book", "data": {"coin": "@107", "time": 1, "levels": [[], []]}}'),
}


def test_every_adapter_of_hyperliquid_meets_a_spot_pair() -> None:
    """One that joins them is tried below."""
    assert set(PAIRS) == {member.name for member in ADAPTERS if member.name.startswith("hyperliquid")}


@pytest.mark.parametrize("name", PAIRS)
def test_no_adapter_of_hyperliquid_reads_a_spot_pair_as_a_perp(tmp_path: Path, name: str) -> None:
    """In a message it is bad data, in an option a usage error."""
    options, content = PAIRS[name]
    (tmp_path / "f.x").write_text(content)
    expected = UsageError if name in ("hyperliquid_asset_ctxs", "hyperliquid_contexts") else DataError
    with pytest.raises(expected, match=r"expected .*perps?, was the spot pair"):
        list(adapter(name).read(tmp_path, SourceSpec(name, "f.x", options, "a test", "none")))
