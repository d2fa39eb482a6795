"""What a build leaves out or doubts is kept with the data set and shown by the check."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from backtest.data.adapters.base import SourceSpec
from backtest.data.build.assemble import build
from backtest.data.build.findings import rate_findings, rates_of
from backtest.data.checks.check import check
from backtest.data.format.dataset import open_dataset
from backtest.data.format.schema import Channel
from engine.units import NS_PER_HOUR

T0_MS = 1_706_745_600_000
PERP = {"venue": "binance", "kind": "linear_perp", "base": "BTC", "quote": "USDT", "feed": "bar", "bar": "1h", "funding_h": 8}  # fmt: skip  # noqa: E501
CANDLES = {"label": "ms", "drop_zero_volume": True, "drop_last": False}


def warnings_of(
    folder: Path, *sources: tuple[str, str, dict[str, object]], window: tuple[int, int] | None = None
) -> tuple[str, ...]:
    """The warnings of the check of a data set built from small files."""
    specs = [SourceSpec(name, path, options, "a test", "none") for name, path, options in sources]
    built = build(specs, folder, folder / "set", "x", grid_ns=NS_PER_HOUR, window=window)
    return check(open_dataset(built), lags=False).warnings


def candles(folder: Path, name: str, rows: list[tuple[float, float, int]]) -> None:
    body = "".join(f"{T0_MS + k * 3_600_000},{o},{c},{v}\n" for k, (o, c, v) in enumerate(rows))
    (folder / name).write_text("ts,open,close,volume\n" + body)


@pytest.mark.parametrize(("rate", "doubted"), [("0.0100", True), ("0.0001", False)])
def test_funding_in_percent_is_doubted(tmp_path: Path, rate: str, doubted: bool) -> None:
    """0.01 each 8 hours is 1,095% a year; 0.0001 is the usual rate."""
    body = "".join(f"2024-02-{d:02} {h:02}:00:00,{rate}\n" for d in range(1, 8) for h in (0, 8, 16))
    (tmp_path / "f.csv").write_text("timestamp,funding_rate\n" + body)
    found = [text for text in warnings_of(tmp_path, ("funding_history", "f.csv", PERP)) if "percent" in text]
    assert len(found) == doubted
    assert all("1,095% a year" in text for text in found)


def test_rates_beyond_the_cap_are_counted() -> None:
    """Two of four are over 3%; at Hyperliquid the cap is 4%, and one is over it."""
    rate = np.array([0.0, -0.05, 0.035, 0.0001])
    assert "2 rates are beyond" in " ".join(rate_findings("x", rate, "binance", 8 * NS_PER_HOUR))
    assert "1 rates are beyond" in " ".join(rate_findings("x", rate, "hyperliquid", NS_PER_HOUR))
    assert rate_findings("x", np.array([1e-4, -1e-4]), "binance", 8 * NS_PER_HOUR) == []


@pytest.mark.parametrize("spot_breaks", [True, False])
def test_bars_without_trades_are_counted_and_cut_off_bars_doubted(tmp_path: Path, spot_breaks: bool) -> None:
    """A perp whose close is 99.5 bps from the next open, unless the spot market has the same break."""
    spot_close = 101.0 if spot_breaks else 100.0
    candles(tmp_path, "perp.csv", [(100, 101, 1), (100, 100, 1), (100, 100, 0)])
    candles(tmp_path, "spot.csv", [(100, spot_close, 1), (100, 100, 1), (100, 100, 1)])
    spot = {key: value for key, value in PERP.items() if key != "funding_h"} | {"kind": "spot"}
    found = warnings_of(
        tmp_path, ("candles_csv", "perp.csv", {**PERP, **CANDLES}), ("candles_csv", "spot.csv", {**spot, **CANDLES})
    )
    assert any("1 bars of volume 0 passed over" in text for text in found)
    assert any("cut off" in text for text in found) is not spot_breaks


def test_cut_off_bars_are_those_of_the_window_at_their_shifted_times(tmp_path: Path) -> None:
    """A larger break before the window is not named in place of the one inside; times are as the rows', shifted."""
    bars = [(100, 100, 1)] * 3 + [(120, 100, 1), (101, 101, 1), (101, 101, 1)]
    candles(tmp_path, "perp.csv", [(100, 50, 1), *bars])
    shift = {"label_shift_ns": -3 * NS_PER_HOUR}
    source = ("candles_csv", "perp.csv", {**PERP, **CANDLES, **shift})
    t0_ns = T0_MS * 1_000_000 - 3 * NS_PER_HOUR
    texts = warnings_of(tmp_path, source, window=(t0_ns + 5 * NS_PER_HOUR, t0_ns + 20 * NS_PER_HOUR))
    (found,) = [text for text in texts if "cut off" in text]

    # labelled 04:00, so closed at 05:00, three hours less
    assert found.endswith("1 bars close 30 bps or more from the next bar's open while no spot bar does; they may be "
                          "cut off before their end (worst +100.0 bps at 2024-02-01T02:00)")  # fmt: skip


def test_published_rates_are_judged_where_none_is_settled() -> None:
    """A ticker's rates alone are taken; beside settled ones, which are what is paid, those are."""
    rows = pd.DataFrame(
        {
            "channel": [int(Channel.FUNDING)] * 3 + [int(Channel.SETTLE), int(Channel.QUOTE)],
            "name": ["okx:A", "okx:A", "okx:B", "okx:B", "okx:A"],
            "rate": [0.01, 0.02, 0.5, 1e-4, np.nan],
        }
    )
    rates = rates_of(rows)

    assert {name: rate.tolist() for name, rate in rates.items()} == {"okx:A": [0.01, 0.02], "okx:B": [1e-4]}
    assert "percent" in rate_findings("okx:A", rates["okx:A"], "okx", 8 * NS_PER_HOUR)[0]
