"""How often H2 is supported, by how far the true mean lies under the claim and how uneven days are: simulated.

Daily EV is lognormal with mean m and coefficient of variation v; supported asks for mean < claim and for the one-sided
upper bound U < claim.  The bound is Student's here; the registered one is a studentised bootstrap.  [statistics 7.3]
"""

from __future__ import annotations

from math import log, sqrt

import numpy as np
from scipy.stats import norm, t

from engine.records import FloatArray

SHARES = (0.1, 0.25, 0.5, 0.75, 0.9, 1.0)
"""True mean as a share of the claim."""

VARIATION = (0.5, 1.0, 2.0, 4.0)
"""Standard deviation of a day over the mean."""


def supported(uniform: FloatArray, share: float, variation: float, level: float) -> float:
    """Return the share of windows with mean and upper bound under the claim; ``uniform`` is ``[windows, days]``."""
    width = log(1.0 + variation * variation)
    days = uniform.shape[1]
    x = share * np.exp(sqrt(width) * norm.ppf(uniform) - width / 2.0)
    mean = x.mean(axis=1)
    upper = mean + t.ppf(level, days - 1) * x.std(axis=1, ddof=1) / sqrt(days)
    return float(((mean < 1.0) & (upper < 1.0)).mean())
