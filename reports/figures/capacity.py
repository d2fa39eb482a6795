"""Modelled net EV a day against the registered ceiling."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from engine.records import IntArray
from reports.figures.style import BLUE, INK, ORANGE, RED, canvas
from reports.words import MICRO


def draw(day: IntArray, joint_micro: Sequence[int], naive_micro: Sequence[int], claim_usd: int) -> str:
    """Return the joint optimum a day (bars), the naive sum that counts depth repeatedly (dots), and the ceiling.

    ``day`` is days since 1970-01-01, shape ``[n]``; the other two are micro-USD a day, of the same length.

    The scale is symmetric-logarithmic: a day of nothing and a day at the ceiling both stay readable.
    """
    dates = pd.to_datetime(day, unit="D")
    joint = np.asarray(joint_micro, dtype=np.float64) / MICRO
    naive = np.asarray(naive_micro, dtype=np.float64) / MICRO
    with canvas("capacity", height=2.8) as sheet:
        ax = sheet.ax
        ax.bar(dates, joint, color=BLUE, width=0.8, label="joint optimum")
        ax.plot(dates, naive, "o", color=INK, mfc=ORANGE, mew=0.6, ms=3.5, label="naive sum")
        ax.axhline(claim_usd, color=RED, lw=1.8, ls="--", label=f"claim: below {claim_usd:,} USD a day on average")
        ax.axhline(joint.mean(), color=INK, lw=1.0, ls="-.", label="mean of the joint optimum")
        ax.set_yscale("symlog", linthresh=10)
        # Twice the larger: the ceiling is seen even where no day comes near it.
        ax.set_ylim(0, max(claim_usd, naive.max(initial=0.0)) * 2)
        ax.set_ylabel("USD a day")
        ax.yaxis.set_major_formatter("{x:,.0f}")
        ax.legend(loc="upper center", ncols=2, fontsize=8, bbox_to_anchor=(0.5, 1.28))
        ax.grid(axis="x", visible=False)
    return sheet.svg
