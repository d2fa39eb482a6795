"""The opportunity cost of margin, in the decision only: returns charge it on all capital.  [S3.5, statistics R1.6]"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from engine.costs.base import CostTerm, LegTerms
from engine.records import FloatArray, Kind
from engine.units import BPS, NS_PER_YEAR

OPTION = int(Kind.OPTION)


def margin_share(terms: LegTerms) -> FloatArray:
    """Return the margin of packages per unit of their notional, ``[M]``, by the registered table.  [S3.5]

    Spot, perp and future: their share of the leg's notional.  A bought option: its premium.  A sold option:
    ``short_option`` of the underlying's notional, one base unit being one unit of S, plus its premium.
    """
    share = terms.params.margin_share
    by_kind = _by_kind(share["spot"], share["perp"], share["future"])
    # Of an option the weight is its premium, which is what a buyer puts up.
    margin = terms.weight * by_kind[terms.kind]
    sold_option = (terms.kind == OPTION) & (terms.quantity < 0.0)
    if sold_option.any():
        margin += np.where(sold_option, share["short_option"], 0.0) * np.abs(terms.quantity)
    # Leg by leg: the order of a sum of floats is part of the result.  [audit 10.3]
    total = np.zeros(len(terms.life_ns))
    for leg in range(margin.shape[1]):
        total += np.where(terms.present[:, leg], margin[:, leg], 0.0)
    return total


@lru_cache(maxsize=1)
def _by_kind(spot: float, perp: float, future: float) -> FloatArray:
    """Return the margin of a leg as a share of its notional, ``[Kind]``: of an option its premium."""
    share = np.ones(len(Kind))
    share[Kind.SPOT], share[Kind.PERP], share[Kind.FUTURE] = spot, perp, future
    # The cached array is shared by all callers.
    share.setflags(write=False)
    return share


def capital_bps(terms: LegTerms) -> FloatArray:
    """Return the opportunity cost of the margin over the planned life, bps of S, ``[M]``; NaN if a price is unknown.

    ``1e4 * margin share * annual rate * life / 365 d``.

    >>> from types import SimpleNamespace
    >>> params = SimpleNamespace(margin_share={"spot": 1.0, "perp": 0.5, "future": 0.5, "short_option": 0.15},
    ...                          capital_rate=0.0365)
    >>> legs = SimpleNamespace(params=params, weight=np.array([[1.0, 1.0]]), quantity=np.array([[-1.0, 1.0]]),
    ...                        kind=np.array([[Kind.PERP, Kind.SPOT]]), present=np.array([[True, True]]),
    ...                        life_ns=np.array([NS_PER_YEAR // 365]))
    >>> capital_bps(legs).round(9).tolist()  # a day of 3.65% a year on 1.5 times the notional
    [1.5]
    """
    return BPS * margin_share(terms) * terms.params.capital_rate * (terms.life_ns / NS_PER_YEAR)


CAPITAL = CostTerm("capital", "S3.5", by_leg=False, amount=capital_bps)
