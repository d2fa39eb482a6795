"""The Sharpe ratios of placebo entries, with the observed one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from reports.figures.histogram import draw_null
from reports.figures.style import canvas


def draw(name: str, ordered: Sequence[float], observed: float) -> str:
    """Return the histogram of a null's order statistics; those at least as large as ``observed`` are hatched."""
    values = np.asarray(ordered, dtype=np.float64)
    # The observed ratio may lie outside the null: the axis must hold both.
    low, high = min(float(values.min(initial=observed)), observed), max(float(values.max(initial=observed)), observed)
    with canvas(name, height=2.0) as sheet:
        ax = sheet.ax
        draw_null(ax, values, observed, low, high if high > low else low + 1.0, "placebo entries")
        ax.set_xlabel("net annualised Sharpe ratio")
        ax.set_ylabel("draws")
    return sheet.svg
