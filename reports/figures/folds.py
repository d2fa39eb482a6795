"""The folds on a time line: training span, gap and test span of each."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from engine.units import NS_PER_DAY
from reports.figures.shapes import WIDTH, axis, box, diagram, line, words
from reports.figures.style import BLUE, GREY, GRID, PALE, TICKS

LEFT, RIGHT, ROW, BAR = 34.0, 100.0, 19.5, 12.0
"""Room at the two sides (names, counts), height of a fold and of its bar, points."""
MOST_TICKS = 7


def draw(history_ns: int, starts_ns: Sequence[int], ends_ns: Sequence[int], gap_ns: int, labels: Sequence[str]) -> str:
    """Return one row a fold: training (pale), purge gap (blank, outlined), test (solid) and its counts at the right."""
    length_of_ns = (WIDTH - LEFT - RIGHT) / (ends_ns[-1] - history_ns)
    bottom = ROW * len(starts_ns)

    def place(t_ns: int) -> float:
        return LEFT + float(t_ns - history_ns) * length_of_ns

    parts = []
    first, last = -(-history_ns // NS_PER_DAY), ends_ns[-1] // NS_PER_DAY
    for day in sorted({int(day) for day in np.linspace(first, last, MOST_TICKS)}):
        x = place(day * NS_PER_DAY)
        parts += [line(x, 0, x, bottom, GRID, 0.6), line(x, bottom, x, bottom + 3, GREY, 0.8)]
        parts.append(words(x, bottom + 13, str(np.datetime64(day, "D")), "middle", 8, TICKS))
    for row, (start, end, label) in enumerate(zip(starts_ns, ends_ns, labels, strict=True)):
        y, base = ROW * row + (ROW - BAR) / 2, ROW * row + ROW / 2 + 3
        spans = ((history_ns, start - gap_ns, PALE, ""), (start - gap_ns, start, "#fff", f' stroke="{GREY}"'))
        for begun, ended, fill, more in (*spans, (start, end, BLUE, "")):
            parts.append(box(place(begun), y, place(ended) - place(begun), BAR, fill, more))
        parts.append(words(LEFT - 5, base, f"fold {row}", "end", 9, TICKS))
        parts.append(words(place(end) + 3, base, label, size=7.5))
    parts += [axis(LEFT, WIDTH, bottom), line(LEFT, 0, LEFT, bottom, GREY, 0.8)]
    return diagram(parts, WIDTH, bottom + 17)
