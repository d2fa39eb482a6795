"""A plan that extends another is the other with what it says itself, and stands alone once loaded."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from backtest.registration.extend import joined, text_of
from backtest.registration.load import load_registration
from engine.errors import UsageError

CONFIGS = Path(__file__).resolve().parents[3] / "configs"


def test_tables_are_joined_named_entries_replaced_and_arrays_taken_whole() -> None:
    base = {"a": 1, "t": {"x": 1, "y": {"z": [1, 2]}}, "choices": [{"item": "g", "v": "1"}, {"item": "h", "v": "2"}]}
    own = {"t": {"y": {"z": [3]}, "w": 4}, "choices": [{"item": "h", "v": "3"}, {"item": "i", "v": "4"}]}

    assert joined(base, own) == {
        "a": 1,
        "t": {"x": 1, "y": {"z": [3]}, "w": 4},
        "choices": [{"item": "g", "v": "1"}, {"item": "h", "v": "3"}, {"item": "i", "v": "4"}],
    }


@pytest.mark.parametrize("name", ["demo.toml", "scale/full.toml", "studies/btc-2026q1.toml"])
def test_the_text_of_a_tree_reads_back_as_the_tree(name: str) -> None:
    """Python's own reader is the judge: every table of every kind of plan we have."""
    tree = tomllib.loads((CONFIGS / name).read_text())
    assert tomllib.loads(text_of(tree)) == tree


def test_hostile_texts_survive_the_round_trip() -> None:
    tree = {
        "a b": '"""\\ \x7f \t é 😀',
        "t": {'"': [{"k": "]"}], "[x]": {"#": "="}},
        "n": [],
        "b": [True, False],
        "i": -3,
    }
    assert tomllib.loads(text_of(tree)) == tree


def test_a_loaded_extension_stands_alone_with_the_same_hash(tmp_path: Path) -> None:
    plan = load_registration(CONFIGS / "scale" / "eighth.toml")  # which extends a plan that extends a plan
    alone = tmp_path / "alone.toml"
    alone.write_text(plan.text)
    again = load_registration(alone)

    assert again.config_hash == plan.config_hash
    assert again.text == plan.text
    assert (plan.study, plan.params.grid_ns, plan.params.capital_usd) == ("eighth", 60 * 10**9, 1_000_000)


def test_what_an_extension_does_not_say_is_the_others() -> None:
    """The negative control differs from the demonstration in what it plants and in what it is called, nowhere else."""
    demo, control = (load_registration(CONFIGS / name).content for name in ("demo.toml", "unplanted.toml"))
    assert {key for key in demo if demo[key] != control[key]} == {"study", "title", "data"}


def test_a_plan_cannot_extend_itself(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text('extends = "b.toml"\n')
    (tmp_path / "b.toml").write_text('extends = "a.toml"\n')
    with pytest.raises(UsageError, match="another plan"):
        load_registration(tmp_path / "a.toml")
