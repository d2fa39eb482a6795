"""Reading Hyperliquid in USDC would have been caught on the days of March 2023; as it is, no stored pair is.  [V1]"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from backtest.data.adapters.base import SourceSpec
from backtest.data.build.assemble import build
from backtest.data.checks.level_scan import levels_of
from backtest.data.checks.samples import Samples, sample
from backtest.data.format.dataset import Dataset, open_dataset
from engine.units import NS_PER_HOUR

pytestmark = [pytest.mark.real, pytest.mark.slow]

BINANCE = {
    "venue": "binance", "channels": ["spot", "futures"], "bar": "1h", "funding_h": 8, "perp_quote": "",
    "drop_zero_volume": True,
}  # fmt: skip
HYPERLIQUID = {
    "venue": "hyperliquid", "channels": ["futures"], "bar": "4h", "funding_h": 1, "perp_quote": "USD",
    "drop_zero_volume": True,
}  # fmt: skip
PEG = {
    "venue": "binance", "kind": "spot", "base": "USDC", "quote": "USDT", "feed": "bar", "bar": "1h", "label": "text",
    "drop_zero_volume": False, "drop_last": True,
}  # fmt: skip


@pytest.fixture(scope="module")
def stored(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    sources = [
        SourceSpec("candles_feather", "binance-1h-2018-2026/BTC_*-1h-*.feather", BINANCE, "a test", "GPL-3.0"),
        SourceSpec("candles_feather", "hyperliquid-candles-funding/BTC_*-4h-*.feather", HYPERLIQUID, "a test", "GPL"),
        SourceSpec("candles_csv", "stablecoin-usdcusdt/binance_USDCUSDT_1h_*.csv", PEG, "a test", "none stated"),
    ]
    return open_dataset(build(sources, real_data, tmp_path_factory.mktemp("levels") / "set", "levels", 4 * NS_PER_HOUR))


def read_in(samples: Samples, currency: str) -> Samples:
    """The samples with the price of Hyperliquid's perp declared in ``currency``."""
    table = samples.instruments
    quotes = (currency if venue == "hyperliquid" else q for venue, q in zip(table.venue, table.quote, strict=True))
    return Samples(
        **{name: getattr(samples, name) for name in Samples.__slots__ if name != "instruments"},
        instruments=replace(table, quote=tuple(quotes)),
    )


@pytest.mark.parametrize(
    ("first", "last"), [("2023-03-11", "2023-03-17"), ("2023-02-27", "2023-05-30"), ("2023-06-01", "2023-09-01")]
)
def test_the_wrong_dollar_is_named_and_the_right_one_is_not(stored: Dataset, first: str, last: str) -> None:
    """Six days of the broken peg, 90 days around them, and a quiet summer: slope 1 in USDC, none in USDT."""
    from_ns, to_ns = (int(datetime.fromisoformat(d).replace(tzinfo=UTC).timestamp()) * 10**9 for d in (first, last))
    samples = sample(stored, "BTC", from_ns=from_ns, to_ns=to_ns)
    wrong, right = levels_of(read_in(samples, "USDC")), levels_of(read_in(samples, "USDT"))

    assert [level.warning for level in right if level.warning] == []
    assert [level.second.partition(":")[0] for level in wrong if level.warning] == ["hyperliquid", "hyperliquid"]
    for level in wrong:
        if level.warning:
            assert level.follows[0].slope == pytest.approx(1.0, abs=0.15)
            assert "follows USDC/USDT with slope" in level.warning
            assert "(declared USDC and USDT)" in level.warning
