"""Ids of records: UUIDv5 of the inputs and parameters of a decision, never of a computed result.  [audit 3.2]

An id keeps 122 bits of SHA-1 and is not an integrity check: the 256-bit provenance and content hashes are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from hashlib import sha1
from typing import Any, Final
from uuid import NAMESPACE_URL, UUID, uuid5

from engine.errors import LedgerError
from engine.ledger.format.canonical_json import canonical, serialised, tagged_hash

NS_ROOT: Final = uuid5(NAMESPACE_URL, "urn:cme-audit:1")
NS_SIGNAL: Final = uuid5(NS_ROOT, "signal")
NS_RESOLUTION: Final = uuid5(NS_ROOT, "resolution")
NS_LEDGER: Final = uuid5(NS_ROOT, "ledger")
NS_LOOK: Final = uuid5(NS_ROOT, "look")
_INSIDE: Final = len(b'{"provenance":')
# The two top bits of the ninth byte are 10.  [RFC 9562, section 4.1]
_VARIANT: Final = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}


def _names_of(namespace: UUID) -> Callable[[], Any]:
    """Return a function that gives a new SHA-1 state which has hashed ``namespace`` already."""
    return sha1(namespace.bytes, usedforsecurity=False).copy


_SIGNAL_NAMES: Final = _names_of(NS_SIGNAL)
_RESOLUTION_NAMES: Final = _names_of(NS_RESOLUTION)


def provenance_hash(provenance: Mapping[str, Any]) -> str:
    """Return ``H("provenance", CJ(provenance))``, 64 hex characters.  Raises ``LedgerError`` (10) outside CJ1."""
    return tagged_hash("provenance", canonical(provenance))


def signal_id(provenance_hash_hex: str) -> str:
    """Return the id of the signal whose provenance has that hash."""
    return _name(_SIGNAL_NAMES(), provenance_hash_hex)


def resolution_id(signal: str, rule_id: str, revision: int) -> str:
    """Return the id of revision ``revision`` of the resolution of ``signal`` under ``rule_id``."""
    return _name(_RESOLUTION_NAMES(), f"{signal}/{rule_id}/{revision}")


def ledger_id(genesis: Mapping[str, Any]) -> str:
    """Return the id of the ledger that begins with ``genesis``: bound to one engine, configuration and data set.

    Raises ``LedgerError`` (10) if the genesis is outside CJ1.
    """
    return str(uuid5(NS_LEDGER, tagged_hash("ledger", canonical(genesis))))


def look_id(analysis_id: str, freeze_hash: str, dataset_hash: str, seeds_hash: str, replication: int) -> str:
    """Return the id of one look at outcomes.  Raises ``LedgerError`` (10) if an argument is outside CJ1."""
    inputs = [analysis_id, freeze_hash, dataset_hash, seeds_hash, replication]
    return str(uuid5(NS_LOOK, tagged_hash("look_id", canonical(inputs))))


def uuid_of(namespace: UUID, name: str) -> str:
    """Return the lower-case UUIDv5 of ``name`` in ``namespace``."""
    return _name(_names_of(namespace)(), name)


def derived_ids(kind: str, content: Mapping[str, Any], data: bytes | None = None) -> dict[str, str]:
    """Return the derived fields of a checked record, field -> value, recomputed from the others.  [audit 3.2]

    ``data`` is CJ(content) if the caller has it.  Empty for kinds without derived fields (genesis, seal).
    """
    if kind == "signal":
        inner = serialised(content["provenance"]) if data is None else _provenance(data)
        digest = tagged_hash("provenance", inner)
        return {"provenance_hash": digest, "signal_id": signal_id(digest)}
    if kind == "resolution":
        return {"resolution_id": resolution_id(content["signal_id"], content["rule_id"], content["revision"])}
    if kind == "look":
        keys = ("analysis_id", "freeze_hash", "dataset_hash", "seeds_hash", "replication")
        return {"look_id": look_id(*(content[key] for key in keys))}
    return {}


def check_ids(kind: str, content: Mapping[str, Any], data: bytes | None = None) -> None:
    """Check that the ids of a record are those of its content.  Raises ``LedgerError`` (13) for the first that is not.

    ``data`` is CJ(content) if the caller has it.
    """
    for field, expected in derived_ids(kind, content, data).items():
        if content[field] != expected:
            raise LedgerError(f"{kind}: expected {field} {expected}, was {content[field]}", exit_code=13)


def _name(state: Any, name: str) -> str:
    """Return the UUIDv5 of ``name`` as text; ``state`` is a SHA-1 state of the namespace and must not be used again.

    RFC 9562, section 5.5: 16 bytes of SHA-1, version 5, variant 10.  Several times as fast as ``uuid.uuid5``.
    """
    state.update(name.encode("utf-8"))
    digest = state.hexdigest()
    return f"{digest[:8]}-{digest[8:12]}-5{digest[13:16]}-{_VARIANT[digest[16]]}{digest[17:20]}-{digest[20:32]}"


def _provenance(signal: bytes) -> bytes:
    """Return CJ(provenance), a slice of CJ(signal)."""
    # From the right: quotes inside texts are escaped, so no field after the provenance can contain this text.
    return signal[_INSIDE : signal.rindex(b',"provenance_hash":"')]
