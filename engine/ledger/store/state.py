"""The genesis and the plans on record in a live store, read before it is opened for an append.  [live L0.2]

`open_store` compares the genesis it is given with the last ``plan/1``.  Whoever continues a ledger under an amended
plan opens it with what is on record, and appends the plan that follows.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.ledger.store.damage import bytes_of, genesis_of, last_plan_of, storage
from engine.ledger.verification.walk import parsed


@dataclass(frozen=True, slots=True)
class StoreState:
    """A live store as it is: its genesis, the content of each ``plan/1`` in order, and the genesis now in force."""

    genesis: Mapping[str, Any]
    plans: tuple[Mapping[str, Any], ...]
    in_force: Mapping[str, Any]


def state_of(path: Path) -> StoreState | None:
    """Return what is on record in the live store at ``path``; None where there is no file or nothing was begun.

    Raises ``MissingError`` (3) if the file is no ledger, ``LedgerError`` (10) if a row of it is malformed, and
    ``AppendError`` (42) if it is locked.
    """
    if not path.exists():
        return None
    with storage(path):
        db = sqlite3.connect(path, isolation_level=None, timeout=30)
        try:
            if not db.execute("SELECT name FROM sqlite_master WHERE name='ledger'").fetchone():
                return None
            genesis = genesis_of(db, path)
            query = "SELECT row FROM ledger WHERE id >= 'plan/' AND id < 'plan0' ORDER BY seq"
            rows: list[Any] = [parsed(bytes_of(row, path)) for (row,) in db.execute(query)]
            last = last_plan_of(db, path)
        finally:
            db.close()
    in_force = {**genesis, **{key: last[key] for key in ("config_hash", "freeze_hash") if key in last}}
    return StoreState(genesis, tuple(row["content"] for row in rows), in_force)
