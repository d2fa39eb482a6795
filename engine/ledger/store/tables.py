"""The SQLite settings, table and triggers of a live ledger.  [audit 6.2]"""

from __future__ import annotations

from typing import Final

from engine.ledger.chain import GENESIS_PREV

SETTINGS: Final = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",  # NORMAL loses acknowledged rows on power loss
    "PRAGMA foreign_keys=ON",
    "PRAGMA recursive_triggers=ON",  # without it INSERT OR REPLACE deletes and fires no delete trigger
    "PRAGMA trusted_schema=OFF",
    "PRAGMA cache_size=-65536",  # KiB: ids are random, so each looks into another page of the index
    "PRAGMA wal_autocheckpoint=8000",  # pages, 32 MB: a page of the index hit again and again is put in place once
)
TABLE: Final = (
    """CREATE TABLE ledger(
  seq INTEGER PRIMARY KEY CHECK(seq>=0),
  id TEXT NOT NULL UNIQUE,
  content_hash TEXT NOT NULL CHECK(length(content_hash)=64),
  prev_hash TEXT NOT NULL CHECK(length(prev_hash)=64),
  row_hash TEXT NOT NULL UNIQUE CHECK(length(row_hash)=64),
  row BLOB NOT NULL
) STRICT""",
    "CREATE TRIGGER no_update BEFORE UPDATE ON ledger BEGIN SELECT RAISE(ABORT,'append-only'); END",
    "CREATE TRIGGER no_delete BEFORE DELETE ON ledger BEGIN SELECT RAISE(ABORT,'append-only'); END",
    f"""CREATE TRIGGER chain BEFORE INSERT ON ledger WHEN
     NEW.seq <> (SELECT COALESCE(MAX(seq)+1,0) FROM ledger)
  OR NEW.prev_hash <> COALESCE((SELECT row_hash FROM ledger ORDER BY seq DESC LIMIT 1), '{GENESIS_PREV}')
  OR EXISTS(SELECT 1 FROM ledger WHERE id=NEW.id OR row_hash=NEW.row_hash)
BEGIN SELECT RAISE(ABORT,'chain-or-duplicate'); END""",  # noqa: S608  # a constant of 64 zeros
)
