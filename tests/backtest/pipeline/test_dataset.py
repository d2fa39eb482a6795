"""A kept data set holds the plan it was made for, and another plan finds another one."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from backtest.data.format.dataset import REGISTRATION_FILE
from backtest.pipeline import dataset
from backtest.pipeline.dataset import prepare_dataset
from backtest.registration.load import load_registration
from backtest.seeds import streams as seed_streams
from tests.leakage import small_study


def test_a_prepared_data_set_holds_its_registration(tmp_path: Path) -> None:
    """Listed in the manifest, byte for byte the plan's text, and it loads there to the same hash."""
    streams = seed_streams.load(small_study.ROOT / "seeds.lock")
    plan = small_study.registered(
        tmp_path, small_study.text(days="3", **dict.fromkeys([f"C{n}" for n in range(1, 8)], ""))
    )
    first = prepare_dataset(plan, None, streams, tmp_path / "runs", 1, None)

    assert first.read(REGISTRATION_FILE).decode() == plan.text
    assert load_registration(first.path / REGISTRATION_FILE).config_hash == plan.config_hash
    again = prepare_dataset(plan, None, streams, tmp_path / "runs", 1, None)
    assert again.path == first.path

    (tmp_path / "plan.toml").write_text(plan.text.replace('default_z = "2"', 'default_z = "3"'), encoding="utf-8")
    other = prepare_dataset(load_registration(tmp_path / "plan.toml"), None, streams, tmp_path / "runs", 1, None)
    assert other.path != first.path


def test_a_kept_data_set_is_not_found_again_by_other_code_of_the_data_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One comment more in an adapter makes a new data set: the old rows may come from other code."""
    copy = tmp_path / "checkout" / "backtest" / "data"
    shutil.copytree(small_study.ROOT / "backtest" / "data", copy, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(dataset, "ROOT", tmp_path / "checkout")
    streams = seed_streams.load(small_study.ROOT / "seeds.lock")
    plan = small_study.registered(
        tmp_path, small_study.text(days="3", **dict.fromkeys([f"C{n}" for n in range(1, 8)], ""))
    )
    before = prepare_dataset(plan, None, streams, tmp_path / "runs", 1, None)
    adapter = copy / "adapters" / "rows.py"
    adapter.write_text(adapter.read_text(encoding="utf-8") + "# more\n", encoding="utf-8")
    after = prepare_dataset(plan, None, streams, tmp_path / "runs", 1, None)

    assert before.path != after.path
    assert before.dataset_hash == after.dataset_hash
