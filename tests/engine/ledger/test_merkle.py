"""The tree hash of a ledger."""

from __future__ import annotations

from base64 import b64decode
from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.ledger.merkle import consistency_proof, consistent, included, inclusion_proof, leaf_hash, root
from tests.helpers.ledgers import cases


def decoded(case: dict, *fields: str) -> list:
    """Return base64 fields as bytes, a proof as a list of them."""
    unpack = lambda v: [b64decode(x) for x in v] if isinstance(v, list) else b64decode(v or "")  # noqa: E731
    return [unpack(case[field] or []) if field == "proof" else unpack(case[field]) for field in fields]


@pytest.mark.parametrize("case", cases("merkle"), ids=lambda c: c.get("file") or f"{len(c['leaf_inputs_hex'])} leaves")
def test_a_root_is_found_and_a_proof_accepted_or_refused_as_elsewhere(case: dict) -> None:
    """Roots equal another implementation's; good proofs hold, each bent index, size, leaf, root or proof is refused.

    Rules: [audit 7.1, 7.4].
    """
    if case["kind"] == "root":
        assert case["root_hex"] == root(bytes.fromhex(leaf) for leaf in case["leaf_inputs_hex"]).hex()
    elif case["kind"] == "inclusion":
        leaf, proof, expected = decoded(case, "leafHash", "proof", "root")
        assert case["wantErr"] != included(leaf, case["leafIdx"], case["treeSize"], proof, expected)
    else:
        proof, older, newer = decoded(case, "proof", "root1", "root2")
        assert case["wantErr"] != consistent(case["size1"], case["size2"], proof, older, newer)


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


@settings(deadline=None)
@given(st.lists(st.binary(max_size=3), min_size=1, max_size=40), st.data())
def test_proofs_of_our_own_hold_and_fit_nothing_else(leaves: list[bytes], data: st.DataObject) -> None:
    """What is made for a leaf and for a prefix is accepted; with one bit changed it is not."""
    hashes = [leaf_hash(leaf) for leaf in leaves]
    size = data.draw(st.integers(1, len(leaves)))
    at = data.draw(st.integers(0, len(leaves) - 1))
    whole, older = root(leaves), root(leaves[:size])
    inclusion, consistency = inclusion_proof(hashes, at), consistency_proof(hashes, size)

    assert included(hashes[at], at, len(leaves), inclusion, whole)
    assert consistent(size, len(leaves), consistency, older, whole)
    assert not included(hashes[at], at, len(leaves), [*inclusion, whole], whole)
    assert not consistent(size, len(leaves), [*consistency, whole], older, whole)
    for proof, holds in (
        (inclusion, lambda p: included(hashes[at], at, len(leaves), p, whole)),
        (consistency, lambda p: consistent(size, len(leaves), p, older, whole)),
    ):
        if proof:
            which = data.draw(st.integers(0, len(proof) - 1))
            bent = bytes([proof[which][0] ^ 1]) + proof[which][1:]
            assert not holds([*proof[:which], bent, *proof[which + 1 :]])
