"""The tree hash of a ledger."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.ledger.merkle import root

CASES = json.loads((Path(__file__).parents[2] / "vectors" / "audit" / "merkle.json").read_text())["cases"]


@pytest.mark.parametrize(
    "case", [c for c in CASES if c["kind"] == "root"], ids=lambda c: str(len(c["leaf_inputs_hex"]))
)
def test_the_root_equals_the_shared_vector(case: dict) -> None:
    """Roots equal those of another implementation.  [audit 7.1]"""
    assert case["root_hex"] == root(bytes.fromhex(leaf) for leaf in case["leaf_inputs_hex"]).hex()


def by_the_definition(leaves: list[bytes]) -> bytes:
    """Return RFC 6962's recursion, word for word."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return sha256(b"\x00" + leaves[0]).digest()
    k = 1
    while 2 * k < len(leaves):
        k *= 2
    return sha256(b"\x01" + by_the_definition(leaves[:k]) + by_the_definition(leaves[k:])).digest()


@settings(deadline=None)
@given(st.lists(st.binary(max_size=5), max_size=40))
def test_the_root_equals_the_recursive_definition(leaves: list[bytes]) -> None:
    """The stack gives what the standard's recursion gives, for any number of leaves."""
    assert by_the_definition(leaves) == root(leaves)
