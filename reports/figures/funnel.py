"""From packages examined to trades, one small panel a constraint."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from reports.figures.style import BLUE, GREY, INK, canvas

MARGINS = {"left": 0.128, "right": 0.995, "top": 0.86, "bottom": 0.01, "wspace": 0.08}


def draw(
    codes: Sequence[str], names: Mapping[str, str], stages: Sequence[str], counts: Mapping[str, Mapping[str, int]]
) -> str:
    """Return bars on a common logarithmic scale, the count written over each; a zero has a number and no bar."""
    top = max(2, *(counts[c].get(s, 0) for c in codes for s in stages))
    with canvas("funnel", height=4.0, columns=len(codes), margins=MARGINS) as sheet:
        for ax, code in zip(sheet.axes, codes, strict=True):
            # Before the scale: a panel of zeros has no logarithm to scale by.
            ax.set_xlim(0.8, top * 1.6)
            ax.set_xscale("log")
            ax.set_ylim(len(stages) - 0.4, -0.6)
            ax.set_title(f"{code}\n" + names[code].replace(" ", "\n", 1), fontsize=8, color=INK)
            ax.set_yticks(range(len(stages)), stages if code == codes[0] else [""] * len(stages))
            ax.set_xticks([])
            ax.tick_params(length=0)
            ax.minorticks_off()
            ax.grid(visible=False)
            ax.spines["bottom"].set_visible(False)
            for row, stage in enumerate(stages):
                value = counts[code].get(stage, 0)
                if value:
                    ax.barh(row + 0.2, value - 0.8, left=0.8, color=BLUE, height=0.3)
                ax.text(0.95, row - 0.08, f"{value:,}", fontsize=7.5, color=INK if value else GREY)
    return sheet.svg
