"""The cells in the order in which they are measured and shown; a literal tuple, nothing is discovered."""

from __future__ import annotations

from typing import Final

from hypotheses.calibration import (
    all_constraints,
    canary,
    engine_cells,
    interval_cells,
    n2_size,
    permutation_cells,
    rare_loss_cells,
    rare_loss_market,
    resampled,
    sign_flip_cells,
    verdict_cells,
)
from hypotheses.calibration.base import Cell

CELLS: Final[tuple[Cell, ...]] = (
    *engine_cells.CELLS,
    *verdict_cells.CELLS,
    *sign_flip_cells.CELLS,
    *rare_loss_cells.CELLS,
    *rare_loss_market.CELLS,
    *permutation_cells.CELLS,
    *canary.CELLS,
    *interval_cells.CELLS,
    *all_constraints.CELLS,
    *resampled.CELLS,
    *n2_size.CELLS,
)
"""Cells that read others stand after them."""

BY_NAME: Final = {cell.name: cell for cell in CELLS}
