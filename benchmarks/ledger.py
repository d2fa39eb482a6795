"""What does a hash chain cost to check and to write, against one SHA-256 a line?

The aims are the floors of the rules: hash and link 0.40 of the raw rate, which is a ratio of at most 2.5, with the
canonical form 0.15 (6.7), the Merkle root 0.35 (2.9), everything of audit 8.1 10,000 signal rows a second, batches of
100 appended 20,000 rows a second, one row a commit 0.6 of a write and flush (1.67).  [audit 8.5]
"""

from __future__ import annotations

import io
import os
import sqlite3
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import engine.ledger.store as store_module
from benchmarks.measure import Row, against, machine, table
from engine.ledger.chain import Entry, append, first_entry, open_ledger
from engine.ledger.forms import canonical_form
from engine.ledger.ids import derived_ids
from engine.ledger.merkle import root
from engine.ledger.store import open_store
from engine.ledger.verify import verify_ledger
from engine.ledger.walk import hashed, parsed
from tests.ledgers import genesis, resolution, signals

COUNT = 4000
FEW = 200
RAW = "hashlib.sha256, once a line"


def link(data: bytes) -> None:
    """Hash every row and follow the chain, nothing else."""
    head = "0" * 64
    for row, digest in hashed(io.BytesIO(data)):
        assert row.startswith(head.encode(), row.rindex(b'"prev_hash":"') + 13)
        head = digest


def link_and_form(data: bytes) -> None:
    """Hash, link, and show that each row is what the canonical serialiser would write."""
    head = "0" * 64
    for row, digest in hashed(io.BytesIO(data)):
        assert row.startswith(head.encode(), row.rindex(b'"prev_hash":"') + 13)
        assert canonical_form(row) or parsed(row)
        head = digest


def durable(batches: list[list[dict]], **given: object) -> None:
    """Append ``batches`` to a new live store, each checked, committed, marked."""
    kind = "resolution" if given else "signal"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        with open_store(path / "l.db", genesis(**given), path / "m" / "h.json") as store:
            rows = {record["signal_id"]: record.get("signal_row_hash") for batch in batches for record in batch}
            for batch in batches:
                store.append(kind, batch, signals=rows)


def inserted(entries: Sequence[Entry]) -> None:
    """Put the same rows into the same table: SQLite with the settings and triggers of the rules, and nothing else."""
    with tempfile.TemporaryDirectory() as folder:
        base = sqlite3.connect(Path(folder) / "l.db", isolation_level=None)
        for statement in (*store_module.SETTINGS, *store_module.TABLE):
            base.execute(statement)
        for at in range(0, len(entries), 100):
            base.execute("BEGIN IMMEDIATE")
            base.executemany("INSERT INTO ledger VALUES(?,?,?,?,?,?)", entries[at : at + 100])
            base.execute("COMMIT")
        base.close()


def emitted(count: int) -> list[dict]:
    """Return signals whose quotes and results differ, as those of a day do."""
    records = signals(count)
    for n, record in enumerate(records):
        for at, item in enumerate(record["provenance"]["inputs"]):
            item.update(
                (key, f"{n + 1000}.{at}{side}1") for side, key in enumerate(("bid", "ask", "bid_size", "ask_size"))
            )
            item["snapshot_hash"] = sha256(item["bid"].encode()).hexdigest()
        record["result"]["net_bps"] = f"{n}.25"
        record.update(derived_ids("signal", record))
    return records


@contextmanager
def unmarked() -> Iterator[None]:
    """Leave the high-water mark alone, which costs two more flushes: what the database alone takes."""
    written = store_module.write_mark
    store_module.write_mark = lambda *_: None
    try:
        yield
    finally:
        store_module.write_mark = written


def synced(rows: list[bytes]) -> None:
    """Write and flush to the disk one line at a time."""
    with tempfile.TemporaryFile() as stream:
        for row in rows:
            stream.write(row)
            stream.flush()
            os.fsync(stream.fileno())


def unmarked_commits(records: list[dict]) -> None:
    """Append one row a commit, without the mark."""
    with unmarked():
        durable([[record] for record in records])


def rows() -> list[Row]:
    """Return the rows: reading against raw hashes, appending in batches against them, commits against flushes."""
    records = emitted(COUNT)
    head, first = open_ledger(genesis())
    emit = append(head, "signal", records)
    _, zeroth = first_entry(genesis())
    held = [first, *emit.lines]
    start, opening = open_ledger(genesis(ledger_kind="resolution", emit_ledger_id=head.ledger_id))
    outcomes = [resolution(one, emit.head.rows[one["signal_id"]]) for one in records]
    short = [opening, *append(start, "resolution", outcomes).lines]
    assert verify_ledger(io.BytesIO(b"".join(held))).report.exit == 0

    found = [row for name, ledger in (("signals", held), ("outcomes", short)) for row in read(name, ledger)]
    for name, items, given, ledger in (
        ("signals", records, {}, held),
        ("outcomes", outcomes, {"ledger_kind": "resolution"}, short),
    ):
        batches = [items[at : at + 100] for at in range(0, COUNT, 100)]
        title = f"append {name}, batches of 100, durable"
        found.append(beside(title, lambda b=batches, g=given: durable(b, **g), ledger, "20 k rows/s", turns=3))
    title = "SQLite alone: the insert of the same signals"
    found.append(beside(title, lambda: inserted((zeroth, *emit.entries)), held, "", turns=3))
    few, bodies = records[:FEW], [line[7:-80] for line in held[1 : FEW + 1]]
    for name, aim, work in (
        ("append, a row a commit", "1.67", lambda: unmarked_commits(few)),
        ("the same and its high-water mark", "", lambda: durable([[record] for record in few])),
    ):
        found.append(
            against(
                name, work, "write and flush a line", lambda: synced(bodies), FEW, "rows", turns=3, aim=aim, wall=True
            )
        )
    return found


def read(name: str, ledger: list[bytes]) -> Iterator[Row]:
    """Yield the rows of reading one ledger."""
    whole = b"".join(ledger)
    size = f"{name} of {len(whole) // len(ledger)} B"
    yield beside(f"verify {size}: hash and link", lambda: link(whole), ledger, "2.5")
    yield beside(f"verify {size}: and canonical form", lambda: link_and_form(whole), ledger, "6.7")
    yield beside(f"verify {size}: Merkle root", lambda: root(line[7:-80] for line in ledger), ledger, "2.9")
    aim = "10 k rows/s" if name == "signals" else ""
    yield beside(f"verify {size}: everything", lambda: verify_ledger(io.BytesIO(whole)), ledger, aim)


def beside(name: str, work: Callable[[], object], ledger: list[bytes], aim: str, turns: int = 5) -> Row:
    """Return the row of ``work`` beside one SHA-256 of each line."""

    def raw() -> None:
        for line in ledger:
            sha256(line).digest()

    return against(name, work, RAW, raw, len(ledger), "rows", turns=turns, repeat_yardstick=10, aim=aim)


if __name__ == "__main__":
    print(table(rows()))
    print(machine())
