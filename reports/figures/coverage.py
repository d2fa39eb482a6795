"""The share of each day at which each constraint could be evaluated."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from engine.records import FloatArray, IntArray
from reports.figures.style import INK, canvas


def draw(day: IntArray, codes: Sequence[str], shares: FloatArray) -> str:
    """Return a raster: a row a constraint, a column a day, darker for a larger share of grid times; NaN is left white.

    ``shares`` has shape (len(codes), n), in [0, 1].
    """
    dates = pd.to_datetime(day, unit="D")
    with canvas("coverage", height=0.26 * len(codes) + 1.0) as sheet:
        ax = sheet.ax
        image = ax.pcolormesh(
            np.arange(len(day) + 1), np.arange(len(codes) + 1), shares, cmap="Blues", vmin=0, vmax=1, ec="white", lw=0.3
        )
        ax.set_yticks(np.arange(len(codes)) + 0.5, codes)
        ax.set_ylim(len(codes), 0)
        ticks = np.linspace(0, len(day) - 1, min(7, len(day))).astype(int)
        ax.set_xticks(ticks + 0.5, [f"{dates[i]:%Y-%m-%d}" for i in ticks])
        ax.grid(visible=False)
        bar = sheet.figure.colorbar(image, ax=ax, fraction=0.03, pad=0.01)
        # Drawn as shapes: a picture inside the page would be a load, which is forbidden.
        if bar.solids is not None:
            bar.solids.set_rasterized(False)
            bar.solids.set_edgecolor("face")
        bar.ax.tick_params(labelsize=7.5, colors=INK)
        bar.set_label("share of grid times", fontsize=8)
    return sheet.svg
