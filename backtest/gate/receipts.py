"""Reads the external receipts of a registration: who else has the text, since when, with what evidence.  [audit 7.3]

    receipts.toml   [[receipts]]  registry number address date evidence evidence_sha256

verified: the evidence is beside the registration and has its hash.  pending: none is named yet.  broken: it is missing,
empty or other bytes, a file that the project itself writes, or evidence without registry, number, address or date.
Nothing is fetched: a reader with the address can see whether the registry has the same.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final, Literal

from pydantic import Field

from backtest.toml_tables import Table, TableError, read_table
from engine.errors import MissingError, UsageError

RECEIPTS_FILE: Final = "receipts.toml"
_BESIDE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}\Z")
"""The name of a file in the same folder: no other file is read."""
_OURS: Final = (RECEIPTS_FILE, "registration.toml", "freeze.json", "data-seal.json", "negatives.jsonl")
"""Files that the project writes into that folder: they are no evidence that anybody else has the text."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """One receipt, its status and the reason for it in one sentence."""

    registry: str
    number: str
    address: str  # "" where none is known yet
    date: str
    status: Literal["verified", "pending", "broken"]
    evidence_sha256: str | None
    reason: str


class ReceiptTable(Table):
    """One ``[[receipts]]`` table as written; an empty text says that nothing is known yet."""

    registry: str
    number: str
    address: str
    date: str
    evidence: str
    evidence_sha256: str


class ReceiptsFile(Table):
    """The whole of ``receipts.toml``."""

    receipts: list[ReceiptTable] = Field(default_factory=list)


def read(home: Path) -> tuple[Receipt, ...]:
    """Return the receipts beside a registration, in the order written; none without the file.

    Raises ``MissingError`` (3) if the file cannot be read or is no TOML, ``UsageError`` (2) naming each key that is not
    as expected.
    """
    path = home / RECEIPTS_FILE
    if not path.exists():
        return ()
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as problem:
        raise MissingError(f"expected readable receipts at {path}, was: {problem}") from problem
    try:
        tables = read_table(ReceiptsFile, document).receipts
    except TableError as problem:
        raise UsageError(f"{path}: {problem}") from problem
    return tuple(_receipt(path, table) for table in tables)


def _receipt(path: Path, table: ReceiptTable) -> Receipt:
    names = (table.registry, table.number, table.address, table.date)
    name, wanted = table.evidence, table.evidence_sha256
    if not name and not wanted:
        return Receipt(*names, "pending", None, "no evidence has been put beside the registration")
    if name and not _BESIDE.match(name):
        return Receipt(*names, "broken", wanted or None, f"expected evidence in this folder, was {name!r}")
    lacking = [key for key in ("registry", "number", "address", "date") if not getattr(table, key).strip()]
    if lacking:
        return Receipt(
            *names, "broken", wanted or None, f"expected {', '.join(lacking)} beside its evidence, was empty"
        )
    # In lower case: some file systems do not tell the two apart.
    if name.lower() in _OURS:
        return Receipt(*names, "broken", wanted or None, f"expected evidence of the registry, was our own file {name}")
    evidence = path.parent / name
    # A link may point outside the folder, to a file that no commit holds.
    if not name or evidence.is_symlink() or not evidence.is_file():
        return Receipt(*names, "broken", wanted or None, f"expected the evidence {name or '(unnamed)'}, found none")
    body = evidence.read_bytes()
    if not body.strip():
        return Receipt(*names, "broken", wanted or None, f"expected evidence in {name}, was an empty file")
    digest = sha256(body).hexdigest()
    if digest != wanted:
        return Receipt(*names, "broken", digest, f"expected evidence with SHA-256 {wanted or '(none)'}, was {digest}")
    return Receipt(
        *names, "verified", digest, f"{name} is here and has its hash; the address shows whether others hold it"
    )
