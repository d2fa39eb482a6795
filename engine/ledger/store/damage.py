"""A damaged live store: SQLite's errors and malformed rows, as errors of this project.  [audit 6]"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from engine.errors import AppendError, LedgerError, MissingError, WriteError
from engine.ledger.format.schemas import check_row
from engine.ledger.verification.walk import parsed


def genesis_of(db: sqlite3.Connection, path: Path) -> Mapping[str, Any]:
    """Return the content of row 0.  Raises ``LedgerError`` (10) if it is missing, malformed or not a genesis."""
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


def last_plan_of(db: sqlite3.Connection, path: Path) -> Mapping[str, Any]:
    """Return ``config_hash``, ``freeze_hash`` and ``from_us`` of the last ``plan/1``, nothing where there is none.

    Raises ``LedgerError`` (10) for a row under the id of a plan that is none.
    """
    # "0" follows "/": the range is every id that begins with plan/, read off the index.
    query = "SELECT seq, row FROM ledger WHERE id >= 'plan/' AND id < 'plan0' ORDER BY seq DESC LIMIT 1"
    stored = db.execute(query).fetchone()
    if stored is None:
        return {}
    try:
        row: Any = parsed(bytes_of(stored[1], path))
        check_row(row)
    except LedgerError as error:
        raise LedgerError(f"{path}: row {stored[0]}: {error}") from error
    if row["kind"] != "plan":
        raise LedgerError(f"{path}: row {stored[0]}: expected a plan, was a {row['kind']}")
    return {key: row["content"][key] for key in ("config_hash", "freeze_hash", "from_us")}


def refuse_earlier_plan(db: sqlite3.Connection, path: Path, rows: Sequence[bytes]) -> None:
    """Refuse new ``rows`` of plans unless each begins after the one before it.  Raises ``LedgerError`` (12)."""
    last = last_plan_of(db, path).get("from_us", -1) if rows else -1
    for row in rows:
        plan: Any = parsed(row)
        if plan["content"]["from_us"] <= last:
            raise LedgerError(
                f"{path}: expected a plan from a time after {last}, was from {plan['content']['from_us']}",
                exit_code=12,
            )
        last = plan["content"]["from_us"]


def bytes_of(row: object, path: Path) -> bytes:
    """Return ``row`` if it is bytes.  Raises ``LedgerError`` (10) if a damaged page gave a number or a text instead."""
    if not isinstance(row, bytes):
        raise LedgerError(f"{path}: expected the bytes of a row, was {type(row).__name__} {str(row)[:40]!r}")
    return row


def row_of(row: bytes, seq: int, name: str, path: Path) -> Mapping[str, Any]:
    """Return row ``seq`` of the ledger ``name`` from its stored bytes.

    Raises ``LedgerError`` (10) if it is malformed, and (12) if it is another row or of another ledger.
    """
    try:
        value: Mapping[str, Any] = parsed(row)
        check_row(value)
    except LedgerError as error:
        raise LedgerError(f"{path}: row {seq}: {error}", exit_code=error.exit_code) from error
    if (value["ledger_id"], value["seq"]) != (name, seq):
        raise LedgerError(
            f"{path}: expected row {seq} of ledger {name}, was row {value['seq']} of {value['ledger_id']}: find the "
            "newest export that verifies against a checkpoint",
            exit_code=12,
        )
    return value


@contextmanager
def storage(path: Path) -> Iterator[None]:
    """Raise SQLite's errors inside the ``with`` block as errors of this project, with the path.

    Raises ``LedgerError`` (12) if a trigger refused, ``AppendError`` (42) if the file is locked, ``WriteError`` (5) if
    the disk is full or failing, ``MissingError`` (3) if the file is no database.
    """
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
        raise WriteError(
            f"{path}: expected to write, was refused: {error}; nothing of the batch was kept: make room and call again"
        ) from error
    except (sqlite3.DatabaseError, UnicodeDecodeError) as error:  # its message may quote bytes that are no text
        raise MissingError(f"{path}: expected a ledger database, was: {error}") from error
