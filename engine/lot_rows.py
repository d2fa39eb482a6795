"""Registered rows of lots and price ticks, as frozen records; part of `engine.params.Params`.  [venues V4]"""

from __future__ import annotations

from dataclasses import dataclass

from engine.records import Kind


@dataclass(frozen=True, slots=True)
class Lot:
    """The smallest amount in which instruments of one venue and kind are traded, from a day on.  [venues V4]

    An amount is in base units, of an inverse contract in the currency of its price; empty keys admit every value.
    """

    venue: str
    kind: Kind
    lot: float  # the multiplier of the contract included
    as_of: str  # the first day on which it is in force
    source: str
    symbol: str
    base: str
    settle: str
    period: str
    verified: str  # by what; empty: by nothing


@dataclass(frozen=True, slots=True)
class PriceTick:
    """The step of the prices of one venue and kind, from a day on; keys as of `Lot`.  [venues V4]

    ``above`` holds pairs, ascending: the price from which another tick holds, and that tick.
    """

    venue: str
    kind: Kind
    tick: float  # price currency
    above: tuple[tuple[float, float], ...]
    as_of: str
    source: str
    symbol: str
    base: str
    settle: str
    period: str
    verified: str
