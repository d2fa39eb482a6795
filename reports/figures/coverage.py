"""The share of each day at which each constraint could be evaluated."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from engine.records import FloatArray, IntArray
from reports.figures.shapes import WIDTH, axis, box, diagram, line, words
from reports.figures.style import GREY, TICKS

LEFT, RIGHT, ROW, STEPS = 26.0, 64.0, 19.0, 20
"""Room at the two sides and height of a row, points; steps of the scale."""
BLUES = ("f7fbff", "deebf7", "c6dbef", "9ecae1", "6baed6", "4292c6", "2171b5", "08519c", "08306b")
"""Blues of Brewer, Hatchard and Harrower (2003), from no share to the whole; between two the mean by distance."""


def draw(day: IntArray, codes: Sequence[str], shares: FloatArray) -> str:
    """Return a raster: a row a constraint, a column a day, darker for a larger share of grid times; NaN is left white.

    ``day`` is days since 1970-01-01, shape (n,); ``shares`` has shape (len(codes), n), in [0, 1].
    """
    plot = WIDTH - LEFT - RIGHT
    column, bottom = plot / len(day), ROW * len(codes)
    parts = [words(LEFT - 5, ROW * row + 12.5, code, "end", 9, TICKS) for row, code in enumerate(codes)]
    parts += [
        box(LEFT + column * at, ROW * row, column, ROW, _shade(value), ' stroke="#fff" stroke-width=".3"')
        for row, values in enumerate(shares.tolist())
        for at, value in enumerate(values)
        if value == value  # NaN: left white
    ]
    parts += [line(LEFT, 0, LEFT, bottom, GREY, 0.8), axis(LEFT, LEFT + plot, bottom)]
    for at in np.linspace(0, len(day) - 1, min(7, len(day))).astype(int).tolist():
        x = LEFT + column * (at + 0.5)
        parts.append(line(x, bottom, x, bottom + 3, GREY, 0.8))
        parts.append(words(x, bottom + 13, str(np.datetime64(int(day[at]), "D")), "middle", 9, TICKS))
    return diagram(parts + _scale(WIDTH - RIGHT + 14, bottom), WIDTH, bottom + 17)


def _scale(x: float, height: float) -> list[str]:
    """Return the scale of shades from no share at the bottom to all of it at the top."""
    step = height / STEPS
    parts = [box(x, height - step * (n + 1), 9, step + 0.2, _shade((n + 0.5) / STEPS)) for n in range(STEPS)]
    for fifth in range(6):
        y = height * (1 - fifth / 5)
        parts.append(line(x + 9, y, x + 12, y, GREY, 0.8))
        parts.append(words(x + 14, min(max(y + 2.7, 6), height), f"{20 * fifth}%", size=7.5, colour=TICKS))
    return parts


def _shade(share: float) -> str:
    """Return the colour of a share, between its two neighbours in `BLUES`."""
    low = min(int(share * (len(BLUES) - 1)), len(BLUES) - 2)
    part = share * (len(BLUES) - 1) - low
    ends = zip(bytes.fromhex(BLUES[low]), bytes.fromhex(BLUES[low + 1]), strict=True)
    return "#" + bytes(round(a + (b - a) * part) for a, b in ends).hex()
