"""Both registered studies against the files they name: they load, what they trade is there, a short window runs."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest

from backtest.pipeline.dataset import prepare_dataset
from backtest.records import Registration
from backtest.registration.load import load_registration
from backtest.seeds import streams
from engine.constraints.codes import CODES
from engine.units import NS_PER_DAY
from tests.helpers.small_run import make, toml

ROOT = Path(__file__).resolve().parents[2]
STUDIES = ROOT / "configs" / "studies"
pytestmark = [pytest.mark.real, pytest.mark.slow]


def traded(registration: Registration) -> set[str]:
    """The names of instruments that the plan trades or measures by."""
    names = set(registration.params.dollars.pairs)
    for market in registration.params.underlyings.values():
        names.add(market.reference)
        names.update(name for pair in market.cash_carry for name in (pair.perp, pair.spot))
        if market.four_corner:
            names.update((market.four_corner.dex_perp, market.four_corner.cex_perp, market.four_corner.spot))
        if market.curve:
            names.add(market.curve.perp)
    return names


def found(config: Path, real_data: Path, folder: Path) -> Registration:
    """Build the data set of a study over its windows, as `cme run` does, and check the plan against it: every
    registered instrument is listed, every underlying has days in each window, and the plan does not claim to confirm.
    """
    registration = load_registration(config)
    data, params = registration.data, registration.params
    dataset = prepare_dataset(registration, real_data, streams.load(ROOT / "seeds.lock"), folder, 1, None)

    assert sorted(traded(registration) - set(dataset.instruments.name)) == []
    for underlying in params.underlyings:
        days = set(dataset.days(underlying))
        for plan in registration.windows:
            wanted = range(plan.t0_ns // NS_PER_DAY, plan.t1_ns // NS_PER_DAY)
            assert len(days & set(wanted)) >= 0.9 * len(wanted)
    assert (registration.synthetic, dataset.synthetic) == (False, False)
    assert registration.mode_allowed == "exploratory"
    assert data.cannot_say
    return registration


def short(name: str, window: dict[str, str], folder: Path) -> Path:
    """Write the plan of a study with one window, of ten folds of a day, and return its path."""
    tree = tomllib.loads(load_registration(STUDIES / f"{name}.toml").text)
    tree["split"] |= {"fold_d": "1", "windows": [window]}
    for key, value in (("expected_active_days", 5), ("expected_trades", 10)):
        tree["power"][key] = {code.lower(): value for code in CODES}
    config = folder / "short.toml"
    config.write_text(toml(tree), encoding="utf-8")
    return config


def test_the_carry_study_finds_what_it_trades(real_data: Path, tmp_path: Path) -> None:
    """Twelve windows of observed data, exploratory by construction, with what they cannot say."""
    assert len(found(STUDIES / "carry-2022-2024.toml", real_data, tmp_path).windows) == 12


def test_the_btc_study_finds_what_it_trades_and_a_short_window_runs_end_to_end(real_data: Path, tmp_path: Path) -> None:
    """Ten days with a week of history: run directory, verdicts and report, not synthetic."""
    window = {"history_start": "2026-01-08T00:00:00Z", "start": "2026-01-15T00:00:00Z", "end": "2026-01-25T00:00:00Z"}
    config = short("btc-2026q1", window, tmp_path)
    found(config, real_data, tmp_path / "runs")
    made = make(config, tmp_path / "runs", streams=streams.load(ROOT / "seeds.lock"), data=real_data)
    verdicts = json.loads((made.folder / "verdicts.json").read_text())

    assert made.dataset.synthetic is False
    assert verdicts["window"]["days"] == 10
    assert verdicts["run"]["mode"] == "exploratory"
    assert "Synthetic market." not in (made.folder / "report.html").read_text()
    assert json.loads((made.folder / "funnel.json").read_text())["C4"]["examined"] > 0
