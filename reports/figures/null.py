"""The null distribution of the registered statistic, with the observed value in it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from reports.figures.histogram import draw_null
from reports.figures.style import canvas
from reports.words import MICRO


def draw(sums_micro: Sequence[int], observed_micro: int) -> str:
    """Return the histogram of the profit under every sign flip; sums at least as large as the observed are hatched."""
    sums = np.asarray(sums_micro, dtype=np.float64) / MICRO
    observed = observed_micro / MICRO
    # Sums that are all equal have no range to cut into bins.
    low, high = (float(sums.min()), float(sums.max())) if np.ptp(sums) else (observed - 1, observed + 1)
    with canvas("null", height=2.8) as sheet:
        ax = sheet.ax
        draw_null(ax, sums, observed, low, high, "all sign flips of the blocks")
        ax.set_xlabel("net profit of the window under the null, after capital, USD")
        ax.set_ylabel("flips")
        ax.xaxis.set_major_formatter("{x:,.0f}")
    return sheet.svg
