"""The check doubts the hourly bar that Binance futures really cut off, and no other of that day.  [S1.5]"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from backtest.data.adapters.base import SourceSpec
from backtest.data.build.assemble import build
from backtest.data.checks.check import check
from backtest.data.format.dataset import open_dataset
from engine.units import NS_PER_HOUR

pytestmark = [pytest.mark.real, pytest.mark.slow]


def _source(path: str, bar: str, channels: list[str]) -> SourceSpec:
    options = {"venue": "binance", "channels": channels, "bar": bar, "funding_h": 8, "perp_quote": ""}
    return SourceSpec("candles_feather", path, {**options, "drop_zero_volume": True}, "test of cut-off bars", "none")


def _doubted(folder: Path, real_data: Path, *sources: SourceSpec) -> list[str]:
    """The doubts about bars of a data set of 2024-10-28 00:00 to 2024-10-29 06:00 UTC."""
    begin, end = (int(np.datetime64(time, "ns").astype(np.int64)) for time in ("2024-10-28T00:00", "2024-10-29T06:00"))
    built = build(sources, real_data, folder / "set", "day", NS_PER_HOUR, window=(begin, end))
    return [text for text in check(open_dataset(built), lags=False).warnings if "cut off" in text]


def test_the_bar_cut_off_on_2024_10_28_is_doubted(real_data: Path, tmp_path: Path) -> None:
    """ETH closes its 21:00 bar 98.3 bps below the next open; BTC's 17.7 bps are under the limit of 30."""
    path = "binance-1h-2018-2026/*-1h-*.feather"
    (found,) = _doubted(tmp_path, real_data, _source(path, "1h", ["spot", "futures", "mark", "funding_rate"]))

    assert found.startswith(f"candles_feather:{path}: binance:ETHUSDT-PERP: 1 bars close 30 bps or more")
    assert found.endswith("(worst +98.3 bps at 2024-10-28T22:00)")


def test_a_break_after_bars_without_a_trade_is_no_cut_off_bar(real_data: Path, tmp_path: Path) -> None:
    """Bars of 15 minutes hold no trade from 20:00 to 21:00; the jump of 60.5 bps after them follows no bar."""
    spot = _source("binance-1h-2018-2026/*-1h-spot.feather", "1h", ["spot"])
    perps = _source("binance-perp-15m-2023-2025/*.feather", "15m", ["futures", "funding_rate"])

    assert _doubted(tmp_path, real_data, spot, perps) == []
