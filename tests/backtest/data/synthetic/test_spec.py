"""A specification is read whole or refused with file and key."""

from __future__ import annotations

import pytest

from backtest.data.synthetic.fields import SpecError
from backtest.data.synthetic.spec import read_spec, streams
from backtest.seeds.streams import load
from tests.helpers.synthetic_market import ROOT, demo_table


def changed(path: str, value):
    table = demo_table()
    *parents, key = path.split(".")
    at = table
    for name in parents:
        at = at[name]
    at[key] = value
    return table


def test_the_demonstration_s_table_is_read():
    """Decimals, integers and nested tables arrive as written."""
    spec = read_spec(demo_table(), "demo.toml")
    assert (spec.days, spec.steps_a_day, spec.points) == (180, 288, 180 * 288 + 1)
    assert spec.underlyings["BTC"].strike_step == 2500.0
    assert spec.plants.constraints["C1"].life_s == (3600, 14400)


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("days", 1, "days: expected at least 2, was 1"),
        ("days", "180", "days: expected a whole number without quotes, was '180'"),
        ("days", True, "days: expected a whole number without quotes, was True"),
        ("start", "5 January", "start: expected a date YYYY-MM-DD, was '5 January'"),
        ("grid_s", 7, "grid_s: expected a divisor of 3600, was 7"),
        ("extra", 1, "extra: unknown key, allowed here: start, days, grid_s"),
        ("underlyings.BTC.extra", 1, "underlyings.BTC.extra: unknown key, allowed here: spot_usd, vol"),
        (
            "underlyings.BTC.vol",
            0.55,
            'underlyings.BTC.vol: expected a decimal written as a string, such as "0.05", was 0.',
        ),
        ("underlyings.BTC.vol", "1e999", "underlyings.BTC.vol: expected a decimal written as a string"),
        ("underlyings.BTC.vol", True, "underlyings.BTC.vol: expected a decimal written as a string"),
        ("underlyings.BTC.option_tick", "0.0003", "option_tick: expected one over an integer, was '0.0003'"),
        ("underlyings.BTC.option_tick", "1e-320", "option_tick: expected one over an integer, was '1e-320'"),
        ("underlyings", {}, "underlyings: expected at least one, was {}"),
        ("chains.strikes", 8, "chains.strikes: expected an odd number, was 8"),
        ("chains.strikes", 1, "chains.strikes: expected at least 3, was 1"),
        ("chains.option_weekly", 99, "chains.option_weekly: expected at most future_weekly, was 99"),
        ("quotes.lag_ms", 0, "quotes.lag_ms: expected from 1 to less than the grid step, was 0"),
        ("quotes.late_share", "1", "quotes.late_share: expected a share in [0, 1), was '1'"),
        ("smile.low_weight", "0", "smile.low_weight: expected a weight in (0, 1), was '0'"),
        (
            "plants.constraints.C1.net_bps",
            ["8"],
            "C1.net_bps: expected 2 values, from and to, was ['8']",
        ),
        ("plants.constraints.C1.life_s", [1, "2"], "C1.life_s[1]: expected a whole number without quotes, was '2'"),
        ("plants.constraints.C1.tradable", 1, "plants.constraints.C1.tradable: expected true or false, was 1"),
        ("plants.constraints.C0", {}, "plants.constraints.C0.count: expected this key, was missing"),
        ("plants.near_share", "1.5", "plants.near_share: expected a share in [0, 1], was '1.5'"),
        ("costs.life_h", {"C1": "2"}, "costs.life_h: expected all of C1, C2, C3, C4, C5, C6, C7, was ['C1']"),
        ("smile", 3, "smile: expected a table, was 3"),
    ],
)
def test_a_wrong_value_is_refused_by_name(path, value, message):
    """The message holds the file, the table, the key, what was expected and what was found."""
    with pytest.raises(SpecError) as refused:
        read_spec(changed(path, value), "demo.toml")
    assert str(refused.value).startswith("demo.toml: data.synthetic.")
    assert message in str(refused.value)


def test_a_missing_key_is_refused_by_name():
    """No field has a default."""
    table = demo_table()
    del table["quotes"]["lag_ms"]
    with pytest.raises(SpecError, match=r"demo\.toml: data\.synthetic\.quotes\.lag_ms: expected this key, was missing"):
        read_spec(table, "demo.toml")


def test_every_wrong_key_is_named_at_once_and_a_table_is_asked_for():
    """Two keys in one message; a thing that is no table is named by the table's own name."""
    table = demo_table(days="1", grid_s="2")
    with pytest.raises(SpecError, match=r"data\.synthetic\.days: .*; data\.synthetic\.grid_s: "):
        read_spec(table, "demo.toml")
    with pytest.raises(SpecError, match=r"^demo\.toml: data\.synthetic: expected a table, was \[\]$"):
        read_spec([], "demo.toml")


def test_every_stream_of_the_demonstration_is_listed_in_the_lock():
    """With as many replicates as it has days."""
    seeds = load(ROOT / "seeds.lock")
    for name, replicates in streams(read_spec(demo_table(), "demo.toml")):
        assert seeds.replicates[name] >= replicates
