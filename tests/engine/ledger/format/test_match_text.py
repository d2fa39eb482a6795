"""What a row's text alone shows, against parsing it: what is taken that way, `check_row` takes, with equal fields."""

from __future__ import annotations

import copy
import json
import re
from io import BytesIO
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import LedgerError
from engine.ledger.chain import append, open_ledger, row_hash
from engine.ledger.format import fields
from engine.ledger.format.canonical_json import canonical, parse_any_spelling
from engine.ledger.format.fields import Grammar
from engine.ledger.format.ids import derived_ids
from engine.ledger.format.match_text import canonical_form, known_content, known_row
from engine.ledger.format.schemas import check_row
from engine.ledger.verification import walk
from engine.ledger.verification.verify import Report, verify_ledger
from engine.ledger.verification.walk import parsed
from tests.helpers.ledgers import genesis, resolution, signal

GRAMMARS = [fields.COUNT, fields.TEXT, fields.DEC, fields.MONEY, fields.HEX, fields.UUID, fields.NAMED]
OTHER = [bytes([code]) for code in b'019afzAZ"\\{}[],:.-+/ _\x00\x7f\xc3'] + [b"", b"\xc3\xa9", b"00", b'","', b"},{"]


def of_each_kind() -> dict[str, Any]:
    """Return a signal that read a quote, a quote with gaps, a series and a scalar."""
    content = copy.deepcopy(signal(0))
    first = content["provenance"]["inputs"][0]
    named = {key: first[key] for key in ("role", "venue", "instrument")}
    when, name = first["ts_us"], "5" * 64
    content["provenance"]["inputs"] = [
        first,
        {**first, "role": "q", "bid": None, "bid_size": None},
        {**named, "kind": "series", "role": "r", "from_us": 0, "to_us": when, "count": 9, "series_hash": name},
        {**named, "kind": "scalar", "role": "s", "ts_us": when, "value": "-0.5", "unit": "1/h", "snapshot_hash": name},
    ]
    content["provenance"]["inputs"].sort(key=lambda item: item["role"])
    content.update(derived_ids("signal", content))
    return content


def rows() -> list[bytes]:
    """Return CJ(row) of signals and of resolutions, a later revision among them."""
    head, _ = open_ledger(genesis())
    contents = [signal(1), of_each_kind()]
    emit = append(head, "signal", contents)
    name = emit.entries[0].row_hash
    outcomes = [resolution(signal(1), name), resolution(signal(1), name, 1, "a" * 64)]
    outcomes[1]["return_bps"] = None
    start, _ = open_ledger(genesis(ledger_kind="resolution", emit_ledger_id=head.ledger_id))
    return [entry.row for done in (emit, append(start, "resolution", outcomes)) for entry in done.entries]


def plain(row: bytes) -> dict[str, Any]:
    value: dict[str, Any] = parsed(row)
    check_row(value)
    return value


def same(row: bytes) -> bool:
    """Return whether the text alone shows ``row`` to hold; assert that parsing agrees, in every field there is."""
    found = known_row(row)
    if found is None:
        return False
    expected = plain(row)
    held = found.pop("content")
    assert found == {key: expected[key] for key in found}
    assert held == {key: expected["content"][key] for key in held}
    return True


def test_every_ordinary_row_is_seen_to_hold_without_parsing() -> None:
    assert [same(row) for row in rows()] == [True] * 4


@pytest.mark.parametrize("at", range(4))
def test_whatever_is_changed_at_any_byte_is_judged_as_by_parsing(at: int) -> None:
    """[audit 8.1]"""
    row, taken = rows()[at], 0
    for place in range(len(row)):
        for other in OTHER:
            taken += same(row[:place] + other + row[place + 1 :]) + same(row[:place] + other + row[place:])
    assert taken > len(row) / 2  # changed digits and letters often hold: the comparison was made


@pytest.mark.parametrize("at", range(4))
def test_whatever_is_seen_to_be_canonical_is_what_the_serialiser_writes(at: int) -> None:
    """Any byte replaced, put in or left out, fields swapped and repeated.  [audit 2.1]"""
    row, taken = rows()[at], 0
    assert canonical_form(row)
    cuts = [found.start() for found in re.finditer(b"[,{}\\]]", row)]
    changed = [
        row[:one] + row[two:three] + row[one:two] + row[three:]
        for one, two, three in zip(cuts, cuts[1:], cuts[2:], strict=False)
    ]
    changed += [row[:two] + row[one:two] + row[two:] for one, two in pairwise(cuts)]
    for place in range(len(row)):
        for other in (b"", b"0", b"9", b"-", b"z", b'"', b"\\", b",", b" ", b"{", b"}", b"\x7f", b"\n", b"\xc3\xa9"):
            changed += (row[:place] + other + row[place + 1 :], row[:place] + other + row[place:])
    for other in filter(canonical_form, changed):
        taken += 1
        assert canonical(parse_any_spelling(other)) == other
    assert taken > len(row)  # texts may say anything: the comparison was made


@pytest.mark.parametrize("at", range(4))
def test_swapped_and_repeated_fields_are_judged_as_by_parsing(at: int) -> None:
    row, taken = rows()[at], 0
    cuts = [found.start() for found in re.finditer(b'[,{]"', row)]
    for one, two, three in zip(cuts, cuts[1:], cuts[2:], strict=False):
        for changed in (
            row[:one] + row[two:three] + row[one:two] + row[three:],
            row[:two] + row[one:two] + row[two:],
            row[:one] + row[two:],
        ):
            taken += same(changed)
    assert taken <= 3  # parameters are open: a row without one of its three holds


@pytest.mark.parametrize(("one", "other"), [(b"quote", b"series"), (b"scalar", b"quote"), (b"series", b"scalar")])
def test_an_input_with_the_fields_of_one_kind_and_the_name_of_another_is_refused(one: bytes, other: bytes) -> None:
    row = next(row for row in rows() if b'"kind":"%b"' % one in row)
    changed = row.replace(b'"kind":"%b"' % one, b'"kind":"%b"' % other, 1)
    assert changed != row
    assert known_row(changed) is None
    with pytest.raises(LedgerError, match="expected exactly the fields"):
        plain(changed)


def test_reports_are_the_same_whether_texts_or_values_are_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each changed row is hashed anew, so that the walk comes to it.  [audit 8.1]"""
    head, first = open_ledger(genesis())
    entry = append(head, "signal", [of_each_kind()]).entries[0]
    files = []
    for place in range(0, len(entry.row), 3):
        for other in (b"0", b"b", b'"', b""):
            row = entry.row[:place] + other + entry.row[place + 1 :]
            files.append(first + b'{"row":%b,"row_hash":"%b"}\n' % (row, row_hash(row).encode()))

    def reports() -> list[Report]:
        return [verify_ledger(BytesIO(data)).report for data in files]

    found = reports()
    monkeypatch.setattr(walk, "known_row", lambda data: None)
    assert found == reports()
    assert {report.exit for report in found} >= {0, 10, 12, 13}


@pytest.mark.parametrize("one", GRAMMARS, ids=lambda one: one.words[:20])
@given(value=st.data())
def test_a_form_matches_nothing_its_test_refuses(one: Grammar, value: st.DataObject) -> None:
    text = value.draw(st.from_regex(one.form, fullmatch=True))
    held = json.loads(text)
    assert one.holds(held)
    assert canonical(held) == text.encode()


@pytest.mark.parametrize(
    ("one", "texts"),
    [
        (fields.COUNT, ["-1", "01", "-0", "1.0", "1e3", "9007199254740992", "10000000000000000", "true", '"1"']),
        (
            fields.DEC,
            ['"-0"', '"0.0"', '"1.10"', '"01"', '"+1"', '".5"', '"1."', '"1e3"', '"0.%s1"' % ("0" * 18), "1"],
        ),
        (fields.MONEY, ['"-0"', '"0.0000001"', '"1.0"', '"-0.0"', "null"]),
        (fields.TEXT, ['"%s"' % ("x" * 1025), '"\t"', '"\\n"', '"a"b"', '"\x7f"']),
        (fields.HEX, ['"%s"' % ("a" * 63), '"%s"' % ("A" * 64), '"%s\n"' % ("a" * 64)]),
        (fields.NAMED, ['""', '".a"', '"%s"' % ("a" * 65), '"a b"', '"é"']),
    ],
)
def test_a_form_refuses(one: Grammar, texts: list[str]) -> None:
    assert [text for text in texts if re.fullmatch(one.form, text)] == []


def test_parameters_out_of_order_or_too_fine_are_not_taken() -> None:
    head, _ = open_ledger(genesis())
    row = append(head, "signal", [signal(0)]).entries[0].row
    for old, new in (
        (b'"fees_bps":"3.5","notional_usd":"10000"', b'"notional_usd":"10000","fees_bps":"3.5"'),
        (b'"fees_bps":"3.5"', b'"fees_bps":"3.5","fees_bps":"3.5"'),
        (b'"fees_bps":"3.5"', b'"fees_bps":"0.1234567"'),
        (b'"fees_bps":"3.5"', b'"fees_bps":3'),
    ):
        assert old in row
        assert known_row(row.replace(old, new)) is None
        with pytest.raises(LedgerError):
            plain(row.replace(old, new))


def test_contents_of_other_kinds_are_left_to_the_tables() -> None:
    assert not known_content("genesis", canonical(genesis()))
    assert not known_content("resolution", canonical(signal(0)))
