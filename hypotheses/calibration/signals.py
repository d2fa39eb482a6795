"""A structural model of signals, with every place the nulls move them to.  [statistics 3.3, 10]

Day i emits N_i signals (Poisson, mean 2) at one of three clock hours, each long or short; A_i is the sum of their
signs.  In the 8-hour slot s the market moves m_s.  The signals of day i, standing in slot s, earn

    A_i m_s + sqrt(N_i) e_is - cost N_i

and where they really stood ``edge`` N_i more, which nobody who moves them earns.  All in units of one cost.  With edge
0 the signals are independent of the market, H0 of N2 and N3; with edge 1 they are informative and earn nothing net.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from scipy.stats import poisson

from engine.records import FloatArray, IntArray
from hypotheses.calibration.draws import Draw
from hypotheses.calibration.shapes import DAYS, FOLDS, money
from hypotheses.moved import Moves
from hypotheses.records import Share

SLOTS_A_DAY: Final = 3
MEAN_SIGNALS: Final = 2.0
COST: Final = 1.0
SHIFTS: Final = np.arange(4 * SLOTS_A_DAY, 86 * SLOTS_A_DAY + 1, dtype=np.int64)
"""The 247 registered shifts in slots of eight hours."""
SLOT_NS: Final = 8 * 3_600 * 10**9
NONE: Final = Share(0, 1)


def draw_signals(draw: Draw, edge: float, cost: float = COST) -> Moves:
    """Return one window of signals and all their placements; noise of a trade and of a slot have variance 1."""
    count = poisson.ppf(draw.uniforms(DAYS), MEAN_SIGNALS).astype(np.int64)
    hour = draw.below(SLOTS_A_DAY, DAYS)
    longs = np.array([int((draw.below(2, int(n)) == 1).sum()) if n else 0 for n in count.tolist()])
    market = draw.normals(DAYS * SLOTS_A_DAY)
    own = draw.normals(DAYS, DAYS * SLOTS_A_DAY)
    sign = (2 * longs - count).astype(np.float64)[:, None]
    size = count.astype(np.float64)[:, None]
    earned = sign * market[None, :] + np.sqrt(size) * own - cost * size
    home = SLOTS_A_DAY * np.arange(DAYS) + hour
    earned[np.arange(DAYS), home] += edge * size[:, 0]
    return moves_from(earned, hour)


def moves_from(earned: FloatArray, hour: IntArray) -> Moves:
    """Return the placements of ``earned[day, slot]``, what the signals of a day earn in each slot of the window.

    ``hour`` is the slot of the day at which the signals of each day stand: N2 keeps it, N3 shifts in whole slots.
    """
    days = np.arange(DAYS)
    home = SLOTS_A_DAY * days + hour
    micro = money(earned)
    fold_days = DAYS // FOLDS
    place = (days // fold_days * fold_days)[:, None] + np.arange(fold_days)[None, :]
    batch = np.zeros((DAYS, fold_days, DAYS), dtype=np.int64)
    batch[days[:, None], np.arange(fold_days)[None, :], place] = micro[
        days[:, None], SLOTS_A_DAY * place + hour[:, None]
    ]
    slot = (home[None, :] + SHIFTS[:, None]) % (SLOTS_A_DAY * DAYS)
    shifted = np.zeros((len(SHIFTS), DAYS), dtype=np.int64)
    rows = np.repeat(np.arange(len(SHIFTS)), DAYS)
    np.add.at(shifted, (rows, (slot // SLOTS_A_DAY).ravel()), micro[np.tile(days, len(SHIFTS)), slot.ravel()])
    return Moves(micro[days, home], batch, SHIFTS * SLOT_NS, shifted, NONE, NONE)
