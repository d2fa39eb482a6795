"""A specification is read whole or refused with file and key."""

from __future__ import annotations

import pytest

from backtest.data.synthetic.spec import read_spec, streams
from backtest.data.synthetic.tables import SpecError
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
        ("days", 1, "demo.toml.days: expected at least 2"),
        ("days", "180", "demo.toml.days: expected int, was '180'"),
        ("start", "5 January", "demo.toml.start: expected a date"),
        ("grid_s", 7, "demo.toml.grid_s: expected a divisor of 3600"),
        ("extra", 1, "unknown key 'extra'; allowed are start, days"),
        ("underlyings.BTC.vol", 0.55, "demo.toml.underlyings.BTC.vol: expected a decimal written as a string"),
        ("underlyings.BTC.option_tick", "0.0003", "underlyings.BTC.option_tick: expected one over an integer"),
        ("plants.constraints.C1.net_bps", ["8"], "plants.constraints.C1.net_bps: expected 2 values"),
        ("plants.constraints.C1.tradable", 1, "plants.constraints.C1.tradable: expected bool, was 1"),
        ("plants.near_share", "1.5", "plants.near_share: expected a share in [0, 1]"),
        ("smile", 3, "demo.toml.smile: expected a table, was 3"),
    ],
)
def test_a_wrong_value_is_refused_by_name(path, value, message):
    """The message holds the place, what was expected and what was found."""
    with pytest.raises(SpecError) as refused:
        read_spec(changed(path, value), "demo.toml")
    assert message in str(refused.value)


def test_a_missing_key_is_refused_by_name():
    """No field has a default."""
    table = demo_table()
    del table["quotes"]["lag_ms"]
    with pytest.raises(SpecError, match=r"demo\.toml\.quotes: missing key 'lag_ms'"):
        read_spec(table, "demo.toml")


def test_every_stream_of_the_demonstration_is_listed_in_the_lock():
    """With as many replicates as it has days."""
    seeds = load(ROOT / "seeds.lock")
    for name, replicates in streams(read_spec(demo_table(), "demo.toml")):
        assert seeds.replicates[name] >= replicates
