"""The probability of backtest overfitting, by combinatorially symmetric cross-validation.

Bailey, Borwein, Lopez de Prado and Zhu (2017): cut the days into S groups; for every half of the groups take the
configuration that is best there, and take its rank in the other half.  Float tier, exploratory.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy.stats import rankdata

from engine.records import FloatArray, IntArray
from hypotheses.sensitivity.resampling import sharpe


@dataclass(frozen=True, slots=True)
class Overfitting:
    """``probability``: share of halves whose best configuration ranks low in the other; ``logits`` one a usable half.

    ``undefined`` counts the halves in which some configuration has no Sharpe ratio.
    """

    probability: float | None
    logits: tuple[float, ...]
    combinations: int
    undefined: int


def overfitting(table: FloatArray, group: IntArray) -> Overfitting:
    """Return the overfitting of ``table``, shape (days, configurations); ``group`` numbers the day's group.

    The best of a half is the last of equals, as the rule that chooses z prefers the larger; ranks of equals are
    averaged.  A logit is ln(w / (1 - w)) with w = rank / (configurations + 1), 0 and below counts as overfitting.
    """
    names = sorted(set(group.tolist()))
    halves = list(combinations(names, len(names) // 2))
    logits = []
    for half in halves:
        inside = np.isin(group, half)
        here, there = sharpe(table[inside].T), sharpe(table[~inside].T)
        # Without a ratio of every configuration neither the best nor its rank is known.
        if np.isnan(here).any() or np.isnan(there).any():
            continue
        best = len(here) - 1 - int(np.argmax(here[::-1]))
        share = float(rankdata(there)[best]) / (len(there) + 1)
        logits.append(float(np.log(share / (1 - share))))
    probability = float(np.mean([logit <= 0 for logit in logits])) if logits else None
    return Overfitting(probability, tuple(logits), len(halves), len(halves) - len(logits))
