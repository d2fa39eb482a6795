"""Names of records: UUIDv5 of what was read and how it was told to be judged, never of what was computed.  [audit 3.2]

A name keeps 122 bits of SHA-1 and is no integrity anchor: the 256-bit provenance and content hashes stand beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
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
_VARIANT: Final = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}
_VARIANTS: Final = bytes.maketrans("".join(_VARIANT).encode(), "".join(_VARIANT.values()).encode())


def _names_of(namespace: UUID) -> Callable[[], Any]:
    """Return what gives a new SHA-1 that has taken in ``namespace``."""
    return sha1(namespace.bytes, usedforsecurity=False).copy


_SIGNAL_NAMES: Final = _names_of(NS_SIGNAL)
_RESOLUTION_NAMES: Final = _names_of(NS_RESOLUTION)


def provenance_hash(provenance: Mapping[str, Any]) -> str:
    """Return ``H("provenance", CJ(provenance))``."""
    return tagged_hash("provenance", canonical(provenance))


def signal_id(provenance_hash_hex: str) -> str:
    """Return the name of the signal whose provenance has that hash."""
    return _name(_SIGNAL_NAMES(), provenance_hash_hex)


def resolution_id(signal: str, rule_id: str, revision: int) -> str:
    """Return the name of revision ``revision`` of the resolution of ``signal`` under ``rule_id``."""
    return _name(_RESOLUTION_NAMES(), f"{signal}/{rule_id}/{revision}")


def ledger_id(genesis: Mapping[str, Any]) -> str:
    """Return the name of the ledger that begins with ``genesis``: bound to one engine, configuration and data set."""
    return str(uuid5(NS_LEDGER, tagged_hash("ledger", canonical(genesis))))


def look_id(analysis_id: str, freeze_hash: str, dataset_hash: str, seeds_hash: str, replication: int) -> str:
    """Return the name of one look at outcomes."""
    inputs = [analysis_id, freeze_hash, dataset_hash, seeds_hash, replication]
    return str(uuid5(NS_LOOK, tagged_hash("look_id", canonical(inputs))))


def uuid_of(namespace: UUID, name: str) -> str:
    """Return the lower-case UUIDv5 of ``name`` in ``namespace``."""
    return _name(_names_of(namespace)(), name)


def derived_ids(kind: str, content: Mapping[str, Any], data: bytes | None = None) -> dict[str, str]:
    """Return what the derived fields of a checked record must hold: field -> value.  [audit 3.2]

    ``data`` is CJ(content) where the caller has it.
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


def ids_hold(kind: str, contents: Sequence[Mapping[str, Any]], datas: Sequence[bytes]) -> bool:
    """Return whether the derived fields of checked records are seen to hold, all compared at once; False says nothing.

    ``datas`` are their canonical bytes.  `check_ids` accepts a record or names its fault.
    """
    if kind == "signal":
        digests = [tagged_hash("provenance", _provenance(data)) for data in datas]
        names, start = digests, _SIGNAL_NAMES
        if digests != [content["provenance_hash"] for content in contents]:
            return False
    elif kind == "resolution":
        names, start = list(map(_outcome, contents)), _RESOLUTION_NAMES
    else:
        return False
    drawn = []
    for name in names:
        state = start()
        state.update(name.encode("utf-8"))
        drawn.append(state.hexdigest()[:32])
    expected = bytearray("".join(drawn), "ascii")
    expected[12::32] = b"5" * len(names)
    expected[16::32] = expected[16::32].translate(_VARIANTS)
    field = f"{kind}_id"
    return "".join([content[field] for content in contents]).replace("-", "").encode() == expected


def check_ids(kind: str, content: Mapping[str, Any], data: bytes | None = None) -> None:
    """Refuse a checked record whose ids are not those of its content.  Raises ``LedgerError`` (13)."""
    for field, expected in derived_ids(kind, content, data).items():
        if content[field] != expected:
            raise LedgerError(f"{kind}: expected {field} {expected}, was {content[field]}", exit_code=13)


def _name(state: Any, name: str) -> str:
    """Return the UUIDv5 of ``name`` as text; ``state`` is a SHA-1 that has taken in the namespace, and is used up.

    RFC 9562, section 5.5: 16 bytes of SHA-1, version 5, variant 10.  Several times as fast as the library's.
    """
    state.update(name.encode("utf-8"))
    digest = state.hexdigest()
    return f"{digest[:8]}-{digest[8:12]}-5{digest[13:16]}-{_VARIANT[digest[16]]}{digest[17:20]}-{digest[20:32]}"


def _outcome(content: Mapping[str, Any]) -> str:
    """Return what the id of a resolution is the name of."""
    return f"{content['signal_id']}/{content['rule_id']}/{content['revision']}"


def _provenance(signal: bytes) -> bytes:
    """Return CJ(provenance) out of CJ(signal): no later field of a signal can hold this text."""
    return signal[_INSIDE : signal.rindex(b',"provenance_hash":"')]
