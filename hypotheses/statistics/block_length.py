"""The Politis-White block length of the stationary bootstrap, computed exactly.  [statistics 5]

Politis and White (2004) with the correction of Patton, Politis and White (2009), as in
``arch.bootstrap.optimal_block_length``, which is the oracle in the tests.  Autocovariances are integers, so the search
for the cut-off compares rationals; only the cube root is a decimal.
"""

from __future__ import annotations

from decimal import ROUND_CEILING, Decimal
from fractions import Fraction
from math import isqrt

import numpy as np

from engine.arguments import require_array
from engine.exact.decimals import exact, log10, of_fraction, quantise, root
from engine.exact.sums import spread, total
from engine.records import IntArray


def optimal_block_length(series: IntArray) -> Decimal | None:
    """Return the mean block length of the stationary bootstrap for one series.  [statistics 5]

    L = (2 G^2 / (2 g0^2))^(1/3) n^(1/3), with flat-top weights up to the first lag after which K_n successive
    autocorrelations are insignificant (Politis and White 2004; Patton, Politis and White 2009).

    Parameters
    ----------
    series : IntArray, shape (n,)
        Integers of any unit.

    Returns
    -------
    Decimal or None
        Days, 9 places, within [1, ceil(min(3 sqrt n, n/3))]; None where the series is constant or shorter than its
        own lags need (n under 11).

    Raises
    ------
    UsageError
        If ``series`` is not int64 of shape (n,).

    Examples
    --------
    >>> optimal_block_length(np.arange(30) % 7)
    Decimal('3.957665952')
    >>> optimal_block_length(np.array([1, 2, 3])) is None
    True
    """
    require_array("series", series, np.int64, ("n",))
    n = len(series)
    root_n = isqrt(n - 1) + 1 if n else 0
    # max(5, floor(log10 n)) lags, as in arch; counted in digits, because a float logarithm of 1000 may be under 3
    run = max(5, len(str(n)) - 1)
    most = root_n + run
    if n < most + 2 or spread(series) == 0:
        return None
    # n times the deviations from the mean are integers, so nothing is rounded before the cube root
    whole = total(series)
    centred = [n * int(x) - whole for x in series]
    products = [sum(a * b for a, b in zip(centred[lag:], centred, strict=False)) for lag in range(most + 1)]
    first = _first_quiet_lag(centred, products, run)
    bandwidth = most if first is None else min(2 * max(first, 1), most)
    weights = [_flat_top(Fraction(lag, bandwidth)) for lag in range(1, bandwidth + 1)]
    slope = 2 * sum(w * lag * products[lag] for lag, w in enumerate(weights, start=1))
    level = products[0] + 2 * sum(w * products[lag] for lag, w in enumerate(weights, start=1))
    longest = Decimal(_longest(n))
    # the formula divides by the spectrum at zero: without one, the longest block is the safe answer
    if level == 0:
        return longest
    with exact():
        length = root(of_fraction(Fraction(slope) ** 2 / Fraction(level) ** 2 * n), 3)
    return quantise(min(max(length, Decimal(1)), longest))


def _flat_top(share: Fraction) -> Fraction:
    """Return the flat-top weight: 1 up to a half, then falling to 0 at 1."""
    return Fraction(1) if 2 * share <= 1 else 2 * (1 - share)


def _first_quiet_lag(centred: list[int], products: list[int], run: int) -> int | None:
    """Return the first lag that opens ``run`` lags all under 2 sqrt(log10(n)/n) in absolute correlation, or None.

    The correlation of a lag divides by the two stretches *without* their next point, as the oracle does.
    """
    n = len(centred)
    with exact():
        cut = 4 * log10(Decimal(n)) / n
    squares = [0]
    for value in centred:
        squares.append(squares[-1] + value * value)
    quiet = 0  # lags in a row that are insignificant
    for lag in range(len(products) - 1):
        scale = (squares[n] - squares[lag + 1]) * squares[n - lag - 1]
        with exact():
            small = scale > 0 and Decimal(products[lag] ** 2) / Decimal(scale) < cut
        quiet = quiet + 1 if small else 0
        if quiet == run:
            return lag - run + 1
    return None


def _longest(n: int) -> int:
    """Return ceil(min(3 sqrt n, n / 3))."""
    with exact():
        return int(min(3 * Decimal(n).sqrt(), Decimal(n) / 3).to_integral_value(rounding=ROUND_CEILING))
