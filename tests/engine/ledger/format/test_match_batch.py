"""What columns show of a batch, against the tables and the full serialiser: what is taken that way, they take too."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from random import Random
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.ledger.chain import FEW, TOGETHER, append, in_order, open_ledger
from engine.ledger.format.canonical_json import MAX_INT, canonical, decimal_text
from engine.ledger.format.closed_tables import RecordShape
from engine.ledger.format.fields import is_money
from engine.ledger.format.match_batch import known_contents
from engine.ledger.format.schemas import EXIT_REASONS, INPUTS, RESOLUTION, RESULT, check_content, net_pnl
from tests.helpers.ledgers import genesis, resolution, signal


class Text(str):
    """A text that is not of the type str."""


def of_each_kind() -> dict[str, Any]:
    """Return a signal that read two quotes, one with gaps, a series and a scalar."""
    content = signal(0)
    first = content["provenance"]["inputs"][0]
    named = {key: first[key] for key in ("venue", "instrument")}
    when, name = first["ts_us"], "5" * 64
    content["provenance"]["inputs"] = [
        {**first, "role": "p"},
        {**named, "kind": "series", "role": "q", "from_us": 0, "to_us": when, "count": 9, "series_hash": name},
        {**first, "role": "r", "bid": None, "ask_size": None},
        {**named, "kind": "scalar", "role": "s", "ts_us": when, "value": "-0.5", "unit": "1/h", "snapshot_hash": name},
    ]
    return content


LATER = resolution(signal(2), "b" * 64, 1, "a" * 64)
BATCHES: dict[str, list[dict[str, Any]]] = {
    "signal": [signal(1), of_each_kind(), signal(2, ev_usd="-0.000001"), signal(3)],
    "resolution": [resolution(signal(1), "b" * 64), {**LATER, "return_bps": None}, LATER],
}
OTHER: list[Any] = [
    None, True, False, 0, 1, -1, MAX_INT, MAX_INT + 1, 1.0, float("nan"), "", "0", "-0", "1.50", "1e3", "é", "e\u0301",
    "\ud800", "\n", "a\nb", 'a"\n"b', '"', "\\", "x" * 65, "x" * 1025, "a" * 64, "A" * 64, "0.0000001", [], {}, (),
    [[]], b"x", Text("0"), Text("a" * 64), "quote", "series", "void", "signal/1",
]  # fmt: skip

WORDS = ["prov/1", "resolution/1", "quote", "scalar", "series", *sorted(EXIT_REASONS)]


def known(kind: str, batch: list[Any]) -> bool:
    """Return whether the columns show ``batch`` to hold; assert that the tables agree, and the full serialiser."""
    found = known_contents(kind, batch)
    if found is None:
        return False
    for content in batch:
        check_content(kind, content)
    assert [canonical(content) for content in batch] == found
    return True


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yield every container in ``value`` with each of its keys."""
    for key, item in value.items() if isinstance(value, dict) else enumerate(value):
        yield value, key
        if isinstance(item, dict | list):
            yield from places(item)


@pytest.mark.parametrize("kind", BATCHES)
def test_ordinary_batches_are_seen_to_hold(kind: str) -> None:
    batch = BATCHES[kind]

    assert known(kind, batch)
    assert known(kind, batch[::-1] * 3)
    assert known(kind, batch[:1])
    assert not known(kind, [])


@pytest.mark.parametrize("kind", BATCHES)
def test_whatever_is_put_in_any_place_is_judged_as_by_the_tables(kind: str) -> None:
    """[audit 2, 4]"""
    taken = 0
    for at in (0, 1):
        for place in range(len(list(places(BATCHES[kind][at])))):
            for other in OTHER:
                batch = copy.deepcopy(BATCHES[kind])
                container, key = list(places(batch[at]))[place]
                container[key] = other
                taken += known(kind, batch)
    assert taken > 30  # a name, a hash, a null put where one may be: the comparison was made


@pytest.mark.parametrize("kind", BATCHES)
def test_a_field_more_or_fewer_or_elsewhere_is_judged_as_by_the_tables(kind: str) -> None:
    for at in (0, 1):
        for place in range(len(list(places(BATCHES[kind][at])))):
            for change in ("drop", "add", "repeat"):
                batch = copy.deepcopy(BATCHES[kind])
                container, key = list(places(batch[at]))[place]
                if change == "drop":
                    del container[key]
                elif isinstance(container, list):
                    container.insert(0, container[-1] if change == "repeat" else 1)
                else:
                    container["note"] = container[key]
                known(kind, batch)


@pytest.mark.parametrize("content", [3, "x", None, [], b"", {1: 2}, {"provenance": 1}])
@pytest.mark.parametrize("kind", BATCHES)
def test_what_is_no_record_is_left_to_the_tables(kind: str, content: Any) -> None:
    assert known_contents(kind, [*BATCHES[kind], content]) is None
    assert known_contents(kind, [content]) is None


def test_other_kinds_are_left_to_the_tables() -> None:
    assert known_contents("genesis", [genesis()]) is None


def filled(shape: RecordShape, rng: Random) -> dict[str, Any]:
    """Return a record of ``shape``; in a third of them one field may hold anything."""
    bits = rng.getrandbits
    values = [
        *OTHER, *WORDS, bits(50), f"{bits(256):064x}", str(UUID(int=bits(128))), f"n-{bits(40):x}",
        decimal_text(rng.random() * 10 ** rng.randint(-9, 18), 18),
        decimal_text(-rng.random() * 1e6, rng.randint(0, 6)),
    ]  # fmt: skip
    record = {key: rng.choice([value for value in values if one.holds(value)]) for key, one in shape.items()}
    if rng.random() < 1 / 3:
        record[rng.choice(sorted(shape))] = rng.choice(values)
    return record


@settings(deadline=None, max_examples=400)
@given(st.randoms(use_true_random=True))
def test_drawn_signals_are_judged_as_by_the_tables(rng: Random) -> None:
    content = signal(0)
    kinds = rng.choices(sorted(INPUTS), k=rng.randint(0, 4))
    inputs = [filled(INPUTS[kind], rng) | {"kind": kind} for kind in kinds]
    if rng.random() < 0.8:
        inputs.sort(key=lambda one: [str(one[key]) for key in ("role", "venue", "instrument")])
        for one in inputs:
            one |= {key: rng.getrandbits(50) for key in one if key.endswith("_us")}
    content["provenance"].update(inputs=inputs, as_of_us=rng.choice([2**52, 2**52, 1, MAX_INT]))
    content["result"] = filled(RESULT, rng)

    known("signal", [signal(1), content])


@settings(deadline=None, max_examples=400)
@given(st.randoms(use_true_random=True))
def test_drawn_resolutions_are_judged_as_by_the_tables(rng: Random) -> None:
    content = filled(RESOLUTION, rng)
    if rng.random() < 0.7:
        content |= {key: LATER[key] for key in ("entry_us", "exit_us", "revision", "supersedes")}
    if all(is_money(content[key]) for key in RESOLUTION if key.endswith("_usd")):
        content["net_pnl_usd"] = decimal_text(net_pnl(content))

    known("resolution", [LATER, content])


@pytest.mark.parametrize("beyond", ["1/h", "µ"])
def test_one_record_beyond_the_columns_changes_no_byte(beyond: str) -> None:
    """Long batches, short ones and single records give the same lines, whichever way each was judged.  [audit 5]"""
    contents = [of_each_kind(), *(signal(n) for n in range(1, FEW + 1))]
    contents[0]["provenance"]["inputs"][3]["unit"] = beyond
    head, _ = open_ledger(genesis())

    together = append(head, "signal", contents)
    one_by_one = [append(head, "signal", [content]).entries[0] for content in contents]

    assert {(entry.id, entry.content_hash) for entry in together.entries} == {
        (entry.id, entry.content_hash) for entry in one_by_one
    }
    assert [canonical(item.content) for item in in_order("signal", contents)] == [
        item.data for item in in_order("signal", contents)
    ]


def test_a_batch_longer_than_what_is_written_together_is_the_same_records() -> None:
    contents = [{**resolution(signal(0), "b" * 64), "exit_us": MAX_INT - n} for n in range(TOGETHER + FEW + 2)]

    items = in_order("resolution", contents)

    assert [item.content["exit_us"] for item in items] == sorted(one["exit_us"] for one in contents)
    assert [canonical(item.content) for item in items] == [item.data for item in items]
