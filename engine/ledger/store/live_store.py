"""The live ledger: one SQLite file, append-only; a batch is acknowledged once it is on the disk.  [audit 5, 6]

    take the lock -> tail's hash recomputed -> high-water mark -> append (chain.append) -> commit -> mark -> acknowledge

SQLite's checksummed write-ahead log distinguishes a torn last write from a removed tail.  The triggers stop accidents;
they do not stop an owner of the file.  The published form is the export (`engine.ledger.store.export`).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from os.path import realpath
from pathlib import Path
from types import TracebackType
from typing import Any, Final, NamedTuple, Self

from engine.errors import GateError, LedgerError, MissingError, UsageError, WriteError
from engine.ledger.chain import Entry, Head, LedgerItem, append_in_order, first_entry, in_order, row_hash
from engine.ledger.durable import make_folder, sync_folder
from engine.ledger.format.ids import check_ids, ledger_id, resolution_id
from engine.ledger.format.schemas import ADMITTED, KINDS
from engine.ledger.store.damage import bytes_of, genesis_of, last_plan_of, refuse_earlier_plan, row_of, storage
from engine.ledger.store.filesystem import check_place
from engine.ledger.store.high_water_mark import HighWaterMark, check_mark, read_mark, write_mark
from engine.ledger.store.tables import SETTINGS, TABLE

LOCK_WAIT_MS: Final = 30_000
IDS_PER_QUERY: Final = 500
"""Ids looked up by one statement; SQLite may be built to take at most 999."""
REFUSED_AT_OPEN: Final = {"engine_hash": 20, "freeze_hash": 20, "dataset_hash": 21}
"""The exit code for a field of the genesis that differs; all other fields are 26.  [audit 8.3]"""


@dataclass(frozen=True, slots=True)
class Receipt:
    """An acknowledged batch: (id, ``inserted`` | ``duplicate``) in order, and the ledger's size and head after it."""

    outcomes: tuple[tuple[str, str], ...]
    size: int
    head: str


class _Tail(NamedTuple):
    """The last row: its bytes, its place and hash, and its time in microseconds UTC (0 in backtest mode)."""

    row: bytes
    mark: HighWaterMark
    recorded_at_us: int
    sealed: bool


class Store:
    """An open live ledger, made by `open_store`.  Use it in a ``with`` statement, which closes it."""

    def __init__(self, connection: sqlite3.Connection, path: Path, mark: Path, genesis: Mapping[str, Any]) -> None:
        self._db = connection
        self._mark = mark
        self._last: _Tail | None = None
        self.path = path
        self.genesis = genesis
        self.ledger_id = ledger_id(genesis)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._db.close()

    def append(
        self,
        kind: str,
        batch: Sequence[Mapping[str, Any]],
        *,
        recorded_at_us: int | None = None,
        signals: Mapping[str, str] | None = None,
    ) -> Receipt:
        """Append the whole batch or nothing, durably, and acknowledge it.

        ``recorded_at_us`` is the caller's clock (microseconds UTC) in live mode and None in backtest mode; ``signals``
        maps signal ids to their row hashes in the emit ledger (`row_hashes`), for resolutions.  Raises, with nothing
        written: ``UsageError`` (2) for a kind or time that does not fit the ledger; ``LedgerError`` 10 and 13
        malformed, 12 sealed, 15 reference; ``AppendError`` 40 conflict, 41 behind the mark, 42 no lock; ``WriteError``
        (5) if the disk is full.  If only the mark cannot be written (5), the batch is on record, not acknowledged.
        """
        items = self._checked(kind, batch, recorded_at_us, signals or {})
        with self._transaction():
            tail = self._tail()
            # Under the lock: another writer could move the tail and the mark between the two reads.
            check_mark(read_mark(self._mark), tail.mark, self._hash_at, self._mark, self.path)
            known = self._column("content_hash", [item.id for item in items])
            head = Head(self.ledger_id, tail.mark.seq, tail.mark.row_hash, known, {})
            # A clock that was set back must not make the times of the chain fall (check l of audit 8.1).
            when = None if recorded_at_us is None else max(recorded_at_us, tail.recorded_at_us)
            done = append_in_order(head, kind, items, when)
            if tail.sealed and done.entries:
                raise LedgerError(f"{self.path}: expected no row after the seal, was a {kind}", exit_code=12)
            refuse_earlier_plan(self._db, self.path, [entry.row for entry in done.entries if kind == "plan"])
            self._insert(done.entries)
        mark = HighWaterMark(self.ledger_id, done.head.seq, done.head.row_hash)
        if done.entries:
            self._last = _Tail(done.entries[-1].row, mark, when or 0, kind == "seal")
        before = read_mark(self._mark)
        # Another writer may have gone further in the meantime.
        if before is None or before.seq < mark.seq:
            write_mark(self._mark, mark)
        return Receipt(done.outcomes, done.head.size, done.head.row_hash)

    def row_hashes(self, names: Sequence[str]) -> dict[str, str]:
        """Return id -> row hash for those of ``names`` that are on record.

        Raises ``MissingError`` (3) if the file is damaged, ``AppendError`` (42) if it is locked.
        """
        with storage(self.path):
            return self._column("row_hash", names)

    def rows(self) -> Iterator[tuple[bytes, str]]:
        """Yield (CJ(row), row hash) in order, all from one snapshot of the file.

        Raises ``LedgerError`` (10) if a row is not bytes, ``MissingError`` (3) if the file is damaged.
        """
        with storage(self.path):
            for row, digest in self._db.execute("SELECT row, row_hash FROM ledger ORDER BY seq"):
                yield bytes_of(row, self.path), digest

    def tail(self) -> HighWaterMark:
        """Return the place and hash of the last row, the hash recomputed from the stored bytes.

        Raises ``LedgerError`` (10, 11, 12) if the stored row is malformed, hashes otherwise or is another ledger's.
        """
        with storage(self.path):
            return self._tail().mark

    def _checked(
        self, kind: str, batch: Sequence[Mapping[str, Any]], recorded_at_us: int | None, signals: Mapping[str, str]
    ) -> list[LedgerItem]:
        """Return the batch in order after all checks that need no lock.  Raises ``UsageError``, ``LedgerError``."""
        belongs = KINDS[self.genesis["ledger_kind"]]
        if kind not in (*ADMITTED[self.genesis["ledger_kind"]], "seal"):
            raise UsageError(f"{self.path}: expected a batch of {belongs}s, a plan or a seal, was {kind!r}")
        if (recorded_at_us is None) != (self.genesis["mode"] == "backtest"):
            raise UsageError(
                f"{self.path}: expected recorded_at_us in live mode and none in backtest mode, was {recorded_at_us} in "
                f"{self.genesis['mode']} mode"
            )
        items = in_order(kind, batch)
        for _, content, data in items:
            check_ids(kind, content, data)
            if kind == "resolution":
                self._refers(content, signals)
        return items

    def _refers(self, content: Mapping[str, Any], signals: Mapping[str, str]) -> None:
        expected = signals.get(content["signal_id"])
        if expected != content["signal_row_hash"]:
            raise LedgerError(
                f"{self.path}: expected signal_row_hash {expected or 'of a signal in the emit ledger'}, was "
                f"{content['signal_row_hash']} for signal {content['signal_id']}",
                exit_code=15,
            )
        if content["revision"]:
            before = resolution_id(content["signal_id"], content["rule_id"], content["revision"] - 1)
            found = self._column("row_hash", [before]).get(before)
            if found != content["supersedes"]:
                raise LedgerError(
                    f"{self.path}: expected supersedes {found or 'of an earlier revision on record'}, was "
                    f"{content['supersedes']} for signal {content['signal_id']}",
                    exit_code=15,
                )

    def _tail(self) -> _Tail:
        """Return the last row, checked from its stored bytes."""
        found = self._db.execute("SELECT seq, row_hash, row FROM ledger ORDER BY seq DESC LIMIT 1").fetchone()
        seq, stored, row = found or (0, None, b"")
        row = bytes_of(row, self.path)
        if self._last and (row, seq, stored) == (self._last.row, self._last.mark.seq, self._last.mark.row_hash):
            # Equal bytes were checked when this process appended them; a long ledger is appended row by row.
            return self._last
        if row_hash(row) != stored:
            raise LedgerError(f"{self.path}: expected row {seq} to hash to {stored}, was {row_hash(row)}", exit_code=11)
        content = row_of(row, seq, self.ledger_id, self.path)
        return _Tail(
            row, HighWaterMark(self.ledger_id, seq, stored), content["recorded_at_us"] or 0, content["kind"] == "seal"
        )

    def _hash_at(self, seq: int) -> str | None:
        found = self._db.execute("SELECT row_hash FROM ledger WHERE seq=?", (seq,)).fetchone()
        return found[0] if found else None

    def _column(self, column: str, names: Sequence[str]) -> dict[str, str]:
        values: dict[str, str] = {}
        for start in range(0, len(names), IDS_PER_QUERY):
            some = names[start : start + IDS_PER_QUERY]
            marks = ",".join("?" * len(some))
            query = f"SELECT id, {column} FROM ledger WHERE id IN ({marks})"  # noqa: S608  # one of two literals
            values.update(self._db.execute(query, tuple(some)))
        return values

    def _insert(self, entries: Sequence[Entry]) -> None:
        self._db.executemany(
            "INSERT INTO ledger(seq,id,content_hash,prev_hash,row_hash,row) VALUES(?,?,?,?,?,?)", entries
        )

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """Hold the write lock; commit at the end, roll back everything on any error."""
        with storage(self.path):
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise


def open_store(
    path: Path,
    genesis: Mapping[str, Any],
    mark: Path,
    *,
    recorded_at_us: int | None = None,
    lock_wait_ms: int = LOCK_WAIT_MS,
) -> Store:
    """Return the live ledger in ``path``; a new one is begun with ``genesis``.  ``mark`` is the high-water mark's file.

    ``mark`` must be in another folder than ``path``, so that one restored backup does not bring both back.
    ``recorded_at_us`` is the time of row 0 (microseconds UTC, live mode); ``lock_wait_ms`` how long to wait for the
    write lock.  Raises ``UsageError`` (2) if both files are in one folder; ``GateError`` if the ledger on record began
    with another genesis (20 engine, 21 data, 26 other fields; ``opened_at_us`` may differ, plan and freeze are those of
    the last ``plan/1`` where there is one) or SQLite is too old (23);
    ``WriteError`` (5) on a network file system or one without write-ahead logging; ``MissingError`` (3) if the file is
    no ledger; ``LedgerError`` (10) if its row 0 is malformed; ``AppendError`` (41 behind the mark, 42 locked).
    """
    # A loop of links is refused where it is opened.
    if Path(realpath(mark)).parent == Path(realpath(path)).parent:
        raise UsageError(f"{mark}: expected the high-water mark in another folder than the ledger's, was the same")
    check_place(path)
    make_folder(mark.parent)
    with storage(path):
        db = sqlite3.connect(path, isolation_level=None, timeout=lock_wait_ms / 1000)
        try:
            db.execute(f"PRAGMA busy_timeout={int(lock_wait_ms)}")
            for setting in SETTINGS:
                db.execute(setting)
            if db.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
                raise WriteError(
                    f"{path}: expected a file system that allows write-ahead logging, was one that does not"
                )
            begun = _begin(db, path, genesis, mark, recorded_at_us)
        except BaseException:
            db.close()
            raise
    return Store(db, path, mark, begun)


def _begin(
    db: sqlite3.Connection, path: Path, genesis: Mapping[str, Any], mark: Path, recorded_at_us: int | None
) -> Mapping[str, Any]:
    """Create the table and row 0 if the file is new; return the genesis on record, checked against ``genesis``."""
    head, entry = first_entry(genesis, recorded_at_us)
    # Two processes may open a new file at once: the lock lets one of them write row 0.
    db.execute("BEGIN IMMEDIATE")
    try:
        schema = [sql for (sql,) in db.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY rowid")]
        if not schema:
            # A mark without its ledger means that the file was lost: a new history must not begin in its place.
            check_mark(read_mark(mark), None, lambda _: None, mark, path)
            for statement in TABLE:
                db.execute(statement)
            db.execute("INSERT INTO ledger VALUES(?,?,?,?,?,?)", entry)
        elif tuple(schema) != TABLE:
            raise MissingError(f"{path}: expected the table and triggers of a ledger, was another schema: {schema[:1]}")
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise
    if not schema:
        # The entry of a new file is in its folder: without this flush a power loss can leave the mark and no ledger.
        sync_folder(path.parent)
        write_mark(mark, HighWaterMark(head.ledger_id, 0, head.row_hash))
    on_record = genesis_of(db, path)
    in_force = {**on_record, **last_plan_of(db, path)}
    for key, code in sorted(((key, REFUSED_AT_OPEN.get(key, 26)) for key in genesis), key=lambda item: item[1]):
        if key != "opened_at_us" and in_force[key] != genesis[key]:
            raise GateError(
                f"{path}: expected {key} {in_force[key]} of the ledger's last plan or genesis, was {genesis[key]}: "
                "another engine, plan or data set writes its own ledger",
                exit_code=code,
            )
    return dict(on_record)
