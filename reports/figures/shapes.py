"""Boxes, lines and words of a diagram, as SVG text: for pictures that need no ticks chosen and no label measured.

Such a diagram costs a hundredth of one that matplotlib draws.  Sizes are points, as in `style`; y runs downwards.
"""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from reports.figures.style import GREY, INK

WIDTH = 576.0
"""Width of a diagram of a section, 8 inches."""


def diagram(parts: Iterable[str], width: float, height: float) -> str:
    """Return the SVG element of a picture that fills what holds it; later parts lie over earlier ones."""
    size = f'viewBox="0 0 {width:g} {height:g}" xmlns="http://www.w3.org/2000/svg"'
    return f'<svg {size} font-family="sans-serif">{"".join(parts)}</svg>'


def box(x: float, y: float, width: float, height: float, fill: str, more: str = "") -> str:
    """Return a filled rectangle; ``more`` are further attributes."""
    return f'<rect x="{_at(x)}" y="{_at(y)}" width="{_at(width)}" height="{_at(height)}" fill="{fill}"{more}/>'


def line(x1: float, y1: float, x2: float, y2: float, colour: str, width: float = 1.0, more: str = "") -> str:
    """Return a straight line; ``more`` are further attributes."""
    ends = f'x1="{_at(x1)}" y1="{_at(y1)}" x2="{_at(x2)}" y2="{_at(y2)}"'
    return f'<line {ends} stroke="{colour}" stroke-width="{width:g}"{more}/>'


def words(x: float, y: float, text: str, anchor: str = "start", size: float = 9.0, colour: str = INK) -> str:
    """Return ``text``, escaped, on the base line ``y``; ``anchor`` (start, middle, end) is its part at ``x``."""
    place = f'x="{_at(x)}" y="{_at(y)}" text-anchor="{anchor}"'
    return f'<text {place} font-size="{size:g}" fill="{colour}">{escape(text)}</text>'


def axis(x1: float, x2: float, y: float) -> str:
    """Return the line of an axis."""
    return line(x1, y, x2, y, GREY, 0.8)


def _at(value: float) -> str:
    return f"{round(value, 2):g}"
