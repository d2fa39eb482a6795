"""Profit after costs and capital over the window, and its drawdown."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from engine.records import IntArray
from reports.figures.style import BLUE, GREY, INK, RED, canvas, legend_above
from reports.words import MICRO


def draw(day: IntArray, x_micro: IntArray, pnl_micro: IntArray, fold_start_day: Sequence[int]) -> str:
    """Return the cumulative net profit (solid), the trading profit before capital cost (dashed) and the drawdown.

    ``x_micro`` and ``pnl_micro`` are integer micro-USD a day, shape (n,); vertical lines are the starts of folds.
    """
    dates = pd.to_datetime(day, unit="D")
    equity = np.cumsum(x_micro) / MICRO
    with canvas("equity", height=4.2, rows=2) as sheet:
        top, bottom = sheet.axes
        top.plot(
            dates, np.cumsum(pnl_micro) / MICRO, color=GREY, lw=1.2, ls="--", label="trading profit before capital"
        )
        top.plot(dates, equity, color=BLUE, lw=1.8, label="after capital")
        top.axhline(0, color=INK, lw=0.7)
        top.set_ylabel("USD, cumulative")
        legend_above(top)
        trough = equity - np.maximum.accumulate(np.maximum(equity, 0.0))
        bottom.fill_between(dates, trough, 0, color=RED, alpha=0.35, lw=0)
        bottom.plot(dates, trough, color=RED, lw=1.0)
        bottom.set_ylabel("USD below the best")
        for ax in sheet.axes:
            # Matplotlib's dates are days since 1970-01-01, as ours are.
            for start in fold_start_day:
                ax.axvline(float(start), color=GREY, lw=0.5, ls=":")
            ax.margins(x=0.01)
            ax.yaxis.set_major_formatter("{x:,.0f}")
        # one row of dates for both
        top.tick_params(labelbottom=False)
    return sheet.svg
