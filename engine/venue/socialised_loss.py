"""Socialised loss: what neither fund nor winners bear is shared.  [risk.md 9.5]"""

from __future__ import annotations

from collections.abc import Sequence

from engine.errors import DataError
from engine.venue.integers import div_ceil


def index_delta(loss: int, base_long: int, base_short: int) -> int:
    """Return what is added to both funding indices, 1e-9: ``ceil(loss 1e9 / total base) x 1e3``.  [risk.md 9.5, Drift]

    ``loss`` in 1e-6 quote, negative; bases in 1e-9, short <= 0.  Both sides pay per unit of base.
    Raises `DataError` for no open position.
    """
    total = abs(base_long) + abs(base_short)
    if total == 0:
        raise DataError("expected open positions to share the loss, was none: the fund or the venue must bear it")
    return div_ceil(abs(loss) * 10**9, total) * 10**3


def shares(amount: int, weights: Sequence[int]) -> list[int]:
    """Return ``amount`` split in proportion to ``weights``, adding up exactly: largest remainder, ties by place.

    Deribit: losses above the fund are shared by accounts with profit in the settlement period; its exact proportion is
    not published, pro rata of period profit is used.  [risk.md 9.5, U]  Raises `DataError` if all weights are 0 or one
    is negative.
    """
    total = sum(weights)
    if total <= 0 or min(weights) < 0:
        raise DataError(f"expected weights >= 0 with a positive sum, was a sum of {total}")
    parts = [amount * w // total for w in weights]
    rest = amount - sum(parts)
    order = sorted(range(len(weights)), key=lambda i: (-(amount * weights[i] % total), i))
    for i in order[:rest]:
        parts[i] += 1
    return parts
