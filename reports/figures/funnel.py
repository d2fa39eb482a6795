"""From packages examined to trades, one small panel a constraint."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import log

from reports.figures.shapes import WIDTH, box, diagram, line, words
from reports.figures.style import BLUE, GREY, INK, TICKS

LEFT, TOP, ROW, GAP = 74.0, 40.0, 34.0, 8.0
"""Place of the first panel, height of a stage, space between panels, points."""
LEAST = 0.8
"""Where the scale begins: a count of one still has a bar."""


def draw(
    codes: Sequence[str], names: Mapping[str, str], stages: Sequence[str], counts: Mapping[str, Mapping[str, int]]
) -> str:
    """Return bars on a common logarithmic scale, the count written over each; a zero has a number and no bar."""
    top = max(2, *(counts[code].get(stage, 0) for code in codes for stage in stages))
    panel = (WIDTH - LEFT) / len(codes)
    length_of_unit = (panel - GAP) / log(top / LEAST)
    bottom = TOP + ROW * len(stages)
    parts = [words(LEFT - 5, TOP + ROW * row + 22, stage, "end", 9, TICKS) for row, stage in enumerate(stages)]
    for number, code in enumerate(codes):
        x = LEFT + panel * number
        lines = [code, *names[code].split(" ", 1)]
        parts += [words(x, TOP - 6 - 10 * (len(lines) - 1 - n), text, size=8) for n, text in enumerate(lines)]
        for row, stage in enumerate(stages):
            value, y = counts[code].get(stage, 0), TOP + ROW * row
            parts.append(words(x + 1.5, y + 16, f"{value:,}", size=7.5, colour=INK if value else GREY))
            if value:
                parts.append(box(x, y + 19, length_of_unit * log(value / LEAST), 10, BLUE))
        parts.append(line(x, TOP, x, bottom, GREY, 0.8))
    return diagram(parts, WIDTH, bottom + 2)
