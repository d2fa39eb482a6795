"""Studentised bootstrap intervals and bounds of a Sharpe ratio or a mean.  [statistics 6, 7.3]

`hypotheses.statistics.inference` computes everything that needs draws, once; the functions here read intervals, bounds
and p-values off the ordered t*.  All of them are exact: the same on every machine.
"""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import numpy as np

from engine.arguments import require_instance, require_number
from engine.exact.decimals import exact, of_float
from engine.exact.order import lower_rank, statistic, upper_rank
from hypotheses.records import Interval, Proportion
from hypotheses.statistics.inference import Inference
from hypotheses.statistics.studentised import p_value


def symmetric(inference: Inference, level: Decimal) -> Interval | None:
    """Return the symmetric interval: point -+ c se, c the order statistic ceil(level (B + 1)) of |t*|.

    Parameters
    ----------
    inference : Inference
        A point with its draws.
    level : Decimal, in (0, 1)
        The coverage, for example 0.95.

    Returns
    -------
    Interval or None
        In the unit of the point; None where there are no draws, or too few for ``level``.

    Raises
    ------
    UsageError
        If ``inference`` is no `Inference`, or ``level`` no Decimal in (0, 1).

    Examples
    --------
    >>> from hypotheses.statistics.inference import infer_mean
    >>> inference = infer_mean(np.arange(30) % 7, 199, lambda r: np.random.PCG64(r), Decimal("0.01"))
    >>> interval = symmetric(inference, Decimal("0.95"))
    >>> round(interval.low + interval.high - 2 * inference.point, 12) == 0
    True
    """
    _require(inference, level)
    if inference.point is None or inference.error is None or inference.drawn is None:
        return None
    sizes = np.sort(np.abs(inference.drawn.ordered))
    cut = statistic(sizes, upper_rank(Fraction(level), len(sizes)))
    # Fewer draws than the level needs: no order statistic is that far out.
    if cut is None:
        return None
    with exact():
        reach = of_float(cut) * inference.error
        return Interval(inference.point - reach, inference.point + reach)


def equal_tailed(inference: Inference, level: Decimal) -> Interval | None:
    """Return the equal-tailed interval [point - q_hi se, point - q_lo se]; reported beside the symmetric one.

    Parameters
    ----------
    inference : Inference
        A point with its draws.
    level : Decimal, in (0, 1)
        The coverage, for example 0.95.

    Returns
    -------
    Interval or None
        In the unit of the point; None where there are no draws, or too few for ``level``.

    Raises
    ------
    UsageError
        If ``inference`` is no `Inference`, or ``level`` no Decimal in (0, 1).

    Examples
    --------
    >>> from hypotheses.statistics.inference import infer_mean
    >>> inference = infer_mean(np.arange(30) % 7, 199, lambda r: np.random.PCG64(r), Decimal("0.01"))
    >>> interval = equal_tailed(inference, Decimal("0.95"))
    >>> interval.low < inference.point < interval.high
    True
    """
    _require(inference, level)
    tail = (1 - Fraction(level)) / 2
    low, high = _bound(inference, 1 - tail, upper=False), _bound(inference, 1 - tail, upper=True)
    return None if low is None or high is None else Interval(low, high)


def lower_bound(inference: Inference, level: Decimal) -> Decimal | None:
    """Return the one-sided lower bound, point - q_level(t*) se.

    Parameters
    ----------
    inference : Inference
        A point with its draws.
    level : Decimal, in (0, 1)
        The one-sided coverage, for example 0.95.

    Returns
    -------
    Decimal or None
        In the unit of the point; None where there are no draws, or too few for ``level``.

    Raises
    ------
    UsageError
        If ``inference`` is no `Inference`, or ``level`` no Decimal in (0, 1).

    Examples
    --------
    >>> from hypotheses.statistics.inference import infer_mean
    >>> inference = infer_mean(np.arange(30) % 7, 199, lambda r: np.random.PCG64(r), Decimal("0.01"))
    >>> lower_bound(inference, Decimal("0.95")) < inference.point
    True
    """
    _require(inference, level)
    return _bound(inference, Fraction(level), upper=False)


def upper_bound(inference: Inference, level: Decimal) -> Decimal | None:
    """Return the one-sided upper bound, point - q_(1 - level)(t*) se.

    Parameters
    ----------
    inference : Inference
        A point with its draws.
    level : Decimal, in (0, 1)
        The one-sided coverage, for example 0.95.

    Returns
    -------
    Decimal or None
        In the unit of the point; None where there are no draws, or too few for ``level``.

    Raises
    ------
    UsageError
        If ``inference`` is no `Inference`, or ``level`` no Decimal in (0, 1).

    Examples
    --------
    >>> from hypotheses.statistics.inference import infer_mean
    >>> inference = infer_mean(np.arange(30) % 7, 199, lambda r: np.random.PCG64(r), Decimal("0.01"))
    >>> upper_bound(inference, Decimal("0.95")) > inference.point
    True
    """
    _require(inference, level)
    return _bound(inference, Fraction(level), upper=True)


def p_positive(inference: Inference) -> Proportion | None:
    """Return the one-sided bootstrap p-value of a true value <= 0: (1 + #{t* >= point/se}) / (B + 1).

    Parameters
    ----------
    inference : Inference
        A point with its draws.

    Returns
    -------
    Proportion or None
        None where there are no draws.

    Raises
    ------
    UsageError
        If ``inference`` is no `Inference`.

    Examples
    --------
    >>> from hypotheses.statistics.inference import infer_mean
    >>> inference = infer_mean(np.arange(30) % 7, 199, lambda r: np.random.PCG64(r), Decimal("0.01"))
    >>> p_positive(inference)
    Proportion(count=1, of=200)
    """
    require_instance("inference", inference, Inference)
    if inference.drawn is None or inference.t is None:
        return None
    return Proportion(*p_value(inference.drawn, inference.t))


def _bound(inference: Inference, level: Fraction, *, upper: bool) -> Decimal | None:
    if inference.point is None or inference.error is None or inference.drawn is None:
        return None
    ordered = inference.drawn.ordered
    # the upper bound of the point subtracts the lower quantile of t*
    rank = lower_rank(1 - level, len(ordered)) if upper else upper_rank(level, len(ordered))
    cut = statistic(ordered, rank)
    if cut is None:
        return None
    with exact():
        return inference.point - of_float(cut) * inference.error


def _require(inference: Inference, level: Decimal) -> None:
    require_instance("inference", inference, Inference)
    require_number("level", level, Decimal, above=0, below=1)
