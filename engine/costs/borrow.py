"""The cost of borrowing a spot that is sold short.  [S3.5]"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from engine.costs.base import CostTerm, LegTerms
from engine.errors import UsageError
from engine.records import FloatArray, Kind
from engine.units import BPS, NS_PER_YEAR

SPOT = int(Kind.SPOT)
OWN_DOLLARS = ("USD", "USDC")
"""The capital is in these currencies; selling them borrows nothing.  [spec README, data and grid]"""


def borrow_bps(terms: LegTerms) -> FloatArray:
    """Return the cost of borrowing the spot legs that are sold, bps of S, ``[M]``.

    ``sum_l weight_l * annual rate of the base currency * life / 365 d``; 0 where no spot is sold, NaN
    where the price of a sold spot is.  Raises ``UsageError`` if the rate of a sold spot is not registered.
    """
    short = terms.present & (terms.kind == SPOT) & (terms.quantity < 0.0)
    if not short.any():
        return np.zeros(len(terms.life_ns))
    rate = np.zeros(terms.quantity.shape)
    for code in np.unique(terms.code[short]).tolist():
        rate[terms.code == code] = annual_rate(terms.params.borrow_rate, terms.instruments.base[code])
    years = terms.life_ns / NS_PER_YEAR
    total = np.zeros(len(terms.life_ns))
    # Leg by leg: the order of a sum of floats is part of the result.  [audit 10.3]
    for leg in range(short.shape[1]):
        total += np.where(short[:, leg], terms.weight[:, leg] * rate[:, leg] * years, 0.0)
    return BPS * total


def annual_rate(rates: Mapping[str, float], base: str) -> float:
    """Return the registered annual borrow rate of the coin ``base``, a share; 0 for dollars of the capital.

    Raises ``UsageError`` if it is not registered: a free borrow would be a made-up profit.

    >>> annual_rate({"BTC": 0.05}, "BTC"), annual_rate({"BTC": 0.05}, "USDC")
    (0.05, 0.0)
    """
    # A registered rate goes first, also for a dollar of the capital.
    if base in rates:
        return rates[base]
    if base in OWN_DOLLARS:
        return 0.0
    known = ", ".join(sorted(rates)) or "none"
    raise UsageError(f"expected a registered borrow rate of {base!r} for a short spot leg, was {known}: add it")


BORROW = CostTerm("borrow", "S3.5", by_leg=False, amount=borrow_bps)
