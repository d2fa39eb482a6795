"""Binance perp against spot through the candles adapter: distances that the data's own description gives.  [S8.2]"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from backtest.data.adapters.base import SourceSpec
from backtest.data.build.assemble import build
from backtest.data.format.dataset import Dataset, open_dataset
from backtest.data.panels import reader
from engine.units import NS_PER_HOUR

pytestmark = [pytest.mark.real, pytest.mark.slow]

OPTIONS = {
    "venue": "binance",
    "channels": ["spot", "futures"],
    "bar": "1h",
    "funding_h": 8,
    "perp_quote": "",
    "drop_zero_volume": True,
}


@pytest.fixture(scope="module")
def candles(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    spec = SourceSpec("candles_feather", "binance-1h-2018-2026/BTC_*-1h-*.feather", OPTIONS, "a test", "GPL-3.0")
    target = tmp_path_factory.mktemp("candles") / "set"
    return open_dataset(build([spec], real_data, target, "candles", NS_PER_HOUR))


@pytest.mark.parametrize(("year", "bps"), [(2022, 4.4), (2023, 4.2), (2024, 4.6)])
def test_perp_and_spot_are_four_bps_apart(candles: Dataset, year: int, bps: float) -> None:
    """Mean of |perp - spot| / spot of hourly closes on the grid, in bps, to one place."""
    from_ns, to_ns = (int(datetime(y, 1, 1, tzinfo=UTC).timestamp()) * 10**9 for y in (year, year + 1))
    gaps = []
    for panel in reader.panels(candles, "BTC", from_ns, to_ns):
        spot, perp = (
            panel.column(panel.instruments.code_of(name)) for name in ("binance:BTCUSDT", "binance:BTCUSDT-PERP")
        )
        if min(spot, perp) < 0:
            continue
        fresh = (panel.age_ns[:, spot] == 0) & (panel.age_ns[:, perp] == 0)
        gap = (panel.bid[:, perp] - panel.bid[:, spot]) / panel.bid[:, spot]
        gaps.append(1e4 * np.abs(gap[fresh]))
    found = np.concatenate(gaps)

    assert len(found) > 8_000
    assert round(float(found.mean()), 1) == bps
