"""Solvency: a Merkle-sum tree over liabilities, against reserves.  [risk.md 16, substitute for zero knowledge]

A node is ``H(left hash, right hash, left sum, right sum)``; leaves are non-negative.  An inclusion proof shows an
account that its balance is counted; the root against the reserves shows solvency.  Whoever sees a proof learns sums of
neighbours: no privacy is claimed, and no zero-knowledge proof is built.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

from engine.errors import DataError

LARGEST = 2**127
"""Sums are 16 bytes; a balance is far below."""


@dataclass(frozen=True, slots=True)
class Node:
    """Hash and sum of a subtree."""

    digest: bytes
    total: int


@dataclass(frozen=True, slots=True)
class Sibling:
    """One step of an inclusion proof: the node beside the path, and whether it stands to the left."""

    node: Node
    is_left: bool


def leaf(account: str, balance: int) -> Node:
    """Return the leaf of an account.  Raises `DataError` for a negative balance: it would hide another's liability."""
    if not 0 <= balance < LARGEST:
        raise DataError(f"account {account!r}: expected a balance in 0..2^127, was {balance}: leave debtors out")
    return Node(_hash(b"leaf", account.encode(), balance.to_bytes(16)), balance)


def parent(left: Node, right: Node) -> Node:
    """Return the node above two.  Raises `DataError` for a negative sum on either side."""
    if left.total < 0 or right.total < 0:
        raise DataError(f"expected sums >= 0 in a solvency tree, was {left.total} and {right.total}")
    total = left.total + right.total
    # A sum must fit its 16 bytes, or its node could not be hashed.
    if total >= LARGEST:
        raise DataError(f"expected a sum below 2^127, was {total}")
    parts = left.digest, right.digest, left.total.to_bytes(16), right.total.to_bytes(16)
    return Node(_hash(b"node", *parts), total)


EMPTY = Node(sha256(b"cme/solvency/empty").digest(), 0)


def root(leaves: Sequence[Node]) -> Node:
    """Return the root; levels of odd length are filled with an empty node of sum 0.  No leaves give the empty node."""
    level = list(leaves) or [EMPTY]
    while len(level) > 1:
        level = _above(level)
    return level[0]


def prove(leaves: Sequence[Node], index: int) -> tuple[Sibling, ...]:
    """Return the inclusion proof of leaf ``index``, bottom first.  Raises `DataError` for an index out of range."""
    if not 0 <= index < len(leaves):
        raise DataError(f"expected a leaf in 0..{len(leaves) - 1}, was {index}")
    level, proof = list(leaves), []
    while len(level) > 1:
        beside = index ^ 1
        proof.append(Sibling(level[beside] if beside < len(level) else EMPTY, beside < index))
        level, index = _above(level), index // 2
    return tuple(proof)


def verify(account: str, balance: int, proof: Sequence[Sibling], expected: Node) -> bool:
    """Return whether an account's balance is counted in ``expected``; False for a negative sum on the path."""
    try:
        node = leaf(account, balance)
        for step in proof:
            node = parent(step.node, node) if step.is_left else parent(node, step.node)
    except DataError:
        return False
    return node == expected


def is_solvent(expected: Node, reserves: int) -> bool:
    """Return whether reserves cover the liabilities under the root."""
    return reserves >= expected.total


def _above(level: list[Node]) -> list[Node]:
    filled = [*level, EMPTY] if len(level) % 2 else level
    return [parent(filled[i], filled[i + 1]) for i in range(0, len(filled), 2)]


def _hash(tag: bytes, *parts: bytes) -> bytes:
    """Hash parts with their lengths, under a tag: no leaf can pass for a node."""
    digest = sha256(b"cme/solvency/" + tag)
    for part in parts:
        digest.update(len(part).to_bytes(8) + part)
    return digest.digest()
