"""How often a constraint with a true edge is retained, by how often it trades: simulated.  [statistics 8.3]

A day is active with probability p = A / n and then earns m + z, z standard normal; else nothing.  Its daily ratio is
SR_d = p m / sqrt(p + p (1 - p) m^2), so

    m = SR_d / sqrt(p - SR_d^2 (1 - p))        which exists only where SR_d^2 < p / (1 - p)

Retained: the floor is met and the lower end of the two-sided interval is above 0.  The interval is Student's here, the
registered one a studentised bootstrap, which is a little wider: the figures are slightly too high.
[docs/decisions/0241]
"""

from __future__ import annotations

from math import sqrt

import numpy as np
from scipy.stats import norm, t

from backtest.results.returns import DAYS_A_YEAR
from engine.records import FloatArray
from hypotheses.planning.base import REPLICATES, PowerInputs
from hypotheses.statistics.bootstrap import Bits


def draw(bits: Bits, days: int, columns: int) -> FloatArray:
    """Return uniforms in (0, 1), shape (REPLICATES, columns, days): (word >> 11 + 1/2) 2^-53 of each replicate."""
    words = np.stack([bits(r).random_raw(columns * days) for r in range(REPLICATES)])
    return np.asarray(((words >> np.uint64(11)) + 0.5) * 2.0**-53).reshape(REPLICATES, columns, days)


def retained(
    uniform: FloatArray, sharpe: float, active: float, dislocations: float, inputs: PowerInputs
) -> float | None:
    """Return the share of windows in which a sleeve of annual ratio ``sharpe`` is retained.

    ``uniform`` has shape ``[windows, 2, days]``: whether a day is active, and what it earns.  Dislocations beyond
    one an active day are taken at their expectation.  Returns None if so few active days cannot have that ratio.
    """
    days, rate = inputs.days, active / inputs.days
    ratio = sharpe / sqrt(DAYS_A_YEAR)
    room = rate - ratio * ratio * (1.0 - rate)
    # with so few active days even a constant gain a day stays under this ratio
    if room <= 0.0:
        return None
    on = uniform[:, 0] < rate
    x = np.where(on, ratio / sqrt(room) + norm.ppf(uniform[:, 1]), 0.0)
    spread = x.std(axis=1, ddof=1)
    # A window without an active day has no variance: it retains nothing.
    score = np.divide(x.mean(axis=1) * sqrt(days), spread, out=np.zeros(len(x)), where=spread > 0)
    above = score > t.ppf((1.0 + float(inputs.stats.level)) / 2.0, days - 1)
    count = on.sum(axis=1)
    blocks = on.reshape(len(x), inputs.plan.folds, -1).any(axis=2).sum(axis=1)
    floor = (count >= inputs.stats.floor_days) & (blocks >= inputs.stats.floor_blocks)
    floor &= count * max(dislocations / max(active, 1.0), 1.0) >= inputs.stats.floor_trades
    return float((above & floor).mean())
