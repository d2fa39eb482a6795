"""The trades' gains and costs, by term and constraint."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from reports.figures.style import BLUE, GREEN, HATCHES, INK, ORANGE, PINK, RED, SKY, canvas
from reports.words import MICRO

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BPS = 10_000

TERMS = (
    ("gross", BLUE, 1),
    ("funding", GREEN, 1),
    ("fees", RED, -1),
    ("slippage", ORANGE, -1),
    ("borrow", PINK, -1),
    ("capital", SKY, -1),
)


def draw(codes: Sequence[str], terms_micro: Mapping[str, Mapping[str, int]], notional_usd: Mapping[str, float]) -> str:
    """Return stacked bars, gains upwards and costs downwards, with the net as a dot: in USD, and in bps of notional.

    ``terms_micro[code][term]`` is integer micro-USD; fees, slippage, borrow and capital are amounts paid.
    ``notional_usd[code]`` is what was traded: in its bps a constraint that trades little is as visible as the largest.
    A constraint that traded nothing has no bar there.
    """
    usd = {code: {term: sign * terms_micro[code].get(term, 0) / MICRO for term, _, sign in TERMS} for code in codes}
    bps = {
        code: {
            term: value / notional_usd[code] * BPS if notional_usd[code] else 0.0 for term, value in usd[code].items()
        }
        for code in codes
    }
    with canvas("costs", height=3.6, columns=2, head=0.08) as sheet:
        for ax, values, label in zip(
            sheet.axes, (usd, bps), ("USD over the window", "bps of the notional traded"), strict=True
        ):
            _bars(ax, codes, values)
            ax.set_ylabel(label)
        handles, labels = sheet.axes[0].get_legend_handles_labels()
        sheet.figure.legend(
            handles, labels, ncols=7, loc="upper center", fontsize=8, columnspacing=1.0, handlelength=2.4,
            handleheight=1.4, borderaxespad=0.2,
        )  # fmt: skip
    return sheet.svg


def _bars(ax: Axes, codes: Sequence[str], values: Mapping[str, Mapping[str, float]]) -> None:
    """Draw one stack a constraint: ``values[code][term]``, gains positive and costs negative."""
    position = np.arange(len(codes))
    up, down = np.zeros(len(codes)), np.zeros(len(codes))
    # Hatches too: no fact is shown by colour alone (`style`).
    for (term, colour, _), hatch in zip(TERMS, HATCHES, strict=False):
        value = np.array([values[code][term] for code in codes])
        # A cost may be negative (a rebate): each bar stacks on its own side of zero.
        base = np.where(value >= 0, up, down)
        ax.bar(position, value, bottom=base, color=colour, hatch=hatch, edgecolor=INK, lw=0.5, width=0.6, label=term)
        up, down = up + np.maximum(value, 0), down + np.minimum(value, 0)
    ax.plot(position, up + down, "D", color=INK, ms=5, label="net")
    ax.axhline(0, color=INK, lw=0.8)
    ax.set_xticks(position, codes)
    ax.yaxis.set_major_formatter("{x:,.0f}")
    ax.grid(axis="x", visible=False)
