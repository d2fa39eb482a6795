"""What a command costs with all its workers: wall and CPU time, peak memory of the whole tree, bytes it read."""

from __future__ import annotations

import os
import resource
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

EVERY_S = 0.2
"""Between two looks at the processes: a shorter peak is not seen."""


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one command; ``peak`` is the largest sum of the resident memory of its processes at one look, bytes.

    Memory that processes share is counted in each, so that ``peak`` is an upper bound.  ``read`` counts what was asked
    of files, from the disk or not; of a process what it had read when it was last seen.
    """

    wall_s: float
    cpu_s: float
    peak: int
    read: int


def cost_of(command: Sequence[str | Path], log: Path) -> Cost:
    """Run ``command``, its output into ``log``, and return its cost; raise ``CalledProcessError`` where it fails."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    peak, read = 0, {}
    with log.open("wb") as sink:
        process = subprocess.Popen(list(map(str, command)), stdout=sink, stderr=sink, start_new_session=True)
        while process.poll() is None:
            now = [found for pid in _session(process.pid) if (found := _seen(pid)) is not None]
            peak = max(peak, sum(resident for _, resident, _ in now))
            read.update({pid: count for pid, _, count in now})
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


def _seen(pid: int) -> tuple[int, int, int] | None:
    """Return a process with its resident bytes and the bytes it asked to read, None where it has ended."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        asked = int(Path(f"/proc/{pid}/io").read_text().split()[1])
    except (OSError, IndexError):
        return None
    return pid, pages * os.sysconf("SC_PAGE_SIZE"), asked
