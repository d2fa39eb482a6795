"""Inclusion and consistency proofs of a ledger's Merkle tree, as documents that can be checked without it.  [audit 7.4]

    {"schema":"inclusion/1", ledger_id, size, root, index, row, proof:[hex,...]}       row is CJ(row), the hashed text
    {"schema":"consistency/1", ledger_id, size_a, root_a, size_b, root_b, proof:[hex,...]}

A proof shows that a row, or an earlier tree, belongs to a root.  That the root is the published one is what a
checkpoint shows, which the reader brings along.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from engine.errors import LedgerError, MissingError, UsageError
from engine.ledger.chain import id_of
from engine.ledger.checkpoint import Checkpoint
from engine.ledger.format.closed_tables import RecordShape, closed
from engine.ledger.format.fields import COUNT, HEX, UUID, Grammar, one_of
from engine.ledger.merkle import consistency_proof, consistent, included, inclusion_proof, leaf_hash, root
from engine.ledger.verification.verify import opened, verify_ledger
from engine.ledger.verification.walk import lines, parsed

EXIT: Final = 16
_TEXT_OF_ROW: Final = Grammar("the text of a row", lambda value: type(value) is str)
_HASHES: Final = Grammar("an array of hashes", lambda value: type(value) is list and all(map(HEX.holds, value)))
_INCLUSION: Final[RecordShape] = {
    "schema": one_of("inclusion/1"), "ledger_id": UUID, "size": COUNT, "root": HEX, "index": COUNT,
    "row": _TEXT_OF_ROW, "proof": _HASHES,
}  # fmt: skip
_CONSISTENCY: Final[RecordShape] = {
    "schema": one_of("consistency/1"), "ledger_id": UUID, "size_a": COUNT, "root_a": HEX, "size_b": COUNT,
    "root_b": HEX, "proof": _HASHES,
}  # fmt: skip


def prove_row(ledger: Path, name: str) -> dict[str, Any]:
    """Return the proof that a row is in the ledger; ``name`` is its id, or its place from 0.

    Raises ``MissingError`` (3) where there is no such row, ``LedgerError`` with the code of the ledger's first fault.
    """
    ledger_id, rows = _rows(ledger)
    index = int(name) if name.isdecimal() and len(name) < 16 else _place_of(rows, name)
    if index is None or index >= len(rows):
        raise MissingError(f"{ledger}: expected a row of id or place {name!r}, found none among {len(rows)} rows")
    hashes = [leaf_hash(row) for row in rows]
    return {
        "schema": "inclusion/1", "ledger_id": ledger_id, "size": len(rows), "root": root(rows).hex(), "index": index,
        "row": rows[index].decode(), "proof": [node.hex() for node in inclusion_proof(hashes, index)],
    }  # fmt: skip


def prove_prefix(ledger: Path, size_a: int, size_b: int) -> dict[str, Any]:
    """Return the proof that the ledger of ``size_a`` rows is what that of ``size_b`` rows began with.

    Raises ``UsageError`` (2) unless 0 < size_a <= size_b <= rows, ``LedgerError`` as `prove_row`.
    """
    ledger_id, rows = _rows(ledger)
    if not 0 < size_a <= size_b <= len(rows):
        raise UsageError(f"expected 0 < A <= B <= {len(rows)} rows of {ledger}, was A = {size_a}, B = {size_b}")
    hashes = [leaf_hash(row) for row in rows[:size_b]]
    return {
        "schema": "consistency/1", "ledger_id": ledger_id,
        "size_a": size_a, "root_a": root(rows[:size_a]).hex(),
        "size_b": size_b, "root_b": root(rows[:size_b]).hex(),
        "proof": [node.hex() for node in consistency_proof(hashes, size_a)],
    }  # fmt: skip


def check_proof(proof: Mapping[str, Any], checkpoints: Sequence[Checkpoint] = ()) -> list[str]:
    """Return which of the proof's roots no checkpoint says, in words; empty where all are.

    Raises ``LedgerError`` (16) for a proof that does not lead to its root, or a checkpoint that says another root.
    """
    if proof.get("schema") == "inclusion/1":
        closed(proof, _INCLUSION, "proof")
        roots = {proof["size"]: proof["root"]}
        good = included(leaf_hash(proof["row"].encode()), proof["index"], proof["size"], _nodes(proof),
                        bytes.fromhex(proof["root"]))  # fmt: skip
    else:
        closed(proof, _CONSISTENCY, "proof")
        roots = {proof["size_a"]: proof["root_a"], proof["size_b"]: proof["root_b"]}
        good = consistent(proof["size_a"], proof["size_b"], _nodes(proof), bytes.fromhex(proof["root_a"]),
                          bytes.fromhex(proof["root_b"]))  # fmt: skip
    if not good:
        raise LedgerError("proof: expected one that leads to its root, was another", exit_code=EXIT)
    known = {one.size: one.root.hex() for one in checkpoints if one.ledger_id == proof["ledger_id"]}
    for size, digest in roots.items():
        if known.get(size, digest) != digest:
            raise LedgerError(f"proof: expected the root {known[size]} of the checkpoint of {size} rows, was {digest}",
                              exit_code=EXIT)  # fmt: skip
    return [f"no checkpoint of {size} rows was brought: that {digest} is the published root is unchecked"
            for size, digest in roots.items() if size not in known]  # fmt: skip


def read_proof(path: Path) -> dict[str, Any]:
    """Return the proof in a file.  Raises ``MissingError`` (3) for a file that holds none."""
    try:
        document = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as problem:
        raise MissingError(f"expected a proof at {path}, was: {problem}") from problem
    if not isinstance(document, dict):
        raise MissingError(f"expected a proof at {path}, was a {type(document).__name__}")
    return document


def _nodes(proof: Mapping[str, Any]) -> list[bytes]:
    return [bytes.fromhex(node) for node in proof["proof"]]


def _rows(ledger: Path) -> tuple[str, list[bytes]]:
    """Return the ledger's id and the hashed bytes of its rows, all verified."""
    with opened(ledger) as stream:
        report = verify_ledger(stream).report
    if report.exit:
        raise LedgerError(f"{ledger}: {report.reason}", exit_code=report.exit)
    with opened(ledger) as stream:
        # a row is what its line holds between the frame's two ends
        return str(report.ledger_id), [line[7:-79] for line, _ in lines(stream)]


def _place_of(rows: Sequence[bytes], name: str) -> int | None:
    for index, data in enumerate(rows):
        row: Any = parsed(data)
        if id_of(row["kind"], row["content"]) == name:
            return index
    return None
