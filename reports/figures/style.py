"""Settings of every figure: fixed sizes, system fonts, colours that also differ in lightness, the same bytes each time.

Colours are Okabe and Ito's (2008), distinguishable with any colour vision; no fact is shown by colour alone: lines have
dashes, bars have dark hatches, and labels stand where the eye is.
Checked in grey and under deuteranopia (Machado, Oliveira and Fernandes 2009).
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

INK, TICKS, GREY, PALE, GRID = "#222222", "#4a4a4a", "#767676", "#d9d9d9", "#e8e8e8"
BLUE, ORANGE, GREEN, RED, SKY, YELLOW, PINK = (
    "#0072b2",
    "#e69f00",
    "#009e73",
    "#d55e00",
    "#56b4e9",
    "#f0e442",
    "#cc79a7",
)
HATCHES = ("", "///", "...", "xxx", "\\\\\\", "+++", "ooo")
SETTINGS = {
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],  # for measuring; the page names the reader's own sans-serif
    "text.parse_math": False,  # a dollar sign in a name is a dollar sign
    "font.size": 9.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": GREY,
    "axes.labelcolor": INK,
    "axes.titlesize": 9.5,
    "axes.titlelocation": "left",
    "xtick.color": TICKS,
    "ytick.color": TICKS,
    "axes.grid": True,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "axes.axisbelow": True,
    "hatch.linewidth": 0.6,
    "legend.frameon": False,
}
PAD = 0.5
"""Space at the edges of a sheet and between its axes, in font sizes."""


@contextmanager
def canvas(
    name: str,
    width: float = 8.0,
    height: float = 3.0,
    rows: int = 1,
    columns: int = 1,
    head: float = 0.0,
) -> Iterator[Sheet]:
    """Yield a sheet of axes with these settings; its ``svg`` is ready after the block.  Sizes in inches.

    ``head`` is the share of the sheet above the axes that is left free, for a legend of the whole.
    """
    # imported here: it takes most of a second, and only a figure that is drawn needs it
    import matplotlib as mpl
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import TightLayoutEngine

    # the salt and the missing date make the same figure the same bytes
    with mpl.rc_context({**SETTINGS, "svg.hashsalt": name}):
        # not the constrained layout, which measures every label twice
        figure = Figure(figsize=(width, height), layout=TightLayoutEngine(pad=PAD, rect=(0, 0, 1, 1 - head)))
        drawn = FigureCanvasSVG(figure)
        sheet = Sheet(figure, list(figure.subplots(rows, columns, squeeze=False).flat))
        yield sheet
        sheet.svg = _text(drawn, name)


def legend_above(ax: Axes) -> None:
    """Put the legend over the axes in one row, where it hides no data."""
    ax.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=3, borderaxespad=0.2)


class Sheet:
    """A figure being drawn: its axes, and afterwards its SVG text."""

    def __init__(self, figure: Figure, axes: list[Axes]) -> None:
        self.figure = figure
        self.axes = axes
        self.svg = ""

    @property
    def ax(self) -> Axes:
        return self.axes[0]


def _text(drawn: FigureCanvasSVG, name: str) -> str:
    """Return the SVG element alone: no XML prolog, no date, ids that are unique to the figure."""
    buffer = io.StringIO()
    # not savefig: it draws the figure twice, first to measure it, and the layout has measured it already
    drawn.print_svg(buffer, metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    # Inside a page an XML prolog is no markup.
    text = text[text.index("<svg") :]
    # Figures stand on one page, where an id must be unique.
    for prefix in ("figure_", "axes_", "patch_", "line2d_", "text_", "matplotlib.axis_", "xtick_", "ytick_", "legend_"):
        text = text.replace(f'id="{prefix}', f'id="{name}-{prefix}')
    return text.replace('font-family: "DejaVu Sans"', "font-family: sans-serif")
