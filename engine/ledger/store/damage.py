"""A live store that is not what was written: SQLite's refusals and rows that are none, as our errors.  [audit 6]"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from engine.errors import AppendError, LedgerError, MissingError, WriteError
from engine.ledger.format.schemas import check_row
from engine.ledger.verification.walk import parsed


def genesis_of(db: sqlite3.Connection, path: Path) -> Mapping[str, Any]:
    """Return the genesis on record; ``LedgerError`` (10) for a row 0 that is none, whatever the file was."""
    stored = db.execute("SELECT row FROM ledger WHERE seq=0").fetchone()
    try:
        row: Any = parsed(stored[0]) if stored and isinstance(stored[0], bytes) else None
        check_row(row)
    except LedgerError as error:
        raise LedgerError(f"{path}: row 0: {error}") from error
    genesis: Mapping[str, Any] = row["content"]
    if row["kind"] != "genesis":
        raise LedgerError(f"{path}: row 0: expected a genesis, was a {row['kind']}")
    return genesis


def bytes_of(row: object, path: Path) -> bytes:
    """Return the bytes of a stored row; ``LedgerError`` (10) where a damaged page holds a number or a text there."""
    if not isinstance(row, bytes):
        raise LedgerError(f"{path}: expected the bytes of a row, was {type(row).__name__} {str(row)[:40]!r}")
    return row


def row_of(row: bytes, seq: int, name: str, path: Path) -> Mapping[str, Any]:
    """Return the stored row ``seq`` of the ledger ``name``; ``LedgerError`` (10, 12) for what hashes and is none."""
    try:
        found: Mapping[str, Any] = parsed(row)
        check_row(found)
    except LedgerError as error:
        raise LedgerError(f"{path}: row {seq}: {error}", exit_code=error.exit_code) from error
    if (found["ledger_id"], found["seq"]) != (name, seq):
        raise LedgerError(
            f"{path}: expected row {seq} of ledger {name}, was row {found['seq']} of {found['ledger_id']}: find the "
            "newest export that verifies against a checkpoint",
            exit_code=12,
        )
    return found


@contextmanager
def storage(path: Path) -> Iterator[None]:
    """Turn SQLite's refusals into ours: no lock (42), disk full or failing (5), no database (3), trigger (12)."""
    try:
        yield
    except sqlite3.IntegrityError as error:
        raise LedgerError(f"{path}: expected the next row of the chain, was refused: {error}", exit_code=12) from error
    except sqlite3.OperationalError as error:
        if "locked" in str(error) or "busy" in str(error):
            raise AppendError(
                f"{path}: expected the write lock, was held by another process: {error}; nothing was written, "
                "try again",
                exit_code=42,
            ) from error
        raise WriteError(f"{path}: expected to write, was refused: {error}; nothing of the batch was kept") from error
    except (sqlite3.DatabaseError, UnicodeDecodeError) as error:  # its message may quote bytes that are no text
        raise MissingError(f"{path}: expected a ledger database, was: {error}") from error
