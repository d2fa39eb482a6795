"""Tables that people write: read whole, or every key that cannot be accepted named."""

from __future__ import annotations

import tomllib

import pytest
from pydantic import Field

from backtest.toml_tables import Table, TableError, read_table


class Leg(Table):
    symbol: str
    ratio: int = Field(alias="of")


class Basket(Table):
    name: str
    legs: list[Leg]
    by_venue: dict[str, Leg]
    spare: Leg | None = None


GOOD = 'name = "a"\nlegs = [{symbol = "x", of = 1}]\n[by_venue.okx]\nsymbol = "y"\nof = 2\n'


def test_a_table_is_read_as_written():
    """Members of arrays and of tables of tables arrive as models."""
    basket = read_table(Basket, tomllib.loads(GOOD))
    assert (basket.name, basket.legs[0].ratio, basket.by_venue["okx"].symbol) == ("a", 1, "y")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('name = "a"', "", "top.name: expected this key, was missing"),
        (", of = 1", "", "top.legs[0].of: expected this key, was missing"),
        ("of = 1", "of = 1, size = 2", "top.legs[0].size: unknown key, allowed here: symbol, of"),
        ("of = 2", "of = 2\nsize = 2", "top.by_venue.okx.size: unknown key, allowed here: symbol, of"),
        ('name = "a"', 'name = "a"\nspare = {x = 1}', "top.spare.x: unknown key, allowed here: symbol, of"),
        ('name = "a"', 'name = "a"\nother = 1', "top.other: unknown key, allowed here: name, legs, by_venue, spare"),
        ("of = 2", 'of = "2"', "top.by_venue.okx.of: expected a whole number without quotes, was '2'"),
        ('name = "a"', "name = 1.0", "top.name: expected text in quotes, was 1.0"),
    ],
)
def test_each_key_is_named_where_it_stands(old, new, message):
    """Place, what was expected and what was found, for members of arrays and of tables of tables too."""
    with pytest.raises(TableError) as refused:
        read_table(Basket, tomllib.loads(GOOD.replace(old, new)), "top")
    assert message in str(refused.value)


def test_a_long_list_of_faults_is_cut_and_counted():
    """Eight are named, the rest are counted."""
    with pytest.raises(TableError) as refused:
        read_table(Basket, {f"key{n}": n for n in range(20)})
    assert str(refused.value).count("; ") == 8
    assert str(refused.value).endswith("; and 15 more")
