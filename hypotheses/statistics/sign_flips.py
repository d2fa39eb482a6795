"""Permutation nulls that enumerate or count in integers.  [statistics 3.2, 3.3]"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from backtest.results.returns import DAYS_A_YEAR
from engine.errors import DataError
from engine.exact.decimals import exact
from engine.exact.sums import Integers, guarded
from engine.records import BoolArray, FloatArray, IntArray
from hypotheses.records import Proportion

MOST_BLOCKS = 20
"""A million sign changes; beyond it one would sample."""

TIE = 10**12
"""A ratio within one part in this many of the observed one reaches it.  [statistics 3.3]"""


def block_sums(values: IntArray, block: IntArray) -> tuple[int, ...]:
    """Return the sum of ``values`` over each block, in ascending order of block number."""
    return tuple(int(values[block == b].sum()) for b in sorted({int(b) for b in block}))


def sign_flips(sums: Sequence[int]) -> IntArray:
    """Return T(s) = sum_j s_j B_j for all 2^q sign changes; the first is the identity."""
    if len(sums) > MOST_BLOCKS or 2 * sum(abs(b) for b in sums) >= 2**63:
        raise DataError(
            f"expected at most {MOST_BLOCKS} blocks whose profit fits 63 bits, was {len(sums)} blocks with "
            f"{sum(abs(b) for b in sums)} micro-USD in all: use fewer folds"
        )
    flips = np.zeros(1, dtype=np.int64)
    for b in sums:
        flips = np.concatenate([flips + b, flips - b])
    return flips


def n1(sums: Sequence[int]) -> Proportion:
    """Return the p-value of SR <= 0 under sign changes of whole blocks: #{T(s) >= T} of 2^q, the identity included.

    Exact when block vectors are jointly sign-symmetric (Fisher 1935); of limiting size at most alpha when their sums
    are nearly normal (Canay, Romano and Shaikh 2017).  A flip leaves sum r^2 unchanged, so the order of T is the
    order of the Sharpe ratio.
    """
    flips = sign_flips(sums)
    return Proportion(int(np.count_nonzero(flips >= sum(sums))), len(flips))


def monte_carlo_p(exceedances: int, draws: int) -> Proportion:
    """Return (b + 1) / (m + 1): the p-value of a null that is sampled, never zero (Phipson and Smyth 2010)."""
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
    """Return the moments of each row of ``series``, shape (m, n)."""
    n = series.shape[1]
    safe = guarded(np.array([series.min(initial=0), series.max(initial=0)]), 2, n)
    wide = series.astype(object) if safe.dtype == object else series
    total = series.sum(axis=1, dtype=np.int64).astype(object)
    squares = (wide * wide).sum(axis=1).astype(object)
    return Moments(n, total, n * squares - total * total)


def at_least_observed(drawn: Moments, observed: Moments) -> BoolArray:
    """Return, for each drawn series, whether T* >= T - 1e-12 |T|, T the Sharpe ratio of the one observed series.

    In integers: S* / sqrt(D*) against c S / sqrt(D) by their signed squares.  A drawn series without a deviation has
    no ratio and counts as reaching.
    """
    total, spread = int(observed.total[0]), int(observed.spread[0])
    factor = TIE - 1 if total > 0 else TIE + 1
    found = [
        not d or _signed_square(s) * spread * TIE * TIE >= _signed_square(total) * factor * factor * d
        for s, d in zip(drawn.total.tolist(), drawn.spread.tolist(), strict=True)
    ]
    return np.array(found, dtype=np.bool_)


def _signed_square(value: int) -> int:
    return value * abs(value)


def interval_contains_alpha(exceedances: int, draws: int, alpha: Decimal, level: Decimal) -> bool:
    """Return whether the Clopper-Pearson interval of the exceedance probability contains ``alpha``.

    It does iff neither tail of the binomial law at ``alpha``, each with the observed count, is under (1 - level)/2.
    """
    with exact():
        half = (1 - level) / 2
        odds = alpha / (1 - alpha)
        mass = (1 - alpha) ** draws
        below = Decimal(0)  # P(X < exceedances)
        for k in range(exceedances):
            below += mass
            mass *= odds * (draws - k) / (k + 1)
        return below + mass >= half and 1 - below >= half
