"""The axes of what is drawn, by the name of its figure: read from matplotlib before they become SVG text."""

from __future__ import annotations

from typing import Any

import pytest
from matplotlib.axes import Axes

from reports.figures import style

Drawn = dict[str, list[Axes]]


def catch_axes(patch: pytest.MonkeyPatch) -> Drawn:
    """Return a table that gets the axes of every figure drawn while ``patch`` lasts."""
    axes: Drawn = {}
    text = style._text

    def caught(drawn: Any, name: str) -> str:
        axes[name] = list(drawn.figure.axes)
        return text(drawn, name)

    patch.setattr(style, "_text", caught)
    return axes
