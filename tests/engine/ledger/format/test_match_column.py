"""What is said of a column at once, against each of its values asked alone, and written by the full serialiser."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.ledger.format import fields
from engine.ledger.format.canonical_json import MAX_INT, canonical
from engine.ledger.format.fields import Grammar, one_of, or_null
from engine.ledger.format.match_column import judge_of


class Text(str):
    """A text that is not of the type str."""


class Number(int):
    """A number that is not of the type int."""


GRAMMARS = [
    fields.COUNT, fields.TEXT, fields.DEC, fields.MONEY, fields.HEX, fields.UUID, fields.NAMED,
    or_null(fields.DEC), or_null(fields.HEX), one_of("quote", "series"),
]  # fmt: skip
HASH, NAME = "0123456789abcdef" * 4, "01234567-89ab-5cde-8f01-23456789abcd"
OTHER: list[Any] = [
    None, True, False, 0, 5, -1, MAX_INT, MAX_INT + 1, 10**5000, 1.5, Number(3), "", "0", "-0", "-0.5", "1.50", "00",
    "0.5", "+1", ".5", "5.", "1e3", "1" * 20, "1" * 21, "0." + "1" * 18, "0." + "1" * 19, "é", "\ud800", "\n", "1\n2",
    '1"\n"2', "quote", HASH, HASH.upper(), HASH[:-1], HASH[:-1] + "g", HASH[:-1] + "é", HASH[:-1] + "-", HASH + "0",
    HASH[:-1] + "\n",
    NAME, NAME.upper(), NAME.replace("-", "0"), NAME.replace("-", "_"), NAME[:-1], NAME[1:9] + NAME[0] + NAME[9:],
    Text(HASH), Text(NAME), Text("1"), [], {}, (), b"1", HASH.encode(),
]  # fmt: skip


def alike(one: Grammar, column: list[Any]) -> bool:
    """Return whether ``column`` is seen to hold; assert that each value does, and is written as by the serialiser."""
    try:
        found = judge_of(one)(column)
    except ValueError:
        return False
    if found is None:
        return False
    quote, texts = found
    assert all(one.holds(value) for value in column)
    assert [f"{quote}{text}{quote}".encode() for text in texts] == [canonical(value) for value in column]
    return True


@pytest.mark.parametrize("one", GRAMMARS, ids=lambda one: one.words)
@pytest.mark.parametrize("copies", [1, 40])
def test_a_value_among_ordinary_ones_is_judged_as_alone(one: Grammar, copies: int) -> None:
    """At every place, alone, among equal values and among different ones: no neighbour hides a fault."""
    ordinary = [value for value in OTHER if one.holds(value) and alike(one, [value])] * copies
    assert ordinary
    for value in OTHER:
        for at in {0, 1, len(ordinary) // 2, len(ordinary)}:
            assert alike(one, [*ordinary[:at], value, *ordinary[at:]]) <= bool(one.holds(value))


@given(st.lists(st.integers(0, 2**256 - 1), min_size=1), st.integers(0, 2**256 - 1), st.sampled_from('\n "-_gG0aé'))
def test_one_letter_of_a_hash_or_an_id(numbers: list[int], at: int, letter: str) -> None:
    """Columns of any length hold; with one letter changed they do where that letter may stand there, and only there."""
    for one, texts in (
        (fields.HEX, [f"{number:064x}" for number in numbers]),
        (fields.UUID, [str(UUID(int=number % 2**128)) for number in numbers]),
    ):
        assert alike(one, texts)
        text = texts[at % len(texts)]
        place = at % len(text)
        texts[at % len(texts)] = text[:place] + letter + text[place + 1 :]
        assert alike(one, texts) == bool(one.holds(texts[at % len(texts)]))


def test_an_id_shifted_into_its_neighbour_is_refused() -> None:
    """The lengths and the dashes of the whole add up, those of each value do not."""
    assert not alike(fields.UUID, [NAME[:-1], NAME + "d"])
    assert not alike(fields.UUID, [NAME[:8] + "0" + NAME[9:], NAME[:7] + "-" + NAME[8:]])
    assert not alike(fields.HEX, [HASH[:-1], HASH + "0"])
