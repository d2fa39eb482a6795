"""What a command costs with all its workers: wall and CPU time, peak memory of the whole tree, bytes it read."""

from __future__ import annotations

import os
import resource
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

EVERY_S = 0.2
"""Between two looks at the processes: a shorter peak is not seen."""


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one command; ``peak`` is the largest sum of the memory of its processes at one look, bytes.

    Memory that processes share is divided among them (the proportional set size).  ``read`` counts what was asked
    of files and pipes, from the disk or not; of a thread what it had read when it was last seen.
    """

    wall_s: float
    cpu_s: float
    peak: int
    read: int


def cost_of(command: Sequence[str | Path], log: Path) -> Cost:
    """Run ``command``, its output into ``log``, and return its cost; raise ``CalledProcessError`` where it fails."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    peak, read = 0, dict[int, int]()
    with log.open("wb") as sink:
        process = subprocess.Popen(list(map(str, command)), stdout=sink, stderr=sink, start_new_session=True)
        while process.poll() is None:
            now = _session(process.pid)
            peak = max(peak, sum(map(_proportional, now)))
            for pid in now:
                read.update(_read(pid))
            time.sleep(EVERY_S)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, process.args)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Cost(time.monotonic() - began, cpu, peak, sum(read.values()))


def _session(leader: int) -> list[int]:
    """Return the processes of the session that ``leader`` leads."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if os.getsid(int(entry.name)) == leader:
                    found.append(int(entry.name))
            except OSError:  # it ended in between
                continue
    return found


def _proportional(pid: int) -> int:
    """Return the proportional set size of a process in bytes, 0 where it has ended (Linux)."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) * 1024


def _read(pid: int) -> dict[int, int]:
    """Return the bytes that each thread of a process asked to read: that of a process counts its ended children too."""
    found = {}
    with suppress(OSError):
        for thread in Path(f"/proc/{pid}/task").iterdir():
            with suppress(OSError, IndexError):
                found[int(thread.name)] = int((thread / "io").read_text().split()[1])
    return found
