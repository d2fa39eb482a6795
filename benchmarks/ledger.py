"""What does a hash chain cost to check and to write, against one SHA-256 a line?

The aims are the floors of the rules: hash and link 0.40 of the raw rate, which is a ratio of at most 2.5, with the
canonical form 0.15 (6.7), the Merkle root 0.35 (2.9), everything of audit 8.1 10,000 signal rows a second, batches of
100 appended 20,000 rows a second, one row a commit 0.6 of a write and flush (1.67).  [audit 8.5]  The
rules measured the insert alone of the last two; shown are both, that and all of an append.
"""

from __future__ import annotations

import io
import os
import sqlite3
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from hashlib import sha256
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import engine.ledger.store.live_store as store_module
from benchmarks.measure import Row, against, machine, table
from engine.ledger.chain import Entry, append, first_entry, open_ledger
from engine.ledger.format.ids import derived_ids
from engine.ledger.format.match_text import canonical_form
from engine.ledger.merkle import root
from engine.ledger.store.live_store import Store, open_store
from engine.ledger.store.tables import SETTINGS, TABLE
from engine.ledger.verification.verify import verify_ledger
from engine.ledger.verification.walk import hashed, parsed
from tests.helpers.ledgers import genesis, resolution, signals

COUNT = 4000
FEW = 200
TURNS = 5
"""Of what is written to the disk."""
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


@contextmanager
def fresh(make: Callable[[Path], Any], work: Callable[[Any], None], turns: int) -> Iterator[Callable[[], None]]:
    """Yield what does ``work`` on a new one of what ``make`` makes in a folder; all are made before, for each turn."""
    with ExitStack() as stack:
        folders = [Path(stack.enter_context(tempfile.TemporaryDirectory())) for _ in range(turns + 1)]  # one to warm up
        waiting = iter([make(folder) for folder in folders])
        yield lambda: work(next(waiting))


def opened(folder: Path, **given: object) -> Store:
    """Return a new live store."""
    return open_store(folder / "l.db", genesis(**given), folder / "m" / "h.json")


def durable(store: Store, kind: str, batches: Sequence[Sequence[dict]]) -> None:
    """Append ``batches``, each checked, committed and marked, and close: the log is put in its place."""
    with store:
        for batch in batches:
            rows = {record["signal_id"]: record.get("signal_row_hash") for record in batch}
            store.append(kind, batch, signals=rows)


def chained(given: Mapping[str, Any], kind: str, batches: Sequence[Sequence[dict]]) -> None:
    """Append ``batches``, each checked and hashed; whoever keeps the lines writes them at the end, whole."""
    head, _ = open_ledger(given)
    for batch in batches:
        done = append(head, kind, batch)
        assert done.lines
        head = done.head


def table_only(folder: Path) -> sqlite3.Connection:
    """Return a database with the settings, the table and the triggers of the rules, and nothing else."""
    base = sqlite3.connect(folder / "l.db", isolation_level=None)
    for statement in (*SETTINGS, *TABLE):
        base.execute(statement)
    return base


def inserted(base: sqlite3.Connection, entries: Sequence[Entry], size: int = 100) -> None:
    """Put the same rows into the same table, ``size`` a commit, and close."""
    for at in range(0, len(entries), size):
        base.execute("BEGIN IMMEDIATE")
        base.executemany("INSERT INTO ledger VALUES(?,?,?,?,?,?)", entries[at : at + size])
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


def synced(portions: Sequence[bytes]) -> None:
    """Write and flush to the disk one portion at a time."""
    with tempfile.TemporaryFile() as stream:
        for portion in portions:
            stream.write(portion)
            stream.flush()
            os.fsync(stream.fileno())


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
    found += written("signal", records, held)
    with fresh(table_only, lambda base: inserted(base, (zeroth, *emit.entries)), TURNS) as work:
        found.append(beside("SQLite alone: the insert of the same signals", work, held, "20 k rows/s", turns=TURNS))
    found += written("resolution", outcomes, short)
    found += flushed("batches of 100", 100, records, (zeroth, *emit.entries), "")
    found += flushed("a row a commit", 1, records[:FEW], (zeroth, *emit.entries[:FEW]), "1.67")
    return found


def flushed(name: str, size: int, records: Sequence[dict], entries: Sequence[Entry], aim: str) -> Iterator[Row]:
    """Yield the rows of appending ``size`` signals a commit, on the wall, against writing and flushing their lines."""
    batches = [records[at : at + size] for at in range(0, len(records), size)]
    portions = [b"".join(entry.line for entry in entries[at : at + size]) for at in range(1, len(entries), size)]
    works: tuple[tuple[str, Any, Any, Any], ...] = (
        ("SQLite alone", nullcontext, table_only, lambda base: inserted(base, entries, size)),
        ("append without its mark", unmarked, opened, lambda store: durable(store, "signal", batches)),
        ("append", nullcontext, opened, lambda store: durable(store, "signal", batches)),
    )
    yardstick = "write and flush their lines"
    for what, around, make, work in works:
        with around(), fresh(make, work, TURNS) as act:
            yield against(
                f"{what}, {name}",
                act,
                yardstick,
                lambda: synced(portions),
                len(records),
                "rows",
                turns=TURNS,
                aim=aim,
                wall=True,
            )


def written(kind: str, records: Sequence[dict], ledger: list[bytes]) -> Iterator[Row]:
    """Yield the rows of appending in batches of 100: the chain alone, as a backtest does, and a live store."""
    batches = [records[at : at + 100] for at in range(0, COUNT, 100)]
    given = genesis(ledger_kind={"signal": "emit"}.get(kind, kind))
    name = f"append {kind}s, batches of 100"
    yield beside(f"{name}, the chain alone", lambda: chained(given, kind, batches), ledger, "20 k rows/s", turns=TURNS)
    with fresh(lambda at: opened(at, **given), lambda to: durable(to, kind, batches), TURNS) as work:
        yield beside(f"{name}, durable", work, ledger, "20 k rows/s", turns=TURNS)


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
