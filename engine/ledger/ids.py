"""Names of records: UUIDv5 of what was read and how it was told to be judged, never of what was computed.  [audit 3.2]

A name keeps 122 bits of SHA-1 and is no integrity anchor: the 256-bit provenance and content hashes stand beside it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from uuid import NAMESPACE_URL, UUID, uuid5

from engine.errors import LedgerError
from engine.ledger.canon import canonical, tagged_hash

NS_ROOT: Final = uuid5(NAMESPACE_URL, "urn:cme-audit:1")
NS_SIGNAL: Final = uuid5(NS_ROOT, "signal")
NS_RESOLUTION: Final = uuid5(NS_ROOT, "resolution")
NS_LEDGER: Final = uuid5(NS_ROOT, "ledger")
NS_LOOK: Final = uuid5(NS_ROOT, "look")


def provenance_hash(provenance: Mapping[str, Any]) -> str:
    """Return ``H("provenance", CJ(provenance))``."""
    return tagged_hash("provenance", canonical(provenance))


def signal_id(provenance_hash_hex: str) -> str:
    """Return the name of the signal whose provenance has that hash."""
    return str(uuid5(NS_SIGNAL, provenance_hash_hex))


def resolution_id(signal: str, rule_id: str, revision: int) -> str:
    """Return the name of revision ``revision`` of the resolution of ``signal`` under ``rule_id``."""
    return str(uuid5(NS_RESOLUTION, f"{signal}/{rule_id}/{revision}"))


def ledger_id(genesis: Mapping[str, Any]) -> str:
    """Return the name of the ledger that begins with ``genesis``: bound to one engine, configuration and data set."""
    return str(uuid5(NS_LEDGER, tagged_hash("ledger", canonical(genesis))))


def look_id(analysis_id: str, freeze_hash: str, dataset_hash: str, seeds_hash: str, replication: int) -> str:
    """Return the name of one look at outcomes."""
    inputs = [analysis_id, freeze_hash, dataset_hash, seeds_hash, replication]
    return str(uuid5(NS_LOOK, tagged_hash("look_id", canonical(inputs))))


def uuid_of(namespace: UUID, name: str) -> str:
    """Return the lower-case UUIDv5 of ``name`` in ``namespace``."""
    return str(uuid5(namespace, name))


def derived_ids(kind: str, content: Mapping[str, Any], provenance: bytes | None = None) -> dict[str, str]:
    """Return what the derived fields of a record must hold: field -> value.

    ``provenance`` is CJ(provenance) of a signal where the caller has it.  [audit 3.2]
    """
    if kind == "signal":
        data = canonical(content["provenance"]) if provenance is None else provenance
        digest = tagged_hash("provenance", data)
        return {"provenance_hash": digest, "signal_id": signal_id(digest)}
    if kind == "resolution":
        name = resolution_id(content["signal_id"], content["rule_id"], content["revision"])
        return {"resolution_id": name}
    if kind == "look":
        keys = ("analysis_id", "freeze_hash", "dataset_hash", "seeds_hash", "replication")
        return {"look_id": look_id(*(content[key] for key in keys))}
    return {}


def check_ids(kind: str, content: Mapping[str, Any], provenance: bytes | None = None) -> None:
    """Refuse a record whose ids are not those of its content.  Raises ``LedgerError`` (13)."""
    for field, expected in derived_ids(kind, content, provenance).items():
        if content[field] != expected:
            raise LedgerError(f"{kind}: expected {field} {expected}, was {content[field]}", exit_code=13)
