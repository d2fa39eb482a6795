"""A null distribution as steps, those at least as large as the observed hatched, and the observed value in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from engine.records import FloatArray
from reports.figures.style import BLUE, GREY, INK, ORANGE, legend_above

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BINS = 41


def draw_null(ax: Axes, values: FloatArray, observed: float, low: float, high: float, label: str) -> None:
    """Draw the counts of ``values``, shape (n,), in equal bins from ``low`` to ``high``; ``label`` names them all."""
    edges = np.linspace(low, high, BINS + 1)
    ax.stairs(np.histogram(values, edges)[0], edges, fill=True, color=GREY, alpha=0.55, label=label)
    tail = np.histogram(values[values >= observed], edges)[0]
    # from its first bin on: the outline of empty bins would be a line along the axis
    first = int(np.flatnonzero(tail)[0]) if tail.any() else BINS - 1
    ax.stairs(
        tail[first:], edges[first:], fill=True, facecolor=ORANGE, hatch="///", edgecolor=INK, lw=0.5,
        label="at least the observed",
    )  # fmt: skip
    ax.axvline(observed, color=BLUE, lw=2, label="observed")
    legend_above(ax)
