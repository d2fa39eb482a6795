"""A kept data set holds the plan it was made for, and another plan finds another one."""

from __future__ import annotations

from pathlib import Path

from backtest.data.format.dataset import REGISTRATION_FILE
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
    dataset = prepare_dataset(plan, None, streams, tmp_path / "runs", 1, None)

    assert dataset.read(REGISTRATION_FILE).decode() == plan.text
    assert load_registration(dataset.path / REGISTRATION_FILE).config_hash == plan.config_hash
    again = prepare_dataset(plan, None, streams, tmp_path / "runs", 1, None)
    assert again.path == dataset.path

    (tmp_path / "plan.toml").write_text(plan.text.replace('default_z = "2"', 'default_z = "3"'), encoding="utf-8")
    other = prepare_dataset(load_registration(tmp_path / "plan.toml"), None, streams, tmp_path / "runs", 1, None)
    assert other.path != dataset.path
