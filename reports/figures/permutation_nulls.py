"""The Sharpe ratios of placebo entries, with the observed one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from reports.figures.style import BLUE, GREY, INK, ORANGE, canvas, legend_above


def draw(name: str, ordered: Sequence[float], observed: float) -> str:
    """Return the histogram of a null's order statistics; those at least as large as ``observed`` are hatched."""
    values = np.asarray(ordered, dtype=np.float64)
    # The observed ratio may lie outside the null: the axis must hold both.
    low, high = min(float(values.min(initial=observed)), observed), max(float(values.max(initial=observed)), observed)
    edges = np.linspace(low, high if high > low else low + 1.0, 42)
    with canvas(name, height=2.0) as sheet:
        ax = sheet.ax
        ax.hist(values, list(edges), color=GREY, alpha=0.55, label="placebo entries")
        ax.hist(
            values[values >= observed],
            list(edges),
            color=ORANGE,
            hatch="///",
            edgecolor=INK,
            lw=0.5,
            label="at least the observed",
        )
        ax.axvline(observed, color=BLUE, lw=2, label="observed")
        ax.set_xlabel("net annualised Sharpe ratio")
        ax.set_ylabel("draws")
        legend_above(ax)
    return sheet.svg
