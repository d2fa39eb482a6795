"""ETH at two venues: the chapter of the guide, on a synthetic pair of 200 rows two hours apart."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from engine.records import FloatArray
from tests.helpers.cli import DOWN, RunCommand
from tests.helpers.short_plan import SHORT

ROWS = 200
FIRST = pd.Timestamp("2025-04-01", tz="UTC")
GAP = slice(120, 124)
"""Rows in which the perp of the second venue lies 300 bps over the spot."""

WINDOW = f"""{SHORT}[[split.windows]]
history_start = "2025-04-01T00:00:00Z"
start = "2025-04-06T00:00:00Z"
end = "2025-04-16T00:00:00Z"
"""
"""Ten folds of a day."""


def write_pair(data: Path) -> None:
    """Synthetic bars under the names that the guide reads: a spot, a perp at each venue, funding, and the dollar."""
    binance, hyperliquid, dollar = (data / name for name in ("binance-1h-2018-2026", "hyperliquid-candles-funding",
                                                             "stablecoin-usdcusdt"))  # fmt: skip
    for folder in (binance, hyperliquid, dollar):
        folder.mkdir(parents=True)
    hours = FIRST + pd.to_timedelta(2 * np.arange(ROWS), unit="h")
    paid = FIRST + pd.to_timedelta(np.arange(2 * ROWS), unit="h")
    spot = 2000.0 + np.sin(np.arange(ROWS) / 7.0)
    wide = spot.copy()
    wide[GAP] *= 1.03
    bars(binance / "ETH_USDT-2h-spot.feather", hours, spot)
    bars(binance / "ETH_USDT_USDT-2h-futures.feather", hours, spot)
    bars(binance / "ETH_USDT_USDT-1h-funding_rate.feather", paid[::8], np.full(ROWS // 4, 1e-4))
    bars(hyperliquid / "ETH_USDC_USDC-2h-futures.feather", hours, wide)
    bars(hyperliquid / "ETH_USDC_USDC-1h-funding_rate.feather", paid, np.full(2 * ROWS, 1.25e-5))
    text = pd.DataFrame({"date": hours.strftime("%Y-%m-%d %H:%M:%S"), "close": 1.0})
    text.to_csv(dollar / "binance_USDCUSDT_2h_close_2021_2025.csv", index=False)


def bars(path: Path, hours: pd.DatetimeIndex, close: FloatArray) -> None:
    frame = pd.DataFrame({"date": hours, "open": close, "high": close, "low": close, "close": close, "volume": 1.0})
    frame.to_feather(path)


def edit(plan: Path, guide: str) -> None:
    """Steps 2 to 4 of the chapter: dates, and the two blocks of the guide in place of those of the template."""
    chapter = guide.split("### ETH at two venues")[1].split("\n## ")[0]
    pairs, sources = (block.replace("\n   ", "\n") for block in re.findall(r"   ```\n(.*?)   ```", chapter, re.DOTALL))
    sources = (
        sources.replace("-1h-*.feather", "-*.feather")
        .replace("USDCUSDT_1h", "USDCUSDT_2h")
        .replace('bar = "1h"', 'bar = "2h"')
    )
    text = plan.read_text()
    for pattern, new in (
        (r"\[\[split\.windows\]\].*?(?=\n\[grid\])", WINDOW),
        (r'step_s = "60"', 'step_s = "7200"'),
        (r", \"assumptions\.latency_ms\.hyperliquid\"", ""),
        (r"cash_carry = \[[^\n]*", pairs.strip() + "\n"),
        (r"\[\[data\.sources\]\].*?(?=\[\[choices\]\])", sources + "\n"),
    ):
        text, count = re.subn(pattern, lambda _, new=new: new, text, count=1, flags=re.DOTALL)
        assert count == 1, pattern
    plan.write_text(text)


def test_the_chapter_of_the_guide_ends_in_answers(tmp_path: Path, run_command: RunCommand,
                                                  monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    """Init, build, check and run as written there; the gap at the second venue is what is traded."""
    guide = Path("docs/guide.md").read_text()
    monkeypatch.chdir(tmp_path)
    write_pair(tmp_path / "data")
    assert run_command("init", "eth-two-venues", "--from", "spot-perp").code == 0
    edit(tmp_path / "eth-two-venues.toml", guide)

    built = run_command("data", "build", "eth-two-venues.toml", "--data", tmp_path / "data", "--out", tmp_path / "set")
    assert built.code == 0, built.err
    checked = run_command("data", "check", tmp_path / "set")
    assert checked.code == 0, checked.err
    done = run_command("run", "eth-two-venues.toml", "--data", tmp_path / "data", "--out", tmp_path / "runs", "--json",
                       "--tracking", DOWN)  # fmt: skip
    assert done.code == 0, done.err
    (run,) = json.loads(done.out)["runs"]
    trades = pd.concat(pd.read_parquet(file) for file in sorted(Path(run["path"]).glob("folds/*/trades.parquet")))
    assert set(trades["constraint"]) == {"C1"}
    assert set(trades["venue"]) == {"hyperliquid"}
    gap = FIRST + pd.Timedelta(hours=2 * GAP.start), FIRST + pd.Timedelta(hours=2 * GAP.stop)
    assert all(gap[0] <= pd.Timestamp(entry, tz="UTC") < gap[1] for entry in trades["entry_ns"])
    assert trades["entry_gross_bps"].to_numpy() == pytest.approx(300.0, abs=0.1)
    assert (trades["net_usd_micro"] > 0).all()
