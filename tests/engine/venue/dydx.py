"""Cross accounts of the dYdX vectors."""

from __future__ import annotations

from typing import Any

from engine.venue.liquidation_price import CrossAccount
from engine.venue.margin import FlatMarket


def market_of(row: Any) -> FlatMarket:
    """A market as a row of a vector states it."""
    return FlatMarket(
        row["price"],
        row["exponent"],
        row["atomic_resolution"],
        row.get("initial_margin_ppm", 0),
        row.get("maintenance_fraction_ppm", 0),
    )


def account_of(given: Any) -> CrossAccount:
    """The account of a vector, positions in its order."""
    return CrossAccount(given["quote_quantums"], tuple((p["size_quantums"], market_of(p)) for p in given["positions"]))
