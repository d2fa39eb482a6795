"""Both registered studies against the files they name: they load, what they trade is there, a short window runs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from backtest import seeds
from backtest.config import load_registration
from backtest.data.build import build
from backtest.data.dataset import Dataset, open_dataset
from backtest.records import Registration
from tests.tiny import make

ROOT = Path(__file__).resolve().parents[2]
pytestmark = [pytest.mark.real, pytest.mark.slow]


def traded(registration: Registration) -> set[str]:
    """The names of instruments that the plan trades or measures by."""
    names = {registration.params.fx}
    for market in registration.params.underlyings.values():
        names.add(market.reference)
        names.update(name for pair in market.cash_carry for name in (pair.perp, pair.spot))
        if market.four_corner:
            names.update((market.four_corner.dex_perp, market.four_corner.cex_perp, market.four_corner.spot))
        if market.curve:
            names.add(market.curve.perp)
    return names


@pytest.fixture(scope="module", params=["btc-2026q1", "carry-2022-2024"])
def study(
    request: pytest.FixtureRequest, real_data: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Registration, Dataset]:
    registration = load_registration(ROOT / "configs" / "studies" / f"{request.param}.toml")
    target = tmp_path_factory.mktemp(request.param) / "set"
    data = registration.data
    build(data.sources, real_data, target, data.name, registration.params.grid_ns, data.grid_from)
    return registration, open_dataset(target)


def test_what_a_study_trades_is_in_its_sources(study: tuple[Registration, Dataset]) -> None:
    """Every registered instrument is listed, and every underlying has days in each window."""
    registration, dataset = study

    assert sorted(traded(registration) - set(dataset.instruments.name)) == []
    for name in registration.params.underlyings:
        days = set(dataset.days(name))
        for plan in registration.windows:
            wanted = range(plan.t0_ns // (86_400 * 10**9), plan.t1_ns // (86_400 * 10**9))
            assert len(days & set(wanted)) >= 0.9 * len(wanted)


def test_no_study_claims_to_confirm(study: tuple[Registration, Dataset]) -> None:
    """Observed data, exploratory by construction, with what they cannot say."""
    registration, dataset = study

    assert (registration.synthetic, dataset.synthetic) == (False, False)
    assert registration.mode_allowed == "exploratory"
    assert registration.data.cannot_say


def test_a_short_window_of_the_btc_study_runs_end_to_end(real_data: Path, tmp_path: Path) -> None:
    """Ten folds of a day with a week of history: run directory, verdicts and report, not synthetic."""
    registration = load_registration(ROOT / "configs" / "studies" / "btc-2026q1.toml")
    text = registration.text
    start = next(line for line in text.splitlines() if line.startswith("start = "))
    end = next(line for line in text.splitlines() if line.startswith("end = "))
    history = next(line for line in text.splitlines() if line.startswith("history_start = "))
    fold = next(line for line in text.splitlines() if line.startswith("fold_d = "))
    text = text.replace(history, 'history_start = "2026-01-08T00:00:00Z"').replace(fold, 'fold_d = "1"')
    text = text.replace(start, 'start = "2026-01-15T00:00:00Z"').replace(end, 'end = "2026-01-25T00:00:00Z"')
    for name, value in (("expected_active_days", 5), ("expected_trades", 10)):
        expected = next(line for line in text.splitlines() if line.startswith(f"{name} = "))
        each = ", ".join(f"c{k} = {value}" for k in range(1, 8))
        text = text.replace(expected, f"{name} = {{ {each} }}")
    config = tmp_path / "short.toml"
    config.write_text(text)
    made = make(config, tmp_path / "runs", streams=seeds.load(ROOT / "seeds.lock"), data=real_data)
    verdicts = json.loads((made.folder / "verdicts.json").read_text())

    assert made.dataset.synthetic is False
    assert verdicts["window"]["days"] == 10
    assert verdicts["run"]["mode"] == "exploratory"
    assert "Synthetic market." not in (made.folder / "report.html").read_text()
    assert json.loads((made.folder / "funnel.json").read_text())["C4"]["examined"] > 0
