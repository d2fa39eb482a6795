"""Scenario files: every one of the repository is read, and what is wrong is refused with its key and value."""

from __future__ import annotations

from pathlib import Path

import pytest

from backtest.simulation.registry import SCENARIO_KINDS, kind_of
from backtest.simulation.scenario import KINDS, DeficitLedger, load_scenario, read_scenario, table_of
from backtest.simulation.scenario_run import compute, run_scenario, with_options
from engine.errors import MissingError, UsageError
from tests.backtest.simulation import adl_files

ROOT = Path(__file__).resolve().parents[3]
FILES = sorted((ROOT / "configs" / "scenarios").glob("*.toml"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_scenario_is_read_and_named_as_its_file(path: Path) -> None:
    plan = load_scenario(path).plan

    assert plan.name == path.stem
    assert kind_of(plan.kind).name == plan.kind


def test_every_kind_has_a_table_and_a_computation() -> None:
    assert [kind.name for kind in SCENARIO_KINDS] == list(KINDS)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("seed = 7", "seed = 7\nspeed = 1", "speed: unknown key"),
        ('cap = "0.5"', 'cap = "1.5"', "adl_waves.cap: expected text of the form"),
        ("books = 2", "books = 2\nshelf = 1", "adl_waves.shelf: unknown key, allowed here: folder"),
        ("books = 2", "books = 0", "a whole number of at least 1, was 0"),
        ("seed = 7", "seed = -7", "was -7"),
        ('kind = "adl_waves"', 'kind = "deficit_ledger"', "expected the table [deficit_ledger] of its kind"),
        ('folder = "made-adl"', 'folder = "../made"', "was '../made'"),
        ("seed = 7", "seed = ", "made.toml: Invalid value"),
    ],
)
def test_what_is_wrong_is_refused_with_key_and_value(old: str, new: str, words: str) -> None:
    with pytest.raises(UsageError) as refused:
        read_scenario(adl_files.ADL.replace(old, new), "made.toml")

    assert words in str(refused.value)
    assert refused.value.exit_code == 2


def test_a_scenario_that_is_nowhere(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="expected a scenario at"):
        load_scenario(tmp_path / "none.toml")


def test_options_take_the_place_of_the_plan(tmp_path: Path) -> None:
    plan = read_scenario(adl_files.ADL, "x").plan

    assert with_options(plan, None, None) == plan
    assert with_options(plan, "deribit", 9).venue == "deribit"
    assert with_options(plan, None, 0).seed == 0
    with pytest.raises(MissingError, match=r"venue: expected one of .*deribit.*, was 'nowhere'"):
        compute(with_options(plan, "nowhere", None), tmp_path)


def test_the_table_of_a_kind_is_of_its_model() -> None:
    with pytest.raises(TypeError, match="expected a table DeficitLedger"):
        table_of(read_scenario(adl_files.ADL, "x").plan, DeficitLedger)


def test_nothing_is_left_of_what_is_refused(tmp_path: Path) -> None:
    config = tmp_path / "made.toml"
    config.write_text(adl_files.ADL)
    with pytest.raises(UsageError, match="give --data DIR"):
        run_scenario(config, tmp_path / "runs")
    with pytest.raises(MissingError, match=r"expected .*made-adl"):
        run_scenario(config, tmp_path / "runs", data_root=tmp_path)

    assert not (tmp_path / "runs").exists()
