"""A point estimate with its standard error and its bootstrap draws, computed once.  [statistics 6, 7.3]

`hypotheses.statistics.intervals` reads intervals, bounds and p-values off the result.  All of it is exact: the same
on every machine.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from math import ceil

import numpy as np

from engine.arguments import require_array, require_number
from engine.errors import UsageError
from engine.exact.decimals import exact, ratio
from engine.exact.sums import spread, total
from engine.records import IntArray
from hypotheses.statistics import sharpe
from hypotheses.statistics.block_length import optimal_block_length
from hypotheses.statistics.bootstrap import Bits, Blocks, blocks
from hypotheses.statistics.long_run_variance import long_run_variance, standard_error
from hypotheses.statistics.studentised import Studentised, mean_t, sharpe_t


@dataclass(frozen=True, slots=True)
class Inference:
    """A point estimate with its standard error and its bootstrap draws; ``undefined`` says why there is no interval.

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
    """Return the daily Sharpe ratio of a series with its standard error and its bootstrap draws.  [statistics 6]

    Parameters
    ----------
    returns : IntArray, shape (n,)
        Daily returns in units of 1e-9.
    draws : int, at least 1
        Resamples of the stationary bootstrap (Politis and Romano 1994).
    bits : Bits
        The bit generator of replicate r of one named stream.
    discard_share : Decimal, in [0, 1]
        The share of draws without variance above which there is no interval.

    Returns
    -------
    Inference
        ``undefined`` names the reason for a constant series, for one too short for its block length, and where more
        than ``discard_share`` of the draws have no variance.

    Raises
    ------
    UsageError
        If ``returns`` is not int64 of shape (n,), ``draws`` under 1, or ``discard_share`` no Decimal in [0, 1].

    Examples
    --------
    >>> days = np.arange(30) % 7 - 2
    >>> inference = infer_sharpe(days * 1_000_000, 199, lambda r: np.random.PCG64(r), Decimal("0.01"))
    >>> round(inference.point, 4), inference.discarded, inference.undefined
    (Decimal('0.4027'), 0, None)
    """
    require_array("returns", returns, np.int64, ("n",))
    _require_draws(draws, discard_share)
    n, point = len(returns), sharpe.daily(returns)
    if point is None:
        return _undefined(n, None, draws, "the standard deviation is zero")
    length = optimal_block_length(returns)
    if length is None:
        return _undefined(n, point, draws, f"{n} days are too few for a block length")
    # Of the influence values: a ratio's error is not that of its mean alone.  [statistics 6]
    error = standard_error(long_run_variance(sharpe.influence(returns, point)).variance, n)
    return _inference(n, point, error, length, sharpe_t(returns, blocks(n, length, draws, bits)), discard_share)


def infer_mean(values: IntArray, draws: int, bits: Bits, discard_share: Decimal) -> Inference:
    """Return the mean of daily integers with its standard error and its bootstrap draws; psi_t = x_t - mean.

    Parameters
    ----------
    values : IntArray, shape (n,)
        Daily amounts in micro-USD.
    draws : int, at least 1
        Resamples of the stationary bootstrap (Politis and Romano 1994).
    bits : Bits
        The bit generator of replicate r of one named stream.
    discard_share : Decimal, in [0, 1]
        The share of draws without an error above which there is no interval.

    Returns
    -------
    Inference
        ``point`` None for an empty series; ``undefined`` as in `infer_sharpe`.

    Raises
    ------
    UsageError
        If ``values`` is not int64 of shape (n,), ``draws`` under 1, or ``discard_share`` no Decimal in [0, 1].

    Examples
    --------
    >>> inference = infer_mean(np.arange(30) % 7, 199, lambda r: np.random.PCG64(r), Decimal("0.01"))
    >>> round(inference.point, 4)
    Decimal('2.8333')
    """
    require_array("values", values, np.int64, ("n",))
    _require_draws(draws, discard_share)
    n, whole = len(values), total(values)
    point = ratio(whole, n) if n else None
    if n < 2 or spread(values) == 0:
        return _undefined(n, point, draws, "every day has the same value")
    length = optimal_block_length(values)
    if length is None or point is None:
        return _undefined(n, point, draws, f"{n} days are too few for a block length")
    with exact():
        psi = [int(v) - point for v in values]
    error = standard_error(long_run_variance(psi).variance, n)
    return _inference(n, point, error, length, mean_t(values, blocks(n, length, draws, bits)), discard_share)


def _require_draws(draws: int, discard_share: Decimal) -> None:
    require_number("draws", draws, int, at_least=1)
    require_number("discard_share", discard_share, Decimal, at_least=0, at_most=1)


def _undefined(n: int, point: Decimal | None, draws: int, reason: str) -> Inference:
    return Inference(n, point, None, None, None, draws, 0, reason)


def _inference(
    n: int, point: Decimal, error: Decimal, length: Decimal, drawn: Studentised, discard_share: Decimal
) -> Inference:
    draws = len(drawn.by_draw)
    # many draws without variance mean that few days carry the sample; an interval of the rest would be too short
    if drawn.discarded > discard_share * draws:
        reason = f"{drawn.discarded} of {draws} draws have no variance, more than {discard_share} of them"
        return Inference(n, point, error, length, None, draws, drawn.discarded, reason)
    return Inference(n, point, error, length, drawn, draws, drawn.discarded, None)


def common_blocks(n: int, lengths: list[Decimal], draws: int, bits: Bits) -> Blocks:
    """Return one set of blocks for several series, mean length the median of theirs, rounded up.  [statistics 8.4]

    Parameters
    ----------
    n : int, at least 1
        Days of each series.
    lengths : list[Decimal], shape (k,), at least 1
        The block length of each series, days.
    draws : int, at least 1
        Resamples.
    bits : Bits
        The bit generator of replicate r of one named stream.

    Returns
    -------
    Blocks
        The blocks of all resamples.

    Raises
    ------
    UsageError
        If ``lengths`` is empty or an entry no Decimal of at least 1, or ``n`` or ``draws`` is under 1.

    Examples
    --------
    >>> lengths = [Decimal(1), Decimal("2.5"), Decimal(9)]
    >>> common_blocks(10, lengths, 3, lambda r: np.random.PCG64(r)).draws
    3
    """
    if not lengths:
        raise UsageError("lengths: expected at least one block length, was none")
    for length in lengths:
        require_number("lengths", length, Decimal, at_least=1)
    ordered = sorted(lengths)
    middle = (ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]) / 2
    return blocks(n, Decimal(ceil(middle)), draws, bits)
