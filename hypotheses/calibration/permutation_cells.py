"""Cells of N2 and N3 at the level of series: their size, and what they do not test.  [S9.H1, statistics 3.1, 10]"""

from __future__ import annotations

from typing import Final

import numpy as np

from hypotheses.calibration.base import Cell, CellColumns, Context, RowSpec
from hypotheses.calibration.distributions import BLOCK, DAYS
from hypotheses.calibration.draws import Draw
from hypotheses.calibration.signals import draw_signals
from hypotheses.permutation_nulls import PlacedSignals, n2, n3

NO_CHARGE: Final = np.zeros(DAYS, dtype=np.int64)
"""Capital costs the same on every day, wherever signals stand; here it is nothing."""


def judge(moves: PlacedSignals, context: Context, which: str) -> CellColumns:
    """Return whether N2 and N3 reject, as `hypotheses.permutation_nulls` computes them."""
    rejects: dict[str, float] = {}
    # Of a cell for one null the other's draws would be spent for nothing.
    if "n2" in which:
        null = n2(moves, NO_CHARGE, BLOCK, context.stats, context.streams("h1/n2"))
        rejects["n2"] = null.p is not None and null.p.under(context.stats.alpha)
    if "n3" in which:
        null = n3(moves, NO_CHARGE, context.stats)
        rejects["n3"] = null.p is not None and null.p.under(context.stats.alpha)
    return rejects


def _n2_zero(context: Context, r: int) -> CellColumns:
    return judge(draw_signals(Draw(context.seeds, "calibrate/n2/zero", r), edge=0.0), context, "n2")


def _n3_zero(context: Context, r: int) -> CellColumns:
    return judge(draw_signals(Draw(context.seeds, "calibrate/n3/zero", r), edge=0.0), context, "n3")


def _net_zero(context: Context, r: int) -> CellColumns:
    return judge(draw_signals(Draw(context.seeds, "calibrate/n2/net-zero", r), edge=1.0), context, "n2 n3")


CELLS: Final = (
    Cell(
        "n2/zero",
        "series",
        "zero edge with cost",
        "series",
        100,
        _n2_zero,
        (RowSpec("N2 rejects, zero edge with cost", "n2", "n2_zero"),),
    ),
    Cell(
        "n3/zero",
        "series",
        "zero edge with cost",
        "series",
        100,
        _n3_zero,
        (RowSpec("N3 rejects, zero edge with cost", "n3", "n3_zero"),),
    ),
    Cell(
        "n2/net-zero",
        "series",
        "informative signals with net mean zero",
        "documents",
        100,
        _net_zero,
        (
            RowSpec("N2 rejects, informative signals with net mean zero", "n2", "n2_net_zero"),
            RowSpec("N3 rejects, informative signals with net mean zero", "n3", "n3_net_zero"),
        ),
    ),
)
