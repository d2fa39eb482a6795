"""Whether two return series have the same Sharpe ratio: Ledoit and Wolf (2008), the asymptotic form.  Float tier.

Moments v = (m1, m2, g1, g2) of x, y, x^2, y^2; the difference is a smooth function of v, its error follows from the
covariance of v: of independent days, or of dependent ones with the Parzen kernel and Andrews' AR(1) bandwidth.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

import numpy as np
from scipy.stats import norm

from engine.arguments import require_array
from engine.records import FloatArray

BANDWIDTH = 2.6614
"""The constant of the Parzen kernel in Andrews (1991), equation 6.2."""


@dataclass(frozen=True, slots=True)
class Difference:
    """SR_x - SR_y per period (or m_x s_y - m_y s_x where ``product``), its t and its two-sided normal p-value."""

    value: float
    t: float
    p: float


def sharpe_difference(x: FloatArray, y: FloatArray, *, hac: bool, product: bool = False) -> Difference | None:
    """Return the difference of two Sharpe ratios over the same days, with its test (Ledoit and Wolf 2008).

    Parameters
    ----------
    x : FloatArray, shape (n,)
        One daily series.
    y : FloatArray, shape (n,)
        The other, over the same days.
    hac : bool
        Whether the error allows for dependent days.
    product : bool, optional
        Test the same hypothesis on m_x s_y - m_y s_x, which does not divide by a deviation.

    Returns
    -------
    Difference or None
        None where a series does not vary or the difference has no error.

    Raises
    ------
    UsageError
        If ``x`` or ``y`` is not float64 of shape (n,).
    """
    require_array("x", x, np.float64, ("n",))
    require_array("y", y, np.float64, (len(x),))
    n = len(x)
    mean_x, mean_y, sd_x, sd_y = x.mean(), y.mean(), x.std(ddof=1), y.std(ddof=1)
    if sd_x == 0 or sd_y == 0:
        return None
    # the moments have divisor n, the ratios n - 1: the delta method differentiates the moments
    s_x, s_y = x.std(), y.std()
    if product:
        value = mean_x * sd_y - mean_y * sd_x
        by = [mean_x * mean_y / s_x + s_y, -mean_x * mean_y / s_y - s_x, -mean_y / (2 * s_x), mean_x / (2 * s_y)]
    else:
        value = mean_x / sd_x - mean_y / sd_y
        by = [1 / s_x + mean_x**2 / s_x**3, -1 / s_y - mean_y**2 / s_y**3]
        by += [-mean_x / (2 * s_x**3), mean_y / (2 * s_y**3)]
    slope = np.array(by)
    parts = np.stack([x, y, x * x, y * y])
    parts = parts - parts.mean(axis=1, keepdims=True)
    cover = _parzen(parts) if hac else parts @ parts.T / (n - 1)
    error = sqrt(max(float(slope @ cover @ slope), 0.0) / n)
    # Equal series have a difference of 0 without an error: there is nothing to test.
    if error == 0:
        return None
    t = float(value) / error
    return Difference(float(value), t, float(2 * norm.sf(abs(t))))


def _parzen(parts: FloatArray) -> FloatArray:
    """Return the long-run covariance of centred series, shape (k, n), with the small-sample factor n / (n - k)."""
    k, n = parts.shape
    width = BANDWIDTH * (_andrews(parts) * n) ** 0.2
    total = parts @ parts.T / n
    for lag in range(1, n):
        share = lag / width if width > 0 else 2.0
        # The Parzen kernel is 0 beyond its bandwidth.
        if share > 1:
            break
        weight = 1 - 6 * share**2 + 6 * share**3 if share <= 0.5 else 2 * (1 - share) ** 3
        lagged = parts[:, lag:] @ parts[:, :-lag].T / n
        total = total + weight * (lagged + lagged.T)
    # the small-sample factor T / (T - 4) of Ledoit and Wolf (2008), with four moments
    return np.asarray(total * n / (n - k))


def _andrews(parts: FloatArray) -> float:
    """Return Andrews' alpha(2) from AR(1) fits with intercept to each series."""
    above = below = 0.0
    for row in parts:
        last, now = row[:-1], row[1:]
        centred = last - last.mean()
        rho = float((centred * (now - now.mean())).sum() / (centred**2).sum())
        rest = now - now.mean() - rho * centred
        variance = float((rest**2).sum()) / len(rest)
        above += 4 * rho**2 * variance**2 / (1 - rho) ** 8
        below += variance**2 / (1 - rho) ** 4
    return above / below if below > 0 else 0.0
