"""Crashes of the live store: two writers, a full disk, a killed process, a power loss.  [audit 6.4]"""

from __future__ import annotations

import io
import json
import multiprocessing
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from engine.ledger.store.export import export, export_lines
from engine.ledger.store.high_water_mark import read_mark
from engine.ledger.verification.verify import opened, verify_ledger
from tests.helpers.ledgers import signal, store

ROOT = Path(__file__).resolve().parents[4]


def _writer(folder: str, start: int, done: Any) -> None:
    with store(Path(folder)) as mine:
        for n in range(20):
            mine.append("signal", [signal(start + 2 * n)])
    done.put(start)


def test_two_writers_at_once_make_one_chain(tmp_path: Path) -> None:
    """Two processes appending at the same time give one ledger with every row, no fork, and a mark at its end."""
    context = multiprocessing.get_context("spawn")
    done = context.Queue()
    writers = [context.Process(target=_writer, args=(str(tmp_path), start, done)) for start in (0, 1)]
    for writer in writers:
        writer.start()
    assert {done.get(timeout=300) for _ in writers} == {0, 1}
    for writer in writers:
        writer.join()

    with store(tmp_path) as both:
        export(both, tmp_path / "both.jsonl")
        both.append("signal", [])
        mark = read_mark(tmp_path / "marks" / "highwater.json")
    with opened(tmp_path / "both.jsonl") as stream:
        report = verify_ledger(stream).report
    assert (report.exit, report.rows) == (0, 41), report.reason
    assert mark is not None
    assert mark.seq == 40


FULL = """
import resource, sys
from pathlib import Path
from engine.errors import WriteError
from tests.helpers.ledgers import signal, store
import signal as posix
posix.signal(posix.SIGXFSZ, posix.SIG_IGN)
with store(Path(sys.argv[1])) as mine:
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
    acknowledged = 1
    for n in range(2000):
        try:
            acknowledged = mine.append("signal", [signal(3 * n), signal(3 * n + 1), signal(3 * n + 2)]).size
        except WriteError:
            break
    print(acknowledged, flush=True)
"""


@pytest.mark.parametrize("limit", [60_000, 123_456, 400_000])
def test_a_full_disk_loses_nothing_acknowledged(limit: int, tmp_path: Path) -> None:
    """When the volume is full the batch is refused (5); the rows are exactly those acknowledged.  [audit 6.4]

    The volume is a limit on the size of each file, which stops the write-ahead log and the database alike.
    """
    out = subprocess.run(
        [sys.executable, "-c", FULL, str(tmp_path), str(limit)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert out.returncode == 0, out.stderr

    with store(tmp_path) as after:
        report = verify_ledger(io.BytesIO(b"".join(export_lines(after)))).report
    assert (0, int(out.stdout)) == (report.exit, report.rows)
    assert 1 < report.rows < 6000


@pytest.mark.slow
def test_sixty_kills_lose_nothing_acknowledged(tmp_path: Path) -> None:
    """Whatever moment a writer dies at, acknowledged rows are there, the chain holds, batches are whole.  [audit 6.4]

    One and two writers, batches of 1 and 20.  Negative control: a writer that acknowledges from its own buffer fails.
    """
    out = subprocess.run(
        [sys.executable, "-m", "tests.helpers.kill_points", str(tmp_path), "60"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
    )
    assert out.returncode == 0, out.stderr
    found = json.loads(out.stdout)

    assert found["broken"] == []
    assert found["acknowledged"] > 60
    assert found["control"]["kept"] < found["control"]["said"]
