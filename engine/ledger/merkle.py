"""The Merkle tree hash of a ledger's rows: what a checkpoint holds.  [audit 7.1]

RFC 6962, section 2.1:  leaf = SHA-256(0x00 || row), node = SHA-256(0x01 || left || right), empty tree = SHA-256 of
nothing.  The stack below holds one hash for each set bit of the number of leaves, so a root over n rows costs n - 1
node hashes and log n memory.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256


def root(leaves: Iterable[bytes]) -> bytes:
    """Return the tree hash of ``leaves`` (the canonical bytes of rows), 32 bytes."""
    stack: list[tuple[int, bytes]] = []  # (height, hash), heights strictly falling
    for leaf in leaves:
        height, node = 0, sha256(b"\x00" + leaf).digest()
        while stack and stack[-1][0] == height:
            node = sha256(b"\x01" + stack.pop()[1] + node).digest()
            height += 1
        stack.append((height, node))
    if not stack:
        return sha256(b"").digest()
    _, node = stack.pop()
    while stack:
        node = sha256(b"\x01" + stack.pop()[1] + node).digest()
    return node
