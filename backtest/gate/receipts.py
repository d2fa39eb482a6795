"""External receipts of a registration: who else holds the text, since when, and whether we can show it.  [audit 7.3]

    receipts.toml   [[receipts]]  registry number address date evidence evidence_sha256

verified: the evidence lies beside it and has its hash.  pending: none was named yet.  broken: it is missing or is other
bytes.  Nothing is fetched: a reader with the address can.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, Literal

from engine.errors import MissingError, UsageError

RECEIPTS_FILE: Final = "receipts.toml"
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
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as problem:
        raise MissingError(f"expected readable receipts at {path}, was: {problem}") from problem
    return tuple(_receipt(path, table) for table in document.get("receipts", []))


def _receipt(path: Path, table: dict[str, Any]) -> Receipt:
    if set(table) != set(_KEYS) or not all(isinstance(value, str) for value in table.values()):
        raise UsageError(f"{path}: receipts: expected exactly the texts {', '.join(_KEYS)}, was {sorted(table)}")
    said = (table["registry"], table["number"], table["address"], table["date"])
    name, wanted = table["evidence"], table["evidence_sha256"]
    if not name and not wanted:
        return Receipt(*said, "pending", None, "no evidence has been put beside the registration")
    evidence = path.parent / name
    if not name or not evidence.is_file():
        return Receipt(*said, "broken", wanted or None, f"expected the evidence {name or '(unnamed)'}, found none")
    found = sha256(evidence.read_bytes()).hexdigest()
    if found != wanted:
        return Receipt(*said, "broken", found, f"expected evidence with SHA-256 {wanted or '(none)'}, was {found}")
    return Receipt(*said, "verified", found, f"{name} is here and has its hash")
