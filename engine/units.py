"""Units: nanoseconds, basis points and integer micro-USD.  [S1.1, statistics R1.1]"""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal
from typing import Final

import numpy as np
from numpy.typing import NDArray

NS_PER_US: Final = 1_000
NS_PER_MS: Final = 1_000_000
NS_PER_SECOND: Final = 1_000_000_000
NS_PER_HOUR: Final = 3_600 * NS_PER_SECOND
NS_PER_DAY: Final = 24 * NS_PER_HOUR
NS_PER_YEAR: Final = 365 * NS_PER_DAY
"""A year of 365 days (ACT/365), as in every annual rate of the method."""

BPS: Final = 1e4
MICRO: Final = 1_000_000

NEVER_NS: Final = 2**63 - 1
"""The time of an event that does not happen: no expiry, never quoted."""


def micro_usd(amount_usd: float) -> int:
    """Return ``amount_usd`` as integer micro-USD, half-even on the shortest decimal text of the double.

    Raises ``ValueError`` for NaN and infinities: money is never undefined.  [audit.md 2.2]
    """
    # Through the decimal text: the product amount * 1e6 is rounded itself and can miss a tie.
    amount = Decimal(repr(float(amount_usd)))
    if not amount.is_finite():
        raise ValueError(f"expected an amount in USD, was {amount_usd!r}")
    return int((amount * MICRO).to_integral_value(rounding=ROUND_HALF_EVEN))


def above_zero(bps: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return where basis points are above 0 in whole micro-bps, of the input's shape; NaN is not.

    A gross is rounded before it is counted or listed: floats leave 1e-13 bps where it is exactly 0.

    >>> above_zero(np.array([1e-13, 1e-6, -1.0, np.nan])).tolist()
    [False, True, False, False]
    """
    above: NDArray[np.bool_] = np.rint(bps * MICRO) > 0.0
    return above


def micro_bps(bps: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return basis points as int64 micro-bps, half-even, of the input's shape; nets and thresholds compare so.  [S4.1]

    NaN has no integer and gives an arbitrary one: mask it before the call.
    """
    return np.rint(bps * MICRO).astype(np.int64)
