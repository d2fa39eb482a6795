"""What verification and appending cost, against hashlib.sha256 once a line in the same run.  [audit 8.5]

    python benchmarks/ledger.py [rows]

Prints each rate and its floor; measures, asserts nothing.  The best of five passes, on one process.
"""

from __future__ import annotations

import io
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import engine.ledger.store as store_module
from engine.ledger.chain import append, open_ledger
from engine.ledger.merkle import root
from engine.ledger.store import open_store
from engine.ledger.verify import verify_ledger
from engine.ledger.walk import framed, lines, parsed
from tests.ledgers import genesis, resolution, signals

PASSES = 5


def best(work: Callable[[], object], count: int) -> float:
    """Return rows a second of the fastest pass."""
    times = []
    for _ in range(PASSES):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return count / min(times)


def link(data: bytes) -> None:
    """Hash every row and follow the chain, nothing else."""
    head = b"0" * 64
    for line, _ in lines(io.BytesIO(data)):
        row, digest = framed(line)
        at = row.rindex(b'"prev_hash":"') + 13
        assert row[at : at + 64] == head
        head = digest.encode()


def link_and_form(data: bytes) -> None:
    """Hash, link, and compare with the canonical form."""
    head = "0" * 64
    for line, _ in lines(io.BytesIO(data)):
        row, digest = framed(line)
        assert parsed(row)["prev_hash"] == head
        head = digest


def durable(batches: list[list[dict]], **given: object) -> float:
    """Return rows a second of appending ``batches`` to a new live store, each checked, committed, marked."""
    kind = "resolution" if given else "signal"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        with open_store(path / "l.db", genesis(**given), path / "m" / "h.json") as store:
            rows = {record["signal_id"]: record.get("signal_row_hash") for batch in batches for record in batch}
            began = time.perf_counter()
            for batch in batches:
                store.append(kind, batch, signals=rows)
            return sum(map(len, batches)) / (time.perf_counter() - began)


@contextmanager
def unmarked() -> Iterator[None]:
    """Leave the high-water mark alone, which costs two more flushes: what the database alone takes."""
    written = store_module.write_mark
    store_module.write_mark = lambda *_: None
    try:
        yield
    finally:
        store_module.write_mark = written


def synced(rows: list[bytes]) -> float:
    """Return rows a second of writing and syncing one line at a time."""
    with tempfile.TemporaryFile() as stream:
        began = time.perf_counter()
        for row in rows:
            stream.write(row)
            stream.flush()
            os.fsync(stream.fileno())
        return len(rows) / (time.perf_counter() - began)


def main(count: int) -> None:
    """Print the table."""
    records = signals(count)
    head, first = open_ledger(genesis())
    emit = append(head, "signal", records)
    held = [first, *emit.lines]
    data = b"".join(held)
    start, opening = open_ledger(genesis(ledger_kind="resolution", emit_ledger_id=head.ledger_id))
    outcomes = [resolution(s, emit.head.rows[s["signal_id"]]) for s in records]
    short = [opening, *append(start, "resolution", outcomes).lines]
    rows = [line[7:-80] for line in held]

    print(
        f"{platform.processor() or platform.machine()}, Python {platform.python_version()}, {count} rows, one process"
    )
    for name, ledger in (("signals", held), ("resolutions", short)):
        whole, n = b"".join(ledger), len(ledger)
        raw = best(lambda ledger=ledger: [sha256(line).digest() for line in ledger], n)
        print(f"{name}: {len(whole) // n} B a line, raw sha256 {raw:,.0f} rows/s")
        show("  hash and link", best(lambda whole=whole: link(whole), n), raw, 0.40)
        show("  hash, link, canonical form", best(lambda whole=whole: link_and_form(whole), n), raw, 0.15)
        show("  tree hash", best(lambda ledger=ledger: root(line[7:-80] for line in ledger), n), raw, 0.35)
        everything = best(lambda whole=whole: verify_ledger(io.BytesIO(whole)), n)
        print(f"  {'everything of 8.1':34}{everything:12,.0f} rows/s   floor 10,000 for signals")
    few = min(500, count)
    single, raw = [[record] for record in records[:few]], synced(rows[:few])
    with unmarked():
        commit = durable(single)
    for name, rate in (("append, one row a commit", commit), ("  the same with its mark", durable(single))):
        print(f"  {name:34}{rate:12,.0f} rows/s   {rate / raw:.2f} of write and fsync, floor 0.60")
    for name, items, given in (("signals", records, {}), ("resolutions", outcomes, {"ledger_kind": "resolution"})):
        batches = [items[at : at + 100] for at in range(0, count, 100)]
        rate = max(durable(batches, **given) for _ in range(3))
        print(f"  {f'append, {name} in batches of 100':34}{rate:12,.0f} rows/s   floor 20,000")
    assert verify_ledger(io.BytesIO(data)).report.exit == 0


def show(name: str, rate: float, raw: float, floor: float) -> None:
    """Print a rate as a share of the raw one."""
    print(f"{name:36}{rate:12,.0f} rows/s   {rate / raw:.2f} of raw, floor {floor:.2f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000)
