"""The folds on a time line: training span, gap and test span of each."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from reports.figures.style import BLUE, GREY, INK, PALE, canvas


def draw(history_ns: int, starts_ns: Sequence[int], ends_ns: Sequence[int], gap_ns: int, labels: Sequence[str]) -> str:
    """Return one row a fold: training (pale), purge gap (blank, outlined), test (solid) and its counts at the right."""
    # imported here, as in `style`: only a figure that is drawn needs it
    import matplotlib.dates as mdates

    def date(t_ns: int) -> float:
        return float(mdates.date2num(np.datetime64(int(t_ns), "ns")))

    with canvas("folds", height=0.27 * len(starts_ns) + 0.9) as sheet:
        ax = sheet.ax
        for row, (start, end, label) in enumerate(zip(starts_ns, ends_ns, labels, strict=True)):
            train_end = start - gap_ns
            ax.barh(
                row,
                date(train_end) - date(history_ns),
                left=date(history_ns),
                color=PALE,
                height=0.6,
                hatch="...",
                edgecolor="white",
            )
            ax.barh(row, date(start) - date(train_end), left=date(train_end), color="white", edgecolor=GREY, height=0.6)
            ax.barh(row, date(end) - date(start), left=date(start), color=BLUE, height=0.6)
            ax.text(date(end) + 0.6, row, label, va="center", fontsize=7.5, color=INK)
        ax.set_ylim(len(starts_ns) - 0.4, -0.6)
        ax.set_yticks(range(len(starts_ns)), [f"fold {j}" for j in range(len(starts_ns))])
        span = date(ends_ns[-1]) - date(history_ns)
        ax.set_xlim(date(history_ns), date(ends_ns[-1]) + 0.2 * span)
        ax.xaxis.set_major_locator(mdates.AutoDateLocator(maxticks=8))
        ax.xaxis.set_major_formatter(mdates.DateFormatter("%Y-%m-%d"))
        ax.grid(axis="y", visible=False)
        ax.tick_params(axis="x", labelsize=8)
    return sheet.svg
