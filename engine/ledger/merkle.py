"""The Merkle tree hash of a ledger's rows, which a checkpoint records.  [audit 7.1]

RFC 6962, section 2.1:  leaf = SHA-256(0x00 || row), node = SHA-256(0x01 || left || right), empty tree = SHA-256 of no
bytes.  A `Tree` stores one hash for each set bit of the number of leaves, so a root over n rows costs n - 1 node hashes
and log n memory.  A proof is a list of hashes of 32 bytes each.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256
from typing import Final

EMPTY: Final = sha256(b"").digest()


class Tree:
    """The tree hash of the leaves so far; ``root`` can be read after every ``add``."""

    __slots__ = ("_stack", "size")

    def __init__(self) -> None:
        self.size = 0
        self._stack: list[bytes] = []  # hashes of perfect subtrees, largest first: one for each set bit of size

    def add(self, leaf: bytes) -> None:
        """Append one leaf, the canonical bytes of a row."""
        node, size = sha256(b"\x00" + leaf).digest(), self.size
        while size & 1:
            node = sha256(b"\x01" + self._stack.pop() + node).digest()
            size >>= 1
        self._stack.append(node)
        self.size += 1

    def root(self) -> bytes:
        """Return the tree hash of the leaves so far, 32 bytes."""
        if not self._stack:
            return EMPTY
        node = self._stack[-1]
        for left in reversed(self._stack[:-1]):
            node = sha256(b"\x01" + left + node).digest()
        return node


def root(leaves: Iterable[bytes]) -> bytes:
    """Return the tree hash of ``leaves`` (the canonical bytes of rows), 32 bytes; ``EMPTY`` for none."""
    tree = Tree()
    for leaf in leaves:
        tree.add(leaf)
    return tree.root()


def leaf_hash(leaf: bytes) -> bytes:
    """Return SHA-256(0x00 || leaf), 32 bytes."""
    return sha256(b"\x00" + leaf).digest()


def inclusion_proof(hashes: list[bytes], index: int) -> list[bytes]:
    """Return the proof that leaf ``index`` is in the tree of the leaf hashes ``hashes``; inverse of `included`.

    RFC 6962, section 2.1.1: the hashes beside the way from the leaf to the root, lowest first.
    """
    proof: list[bytes] = []
    while len(hashes) > 1:
        k = _split(len(hashes))
        if index < k:
            proof.append(_subroot(hashes[k:]))
            hashes = hashes[:k]
        else:
            proof.append(_subroot(hashes[:k]))
            hashes, index = hashes[k:], index - k
    return proof[::-1]


def consistency_proof(hashes: list[bytes], size: int) -> list[bytes]:
    """Return the proof that the tree of the first ``size`` leaf hashes is a prefix of that of all; see `consistent`.

    RFC 6962, section 2.1.2; needs 0 < size <= the number of leaves, and is empty for the whole.
    """
    proof: list[bytes] = []
    # True while the older tree is exactly ``hashes``: the verifier knows its root, so the proof leaves it out.
    whole = True
    while size < len(hashes):
        k = _split(len(hashes))
        if size <= k:
            proof.append(_subroot(hashes[k:]))
            hashes = hashes[:k]
        else:
            proof.append(_subroot(hashes[:k]))
            hashes, size, whole = hashes[k:], size - k, False
    return ([] if whole else [_subroot(hashes)]) + proof[::-1]


def included(leaf: bytes, index: int, size: int, proof: list[bytes], expected: bytes) -> bool:
    """Return whether ``proof`` leads from the leaf hash ``leaf`` at ``index`` to the root of the tree of ``size``."""
    # A size fits in 64 bits, so no honest proof is longer; a longer one must not cost time.
    if not 0 <= index < size or len(leaf) != 32 or len(proof) > 64:
        return False
    node, last = leaf, size - 1
    for sibling in proof:
        if last == 0:
            return False
        if index & 1 or index == last:
            node = sha256(b"\x01" + sibling + node).digest()
            while not index & 1 and index:
                index, last = index >> 1, last >> 1
        else:
            node = sha256(b"\x01" + node + sibling).digest()
        index, last = index >> 1, last >> 1
    return last == 0 and node == expected


def consistent(size1: int, size2: int, proof: list[bytes], root1: bytes, root2: bytes) -> bool:
    """Return whether ``proof`` shows the tree (``size1``, ``root1``) to be a prefix of (``size2``, ``root2``).

    RFC 9162, section 2.1.4.2.  An empty older tree is a prefix of every tree and needs no proof.
    """
    if not 0 <= size1 <= size2 or len(proof) > 65:
        return False
    if size1 in (0, size2):
        return not proof and (root1 == root2 if size1 == size2 else root1 == EMPTY)
    if not proof:
        return False
    # A tree of a power of two is a subtree of the larger one: the proof leaves its root out.
    path = [root1, *proof] if size1 & (size1 - 1) == 0 else proof
    index, last = size1 - 1, size2 - 1
    while index & 1:
        index, last = index >> 1, last >> 1
    older = newer = path[0]
    for sibling in path[1:]:
        if last == 0:
            return False
        if index & 1 or index == last:
            older = sha256(b"\x01" + sibling + older).digest()
            newer = sha256(b"\x01" + sibling + newer).digest()
            while not index & 1 and index:
                index, last = index >> 1, last >> 1
        else:
            newer = sha256(b"\x01" + newer + sibling).digest()
        index, last = index >> 1, last >> 1
    return last == 0 and older == root1 and newer == root2


def _split(size: int) -> int:
    """Return the largest power of two below ``size``, which is at least 2."""
    return 1 << ((size - 1).bit_length() - 1)


def _subroot(hashes: list[bytes]) -> bytes:
    if len(hashes) == 1:
        return hashes[0]
    k = _split(len(hashes))
    return sha256(b"\x01" + _subroot(hashes[:k]) + _subroot(hashes[k:])).digest()
