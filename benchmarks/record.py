"""What the record of a run costs: its journal and the sync of MLflow, imports apart, against SQLite and the same bytes.

The journal is that of a run of one window: stages, names, headline numbers and four files of the sizes they have in the
demonstration.  The store is one that has seen a run before; its making is a row of its own.
"""

from __future__ import annotations

import sqlite3
import sys
import tempfile
from collections.abc import Callable
from itertools import count
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from backtest.tracking import journal
from backtest.tracking.mlflow_sync import sync
from benchmarks.measure import Row, against, machine, table

FILES = {"verdicts.json": 40_000, "digest.txt": 65, "report.html": 1_500_000, "registration.toml": 30_000}
NAMES = ("registration", "engine_seal", "data", "seeds", "commit", "digest", "negatives")
NUMBERS = ("h1/sharpe", "h1/p_n1", "h1/p_n2", "h1/p_n3", "h2/mean_usd_per_day", "h2/signals", "h3/retained")
STAGES = ("data", "engine", "placements", "verdicts", "report")


def recorded(runs: Path, name: str) -> Path:
    """Write the journal of one run, as `cme run` does, and return its path."""
    ticks = count(1_790_000_000_000_000, 1000)
    log = journal.start(runs / name, "benchmark", "exploratory", "run demo.toml", lambda: next(ticks))
    for stage in STAGES:
        log.stage(stage)
    for key in NAMES:
        log.tag(key, "0" * 64)
    for key in NUMBERS:
        log.metric(key, 1.25)
    for file, size in FILES.items():
        (log.path.parent / file).write_bytes(b"x" * size)
        log.artifact(file)
    log.end(0)
    return log.path


def rows() -> list[Row]:
    """Return the row of a run's record, and that of the first run of a store."""
    with tempfile.TemporaryDirectory() as folder:
        names, runs = (f"run-{n}" for n in count()), Path(folder) / "runs"
        sync(runs, [recorded(runs, next(names))], None)  # makes the store and imports MLflow

        def record() -> None:
            sync(runs, [recorded(runs, next(names))], None)

        def first() -> None:
            fresh = Path(folder) / next(names)
            sync(fresh, [recorded(fresh, "run")], None)

        beside = ("the same bytes into SQLite", _sqlite(Path(folder)), 1, "runs")
        return [
            against("journal and sync of a run", record, *beside, aim="at most 2 s a run"),
            against("the first run of a store", first, *beside, turns=3),
        ]


def _sqlite(folder: Path) -> Callable[[], None]:
    """Return what writes the journal's lines and the files into a table of a SQLite file, one commit an event."""
    source = recorded(folder / "twin", "run")
    bodies = [*source.read_bytes().splitlines(), *((source.parent / name).read_bytes() for name in FILES)]
    numbers = count()

    def write() -> None:
        base = sqlite3.connect(folder / f"twin-{next(numbers)}.db")
        base.execute("CREATE TABLE record (seq INTEGER PRIMARY KEY, body BLOB)")
        for body in bodies:
            with base:
                base.execute("INSERT INTO record (body) VALUES (?)", (body,))
        base.close()

    return write


if __name__ == "__main__":
    print(table(rows()))
    print(machine())
