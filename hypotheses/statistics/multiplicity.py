"""Corrections for having looked at several constraints.  [statistics 8.4]"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from engine.exact.order import count_at_least, statistic, upper_rank
from engine.records import FloatArray
from hypotheses.records import Proportion


def holm(p: Sequence[Fraction]) -> list[Fraction]:
    """Return Holm's (1979) adjusted p-values, in the order given: (m - rank) p, running maximum, at most 1."""
    order = sorted(range(len(p)), key=lambda i: p[i])
    adjusted = [Fraction(0)] * len(p)
    worst = Fraction(0)
    for rank, i in enumerate(order):
        worst = max(worst, min(Fraction(1), (len(p) - rank) * p[i]))
        adjusted[i] = worst
    return adjusted


def step_down(observed: Sequence[float], draws: FloatArray, alpha: Fraction) -> list[int]:
    """Return the numbers of the rejected hypotheses, ascending, by studentised StepM (Romano and Wolf 2005).

    ``draws`` is (B, k) of centred t*; the critical value is the order statistic ceil((1 - alpha)(B + 1)) of the row
    maxima over the hypotheses still standing; it is repeated until nothing more falls.
    """
    active = list(range(len(observed)))
    rejected: list[int] = []
    while active:
        maxima = np.sort(draws[:, active].max(axis=1))
        critical = statistic(maxima, upper_rank(1 - alpha, len(maxima)))
        fallen = [i for i in active if critical is not None and observed[i] > critical]
        if not fallen:
            break
        rejected += fallen
        active = [i for i in active if i not in fallen]
    return sorted(rejected)


def step_down_p(observed: Sequence[float], draws: FloatArray) -> list[Proportion]:
    """Return the adjusted p-values that belong to `step_down`: of the maxima over the hypotheses not yet larger.

    Romano and Wolf (2016): in descending order of t, (1 + #{max over the rest >= t}) / (B + 1), running maximum.
    """
    order = sorted(range(len(observed)), key=lambda i: (-observed[i], i))
    found: dict[int, Proportion] = {}
    worst = 0
    for rank, i in enumerate(order):
        rest = draws[:, order[rank:]].max(axis=1)
        worst = max(worst, 1 + count_at_least(rest, observed[i]))
        found[i] = Proportion(worst, len(draws) + 1)
    return [found[i] for i in range(len(observed))]
