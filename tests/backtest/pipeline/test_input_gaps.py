"""A registered pair that lacks an input is named by `cme data check`, in the words of `cme detect`."""

from __future__ import annotations

from pathlib import Path

import pytest

from backtest.data.format.schema import Channel
from backtest.pipeline.input_gaps import input_gaps
from backtest.registration.load import load_registration
from engine.records import Feed, Kind
from engine.units import NS_PER_DAY, NS_PER_HOUR
from tests.backtest.data.markets import START, instrument, instruments, quote, store
from tests.helpers import small_run
from tests.helpers.cli import RunCommand

BAR = {"feed": int(Feed.BAR), "bar_ns": NS_PER_HOUR}
NAMES = ("binance:BTCUSDC", "binance:BTCUSDC-PERP", "binance:BTCUSDT", "binance:BTCUSDT-PERP", "binance:USDCUSDT")


@pytest.mark.parametrize("lacking_days", [0, 1, 2])
def test_a_leg_without_funding_is_named_with_the_days_it_lacks_it(tmp_path: Path, lacking_days: int) -> None:
    """Two days of a triangle; the USDC perp has a rate on none, the second or both days."""
    plan = load_registration(small_run.write_config(tmp_path))
    listed = instruments(
        *(
            instrument(
                name,
                Kind.PERP if name.endswith("PERP") else Kind.SPOT,
                quote="USDC" if "BTCUSDC" in name else "USDT",
                settle="USDC" if "BTCUSDC" in name else "USDT",
                **({"underlying": "FX", "base": "USDC"} if name == NAMES[-1] else {}),
                **BAR,
            )
            for name in NAMES
        )
    )
    rows = [
        quote(START + hour * NS_PER_HOUR, code, *((1.0, 1.0) if code == 4 else (100.0, 100.0)))
        for code in range(5)
        for hour in range(48)
    ]
    rates = [(3, 0), (3, 1), *((1, day) for day in range(lacking_days, 2))]
    rows += [
        {"channel": Channel.FUNDING, "t_ns": START + day * NS_PER_DAY, "code": code, "rate": 1e-4}
        for code, day in rates
    ]
    found = [text for text in input_gaps(store(tmp_path / "d", listed, rows), plan) if "no funding rate" in text]

    days = {0: [], 1: ["1 day"], 2: ["2 days"]}[lacking_days]
    assert found == [f"C2: binance:BTCUSDC-PERP: no funding rate ({n})" for n in days]


def test_the_check_of_a_data_set_names_what_its_plan_lacks(
    tmp_path: Path, tiny: small_run.Tiny, run_command: RunCommand
) -> None:
    """Of the whole market nothing lacks; the command ends with 0 and cover counts to the plan's last day."""
    done = run_command("data", "check", tiny.dataset.path)

    assert done.code == 0
    assert "no funding rate" not in done.out
    assert "which the plan names" not in done.out
    assert "before the plan ends" not in done.out


def test_without_lags_no_panel_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Instruments that no file holds are named all the same."""
    plan = load_registration(small_run.write_config(tmp_path))
    dataset = store(tmp_path / "d", instruments(instrument("binance:BTCUSDT")), [quote(START, 0, 1.0, 1.0)])
    with_panels = input_gaps(dataset, plan)
    monkeypatch.setattr("backtest.pipeline.input_gaps.registered_panels", None)

    without = input_gaps(dataset, plan, panels=False)
    assert without
    assert set(without) == {text for text in with_panels if "which the plan names, is not in the data set" in text}
