"""Probabilistic and deflated Sharpe ratios of a daily series: the formulas of `hypotheses.statistics.psr` applied.

Float tier: they decide nothing.  [statistics 3.5]
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from math import sqrt

import numpy as np

from backtest.results.returns import DAYS_A_YEAR
from engine.arguments import require_array, require_number, require_numbers
from engine.records import IntArray
from hypotheses.statistics.psr import expected_maximum, minimum_track_record, psr, psr_at_benchmark


@dataclass(frozen=True, slots=True)
class SampleMoments:
    """The ratio per period of a series, its length, skewness and kurtosis (3 for the normal law)."""

    ratio: float
    n: int
    skew: float
    kurtosis: float


def sample_moments(returns: IntArray) -> SampleMoments | None:
    """Return the moments of a daily series that the formulas read.

    Parameters
    ----------
    returns : IntArray, shape (n,)
        Daily returns in units of 1e-9; n at least 2.

    Returns
    -------
    SampleMoments or None
        The daily ratio, n, skewness and kurtosis; None where the series does not vary.

    Raises
    ------
    UsageError
        If ``returns`` is not int64 of shape (n,).

    Examples
    --------
    >>> moments = sample_moments(np.array([1, -1, 1, -1, 1, -1, 4]))
    >>> moments.n, round(moments.skew, 3)
    (7, 0.873)
    """
    require_array("returns", returns, np.int64, ("n",))
    if len(returns) < 2:
        return None
    values = returns.astype(np.float64)
    centred = values - values.mean()
    spread = sqrt(float((centred**2).mean()))
    if spread == 0:
        return None
    ratio = float(values.mean() / values.std(ddof=1))
    skew, kurtosis = float((centred**3).mean() / spread**3), float((centred**4).mean() / spread**4)
    # 1 is its least value, which rounding may miss from below
    return SampleMoments(ratio, len(values), skew, max(kurtosis, 1.0))


def probabilistic_sharpe(returns: IntArray, claim: Decimal) -> float | None:
    """Return the probabilistic Sharpe ratio of a daily series against an annual claim, see `psr`.

    Parameters
    ----------
    returns : IntArray, shape (n,)
        Daily returns in units of 1e-9; n at least 2.
    claim : Decimal
        The annual Sharpe ratio to be exceeded.

    Returns
    -------
    float or None
        Between 0 and 1; None where the series does not vary or the variance in the formula is not positive.

    Raises
    ------
    UsageError
        If ``returns`` is not int64 of shape (n,), or ``claim`` no Decimal.

    Examples
    --------
    >>> round(probabilistic_sharpe((np.arange(90) * 37) % 101 - 46, Decimal("1.0")), 4)
    0.7443
    """
    return _probability(psr, sample_moments(returns), _daily(claim))


def days_for_psr(returns: IntArray, claim: Decimal, prob: Decimal) -> float | None:
    """Return how many days it takes for the PSR against a claim to reach a probability, see `minimum_track_record`.

    Parameters
    ----------
    returns : IntArray, shape (n,)
        Daily returns in units of 1e-9; n at least 2.
    claim : Decimal
        The annual Sharpe ratio to be exceeded.
    prob : Decimal, in (0, 1)
        The PSR to be reached.

    Returns
    -------
    float or None
        Days at the ratio and shape of ``returns``; None where the ratio is undefined or not above the claim.

    Raises
    ------
    UsageError
        If ``returns`` is not int64 of shape (n,), ``claim`` no Decimal, or ``prob`` no Decimal in (0, 1).

    Examples
    --------
    >>> round(days_for_psr((np.arange(90) * 37) % 101 - 46, Decimal("1.0"), Decimal("0.95")), 1)
    559.2
    """
    require_number("prob", prob, Decimal, above=0, below=1)
    shape, benchmark = sample_moments(returns), _daily(claim)
    if shape is None or shape.ratio <= benchmark:
        return None
    record = minimum_track_record(shape.ratio, benchmark, shape.skew, shape.kurtosis, float(prob))
    # 1 or less comes from a variance that is not positive, where the normal approximation says nothing
    return record if record > 1 else None


def probabilistic_sharpe_at_benchmark(returns: IntArray, claim: Decimal) -> float | None:
    """Return the PSR of the newer convention of a daily series against an annual claim, see `psr_at_benchmark`.

    Parameters
    ----------
    returns : IntArray, shape (n,)
        Daily returns in units of 1e-9; n at least 2.
    claim : Decimal
        The annual Sharpe ratio to be exceeded.

    Returns
    -------
    float or None
        Between 0 and 1; None where the series does not vary or the variance in the formula is not positive.

    Raises
    ------
    UsageError
        If ``returns`` is not int64 of shape (n,), or ``claim`` no Decimal.

    Examples
    --------
    >>> round(probabilistic_sharpe_at_benchmark((np.arange(90) * 37) % 101 - 46, Decimal("1.0")), 4)
    0.7458
    """
    return _probability(psr_at_benchmark, sample_moments(returns), _daily(claim))


def deflated_sharpe(returns: IntArray, trials: Sequence[float]) -> float | None:
    """Return the deflated Sharpe ratio of a daily series (Bailey and Lopez de Prado 2014).

    It is the PSR against the largest ratio that so many trials without skill would show; against 0 for one trial.

    Parameters
    ----------
    returns : IntArray, shape (n,)
        Daily returns in units of 1e-9; n at least 2.
    trials : Sequence[float], shape (k,)
        Annual ratios of all configurations ever evaluated on the window, this one included.

    Returns
    -------
    float or None
        Between 0 and 1; None where the series does not vary or the variance in the formula is not positive.

    Raises
    ------
    UsageError
        If ``returns`` is not int64 of shape (n,), or ``trials`` is empty or has an entry that is no finite number.

    Examples
    --------
    >>> series = (np.arange(90) * 37) % 101 - 46
    >>> deflated_sharpe(series, [2.3]) > deflated_sharpe(series, [2.3, 1.0, -2.0])
    True
    """
    require_numbers("trials", trials, float, shortest=1)
    # the trials are annual ratios, the series is daily
    variance = float(np.var(trials, ddof=1)) / DAYS_A_YEAR if len(trials) > 1 else 0.0
    return _probability(psr, sample_moments(returns), expected_maximum(len(trials), variance))


def _daily(claim: Decimal) -> float:
    """Return an annual claim as a ratio a day."""
    require_number("claim", claim, Decimal)
    return float(claim) / sqrt(DAYS_A_YEAR)


def _probability(formula: Callable[..., float], shape: SampleMoments | None, benchmark: float) -> float | None:
    if shape is None:
        return None
    probability = formula(shape.ratio, benchmark, shape.n, shape.skew, shape.kurtosis)
    return None if np.isnan(probability) else probability
