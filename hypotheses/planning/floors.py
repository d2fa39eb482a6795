"""How likely a constraint meets the floor of H3, by how much it is expected to do: exact.  [statistics 8.2]

Each day is active with probability A / n, independently; a day that is active holds one dislocation and a Poisson
number of further ones, so that the expected number is met.  Days in clusters meet the floor of
active blocks less often.
"""

from __future__ import annotations

import numpy as np
from scipy.stats import binom, poisson

from backtest.records import Stats
from engine.records import FloatArray


def floor_probability(active: float, dislocations: float, days: int, folds: int, stats: Stats) -> float:
    """Return the probability that a sleeve has the registered active days, dislocations and active blocks.

    ``active`` and ``dislocations`` are expected in a window of ``days`` cut into ``folds``; fewer than active days
    count as one a day.
    """
    if active <= 0:
        return 0.0
    joint = days_and_blocks(active / days, days // folds, folds)
    # every active day has one; the others are Poisson
    more = max(dislocations / active - 1.0, 0.0)
    probability = 0.0
    for number in range(stats.floor_days, joint.shape[0]):
        enough = float(poisson.sf(stats.floor_trades - number - 1, more * number))
        probability += float(joint[number, stats.floor_blocks :].sum()) * enough
    return probability


def days_and_blocks(rate: float, fold_days: int, folds: int) -> FloatArray:
    """Return P(active days = i, active blocks = j), shape (fold_days folds + 1, folds + 1)."""
    in_block = binom.pmf(np.arange(fold_days + 1), fold_days, rate)
    law = np.zeros((fold_days * folds + 1, folds + 1))
    law[0, 0] = 1.0
    for _ in range(folds):
        # Block by block: active days of different blocks are independent, so their law is a convolution.
        after = np.zeros_like(law)
        after += in_block[0] * law
        for number in range(1, fold_days + 1):
            after[number:, 1:] += in_block[number] * law[:-number, :-1]
        law = after
    return law
