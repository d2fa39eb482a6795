"""The cells in the order in which they are measured and shown; a literal tuple, nothing is discovered."""

from __future__ import annotations

from typing import Final

from hypotheses.calibration import canary, engine, intervals, judged, moved, n1, resampled, seven
from hypotheses.calibration.base import Cell

CELLS: Final[tuple[Cell, ...]] = (
    *engine.CELLS,
    *judged.CELLS,
    *n1.CELLS,
    *moved.CELLS,
    *canary.CELLS,
    *intervals.CELLS,
    *seven.CELLS,
    *resampled.CELLS,
)
"""Cells that read others stand after them."""

BY_NAME: Final = {cell.name: cell for cell in CELLS}
