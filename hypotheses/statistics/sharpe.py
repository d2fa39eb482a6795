"""The Sharpe ratio of a daily series in integers of 1e-9, and its influence values.  [statistics R1.9, 6]

With S = sum r, Q = sum r^2 and D = n Q - S^2, all integers,

    SR_d = mean / sd = S sqrt((n - 1) / (n D))        sd of divisor n - 1
    z_t  = (n r_t - S) / sqrt(D)                      the standardised return, of divisor n
    psi_t = z_t - (SR_d / 2) (z_t^2 - 1)              the delta method's influence of day t

A constant series has no Sharpe ratio.
"""

from __future__ import annotations

from decimal import Decimal

import numpy as np

from backtest.results.returns import DAYS_A_YEAR
from engine.arguments import require_array, require_number
from engine.errors import UsageError
from engine.exact.decimals import exact
from engine.exact.sums import spread, total
from engine.records import IntArray


def daily(returns: IntArray) -> Decimal | None:
    """Return the daily Sharpe ratio of a series: mean over standard deviation of divisor n - 1 (Sharpe 1994).

    Parameters
    ----------
    returns : IntArray, shape (n,)
        Daily returns in units of 1e-9.

    Returns
    -------
    Decimal or None
        The ratio a day, fifty digits; None where the standard deviation is zero or ``n`` is under 2.

    Raises
    ------
    UsageError
        If ``returns`` is not int64 of shape (n,).

    Examples
    --------
    >>> round(daily(np.array([1_000_000, 3_000_000, 2_000_000])), 6)
    Decimal('2.000000')
    >>> daily(np.array([5, 5, 5])) is None
    True
    """
    require_array("returns", returns, np.int64, ("n",))
    n, variance = len(returns), spread(returns)
    if n < 2 or variance == 0:
        return None
    with exact():
        return total(returns) * (Decimal(n - 1) / (Decimal(n) * variance)).sqrt()


def annual(value: Decimal) -> Decimal:
    """Return a daily ratio, or the end of an interval of one, as an annual one: times sqrt(365).

    Parameters
    ----------
    value : Decimal
        A ratio a day.

    Returns
    -------
    Decimal
        The ratio a year of 365 days; perpetuals trade on every day of it.

    Raises
    ------
    UsageError
        If ``value`` is no Decimal.

    Examples
    --------
    >>> round(annual(Decimal("0.1")), 6)
    Decimal('1.910497')
    """
    require_number("value", value, Decimal)
    with exact():
        return value * Decimal(DAYS_A_YEAR).sqrt()


def influence(returns: IntArray, ratio: Decimal) -> list[Decimal]:
    """Return what each day contributes to the error of the Sharpe ratio, by the delta method (Lo 2002).

    Parameters
    ----------
    returns : IntArray, shape (n,)
        Daily returns in units of 1e-9; not constant.
    ratio : Decimal
        The daily Sharpe ratio of ``returns``.

    Returns
    -------
    list[Decimal], shape (n,)
        psi_t of each day, without unit; they sum to zero.

    Raises
    ------
    UsageError
        If ``returns`` is not int64 of shape (n,), or constant, or ``ratio`` is no Decimal.

    Examples
    --------
    >>> [round(psi, 6) for psi in influence(np.array([1, 3, 2]), Decimal(2))]
    [Decimal('-1.724745'), Decimal('0.724745'), Decimal('1.000000')]
    """
    require_array("returns", returns, np.int64, ("n",))
    require_number("ratio", ratio, Decimal)
    n, whole, variance = len(returns), total(returns), spread(returns)
    if variance == 0:
        raise UsageError("returns: expected a series that varies, was constant: it has no Sharpe ratio")
    with exact():
        # One root for all days: each would be rounded by itself otherwise.
        unit = 1 / Decimal(variance).sqrt()
        standard = [(n * int(r) - whole) * unit for r in returns]
        return [z - ratio / 2 * (z * z - 1) for z in standard]
