"""The cost of borrowing what a spot leg pays with.  [S3.5, venues V6]

A sold spot pays with its base, a bought one with its quote currency.  What the capital is held in is at hand; anything
else is borrowed for as long as the leg is open, and every hour that has started counts in full.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import overload

import numpy as np

from engine.costs.base import CostTerm, LegTerms
from engine.errors import UsageError
from engine.records import FloatArray, Instruments, IntArray, Kind
from engine.units import BPS, NS_PER_HOUR, NS_PER_YEAR

SPOT = int(Kind.SPOT)
OWN = ("USDC", "USD")
"""The capital is in USDC, and USD counts as USDC unless a plan with a pair of USD registers what borrowing it costs;
paying with them borrows nothing.  [venues V1, V6]"""


def borrow_bps(terms: LegTerms) -> FloatArray:
    """Return the cost of borrowing what the spot legs pay with, bps of S, ``[M]``.

    ``sum_l weight_l * annual rate of the currency paid * started hours of the life / 8760``; 0 where no spot leg pays
    with a currency that is not own, NaN where the price of such a leg is.  Raises ``UsageError`` if a rate is not
    registered.
    """
    spot = terms.present & (terms.kind == SPOT)
    total = np.zeros(len(terms.life_ns))
    if not spot.any():
        return total
    rate: FloatArray = np.zeros(terms.quantity.shape)
    for sold in (True, False):
        paying = spot & ((terms.quantity < 0.0) == sold)
        for code in np.unique(terms.code[paying]).tolist():
            currency = pays_with(terms.instruments, code, sold=sold)
            rate[paying & (terms.code == code)] = annual_rate(terms.params.borrow_rate, currency)
    years = started_hours(terms.life_ns) * NS_PER_HOUR / NS_PER_YEAR
    # Leg by leg: the order of a sum of floats is part of the result.  [audit 10.3]
    for leg in range(rate.shape[1]):
        total += np.where(rate[:, leg] > 0.0, terms.weight[:, leg] * rate[:, leg] * years, 0.0)
    return BPS * total


def pays_with(instruments: Instruments, code: int, *, sold: bool) -> str:
    """Return the currency that a spot leg of instrument ``code`` gives away: its base if sold, else its quote."""
    return instruments.base[code] if sold else instruments.quote[code]


def annual_rate(rates: Mapping[str, float], currency: str) -> float:
    """Return the registered annual borrow rate of ``currency``, a share; 0 for what the capital is held in.

    Raises ``UsageError`` if it is not registered: a free borrow would be a made-up profit.

    >>> annual_rate({"BTC": 0.05}, "BTC"), annual_rate({"BTC": 0.05}, "USDC")
    (0.05, 0.0)
    """
    # Before any registered rate: what older plans charge for own dollars has no lender.
    if currency in OWN and not (currency == "USD" and currency in rates):
        return 0.0
    if currency in rates:
        return rates[currency]
    known = ", ".join(sorted(rates)) or "none"
    raise UsageError(
        f"expected a registered borrow rate of {currency!r} for a spot leg that pays with it, was {known}: add "
        f"{currency.lower()} to costs.borrow_rate_annual"
    )


@overload
def started_hours(held_ns: int) -> int: ...
@overload
def started_hours(held_ns: IntArray) -> IntArray: ...
def started_hours(held_ns: int | IntArray) -> int | IntArray:
    """Return how many hours of a span have started, of the input's shape; a whole hour starts no further one.

    >>> started_hours(3_600 * 10**9), started_hours(3_601 * 10**9)
    (1, 2)
    """
    return -(-held_ns // NS_PER_HOUR)


BORROW = CostTerm("borrow", "S3.5", by_leg=False, amount=borrow_bps)
