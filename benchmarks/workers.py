"""What a second worker brings: a third of the demonstration's engine stage, by one process and by two.

On a machine that others use too, wall time says little: two processes get two shares of it.  So there are two rows:
wall time as it was, and the longest chain of CPU time, which is what wall time would be if nobody else were there: the
command's own, and in every round of tasks that of the busier worker.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from backtest.pipeline.window import run_window
from backtest.tasks.scheduler import Task, TaskMarket, WorkerPool
from benchmarks.market import demo
from benchmarks.measure import Row, machine, table
from engine.units import NS_PER_DAY

TURNS = 3
DAYS = 30
TICK_S = 1 / os.sysconf("SC_CLK_TCK")


class Watched(WorkerPool):
    """A crew that sums up, over rounds, the CPU seconds of the busiest worker of each."""

    chain: ClassVar[list[float]] = []

    def results(self, market: TaskMarket, tasks: Sequence[Task], progress: Path | None) -> list[Any]:
        """As a crew's."""
        before = _children()
        found = super().results(market, tasks, progress)
        spent = [cpu - before.get(pid, 0.0) for pid, cpu in _children().items()]
        self.chain.append(max(spent, default=0.0))
        return found


def _children() -> dict[int, float]:
    """Return the CPU seconds so far of every child process of this one (Linux)."""
    found = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == os.getpid():
            found[int(stat.parent.name)] = (int(fields[11]) + int(fields[12])) * TICK_S
    return found


def once(workers: int) -> tuple[float, float]:
    """Return wall seconds and the longest chain of CPU seconds of one engine stage."""
    registration, dataset = demo()
    whole = registration.plan
    plan = replace(
        whole, history_ns=whole.t0_ns - DAYS * NS_PER_DAY, t1_ns=whole.t0_ns + DAYS * NS_PER_DAY,
        fold_ns=DAYS // whole.folds * NS_PER_DAY,
    )  # fmt: skip
    Watched.chain.clear()
    began, cpu = time.perf_counter(), time.process_time()
    run_window(dataset, registration, plan, workers=Watched(workers), report=None)
    return time.perf_counter() - began, time.process_time() - cpu + sum(Watched.chain)


def rows() -> list[Row]:
    """Return the speed-up from one worker to two: by wall time, and by the longest chain of CPU time."""
    once(2)  # starts the workers, which stay
    turns = np.array([(once(1), once(2)) for _ in range(TURNS)])  # [turn, workers, measure]
    found = []
    for at, measure in enumerate(("wall time", "longest chain of CPU time")):
        speedup = turns[:, 0, at] / turns[:, 1, at]
        one, two = np.median(turns[:, :, at], axis=0)
        low, high = np.percentile(speedup, [25, 75])
        found.append(
            Row("1 -> 2 workers, engine stage", f"{two:.3g} s by two", "one worker", f"{one:.3g} s",
                float(np.median(speedup)), float(low), float(high), "at least 1.7", measure)
        )  # fmt: skip
    return found


if __name__ == "__main__":
    print(table(rows()))
    print(machine())
