"""The alert of a reallocation: state of the covenants, and liquidation prices before and after.  [covenants 6.7]"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from engine.covenants.base import Covenant, Leg, Mode

COVENANT: Final = Covenant(
    "alerts", "Alert", "liquidation price (side |Q| E - M) / (|Q| (side - m)) of both legs, before and after", "6.7"
)


def liquidation_price(leg: Leg) -> float:
    """Return the price (USD) at which the leg's equity equals its maintenance margin.

    NaN for an empty leg; 0 for a long that its margin covers down to nothing.
    """
    if leg.size == 0:
        return float("nan")
    side = 1.0 if leg.size > 0 else -1.0
    size = abs(leg.size)
    # A long whose margin covers the whole price is never liquidated, and no price is below 0.
    return max(0.0, (side * size * leg.entry_usd - leg.margin_usd) / (size * (side - leg.maintenance)))


@dataclass(frozen=True)
class Alert:
    """What a trader sees at a reallocation: spreads and bands in pp, money in USD, sizes in base units."""

    t_ns: int
    spread_pp: float
    band_pp: float
    leverage_cap: float
    fill_fraction: float
    transfer_usd: float
    residual_size: float
    residual_transfer_usd: float
    liquidation_before_usd: tuple[float, float]
    liquidation_after_usd: tuple[float, float]
    mode: Mode
    status: str


def liquidation_prices(leg_a: Leg, leg_b: Leg) -> tuple[float, float]:
    """Return the liquidation prices of both legs, A first."""
    return liquidation_price(leg_a), liquidation_price(leg_b)
