"""How many packages of options the two-sided rule leaves out whose bought legs have an ask and no bid.  [S1.4]

A quote is usable with a bid and an ask.  A wing that is only bought would need its ask alone: the packages counted here
have usable sold legs, bought legs that are usable or one-sided with an ask, and at least one of the latter.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from engine.constraints.options.chain import Chain
from engine.market.view import PreparedPanel
from engine.records import BoolArray, Quality, Right


def butterflies(view: PreparedPanel, found: Sequence[Chain]) -> int:
    """Return how many triples with a sold belly lack the bid of a bought wing only, over all grid times of the block.

    >>> usable, buyable = np.array([[0], [1], [1]]), np.array([[1], [1], [1]])
    >>> _triples(usable, buyable)
    1
    """
    return sum(_triples(*_sides(view, chain)) for chain in found)


def verticals(view: PreparedPanel, found: Sequence[Chain]) -> int:
    """Return how many pairs of two strikes lack the bid of the bought one only, over all grid times of the block.

    Pairs of the lower bound, whose bought strike is the lower one of calls and the upper one of puts; the upper bound
    needs a future besides and is not counted.
    """
    total = 0
    for chain in found:
        usable, buyable = _sides(view, chain)
        # strikes ascend: of calls the bought one comes first
        step = 1 if chain.right == Right.CALL else -1
        total += _pairs(usable[::step], buyable[::step])
    return total


def _sides(view: PreparedPanel, chain: Chain) -> tuple[BoolArray, BoolArray]:
    """Return which of a chain's options are usable, and which could be bought, ``[n, T]``."""
    quality = view.quality.T[chain.column]
    usable = quality == Quality.USABLE
    return usable, usable | ((quality == Quality.ONE_SIDED) & (view.panel.ask.T[chain.column] > 0.0))


def _triples(usable: BoolArray, buyable: BoolArray) -> int:
    counts = []
    for wing in (buyable, usable):
        running = np.cumsum(wing, axis=0, dtype=np.int64)
        counts.append(int((usable * (running - wing) * (running[-1] - running)).sum()))
    return counts[0] - counts[1]


def _pairs(usable: BoolArray, buyable: BoolArray) -> int:
    """Return the pairs (bought, sold), the bought one first, whose bought option has an ask alone."""
    alone = np.cumsum(buyable & ~usable, axis=0, dtype=np.int64)
    return int((usable * alone).sum())
