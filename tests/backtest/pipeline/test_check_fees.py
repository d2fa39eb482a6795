"""A data set whose instruments a plan cannot price is refused at once, with what it is still good for.  [S3.4]"""

from __future__ import annotations

from pathlib import Path

import pytest

from backtest.data.build.assemble import build
from backtest.data.format.dataset import Dataset, open_dataset
from backtest.pipeline.check_fees import check_fees
from backtest.registration.load import load_registration
from engine.errors import UsageError
from tests.backtest.data.markets import START, instrument, instruments, quote, store
from tests.helpers.cli import RunCommand

STUDIES = Path(__file__).parents[3] / "configs" / "studies"
VENUES = ("binance", "bybit", "okx")


@pytest.fixture
def control(tmp_path: Path) -> Dataset:
    """The control for clocks on one bar of each venue."""
    plan = load_registration(STUDIES / "clock-control.toml")
    folder = tmp_path / "threevenue-8h-2023-2024"
    folder.mkdir()
    lines = [f"2023-04-10 01:00:00,{v},{p},x,30000.0," for v in VENUES for p in ("BTC/USDT", "BTCUSDT")]
    (folder / "all.csv").write_text("\n".join(["time,exchange,pair,contract,close,funding rate", *lines]) + "\n")
    made = build(plan.data.sources, tmp_path, tmp_path / "set", "control", 28_800 * 10**9, registration_text=plan.text)
    return open_dataset(made)


def test_the_control_for_clocks_is_refused_with_what_it_is_for(control: Dataset, run_command: RunCommand) -> None:
    """Which fees are lacking, what the plan says of its data, and the command that needs no fee: exit 2, no file."""
    out = control.path / "rows.parquet"
    done = run_command("detect", control.path, "--out", out)
    said = " ".join(done.err.split())

    assert done.code == 2
    assert "none of bybit perp, bybit spot, okx perp, okx spot in the plan clock-control" in said
    assert "every difference between venues here is that shift" in said
    assert f"run `cme data check {control.path}`" in said
    assert not out.exists()
    assert run_command("data", "check", control.path).code == 0


def test_only_what_the_engine_reads_has_to_be_priced(tmp_path: Path) -> None:
    """An unregistered venue is refused for a registered coin and let be for another."""
    plan = load_registration(STUDIES / "carry-2022-2024.toml")
    rows = [quote(START, 0, 1.0, 2.0)]
    other = store(tmp_path / "a", instruments(instrument("okx:SOL", underlying="SOL", base="SOL")), rows)
    check_fees(other, plan)
    own = store(tmp_path / "b", instruments(instrument("okx:BTC")), rows)
    with pytest.raises(UsageError, match="none of okx perp"):
        check_fees(own, plan)
