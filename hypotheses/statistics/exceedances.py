"""How many permuted series reach the observed Sharpe ratio, and the p-value of it, in integers.  [statistics 3.3]"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from backtest.results.returns import DAYS_A_YEAR
from engine.arguments import require_array, require_instance, require_length, require_number
from engine.exact.decimals import exact
from engine.exact.sums import Integers, guarded
from engine.records import BoolArray, FloatArray, IntArray
from hypotheses.records import Proportion

TIE = 10**12
"""A drawn ratio within one part in this many of the observed one counts as reaching it.  [statistics 3.3]"""


def monte_carlo_p(exceedances: int, draws: int) -> Proportion:
    """Return (b + 1) / (m + 1): the p-value of a null that is sampled, never zero (Phipson and Smyth 2010).

    Parameters
    ----------
    exceedances : int, at least 0
        Draws that reach the observed statistic; at most ``draws``.
    draws : int, at least 1
        Permutations that were drawn.

    Returns
    -------
    Proportion
        The p-value as two integers.

    Raises
    ------
    UsageError
        If ``draws`` is under 1, or ``exceedances`` not from 0 to ``draws``.

    Examples
    --------
    >>> monte_carlo_p(0, 999)
    Proportion(count=1, of=1000)
    """
    require_number("draws", draws, int, at_least=1)
    require_number("exceedances", exceedances, int, at_least=0, at_most=draws)
    return Proportion(exceedances + 1, draws + 1)


@dataclass(frozen=True, slots=True)
class Moments:
    """Of several series of ``n`` integers each: the sum S, and D = n Q - S^2 with Q the sum of squares; exact.

    The daily Sharpe ratio is ``S sqrt((n - 1)/(n D))``, so its order is that of ``S / sqrt(D)``.
    """

    n: int
    total: Integers
    spread: NDArray[np.object_]

    def __len__(self) -> int:
        return len(self.total)

    def with_(self, more: Moments) -> Moments:
        """Return these series followed by ``more``."""
        return Moments(self.n, np.concatenate([self.total, more.total]), np.concatenate([self.spread, more.spread]))

    def daily(self) -> Decimal | None:
        """Return the daily Sharpe ratio of the first series; None where its deviation is zero."""
        if not self.spread[0]:
            return None
        with exact():
            return int(self.total[0]) * (Decimal(self.n - 1) / (self.n * Decimal(int(self.spread[0])))).sqrt()

    def ratio(self) -> FloatArray:
        """Return the annual Sharpe ratios as floats, for figures; series without deviation are left out."""
        has = self.spread.astype(np.float64) > 0.0
        spread, sums = self.spread[has].astype(np.float64), self.total[has].astype(np.float64)
        scale = DAYS_A_YEAR * (self.n - 1) / self.n
        return np.asarray(sums * np.sqrt(scale / spread), dtype=np.float64)


def moments_of(series: IntArray) -> Moments:
    """Return the exact moments of several series.

    Parameters
    ----------
    series : IntArray, shape (m, n)
        One series a row, integers of any unit.

    Returns
    -------
    Moments
        Sum and n^2 times the variance of each row, as integers without bound.

    Raises
    ------
    UsageError
        If ``series`` is not int64 of shape (m, n).

    Examples
    --------
    >>> moments = moments_of(np.array([[1, 3], [2, 2]]))
    >>> moments.total.tolist(), moments.spread.tolist()
    ([4, 4], [4, 0])
    """
    require_array("series", series, np.int64, ("m", "n"))
    n = series.shape[1]
    # the extremes alone decide whether squares fit 63 bits, so the whole table is not converted to Python integers
    safe = guarded(np.array([series.min(initial=0), series.max(initial=0)]), 2, n)
    wide = series.astype(object) if safe.dtype == object else series
    total = series.sum(axis=1, dtype=np.int64).astype(object)
    squares = (wide * wide).sum(axis=1).astype(object)
    return Moments(n, total, n * squares - total * total)


def at_least_observed(drawn: Moments, observed: Moments) -> BoolArray:
    """Return which drawn series reach the observed one: T* >= T - 1e-12 |T|, T the Sharpe ratio.

    Parameters
    ----------
    drawn : Moments
        The moments of m series.
    observed : Moments
        The moments of one series.

    Returns
    -------
    BoolArray, shape (m,)
        True where the ratio reaches the observed one; a drawn series without a deviation has no ratio and counts as
        reaching, which can only raise the p-value.

    Raises
    ------
    UsageError
        If ``observed`` is not one series, or ``drawn`` has series of another length.

    Notes
    -----
    In integers: S* / sqrt(D*) against c S / sqrt(D) by their signed squares.

    Examples
    --------
    >>> observed = moments_of(np.array([[3, 1]]))
    >>> at_least_observed(moments_of(np.array([[3, 1], [3, -1]])), observed).tolist()
    [True, False]
    """
    _require_comparable(drawn, observed)
    total, spread = int(observed.total[0]), int(observed.spread[0])
    # 1e-12 below the observed ratio, on either side of zero
    factor = TIE - 1 if total > 0 else TIE + 1
    reached = [
        # A drawn series without variance counts as reaching it: the p-value errs upwards.
        not d or _signed_square(s) * spread * TIE * TIE >= _signed_square(total) * factor * factor * d
        for s, d in zip(drawn.total.tolist(), drawn.spread.tolist(), strict=True)
    ]
    return np.array(reached, dtype=np.bool_)


def total_at_least(drawn: Moments, observed: Moments) -> BoolArray:
    """Return which drawn series earn as much in all as the observed one: their mean of a day reaches its mean.

    Parameters
    ----------
    drawn : Moments
        The moments of m series.
    observed : Moments
        The moments of one series.

    Returns
    -------
    BoolArray, shape (m,)
        True where the sum is at least the observed sum, in integers, so that no tolerance is needed.

    Raises
    ------
    UsageError
        If ``observed`` is not one series, or ``drawn`` has series of another length.

    Examples
    --------
    >>> observed = moments_of(np.array([[3, 1]]))
    >>> total_at_least(moments_of(np.array([[0, 4], [3, -1]])), observed).tolist()
    [True, False]
    """
    _require_comparable(drawn, observed)
    return np.array([total >= observed.total[0] for total in drawn.total.tolist()], dtype=np.bool_)


def _require_comparable(drawn: Moments, observed: Moments) -> None:
    require_instance("drawn", drawn, Moments)
    require_instance("observed", observed, Moments)
    require_length("observed", observed, 1, "one observed series")
    require_number("drawn", drawn.n, int, at_least=observed.n, at_most=observed.n)


def _signed_square(value: int) -> int:
    # A square that keeps the sign: ratios are ordered by it without a root.
    return value * abs(value)


def interval_contains_alpha(exceedances: int, draws: int, alpha: Decimal, level: Decimal) -> bool:
    """Return whether the interval of the exceedance probability contains ``alpha`` (Clopper and Pearson 1934).

    Parameters
    ----------
    exceedances : int, at least 0
        Draws that reach the observed statistic; at most ``draws``.
    draws : int, at least 1
        Permutations that were drawn.
    alpha : Decimal, in (0, 1)
        The level of the null.
    level : Decimal, in (0, 1)
        The coverage of the interval.

    Returns
    -------
    bool
        True iff neither tail of the binomial law at ``alpha``, each with the observed count, is under (1 - level)/2.

    Raises
    ------
    UsageError
        If ``draws`` is under 1, ``exceedances`` not from 0 to ``draws``, or ``alpha`` or ``level`` no Decimal in
        (0, 1).

    Examples
    --------
    >>> interval_contains_alpha(50, 999, Decimal("0.05"), Decimal("0.999"))
    True
    >>> interval_contains_alpha(5, 999, Decimal("0.05"), Decimal("0.999"))
    False
    """
    require_number("draws", draws, int, at_least=1)
    require_number("exceedances", exceedances, int, at_least=0, at_most=draws)
    require_number("alpha", alpha, Decimal, above=0, below=1)
    require_number("level", level, Decimal, above=0, below=1)
    with exact():
        # the binomial law is summed in decimals: a float tail decides differently on other machines where it is close
        half = (1 - level) / 2
        odds = alpha / (1 - alpha)
        mass = (1 - alpha) ** draws
        below = Decimal(0)  # P(X < exceedances)
        for k in range(exceedances):
            below += mass
            mass *= odds * (draws - k) / (k + 1)
        return below + mass >= half and 1 - below >= half
