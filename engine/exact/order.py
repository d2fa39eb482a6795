"""Order statistics and ranks by integer arithmetic.  [audit 10.2, statistics 6]"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from numpy.typing import NDArray


def upper_rank(level: Fraction, draws: int) -> int:
    """Return ``ceil(level * (draws + 1))``, counted from 1; more than ``draws`` if there are too few draws.

    >>> upper_rank(Fraction(95, 100), 9999)
    9500
    """
    # In integers: a float product may come out just above a whole rank.
    return -((-level.numerator * (draws + 1)) // level.denominator)


def lower_rank(level: Fraction, draws: int) -> int:
    """Return the mirror of `upper_rank`: as many draws lie below it as lie above ``upper_rank(1 - level)``."""
    return draws + 1 - upper_rank(1 - level, draws)


def statistic(ordered: NDArray[np.float64], rank: int) -> float | None:
    """Return the value of ``rank`` (counted from 1) among ascending values of shape (n,); None outside 1..n."""
    return float(ordered[rank - 1]) if 1 <= rank <= len(ordered) else None


def count_at_least(values: NDArray[np.float64], threshold: float) -> int:
    """Return how many of ``values``, any shape, are at least ``threshold``: ties count, NaN does not."""
    return int(np.count_nonzero(values >= threshold))
