"""Covenant lag: from the price that breaks the band to the first book an order can meet.  [covenants 7.1, 7.2]"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from engine.covenants.base import Covenant
from engine.units import BPS, NS_PER_SECOND

COVENANT: Final = Covenant(
    "execution_lag",
    "Execution lag",
    "orders meet the first book at or after detection + oracle + compute + chain",
    "7.1",
)
LAG_SETS_NS: Final = {
    "cex": NS_PER_SECOND // 5,
    "rollup": 2 * NS_PER_SECOND,
    "l1": 12 * NS_PER_SECOND,
    "degraded": 60 * NS_PER_SECOND,
}
"""Oracle, compute and chain together."""
JITTER: Final = 0.5


def lag_ns(name: str, u: float) -> int:
    """Return the lag of a set with uniform jitter of plus or minus 50%; ``u`` in [0, 1) is the caller's draw."""
    return round(LAG_SETS_NS[name] * (1.0 - JITTER + 2.0 * JITTER * u))


def execution_index(detected_ns: int, lag: int, book_ns: NDArray[np.int64]) -> int:
    """Return the index of the first of the books, ``book_ns`` [N] ascending, at or after detection plus lag.

    It is N if there is none.  Books coarser than the lag round it up: at a lag of 12 s and books a minute apart the
    next minute's book is used.
    """
    return int(np.searchsorted(book_ns, detected_ns + lag, side="left"))


def lag_cost_bps(side: int, average_usd: float, detected_usd: float) -> float:
    """Return what the lag cost in bps of the price at detection; ``side`` is +1 for a purchase, -1 for a sale."""
    return side * (average_usd - detected_usd) / detected_usd * BPS


def distinct_lags(bar_ns: int) -> dict[str, tuple[str, ...]]:
    """Return the lag sets that can be told apart with bars of ``bar_ns``: those within one bar are one.

    Keys are the first name of each group.  [covenants 15.1]
    """
    groups: dict[int, list[str]] = {}
    for name, lag in LAG_SETS_NS.items():
        # Rounded up: an order meets the next snapshot, never an earlier one.  [covenants 7.1]
        groups.setdefault(-(-lag // bar_ns), []).append(name)
    return {names[0]: tuple(names) for names in groups.values()}
