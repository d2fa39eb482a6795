"""Canonical bytes, decimal strings and tagged hashes against vectors computed elsewhere.  [audit 2, 3.1]"""

from __future__ import annotations

import struct
import unicodedata
from decimal import Decimal
from hashlib import sha256

import numpy as np
import pytest
import rfc8785
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import LedgerError
from engine.ledger.format.canonical_json import (
    MAX_INT,
    canonical,
    decimal_text,
    decimal_value,
    parse,
    parse_any_spelling,
    tagged_hash,
)
from tests.helpers.ledgers import cases

TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=20).map(
    lambda s: unicodedata.normalize("NFC", s)
)
KEYS = st.from_regex(r"[a-z][a-z0-9_]{0,9}", fullmatch=True)
DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers(-MAX_INT, MAX_INT) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=15,
)


def test_profile_vectors_are_accepted_with_their_bytes_or_refused() -> None:
    """Each accepted text gives the canonical bytes and hash of the vectors; each other one is refused."""
    for case in cases("profile_cj1"):
        data = case["input"].encode("utf-8")
        if case["accept"]:
            assert case["canonical"].encode("utf-8") == canonical(parse_any_spelling(data))
            assert case["sha256"] == sha256(canonical(parse_any_spelling(data))).hexdigest()
        else:
            with pytest.raises(LedgerError) as refused:
                parse_any_spelling(data)
            assert refused.value.exit_code == 10


def test_general_jcs_documents_outside_the_profile_are_refused_by_their_keys_or_numbers() -> None:
    """The published JCS documents use keys the profile forbids (digits, accents, capitals); none is misread."""
    for case in cases("jcs_documents"):
        data = bytes.fromhex(case["input_utf8_hex"])
        with pytest.raises(LedgerError):
            parse_any_spelling(data)


@settings(deadline=None, max_examples=150)
@given(DOCUMENTS)
def test_every_document_of_the_domain_has_the_bytes_of_the_full_jcs_library(document: object) -> None:
    """On the restricted domain a sorted-key serializer is RFC 8785, and parsing gives the document back."""
    data = canonical(document)

    assert rfc8785.dumps(document) == data
    assert document == parse(data)


@pytest.mark.parametrize("text", ['{"a": 1}', '{"b":1,"a":2}', '{"a":"\\u0062"}', '{"a":1}\n', "-0", "[1,]", "1" * 400])
def test_parse_refuses_every_spelling_but_the_canonical_one(text: str) -> None:
    """White space, key order, escapes, minus zero and long numbers are caught by the one comparison."""
    with pytest.raises(LedgerError):
        parse(text.encode())


@pytest.mark.parametrize(
    "value", [1.0, float("nan"), {1: 2}, {"A": 1}, {"a" * 65: 1}, "\x00", "\ud800", MAX_INT + 1, b"x", {1, 2}]
)
def test_values_outside_the_domain_are_refused(value: object) -> None:
    """Floats, other key types, control characters, surrogates and large integers have no canonical bytes."""
    with pytest.raises(LedgerError):
        canonical(value)


def test_depth_and_size_have_their_limits() -> None:
    """Depth 16 is accepted and 17 refused; a hostile depth is no crash; the record limit binds if given."""
    nested: object = 1
    for _ in range(16):
        nested = [nested]

    assert canonical(nested) == b"[" * 16 + b"1" + b"]" * 16
    with pytest.raises(LedgerError, match="depth"):
        canonical([nested])
    with pytest.raises(LedgerError):
        parse(b"[" * 100_000)
    with pytest.raises(LedgerError, match="at most 10 bytes"):
        canonical("x" * 20, limit=10)


def test_tagged_hashes_agree_with_the_vectors() -> None:
    """H(tag, m) over all tags in use."""
    for case in cases("tagged_hash"):
        assert case["hash"] == tagged_hash(case["tag"], bytes.fromhex(case["message_hex"]))


def test_decimal_strings_agree_with_the_vectors() -> None:
    """Valid and invalid texts, half-even rounding, and doubles through their shortest text."""
    for case in cases("decimal_strings"):
        if "valid" in case:
            if case["valid"]:
                assert case["text"] == decimal_text(decimal_value(case["text"]))
            else:
                with pytest.raises(LedgerError):
                    decimal_value(case["text"])
        elif "value" in case:
            assert case["text"] == decimal_text(case["value"], case["places"])
        else:
            assert case["text"] == decimal_text(struct.unpack(">d", bytes.fromhex(case["double_hex"]))[0])


@settings(deadline=None, max_examples=200)
@given(st.floats(-1e15, 1e15).filter(lambda x: len(repr(x)) < 22 and (x == 0 or abs(x) > 1e-12)))
def test_a_double_survives_its_decimal_text(value: float) -> None:
    """Exact text of a double is canonical and converts back to the same double."""
    assert value == float(decimal_value(decimal_text(value)))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "abc", "1" * 60, 1e300, Decimal("sNaN")])
def test_what_is_no_finite_quantity_has_no_decimal_text(value: float | str | Decimal) -> None:
    """Nothing undefined or endless enters a record."""
    with pytest.raises(LedgerError):
        decimal_text(value, 6)


@pytest.mark.parametrize("power", [53, 60])
@pytest.mark.parametrize("more", [0, 1])
@pytest.mark.parametrize("sign", [1, -1])
def test_numbers_beyond_two_to_the_53_are_refused_in_every_form(power: int, more: int, sign: int) -> None:
    """As float, whose text other libraries write as an integer, as integer, as NumPy's, and in a text.  [audit 2.1]"""
    number = sign * (2**power + more)
    for value in (float(number), number, np.float64(number), np.int64(number), [float(number)], {"a": number}):
        with pytest.raises(LedgerError):
            canonical(value)
    for text in (f"{number}", f"{float(number)}", f"{float(number):e}", f"{number}.0"):
        with pytest.raises(LedgerError):
            parse(text.encode())
    assert parse(canonical(sign * (2**53 - 1))) == sign * (2**53 - 1)


def test_the_oracle_writes_numbers_as_published_and_the_profile_takes_none_with_a_fraction() -> None:
    """The full JCS library agrees with RFC 8785's numbers; where its text is no plain integer, our domain refuses."""
    for case in cases("jcs_numbers"):
        if "sequence_lines" in case:
            continue  # excepted by tests/vectors/REGISTER.toml
        value = struct.unpack(">d", bytes.fromhex(case["ieee754_hex"]))[0]
        if case.get("reject"):
            with pytest.raises(rfc8785.FloatDomainError):
                rfc8785.dumps(value)
        else:
            assert case["text"] == rfc8785.dumps(value).decode()
        with pytest.raises(LedgerError):
            canonical(value)
