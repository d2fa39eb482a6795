"""How the benchmarks measure: CPU time of this process, repeated, as a ratio to a yardstick measured beside it.

A shared machine makes seconds meaningless and ratios less so: work and yardstick take turns, so that both meet the
same neighbours.
"""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np

from engine.kernels import choose

TURNS = 7
HEADER = ("what", "rate", "against", "its rate", "measure", "ratio", "middle half", "aim")


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: what was measured against what, the ratio and its spread, and what was aimed at.

    ``ratio`` is of CPU times, work to yardstick, except where ``measure`` says otherwise.
    """

    work: str
    rate: str
    yardstick: str
    yardstick_rate: str
    ratio: float
    low: float
    high: float
    aim: str = ""
    measure: str = "CPU time"


def cpu_seconds(work: Callable[[], object]) -> float:
    """Return the CPU seconds of this process, all its threads, that one call of ``work`` took."""
    began = time.process_time()
    work()
    return time.process_time() - began


def wall_seconds(work: Callable[[], object]) -> float:
    """Return the seconds on the wall that one call of ``work`` took."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def against(
    name: str,
    work: Callable[[], object],
    yardstick_name: str,
    yardstick: Callable[[], object],
    amount: float,
    unit: str,
    *,
    turns: int = TURNS,
    yardstick_amount: float | None = None,
    yardstick_unit: str | None = None,
    repeat_yardstick: int = 1,
    aim: str = "",
    wall: bool = False,
) -> Row:
    """Return the row of ``work`` beside ``yardstick``: median CPU times, and the quartiles of the turns' ratios.

    Rates are ``amount`` (``unit``) a CPU second.  A yardstick too short to be timed is called ``repeat_yardstick``
    times a turn.  ``wall`` counts seconds on the wall for both: where a disk or another process is waited for.
    """
    seconds = wall_seconds if wall else cpu_seconds
    work()
    yardstick()
    ours, theirs = [], []
    for _ in range(turns):
        ours.append(seconds(work))
        theirs.append(seconds(lambda: [yardstick() for _ in range(repeat_yardstick)]) / repeat_yardstick)
    ratios = np.array(ours) / np.array(theirs)
    low, high = np.percentile(ratios, [25, 75])
    beside = (amount if yardstick_amount is None else yardstick_amount) / median(theirs)
    return Row(
        name,
        f"{_short(amount / median(ours))} {unit}/s",
        yardstick_name,
        f"{_short(beside)} {yardstick_unit or unit}/s",
        float(np.median(ratios)),
        float(low),
        float(high),
        aim,
        "wall time" if wall else "CPU time",
    )


def by_numpy(work: Callable[[], object]) -> Callable[[], object]:
    """Return ``work`` with the compiled kernels passed over: the same bits, the path before them."""

    def slow() -> object:
        chosen = choose.kernel_path
        choose.kernel_path = lambda: choose.KernelPath(None, "a benchmark")
        try:
            return work()
        finally:
            choose.kernel_path = chosen

    return slow


def table(rows: Sequence[Row]) -> str:
    """Return the rows as aligned text."""
    cells = [HEADER, *map(cells_of, rows)]
    widths = [max(len(row[at]) for row in cells) for at in range(len(HEADER))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in cells)


def cells_of(row: Row) -> tuple[str, ...]:
    """Return one row's cells, under `HEADER`."""
    spread = f"{row.low:.3g} - {row.high:.3g}"
    return row.work, row.rate, row.yardstick, row.yardstick_rate, row.measure, f"{row.ratio:.3g}", spread, row.aim


def machine() -> str:
    """Return one line on where this ran: a rate means nothing without it."""
    load = ", ".join(f"{x:.1f}" for x in os.getloadavg())
    stack = f"Python {platform.python_version()}, numpy {np.__version__}"
    return f"{platform.machine()}, {os.cpu_count()} cores, {stack}, load {load}"


def _short(value: float) -> str:
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:.3g} {letter}"
    return f"{value:.3g}"
