"""The Sharpe ratio of a daily series in integers of 1e-9, and its influence values.  [statistics R1.9, 6]

With S = sum r, Q = sum r^2 and D = n Q - S^2, all integers,

    SR_d = mean / sd = S sqrt((n - 1) / (n D))        sd of divisor n - 1
    z_t  = (n r_t - S) / sqrt(D)                      the standardised return, of divisor n
    psi_t = z_t - (SR_d / 2) (z_t^2 - 1)              the delta method's influence of day t

A constant series has no Sharpe ratio.
"""

from __future__ import annotations

from decimal import Decimal

from backtest.results.returns import DAYS_A_YEAR
from engine.exact.decimals import exact
from engine.exact.sums import spread, total
from engine.records import IntArray


def daily(returns: IntArray) -> Decimal | None:
    """Return the daily Sharpe ratio, or None where the standard deviation is zero or there are fewer than 2 days."""
    n, variance = len(returns), spread(returns)
    if n < 2 or variance == 0:
        return None
    with exact():
        return total(returns) * (Decimal(n - 1) / (Decimal(n) * variance)).sqrt()


def annual(value: Decimal) -> Decimal:
    """Return a daily ratio, or an interval's end, times sqrt(365)."""
    with exact():
        return value * Decimal(DAYS_A_YEAR).sqrt()


def influence(returns: IntArray, ratio: Decimal) -> list[Decimal]:
    """Return psi_t of each day; `ratio` is the daily Sharpe ratio of ``returns``, which must not be constant."""
    n, whole = len(returns), total(returns)
    with exact():
        unit = 1 / Decimal(spread(returns)).sqrt()
        standard = [(n * int(r) - whole) * unit for r in returns]
        return [z - ratio / 2 * (z * z - 1) for z in standard]
