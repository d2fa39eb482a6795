"""The mechanisms of one event, in the order of risk.md 0.4: the one list of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from engine.venue.stages import bankruptcy, breakers, funding, liquidation, prices, users
from engine.venue.working import Working


@dataclass(frozen=True, slots=True)
class Mechanism:
    """One mechanism: its place in risk.md 0.4, its name, and what it does to the working state."""

    place: int
    name: str
    apply: Callable[[Working], None]


MECHANISMS: tuple[Mechanism, ...] = (
    Mechanism(2, "oracle", prices.apply_oracle),
    Mechanism(3, "mark", prices.apply_mark),
    Mechanism(4, "funding", funding.apply),
    Mechanism(6, "circuit_breakers", breakers.apply),
    Mechanism(7, "liquidation", liquidation.apply),
    Mechanism(8, "insurance_fund", bankruptcy.apply_fund),
    Mechanism(8, "auto_deleveraging", bankruptcy.apply_deleveraging),
    Mechanism(8, "socialised_loss", bankruptcy.apply_socialisation),
    Mechanism(9, "transfers", users.apply_transfers),
    Mechanism(9, "orders", users.apply_orders),
)
"""Place 1 is the tick itself, 5 the account values that `Working` computes when one asks, 10 the parameter engine,
which makes the parameters of the next event, and 11 `engine.venue.invariants`."""
