"""From packages examined to trades, one small panel a constraint."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from reports.figures.style import BLUE, GREY, INK, canvas


def draw(
    codes: Sequence[str], names: Mapping[str, str], stages: Sequence[str], counts: Mapping[str, Mapping[str, int]]
) -> str:
    """Return bars on a common logarithmic scale with the count written on each; a zero has a word, not a bar."""
    top = max((counts[c].get(s, 0) for c in codes for s in stages), default=1)
    with canvas("funnel", height=3.6, columns=len(codes)) as sheet:
        for ax, code in zip(sheet.axes, codes, strict=True):
            values = [counts[code].get(stage, 0) for stage in stages]
            ax.barh(range(len(stages)), [max(v, 0.8) if v else 0 for v in values], color=BLUE, height=0.62)
            ax.set_xscale("log")
            ax.set_xlim(0.8, top * 400)
            ax.set_ylim(len(stages) - 0.5, -0.5)
            ax.set_title(f"{code}\n{names[code]}", fontsize=8, color=INK)
            ax.set_yticks(range(len(stages)), stages if code == codes[0] else [""] * len(stages))
            ax.set_xticks([])
            ax.tick_params(length=0)
            ax.minorticks_off()
            ax.grid(visible=False)
            ax.spines["bottom"].set_visible(False)
            for row, value in enumerate(values):
                ax.text(
                    max(value, 0.9) * 1.25, row, f"{value:,}", va="center", fontsize=7.5, color=INK if value else GREY
                )
    return sheet.svg
