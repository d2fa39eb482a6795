"""A number, its interval and the bound of its claim on one line: the small picture of an answer."""

from __future__ import annotations

from reports.figures.shapes import diagram, line, words
from reports.figures.style import BLUE, GREY, INK, PALE, RED

WIDTH, HEIGHT = 260, 44
_EDGE, _LINE, _TEXT = 10, 16, 38
_COLOURS = {"good": BLUE, "bad": RED, "unsure": GREY}


def draw(
    tone: str, point: float | None, interval: tuple[float | None, float | None], bound: float, bound_text: str
) -> str:
    """Return SVG text: the bound as a line with its text, the interval as a bar, the number as a dot.

    A None end of ``interval`` is open: the bar goes to the edge.  Without a ``point`` only the bound is drawn.
    """
    known = [value for value in (point, *interval, bound) if value is not None]
    low, high = min(known), max(known)
    spare = 0.12 * (high - low) or 1.0

    def place(value: float) -> float:
        return round(_EDGE + (WIDTH - 2 * _EDGE) * (value - low + spare) / (high - low + 2 * spare), 1)

    colour, at = _COLOURS[tone], place(bound)
    parts = [line(0, _LINE, WIDTH, _LINE, PALE)]
    if point is not None:
        ends = [
            _EDGE if interval[0] is None else place(interval[0]),
            WIDTH - _EDGE if interval[1] is None else place(interval[1]),
        ]
        if interval != (None, None):
            parts.append(line(ends[0], _LINE, ends[1], _LINE, colour, 5))
        parts.append(f'<circle cx="{place(point)}" cy="{_LINE}" r="5.5" fill="{colour}" stroke="#fff"/>')
    parts.append(line(at, 4, at, 28, INK, 1.5, ' stroke-dasharray="3 2"'))
    # The text stays inside the picture, whichever side of it the bound is near.
    anchor = "start" if at < WIDTH / 3 else "end" if at > 2 * WIDTH / 3 else "middle"
    parts.append(words(at, _TEXT, bound_text, anchor, 11))
    return diagram(parts, WIDTH, HEIGHT)
