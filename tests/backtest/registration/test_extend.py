"""A plan that extends another is the other with what it says itself, and stands alone once loaded."""

from __future__ import annotations

import tomllib
from copy import deepcopy
from pathlib import Path

import pytest

from backtest.registration.extend import joined, taken_out, text_of
from backtest.registration.load import load_registration, words_of_another_market
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


def test_what_is_taken_out_is_not_joined(tmp_path: Path) -> None:
    """An entry by its name, a whole table; the plan that is extended stays as it is for others."""
    base = {"t": {"x": 1, "y": {"z": 2}}, "list": [{"name": "a", "v": 1}, {"name": "b", "v": 2}]}
    kept = deepcopy(base)

    assert taken_out(base, ["t.y", "list[a]"]) == {"t": {"x": 1}, "list": [{"name": "b", "v": 2}]}
    assert base == kept


@pytest.mark.parametrize("without", ['["underlyings[SOL]"]', '["data.nothing"]', '["]"]', '"underlyings"', "[1]"])
def test_what_the_other_plan_has_not_cannot_be_taken_out(tmp_path: Path, without: str) -> None:
    """A misspelt key would leave another market's coin in the plan without a word."""
    (tmp_path / "a.toml").write_text(f'extends = "{CONFIGS / "demo.toml"}"\nwithout = {without}\n')
    with pytest.raises(UsageError, match=r"a\.toml: without: expected"):
        load_registration(tmp_path / "a.toml")


def test_words_of_another_market_are_named(tmp_path: Path) -> None:
    """What a plan with its own data has not said; one with its own words, and one that changes numbers, has none."""
    plan = tmp_path / "a.toml"
    head = f'extends = "{CONFIGS / "demo.toml"}"\n'
    own = '[data]\nkind = "path"\npath = "set"\n'
    plan.write_text(head + own)
    assert words_of_another_market(plan) == [
        "title", "data.cannot_say", "choices[market]", "choices[grid]", "choices[reference price]"
    ]  # fmt: skip

    without = 'without = ["choices[market]", "choices[grid]"]\ntitle = "mine"\n'
    choice = '[[choices]]\nitem = "reference price"\nvalue = "v"\nreason = "r"\n'
    plan.write_text(f'{head}{without}{own}cannot_say = ["nothing yet"]\n{choice}')
    assert words_of_another_market(plan) == []
    plan.write_text(head + '[grid]\nstep_s = "60"\n')
    assert words_of_another_market(plan) == []


def test_a_plan_cannot_extend_itself(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text('extends = "b.toml"\n')
    (tmp_path / "b.toml").write_text('extends = "a.toml"\n')
    with pytest.raises(UsageError, match="another plan"):
        load_registration(tmp_path / "a.toml")
