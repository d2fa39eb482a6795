"""Values options without arbitrage: a mixture of two lognormals.  [S2.C3, S2.C4, S2.C7]

The price of the underlying at expiry over its forward is drawn from one of two lognormals, of means ``m_j`` and
deviations ``s_j = sigma_j sqrt(T)``, with ``sum w_j m_j = 1``.  A mixture of prices is a price: the call is convex and
decreasing in strike with slope in (-1, 0), and the put follows by parity.  ``m_2 - m_1 = skew v sqrt(T)`` and ``s_j``
grow with T, and with them the value at equal k = K/F, so that calendars hold too (shown by brute force in the tests).
"""

from __future__ import annotations

import numpy as np

from backtest.data.synthetic.elementary import FloatArray, exp, log
from backtest.data.synthetic.fields import Number, Weight
from backtest.toml_tables import Table

# Hart (1968) no. 5666 in the form of West (2005), "Better approximations to cumulative normal functions":
# N(-x) = exp(-x^2/2) P(x)/Q(x) for 0 <= x < 7.07, absolute error below 1e-15.
_P = (
    3.52624965998911e-02,
    0.700383064443688,
    6.37396220353165,
    33.912866078383,
    112.079291497871,
    221.213596169931,
    220.206867912376,
)
_Q = (
    8.83883476483184e-02,
    1.75566716318264,
    16.064177579207,
    86.7807322029461,
    296.564248779674,
    637.333633378831,
    793.826512519948,
    440.413735824752,
)
# Beyond, the tail is under 1e-12; its value here is used.
_FAR = 7.07


def normal_cdf(x: FloatArray) -> FloatArray:
    """Return the standard normal distribution function, same shape as ``x``, to 1e-12 absolute; NaN gives NaN."""
    z = np.minimum(np.abs(x), _FAR)
    top = np.full_like(z, _P[0])
    for p in _P[1:]:
        top *= z
        top += p
    bottom = np.full_like(z, _Q[0])
    for q in _Q[1:]:
        bottom *= z
        bottom += q
    tail = exp(-0.5 * z * z)
    tail *= top
    tail /= bottom
    result: FloatArray = np.where(x > 0.0, 1.0 - tail, tail)
    return result


class SmileSpec(Table):
    """The shape of the smile, the same at every time; its level is the volatility of the moment."""

    low_weight: Weight  # probability of the component with the lower mean
    skew: Number  # distance of the two means, in units of v sqrt(T)
    low_vol: Number  # volatility of the lower component, in units of v
    high_vol: Number


def normalised_call(k: FloatArray, vol: FloatArray, years: FloatArray, smile: SmileSpec) -> FloatArray:
    """Return c(T, k), the call over its forward: ``sum_j w_j (m_j N(d1_j) - k N(d2_j))``.

    The shape is that of the arguments broadcast against each other.

    ``k`` = K/F, ``vol`` the annual volatility of the moment, ``years`` > 0 the time to expiry.  It is at once the
    premium in coin of a coin-settled option; the put is ``c - (1 - k)``.
    """
    root = vol * np.sqrt(years)
    apart = smile.skew * root
    w = smile.low_weight
    log_k = log(k)
    value = np.zeros(np.broadcast_shapes(k.shape, root.shape))
    for weight, mean, sigma in (
        (w, 1.0 - (1.0 - w) * apart, smile.low_vol),
        (1.0 - w, 1.0 + w * apart, smile.high_vol),
    ):
        s = sigma * root
        d1 = (log(mean) - log_k) / s + 0.5 * s
        value += weight * (mean * normal_cdf(d1) - k * normal_cdf(d1 - s))
    # the two terms of a worthless option cancel to within 1e-12 and may leave a negative zero
    return np.maximum(value, np.maximum(1.0 - k, 0.0))
