"""Liquidity cliff: displayed depth far below its own day.  [covenants 7.4]"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engine.covenants.base import Book, Covenant
from engine.exact.rounded import Floats

COVENANT: Final = Covenant(
    "liquidity_cliff", "Liquidity cliff", "depth within 50 bps below a tenth of its 24 h median", "7.4"
)
CLIFF_SHARE: Final = 0.1
STRESSES: Final = {"2025-10-10, measured": 0.23, "no source": 0.02}
"""Depth that is left: minus 77% and minus 98%."""


def depth_within(book: Book, mark_usd: float, slip: float) -> float:
    """Return the displayed size (base) of the levels within ``slip`` of the mark."""
    return math.fsum(size for price, size in book.levels if abs(price - mark_usd) <= slip * mark_usd)


def cliffs(depth: Floats, window: int) -> NDArray[np.bool_]:
    """Return, for each bar [N], whether depth is below a tenth of the median of the ``window`` bars before it.

    False for the first ``window`` bars.  NaN depth is no displayed depth and counts as a cliff.
    """
    answers = np.zeros(depth.size, dtype=np.bool_)
    for t in range(window, depth.size):
        before = np.sort(depth[t - window : t][~np.isnan(depth[t - window : t])])
        if before.size:
            median = 0.5 * (before[(before.size - 1) // 2] + before[before.size // 2])
            # Negated: NaN depth compares false and must count as a cliff.
            answers[t] = not depth[t] >= CLIFF_SHARE * median
    return answers


def expected_fraction(depth: float, wanted: float, participation: float) -> float:
    """Return the share of ``wanted`` that depth lets through, in [0, 1]: published before an order is sent."""
    return 1.0 if wanted <= 0 else min(1.0, participation * depth / wanted)


def revisions_to_flat(size: float, depth: float, participation: float) -> float:
    """Return how many revisions it takes to close ``size`` at constant depth; infinity where there is none."""
    per = participation * depth
    return float("inf") if per <= 0 else float(np.ceil(size / per))


def stressed(book: Book, left: float) -> Book:
    """Return ``book`` with each displayed size times ``left``."""
    return Book(tuple((price, size * left) for price, size in book.levels))
