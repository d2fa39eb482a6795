"""Corrections for having looked at several constraints.  [statistics 8.4]"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from engine.arguments import require_array, require_finite, require_number, require_numbers
from engine.errors import UsageError
from engine.exact.order import count_at_least, statistic, upper_rank
from engine.records import FloatArray
from hypotheses.records import Proportion


def holm(p: Sequence[Fraction]) -> list[Fraction]:
    """Return Holm's adjusted p-values: (m - rank) p, running maximum, at most 1 (Holm 1979).

    Parameters
    ----------
    p : Sequence[Fraction], shape (k,), in [0, 1]
        One p-value a hypothesis.

    Returns
    -------
    list[Fraction], shape (k,)
        The adjusted p-values in the order of ``p``; empty where ``p`` is.

    Raises
    ------
    UsageError
        If an entry of ``p`` is no Fraction within [0, 1].

    Examples
    --------
    >>> holm([Fraction(1, 100), Fraction(4, 100), Fraction(3, 100)])
    [Fraction(3, 100), Fraction(3, 50), Fraction(3, 50)]
    """
    require_numbers("p", p, Fraction, at_least=0, at_most=1)
    order = sorted(range(len(p)), key=lambda i: p[i])
    adjusted = [Fraction(0)] * len(p)
    worst = Fraction(0)
    for rank, i in enumerate(order):
        # Running maximum: a larger p must not be adjusted below a smaller one.
        worst = max(worst, min(Fraction(1), (len(p) - rank) * p[i]))
        adjusted[i] = worst
    return adjusted


def step_down(observed: Sequence[float], draws: FloatArray, alpha: Fraction) -> list[int]:
    """Return the hypotheses that studentised StepM rejects at ``alpha`` (Romano and Wolf 2005).

    The critical value is the order statistic ceil((1 - alpha)(B + 1)) of the row maxima over the hypotheses that are
    not rejected yet; the step is repeated until it rejects no more.

    Parameters
    ----------
    observed : Sequence[float], shape (k,)
        The t statistic of each hypothesis.
    draws : FloatArray, shape (draws, k)
        Centred t* of each draw, the same resampled days in a row.
    alpha : Fraction, in (0, 1)
        The family-wise level.

    Returns
    -------
    list[int]
        The numbers of the rejected hypotheses, ascending; empty where none is.

    Raises
    ------
    UsageError
        If ``observed`` is empty or not finite, ``draws`` not float64 of shape (draws, k), empty or not finite, or
        ``alpha`` no Fraction within (0, 1).

    Examples
    --------
    >>> draws = np.linspace(-2.0, 2.0, 99)[:, None] * np.array([1.0, -1.0])
    >>> step_down([3.0, 0.5], draws, Fraction(5, 100))
    [0]
    """
    _require(observed, draws)
    require_number("alpha", alpha, Fraction, above=0, below=1)
    active = list(range(len(observed)))
    rejected: list[int] = []
    while active:
        maxima = np.sort(draws[:, active].max(axis=1))
        critical = statistic(maxima, upper_rank(1 - alpha, len(maxima)))
        newly = [i for i in active if critical is not None and observed[i] > critical]
        if not newly:
            break
        rejected += newly
        active = [i for i in active if i not in newly]
    return sorted(rejected)


def step_down_p(observed: Sequence[float], draws: FloatArray) -> list[Proportion]:
    """Return the adjusted p-values that belong to `step_down` (Romano and Wolf 2016).

    In descending order of t: (1 + #{maximum over this and the smaller ones >= t}) / (B + 1), running maximum.

    Parameters
    ----------
    observed : Sequence[float], shape (k,)
        The t statistic of each hypothesis.
    draws : FloatArray, shape (draws, k)
        Centred t* of each draw, the same resampled days in a row.

    Returns
    -------
    list[Proportion], shape (k,)
        The p-values in the order of ``observed``, counts out of draws + 1.

    Raises
    ------
    UsageError
        If ``observed`` is empty or not finite, or ``draws`` not float64 of shape (draws, k), empty or not finite.

    Examples
    --------
    >>> draws = np.linspace(-2.0, 2.0, 99)[:, None] * np.array([1.0, -1.0])
    >>> [(p.count, p.of) for p in step_down_p([3.0, 0.5], draws)]
    [(1, 100), (38, 100)]
    """
    _require(observed, draws)
    # equal t keep the order of the hypotheses, so that the p-values do not depend on the sort
    order = sorted(range(len(observed)), key=lambda i: (-observed[i], i))
    adjusted: dict[int, Proportion] = {}
    worst = 0
    for rank, i in enumerate(order):
        rest = draws[:, order[rank:]].max(axis=1)
        worst = max(worst, 1 + count_at_least(rest, observed[i]))
        adjusted[i] = Proportion(worst, len(draws) + 1)
    return [adjusted[i] for i in range(len(observed))]


def _require(observed: Sequence[float], draws: FloatArray) -> None:
    """Refuse statistics and draws in which a NaN would compare false and so never reject, or count as no draw."""
    require_numbers("observed", observed, float, shortest=1)
    require_array("draws", draws, np.float64, ("draws", len(observed)))
    require_finite("draws", draws)
    if not len(draws):
        raise UsageError("draws: expected at least 1 draw, was none")
