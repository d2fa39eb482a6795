"""The trades' gains and costs, by term and constraint."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from reports.figures.style import BLUE, GREEN, HATCHES, INK, ORANGE, PINK, RED, SKY, canvas
from reports.words import MICRO

TERMS = (
    ("gross", BLUE, 1),
    ("funding", GREEN, 1),
    ("fees", RED, -1),
    ("slippage", ORANGE, -1),
    ("borrow", PINK, -1),
    ("capital", SKY, -1),
)


def draw(codes: Sequence[str], terms_micro: Mapping[str, Mapping[str, int]]) -> str:
    """Return stacked bars, gains upwards and costs downwards, with the net as a line and a dot.

    ``terms_micro[code][term]`` is integer micro-USD; fees, slippage, borrow and capital are amounts paid.
    """
    position = np.arange(len(codes))
    up, down = np.zeros(len(codes)), np.zeros(len(codes))
    with canvas("costs", height=3.2) as sheet:
        ax = sheet.ax
        # Hatches too: no fact is shown by colour alone (`style`).
        for (term, colour, sign), hatch in zip(TERMS, HATCHES, strict=False):
            value = np.array([sign * terms_micro[code].get(term, 0) / MICRO for code in codes])
            # A cost may be negative (a rebate): each bar stacks on its own side of zero.
            base = np.where(value >= 0, up, down)
            ax.bar(
                position, value, bottom=base, color=colour, hatch=hatch, edgecolor=INK, lw=0.5, width=0.6, label=term
            )
            up, down = up + np.maximum(value, 0), down + np.minimum(value, 0)
        ax.plot(position, up + down, "D", color=INK, ms=5, label="net")
        ax.axhline(0, color=INK, lw=0.8)
        ax.set_xticks(position, codes)
        ax.set_ylabel("USD over the window")
        ax.yaxis.set_major_formatter("{x:,.0f}")
        ax.legend(
            ncols=7,
            loc="upper center",
            bbox_to_anchor=(0.5, 1.2),
            fontsize=8,
            columnspacing=1.0,
            handlelength=2.4,
            handleheight=1.4,
        )
        ax.grid(axis="x", visible=False)
    return sheet.svg
