"""A plan whose window the record has yet to set: what needs its dates is refused with 26, all else works.  [L0.1]"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.helpers.cli import RunCommand, refused
from tests.helpers.small_run import write_config

ROOT = Path(__file__).resolve().parents[1]
PREREG = ROOT / "configs" / "prereg" / "288615" / "registration.toml"
SAYS = ("expected dates in split.windows", "from day 90 to day 180", "the record sets the dates", "cme power")
WINDOW = {"history_start": "recording_start", "start": "recording_start + 18 d", "end": "recording_start + 28 d"}


@pytest.mark.parametrize("mode", ["--confirmatory", "--exploratory"])
def test_no_run_of_a_plan_without_dates_starts(run_command: RunCommand, tmp_path: Path, mode: str) -> None:
    """Before a journal, a data set or a look is begun."""
    refused(run_command("run", PREREG, "--out", tmp_path / "runs", mode), 26, *SAYS)
    assert not (tmp_path / "runs").exists()


def test_no_freeze_of_a_plan_without_dates_is_written(run_command: RunCommand, tmp_path: Path) -> None:
    """The default plan of `cme freeze` is the registered one."""
    refused(run_command("freeze", "--out", tmp_path / "runs"), 26, *SAYS)
    refused(run_command("freeze", "--seal-data"), 26, *SAYS)
    assert not (PREREG.parent / "freeze.json").exists()


def test_no_data_set_of_a_plan_without_dates_is_built(run_command: RunCommand, tmp_path: Path) -> None:
    """Which days to read is what the dates say."""
    source = {"adapter": "candles_csv", "path": "*.csv", "licence": "x", "reason": "x", "options": {}}
    changes = {"split.windows": [WINDOW], "synthetic": False, "data.kind": "sources", "data.sources": [source]}
    config = write_config(tmp_path, {**changes, "data.synthetic": {}})
    refused(
        run_command("data", "build", config, "--data", tmp_path, "--out", tmp_path / "set"),
        26,
        "the record sets the dates",
    )
    assert not (tmp_path / "set").exists()


def test_the_power_of_a_plan_without_dates_is_shown(run_command: RunCommand) -> None:
    """It depends on the length of the window alone; the plan acknowledges it."""
    done = run_command("power", PREREG)
    assert done.code == 0, done.err
    assert "the plan acknowledges it" in done.out
