"""Closed records: what every table and grammar lets through, and what not.  [audit 2.1-2.3, 4]"""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import LedgerError
from engine.ledger.format.canonical_json import canonical, serialised
from engine.ledger.format.fields import is_decimal, is_money, is_text
from engine.ledger.format.schemas import EXIT_REASONS, check_content, check_provenance
from tests.helpers.ledgers import NOON, cases, genesis, look, resolution, signal


def refused(kind: str, content: Any) -> str:
    with pytest.raises(LedgerError) as error:
        check_content(kind, content)
    assert error.value.exit_code == 10
    return str(error.value)


RECORDS = {
    "genesis": genesis(),
    "signal": signal(0),
    "resolution": resolution(signal(0), "a" * 64),
    "look": look("open"),
    "seal": {"schema": "seal/1", "reason": "study closed"},
}


@pytest.mark.parametrize("kind", RECORDS)
def test_every_record_is_closed(kind: str) -> None:
    """A record holds exactly its fields: one more, one fewer or another name is refused."""
    record = RECORDS[kind]
    check_content(kind, record)

    for field in record:
        assert "expected exactly the fields" in refused(kind, {k: v for k, v in record.items() if k != field})
    assert "expected exactly the fields" in refused(kind, {**record, "note": None})
    assert "expected exactly the fields" in refused(kind, [record])


@pytest.mark.parametrize("kind", RECORDS)
def test_no_field_takes_a_fraction_a_truth_value_or_an_array_of_nothing(kind: str) -> None:
    """No field of any record is a float, a bool or an empty array."""
    for field in RECORDS[kind]:
        for value in (1.5, True, [], float("nan")):
            refused(kind, {**RECORDS[kind], field: value})


def test_every_shared_provenance_passes() -> None:
    """The seven provenances of the shared vectors hold; they cover quotes and scalars."""
    for case in cases("signal_ids"):
        check_provenance(case["provenance"])


def test_inputs_stand_in_order_and_before_the_decision() -> None:
    """Inputs are sorted by role, venue, instrument and time, and none is from after as_of_us."""
    record = signal(0)
    turned = copy.deepcopy(record)
    turned["provenance"]["inputs"].reverse()
    late = copy.deepcopy(record)
    late["provenance"]["inputs"][1]["ts_us"] = late["provenance"]["as_of_us"] + 1
    at_once = copy.deepcopy(record)
    at_once["provenance"]["inputs"][1]["ts_us"] = at_once["provenance"]["as_of_us"]

    assert "sorted by role" in refused("signal", turned)
    assert "up to as_of_us" in refused("signal", late)
    check_content("signal", at_once)


def test_a_series_is_an_input_whose_both_ends_come_before_the_decision() -> None:
    """A series has a first and a last time, a count and a hash; its last time is bound by the decision."""
    record = signal(0)
    series = {
        "kind": "series",
        "role": "a_history",
        "venue": "deribit",
        "instrument": "BTC",
        "from_us": NOON - 10,
        "to_us": NOON,
        "count": 60,
        "series_hash": "c" * 64,
    }
    record["provenance"]["inputs"].insert(0, series)
    check_content("signal", record)

    series["to_us"] = record["provenance"]["as_of_us"] + 1
    assert "up to as_of_us" in refused("signal", record)


def test_there_are_one_to_sixty_four_inputs_of_known_kinds() -> None:
    """No inputs, 65 inputs, and an input of an unknown kind are refused."""
    record = signal(0)
    inputs = record["provenance"]["inputs"]

    record["provenance"]["inputs"] = inputs[:1] * 64
    check_content("signal", record)
    for wrong in ([], inputs[:1] * 65, [{"kind": "trade"}], [{"kind": []}], ["quote"]):
        record["provenance"]["inputs"] = wrong
        refused("signal", record)


def test_net_is_gross_less_the_four_costs_exactly() -> None:
    """A resolution's net is checked in decimals, to the last place, also for large amounts."""
    record = resolution(signal(0), "a" * 64)

    assert "expected net_pnl_usd 9.00" in refused("resolution", {**record, "net_pnl_usd": "9.000001"})
    big = {**record, "gross_pnl_usd": "9999999999999999999999999999999.999999", "fees_usd": "0.000001"}
    net = 9_999_999_999_999_999_999_999_999_999_999_999_999 - 1 - 250_000  # micro-dollars: slippage less funding
    check_content("resolution", {**big, "net_pnl_usd": f"{net // 10**6}.{net % 10**6}"})


def test_revisions_name_what_they_replace_and_the_first_names_nothing() -> None:
    """``supersedes`` is null exactly in revision 0."""
    record = resolution(signal(0), "a" * 64)

    assert "supersedes null" in refused("resolution", {**record, "supersedes": "a" * 64})
    assert "supersedes null" in refused("resolution", {**record, "revision": 1})


def test_a_position_does_not_end_before_it_begins() -> None:
    """Entry and exit may be one moment, never reversed."""
    record = resolution(signal(0), "a" * 64)
    check_content("resolution", {**record, "exit_us": record["entry_us"]})

    assert "entry_us <= exit_us" in refused("resolution", {**record, "exit_us": record["entry_us"] - 1})


def test_a_position_ends_for_a_reason_of_the_method() -> None:
    """Exactly the nine ends of the method's rule are words of exit_reason.  [S4.5]"""
    record = resolution(signal(0), "a" * 64)
    for reason in EXIT_REASONS:
        check_content("resolution", {**record, "exit_reason": reason})

    assert len(EXIT_REASONS) == 9
    refused("resolution", {**record, "exit_reason": "closed"})


@pytest.mark.parametrize(
    ("text", "decimal", "money"),
    [
        ("0", True, True),
        ("-1.5", True, True),
        ("0.000001", True, True),
        ("0.0000001", True, False),
        ("0.123456789012345678", True, False),
        ("0.1234567890123456789", False, False),
        ("1.50", False, False),
        ("-0", False, False),
        ("1" * 40, True, True),
        ("1" * 41, False, False),
        ("1\n", False, False),
        (1, False, False),
        (None, False, False),
    ],
)
def test_quantities_have_a_class_of_places(text: object, decimal: bool, money: bool) -> None:
    """Prices, sizes and rates have up to 18 places; bps, USD and returns up to 6.  [audit 2.2]"""
    assert decimal == is_decimal(text)
    assert money == is_money(text)


def test_parameters_named_for_a_unit_follow_its_class() -> None:
    """A parameter ``*_bps`` or ``*_usd`` has at most 6 places, another 18; keys are of the grammar of keys."""
    record = signal(0)
    params = record["provenance"]["params"]
    params["rate"] = "0.1234567"
    check_content("signal", record)

    for key, value in (("fee_bps", "0.1234567"), ("Rate", "1"), ("rate", 1), ("rate", "1e3")):
        record["provenance"]["params"] = {**params, key: value}
        refused("signal", record)


@settings(deadline=None, max_examples=200)
@given(st.text(max_size=30))
def test_free_text_is_what_the_canonical_form_can_carry(text: str) -> None:
    """Text passes exactly where the full domain check of CJ1 takes it, and then both serialisers agree."""
    try:
        data = canonical(text)
    except LedgerError:
        assert not is_text(text)
    else:
        assert is_text(text)
        assert data == serialised(text)
    assert not is_text("x" * 1025)
