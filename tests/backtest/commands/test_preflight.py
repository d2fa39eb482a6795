"""`cme run CONFIG --plan` says what would run, its cost and what blocks it, and runs nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from backtest.commands.preflight import MEASURED, expected_cost
from tests.helpers.cli import RunCommand
from tests.helpers.small_run import Tiny, write_config

ROOT = Path(__file__).resolve().parents[3]


def test_a_plan_without_data_shows_spans_tasks_and_each_check_that_blocks(
    run_command: RunCommand, tmp_path: Path
) -> None:
    done = run_command("run", write_config(tmp_path), "--plan", "--json", "--out", tmp_path / "runs")
    assert done.code == 0, done.err
    plan = json.loads(done.out)
    assert [(w["days"], w["history_days"], w["folds"], w["grid_times"]) for w in plan["windows"]] == [
        (10, 18, 10, 28 * 48)
    ]
    assert plan["tasks"] == {"curve_studies": 1, "replay_segments": 2}
    assert (plan["data"]["there"], plan["expected"], plan["mode"]) == (False, None, "exploratory")
    assert plan["confirmatory"]["exit"] == 3
    assert {one["code"] for one in plan["confirmatory"]["blocking"]} >= {3, 20, 21, 26}
    assert not (tmp_path / "runs").exists()


def test_a_finished_run_and_its_data_are_found(run_command: RunCommand, tiny: Tiny) -> None:
    done = run_command("run", tiny.config, "--plan", "--json", "--out", tiny.folder.parent)
    plan = json.loads(done.out)
    assert plan["cached"] == {"data": True, "parts": 0, "finished": [tiny.folder.name]}
    assert plan["data"]["dataset_hash"] == tiny.dataset.dataset_hash
    assert plan["data"]["rows"] == sum(entry.rows or 0 for path, entry in tiny.dataset.files.items() if "/" in path)
    text = run_command("run", tiny.config, "--plan", "--out", tiny.folder.parent).out
    assert tiny.folder.name in text
    assert "a confirmatory run would end with 3" in text


def test_a_plan_without_dates_says_so_and_is_not_refused(run_command: RunCommand, tmp_path: Path) -> None:
    registered = ROOT / "configs" / "prereg" / "288615" / "registration.toml"
    done = run_command("run", registered, "--plan", "--out", tmp_path / "runs")
    assert done.code == 0, done.err
    assert "recording_start + 90 d to recording_start + 180 d" in done.out
    assert "dates     26" in done.out


@pytest.mark.parametrize(
    ("rows", "cpu_s", "memory_mib"), [(int(MEASURED[1][0]), 51, 1052), (1_026_400_000, 1036, 8176)]
)
def test_cost_is_that_of_a_measured_run_and_in_proportion_beyond(rows: int, cpu_s: int, memory_mib: int) -> None:
    found = expected_cost(rows, 8)
    assert (found["cpu_s"], found["memory_mib"], found["wall_s"]) == (cpu_s, memory_mib, round(cpu_s / 2))
