"""One row an estimate: the point, its interval, and the registered bound."""

from __future__ import annotations

from collections.abc import Sequence

from reports.figures.style import BLUE, GREY, INK, RED, canvas

UNDECIDED = "not enough data"
_GOOD, _BAD, _OPEN = ("o", BLUE), ("x", RED), ("s", GREY)
MARKS = {
    "retained": _GOOD, "dropped": _BAD, UNDECIDED: _OPEN,
    "supported": _GOOD, "refuted": _BAD, "cannot tell": _OPEN,
}  # fmt: skip
"""Word for a status of a constraint or an answer on a hypothesis -> shape and colour."""


def draw(
    labels: Sequence[str],
    points: Sequence[float | None],
    intervals: Sequence[tuple[float, float] | None],
    statuses: Sequence[str],
    line: float,
    undefined: str = "undefined",
) -> str:
    """Return the annual Sharpe ratios with their 95% intervals; shape and word show the status, colour repeats it.

    None for a point means that it is not drawn: the row says ``undefined`` there.  None for an interval leaves it out.
    """
    with canvas("forest", height=0.36 * len(labels) + 1.0) as sheet:
        ax = sheet.ax
        ax.axvline(line, color=INK, lw=0.9)
        drawn = [value for pair in intervals if pair for value in pair] + [p for p in points if p is not None] + [line]
        # Where nothing is defined the axis still reads as a ratio's.
        spare = 0.05 * (max(drawn) - min(drawn)) or 1.0
        ax.set_xlim(min(drawn) - spare, max(drawn) + spare)
        for row, (point, pair, status) in enumerate(zip(points, intervals, statuses, strict=True)):
            shape, colour = MARKS[status]
            if pair is not None:
                ax.plot(pair, (row, row), color=colour, lw=1.6, solid_capstyle="butt")
            if point is None:
                ax.annotate(undefined, (line, row), (6, 0), textcoords="offset points", va="center", color=GREY)
            else:
                ax.plot([point], [row], shape, color=colour, ms=6, mfc="white" if MARKS[status] == _OPEN else colour)
        ax.set_yticks(range(len(labels)), [f"{a}  ({s})" for a, s in zip(labels, statuses, strict=True)])
        ax.set_ylim(len(labels) - 0.5, -0.5)
        ax.set_xlabel("annualised Sharpe ratio, 95% interval")
        ax.grid(axis="y", visible=False)
    return sheet.svg
