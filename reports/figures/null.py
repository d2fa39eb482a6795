"""The null distribution of the registered statistic, with the observed value in it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from reports.figures.style import BLUE, GREY, INK, ORANGE, canvas, legend_above
from reports.words import MICRO


def draw(sums_micro: Sequence[int], observed_micro: int) -> str:
    """Return the histogram of the profit under every sign flip; sums at least as large as the observed are hatched."""
    sums = np.asarray(sums_micro, dtype=np.float64) / MICRO
    observed = observed_micro / MICRO
    # Sums that are all equal have no range to cut into bins.
    edges = np.linspace(sums.min(), sums.max(), 42) if np.ptp(sums) else np.array([observed - 1, observed + 1])
    with canvas("null", height=2.8) as sheet:
        ax = sheet.ax
        ax.hist(sums, list(edges), color=GREY, alpha=0.55, label="all sign flips of the blocks")
        tail = sums[sums >= observed]
        ax.hist(tail, list(edges), color=ORANGE, hatch="///", edgecolor=INK, lw=0.5, label="at least the observed")
        ax.axvline(observed, color=BLUE, lw=2, label="observed")
        ax.set_xlabel("net profit of the window under the null, after capital, USD")
        ax.set_ylabel("flips")
        ax.xaxis.set_major_formatter("{x:,.0f}")
        legend_above(ax)
    return sheet.svg
