"""External receipts of a registration: who else holds the text, since when, and whether we can show it.  [audit 7.3]

    receipts.toml   [[receipts]]  registry number address date evidence evidence_sha256

verified: the evidence lies beside it and has its hash.  pending: none was named yet.  broken: it is missing, empty or
other bytes, a file that the project itself writes, or evidence of nothing named (registry, number, address, date).
Nothing is fetched: that the registry holds the same, a reader with the address can see.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, Literal

from engine.errors import MissingError, UsageError

RECEIPTS_FILE: Final = "receipts.toml"
_BESIDE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}\Z")
"""A name of a file in the same folder; nothing elsewhere is evidence, and no other file is read."""
_OURS: Final = (RECEIPTS_FILE, "registration.toml", "freeze.json", "data-seal.json", "negatives.jsonl")
"""Files of our own in that folder: what we say is no evidence that others hold it."""
_KEYS: Final = ("registry", "number", "address", "date", "evidence", "evidence_sha256")


@dataclass(frozen=True, slots=True)
class Receipt:
    """One receipt, with what can be said of it here."""

    registry: str
    number: str
    address: str  # "" where none is known yet
    date: str
    status: Literal["verified", "pending", "broken"]
    evidence_sha256: str | None
    reason: str


def read(home: Path) -> tuple[Receipt, ...]:
    """Return the receipts beside a registration, in the order written; none without the file."""
    path = home / RECEIPTS_FILE
    if not path.exists():
        return ()
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as problem:
        raise MissingError(f"expected readable receipts at {path}, was: {problem}") from problem
    tables = document.get("receipts", [])
    if set(document) - {"receipts"} or not isinstance(tables, list):
        raise UsageError(f"{path}: expected tables [[receipts]] and nothing else, was {sorted(document)}")
    return tuple(_receipt(path, table) for table in tables)


def _receipt(path: Path, table: Any) -> Receipt:
    texts = isinstance(table, dict) and all(isinstance(value, str) for value in table.values())
    if not texts or set(table) != set(_KEYS):
        raise UsageError(f"{path}: receipts: expected exactly the texts {', '.join(_KEYS)}, was {str(table)[:200]}")
    said = (table["registry"], table["number"], table["address"], table["date"])
    name, wanted = table["evidence"], table["evidence_sha256"]
    if not name and not wanted:
        return Receipt(*said, "pending", None, "no evidence has been put beside the registration")
    if name and not _BESIDE.match(name):
        return Receipt(*said, "broken", wanted or None, f"expected evidence in this folder, was {name!r}")
    lacking = [key for key in ("registry", "number", "address", "date") if not table[key].strip()]
    if lacking:
        return Receipt(*said, "broken", wanted or None, f"expected {', '.join(lacking)} beside its evidence, was empty")
    if name.lower() in _OURS:
        return Receipt(*said, "broken", wanted or None, f"expected evidence of the registry, was our own file {name}")
    evidence = path.parent / name
    if not name or evidence.is_symlink() or not evidence.is_file():
        return Receipt(*said, "broken", wanted or None, f"expected the evidence {name or '(unnamed)'}, found none")
    body = evidence.read_bytes()
    if not body.strip():
        return Receipt(*said, "broken", wanted or None, f"expected evidence in {name}, was an empty file")
    found = sha256(body).hexdigest()
    if found != wanted:
        return Receipt(*said, "broken", found, f"expected evidence with SHA-256 {wanted or '(none)'}, was {found}")
    return Receipt(
        *said, "verified", found, f"{name} is here and has its hash; the address shows whether others hold it"
    )
