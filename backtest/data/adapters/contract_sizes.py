"""How many base units a venue means by one contract of a linear perp or future.  [S1.2]"""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Final

from backtest.data.adapters.base import SourceSpec
from engine.errors import UsageError

# Venues that count linear perps in contracts of a part of a coin, in their books and in what vendors store of them.
_IN_CONTRACTS: Final = frozenset({"okx", "kucoin", "gate", "htx", "mexc", "bitmex"})


def contract_size(spec: SourceSpec, venue: str) -> float:
    """Return the base units of one contract that a source declares; 1 for a venue that counts in base units.

    Raises ``UsageError`` where a venue counts in contracts and the option is missing, or is no size.

    Examples
    --------
    >>> contract_size(SourceSpec("a", "b", {"contract_size": "0.01"}, "an example", "none"), "okx")
    0.01
    """
    if "contract_size" not in spec.options and venue not in _IN_CONTRACTS:
        return 1.0
    written = spec.options.get("contract_size")
    try:
        size = Decimal(written) if isinstance(written, str) else Decimal("nan")
    except InvalidOperation:
        size = Decimal("nan")
    if not (size.is_finite() and size > 0):
        raise UsageError(
            f"source {spec.adapter} ({spec.path}): expected option contract_size = the base units of one contract as a "
            f'text, such as "0.01" (sizes of {venue} perps are in contracts), was {written!r}'
        )
    return float(size)
