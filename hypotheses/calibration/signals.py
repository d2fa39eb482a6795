"""A structural model of signals, with every placement that the nulls ask for.  [statistics 3.3, 10]

In each 8-hour slot g of the window N_g signals are emitted (Poisson, two a day), each long or short; A_g is the sum of
their signs.  In slot s the market moves m_s.  The signals of slot g, placed in slot s, earn

    A_g m_s + sqrt(N_g) e_gs - cost N_g

and in their own slot ``edge`` N_g more, which no other placement earns.  All in units of one cost.  With edge
0 signals and market are independent and stationary, H0 of N2 and N3; with edge 1 they are informative and earn nothing
net.  (An hour of its own for the signals of each day would not do: a shift by eight hours would then heap those of two
days on one, and N3 rejects about 1% instead of 5%: docs/decisions/0271.)
"""

from __future__ import annotations

from typing import Final

import numpy as np
from scipy.stats import poisson

from engine.records import FloatArray
from hypotheses.calibration.distributions import DAYS, FOLDS, money
from hypotheses.calibration.draws import Draw
from hypotheses.permutation_nulls import PlacedSignals
from hypotheses.records import Proportion

SLOTS_A_DAY: Final = 3
SLOTS: Final = SLOTS_A_DAY * DAYS
MEAN_SIGNALS: Final = 2.0 / SLOTS_A_DAY
COST: Final = 1.0
SHIFTS: Final = np.arange(4 * SLOTS_A_DAY, 86 * SLOTS_A_DAY + 1, dtype=np.int64)
"""The 247 registered shifts in slots of eight hours."""
SLOT_NS: Final = 8 * 3_600 * 10**9
NONE: Final = Proportion(0, 1)


def draw_signals(draw: Draw, edge: float, cost: float = COST) -> PlacedSignals:
    """Return one window of signals and all their placements; noise of a trade and of a slot have variance 1."""
    count = poisson.ppf(draw.uniforms(SLOTS), MEAN_SIGNALS).astype(np.int64)
    longs = np.array([int((draw.below(2, int(n)) == 1).sum()) if n else 0 for n in count.tolist()])
    market, noise = draw.normals(SLOTS), draw.normals(SLOTS, SLOTS)
    sign, size = (2 * longs - count).astype(np.float64)[:, None], count.astype(np.float64)[:, None]
    earned = sign * market[None, :] + np.sqrt(size) * noise - cost * size
    # In their own slot alone: that is what informed entry means.
    earned[np.arange(SLOTS), np.arange(SLOTS)] += edge * size[:, 0]
    return placements_of(earned)


def placements_of(earned: FloatArray) -> PlacedSignals:
    """Return the placements that follow from ``earned``, shape ``[270, 270]``: what slot g's signals earn in slot s.

    N2 moves the three slots of a day together to another day of the fold, each at its own hour; N3 shifts all slots.
    """
    micro, slot, fold_days = money(earned), np.arange(SLOTS), DAYS // FOLDS
    day = slot // SLOTS_A_DAY
    batch = np.zeros((DAYS, fold_days, DAYS), dtype=np.int64)
    for place in range(fold_days):
        # Within the fold: N2 never moves a day into another one.  [statistics 3.3]
        target = day // fold_days * fold_days + place
        there = micro[slot, SLOTS_A_DAY * target + slot % SLOTS_A_DAY]
        np.add.at(batch, (day, np.full(SLOTS, place), target), there)
    # circular, as in N3: a signal that leaves the window at its end enters at its start
    to = (slot[None, :] + SHIFTS[:, None]) % SLOTS
    shifted = micro[slot[None, :], to]
    by_day = np.zeros((len(SHIFTS), DAYS), dtype=np.int64)
    np.add.at(by_day, (np.arange(len(SHIFTS))[:, None], to // SLOTS_A_DAY), shifted)
    observed = micro[slot, slot].reshape(DAYS, SLOTS_A_DAY).sum(axis=1)
    return PlacedSignals(observed, batch, SHIFTS * SLOT_NS, by_day, NONE, NONE)
