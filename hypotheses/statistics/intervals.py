"""Studentised bootstrap intervals and bounds of a Sharpe ratio or a mean.  [statistics 6, 7.3]

`infer_sharpe` and `infer_mean` compute everything that needs draws, once; the functions below read intervals, bounds
and p-values off the ordered t*.  All of them are exact: the same on every machine.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from math import ceil

import numpy as np

from engine.exact.decimals import exact, of_float, ratio
from engine.exact.order import lower_rank, statistic, upper_rank
from engine.exact.sums import spread, total
from engine.records import IntArray
from hypotheses.records import Interval, Proportion
from hypotheses.statistics import block_length as statistics_block_length
from hypotheses.statistics import sharpe
from hypotheses.statistics.bootstrap import Bits, Blocks, Studentised, blocks, mean_t, p_value, sharpe_t
from hypotheses.statistics.long_run_variance import long_run_variance, standard_error


@dataclass(frozen=True, slots=True)
class Inference:
    """A point estimate with its standard error and its bootstrap draws; ``undefined`` names what is lacking.

    The point and its error are in the units of the series: a daily Sharpe ratio, or micro-USD.
    """

    n: int
    point: Decimal | None
    error: Decimal | None
    block_length: Decimal | None
    drawn: Studentised | None
    draws: int
    discarded: int
    undefined: str | None

    @property
    def t(self) -> Decimal | None:
        """The point over its standard error."""
        if self.point is None or self.error is None:
            return None
        with exact():
            return self.point / self.error


def infer_sharpe(returns: IntArray, draws: int, bits: Bits, discard_share: Decimal) -> Inference:
    """Return what a stationary bootstrap says of the daily Sharpe ratio of ``returns`` (units of 1e-9).

    Undefined for a constant series, for one too short for its block length, and where more than ``discard_share`` of
    the draws have no variance.
    """
    n, point = len(returns), sharpe.daily(returns)
    if point is None:
        return _undefined(n, None, draws, "the standard deviation is zero")
    length = statistics_block_length.optimal_block_length(returns)
    if length is None:
        return _undefined(n, point, draws, f"{n} days are too few for a block length")
    error = standard_error(long_run_variance(sharpe.influence(returns, point)).variance, n)
    return _inference(n, point, error, length, sharpe_t(returns, blocks(n, length, draws, bits)), discard_share)


def infer_mean(values: IntArray, draws: int, bits: Bits, discard_share: Decimal) -> Inference:
    """Return what a stationary bootstrap says of the mean of integers (micro-USD); psi_t = x_t - mean."""
    n, whole = len(values), total(values)
    point = ratio(whole, n) if n else None
    if n < 2 or spread(values) == 0:
        return _undefined(n, point, draws, "every day has the same value")
    length = statistics_block_length.optimal_block_length(values)
    if length is None or point is None:
        return _undefined(n, point, draws, f"{n} days are too few for a block length")
    with exact():
        psi = [int(v) - point for v in values]
    error = standard_error(long_run_variance(psi).variance, n)
    return _inference(n, point, error, length, mean_t(values, blocks(n, length, draws, bits)), discard_share)


def symmetric(found: Inference, level: Decimal) -> Interval | None:
    """Return point -+ c se, c the order statistic ceil(level (B + 1)) of |t*|.  None where undefined."""
    if found.point is None or found.error is None or found.drawn is None:
        return None
    sizes = np.sort(np.abs(found.drawn.ordered))
    cut = statistic(sizes, upper_rank(Fraction(level), len(sizes)))
    if cut is None:
        return None
    with exact():
        reach = of_float(cut) * found.error
        return Interval(found.point - reach, found.point + reach)


def equal_tailed(found: Inference, level: Decimal) -> Interval | None:
    """Return [point - q_hi se, point - q_lo se] with equal tails of t*; reported beside the symmetric form."""
    tail = (1 - Fraction(level)) / 2
    low, high = _bound(found, 1 - tail, upper=False), _bound(found, 1 - tail, upper=True)
    return None if low is None or high is None else Interval(low, high)


def lower_bound(found: Inference, level: Decimal) -> Decimal | None:
    """Return the one-sided lower bound, point - q_level(t*) se."""
    return _bound(found, Fraction(level), upper=False)


def upper_bound(found: Inference, level: Decimal) -> Decimal | None:
    """Return the one-sided upper bound, point - q_(1 - level)(t*) se."""
    return _bound(found, Fraction(level), upper=True)


def p_positive(found: Inference) -> Proportion | None:
    """Return the one-sided bootstrap p-value of a true value <= 0: (1 + #{t* >= point/se}) / (B + 1)."""
    if found.drawn is None or found.t is None:
        return None
    return Proportion(*p_value(found.drawn, found.t))


def _bound(found: Inference, level: Fraction, *, upper: bool) -> Decimal | None:
    if found.point is None or found.error is None or found.drawn is None:
        return None
    ordered = found.drawn.ordered
    rank = lower_rank(1 - level, len(ordered)) if upper else upper_rank(level, len(ordered))
    cut = statistic(ordered, rank)
    if cut is None:
        return None
    with exact():
        return found.point - of_float(cut) * found.error


def _undefined(n: int, point: Decimal | None, draws: int, reason: str) -> Inference:
    return Inference(n, point, None, None, None, draws, 0, reason)


def _inference(
    n: int, point: Decimal, error: Decimal, length: Decimal, drawn: Studentised, discard_share: Decimal
) -> Inference:
    draws = len(drawn.by_draw)
    if drawn.discarded > discard_share * draws:
        reason = f"{drawn.discarded} of {draws} draws have no variance, more than {discard_share} of them"
        return Inference(n, point, error, length, None, draws, drawn.discarded, reason)
    return Inference(n, point, error, length, drawn, draws, drawn.discarded, None)


def common_blocks(n: int, lengths: list[Decimal], draws: int, bits: Bits) -> Blocks:
    """Return one set of blocks for several series: mean length the median of theirs, rounded up.  [statistics 8.4]"""
    ordered = sorted(lengths)
    middle = (ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]) / 2
    return blocks(n, Decimal(ceil(middle)), draws, bits)
