"""The coefficients alpha and beta by regime.  [covenants 2.4, 2.5]"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from engine.covenants.base import Covenant
from engine.covenants.parameters import ALPHA_RANGE, BETA_RANGE
from engine.exact.rounded import Floats

COVENANT: Final = Covenant(
    "regime", "Regime weights", "alpha = 0.3 + 0.4 |2u - 1|; beta falls from 0.4 to 0.1 as correlation breaks", "2.4"
)
BREAK: Final = 0.5
"""Distance of short and long correlation at which beta is at its lower end."""


def alpha_u_shaped(u: Floats) -> Floats:
    """Return alpha in [0.3, 0.7] of the volatility's percentile rank: history weighs most at both extremes."""
    return ALPHA_RANGE[0] + (ALPHA_RANGE[1] - ALPHA_RANGE[0]) * np.abs(2.0 * u - 1.0)


def alpha_monotone(u: Floats) -> Floats:
    """Return the named ablation ``0.7 - 0.4 u``: the band follows the market faster in stress."""
    return ALPHA_RANGE[1] - (ALPHA_RANGE[1] - ALPHA_RANGE[0]) * u


def beta_regime(rho_short: Floats, rho_long: Floats) -> Floats:
    """Return beta in [0.1, 0.4]; 0.1 is the decorrelation alarm.  NaN where a correlation is undefined."""
    intact = np.clip(1.0 - np.abs(rho_short - rho_long) / BREAK, 0.0, 1.0)
    return BETA_RANGE[0] + (BETA_RANGE[1] - BETA_RANGE[0]) * intact


def decorrelated(beta: Floats, bars: int) -> NDArray[np.bool_]:
    """Return, for each bar [N], whether beta has been at its lower end for ``bars`` bars in a row.

    Manual override is requested there.  A NaN beta ends a run.
    """
    # The lower end is reached through a sum of floats.
    low = beta <= BETA_RANGE[0] + 1e-12
    reset = np.where(low, 0, np.arange(1, low.size + 1))
    run = np.arange(1, low.size + 1) - np.maximum.accumulate(reset) if low.size else reset
    return np.asarray(low & (run >= bars), dtype=np.bool_)
