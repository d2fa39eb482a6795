"""Writers that are killed at any moment, and what is on the disk afterwards.

Run as ``python -m tests.helpers.kill_points``.

One process does all the killing, by fork, so that a writer starts in a millisecond.  It prints one JSON object: kills,
batches acknowledged, and every broken promise as a sentence.
"""

from __future__ import annotations

import io
import json
import os
import random
import signal as posix
import sys
import time
from collections.abc import Callable
from pathlib import Path

from engine.ledger.store.export import export_lines
from engine.ledger.verification.verify import verify_ledger
from tests.helpers.ledgers import signal, store

Writer = Callable[[Path, int, int, int], None]


def durable(folder: Path, first: int, size: int, pipe: int) -> None:
    """Append batches of ``size`` from ``first`` on for ever, acknowledging each on ``pipe``."""
    with store(folder) as mine:
        for n in range(first, sys.maxsize, size):
            mine.append("signal", [signal(k) for k in range(n, n + size)])
            os.write(pipe, n.to_bytes(8, "big"))


def unsynced(folder: Path, first: int, size: int, pipe: int) -> None:
    """Acknowledge what still lies in the process's own buffer: the negative control."""
    with (folder / "acknowledged.txt").open("ab", buffering=1 << 20) as stream:
        for n in range(first, sys.maxsize, size):
            stream.write(b"%d\n" % n)
            os.write(pipe, n.to_bytes(8, "big"))
            time.sleep(0.0005)


def killed(writer: Writer, folder: Path, starts: list[int], size: int, wait: float) -> list[int]:
    """Run one writer for each of ``starts``, kill them all ``wait`` s after the first word, return what they said."""
    read, write = os.pipe()
    children = []
    for start in starts:
        child = os.fork()
        if child == 0:
            os.close(read)
            try:
                writer(folder, start, size, write)
            finally:
                os._exit(1)
        children.append(child)
    os.close(write)
    said = os.read(read, 8)
    time.sleep(wait)
    for child in children:
        os.kill(child, posix.SIGKILL)
        os.waitpid(child, 0)
    while more := os.read(read, 65_536):
        said += more
    os.close(read)
    return [int.from_bytes(said[at : at + 8], "big") for at in range(0, len(said), 8)]


def check(folder: Path, acknowledged: dict[int, int]) -> list[str]:
    """Return what is broken: a chain, an acknowledged row that is gone, a batch that is there in part."""
    with store(folder) as after:
        lines = b"".join(export_lines(after))
        held = after.row_hashes([signal(n + k)["signal_id"] for n, size in acknowledged.items() for k in range(size)])
        after.append("signal", [])
    report = verify_ledger(io.BytesIO(lines)).report
    broken = [] if report.exit == 0 else [str(report.reason)]
    expected = sum(acknowledged.values())
    if len(held) != expected:
        broken.append(f"expected {expected} acknowledged rows, was {len(held)}")
    return broken


def main(folder: Path, kills: int) -> dict[str, object]:
    """Return what happened in ``kills`` kills, with one and two writers, in batches of 1 and of 20."""
    chance = random.Random(288_615)  # when to kill, no secret
    broken: list[str] = []
    count = 0
    for writers, size in ((1, 1), (1, 20), (2, 1), (2, 20)):
        home = folder / f"{writers}-{size}"
        home.mkdir()
        acknowledged: dict[int, int] = {}
        for turn in range(kills // 4):
            starts = [(2 * turn + writer) * 1_000_000 for writer in range(writers)]
            for n in killed(durable, home, starts, size, chance.random() * 0.04):
                acknowledged[n] = size
            broken += check(home, acknowledged)
        with store(home) as last:
            rows = last.tail().seq
        if rows % size:
            broken.append(f"expected whole batches of {size}, was {rows} rows")
        count += len(acknowledged)
    said = killed(unsynced, folder, [0], 1, 0.05)
    kept = (folder / "acknowledged.txt").read_bytes().split() if (folder / "acknowledged.txt").exists() else []
    return {"kills": kills, "acknowledged": count, "broken": broken, "control": {"said": len(said), "kept": len(kept)}}


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]), int(sys.argv[2]))))  # noqa: T201  # read by the test
