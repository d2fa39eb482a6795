"""The dated rows of the venues' conventions, as frozen records; part of `engine.params.Params`.  [venues V1-V5]"""

from __future__ import annotations

from dataclasses import dataclass

from engine.records import Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class ConventionRow:
    """What a row of any convention holds for, and since when; `engine.market.dated_rows` says which row is in force.

    An empty ``symbol``, ``base``, ``settle`` or ``period`` admits every one; ``as_of`` begins with ``YYYY-MM-DD``.
    """

    venue: str
    kind: Kind
    as_of: str  # the first day on which it is in force
    source: str
    symbol: str
    base: str
    settle: str
    period: str  # settlement period: day, week, month
    verified: str  # by what; empty: by nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class FeeRate(ConventionRow):
    """Taker fees of one venue and product from a day on.  [S3.4, risk.md 5, venues V5]

    Spot, perp and future: ``taker_bps`` of the leg's notional.  Option: ``taker_bps`` of the *underlying's* notional,
    at most ``cap`` of the premium.  ``delivery_bps`` replaces the exit fee of a leg held to its expiry, for an option
    at most ``delivery_cap`` of its value.
    """

    taker_bps: float
    cap: float | None
    delivery_bps: float
    delivery_cap: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryRule(ConventionRow):
    """The window over which a venue averages its index for the settlement price of what expires.  [venues V2]

    The row of the day of expiry holds.
    """

    average_ns: int  # the window ends at expiry


@dataclass(frozen=True, slots=True, kw_only=True)
class MoneyRule(ConventionRow):
    """In which currency a contract is priced, indexed and paid.  [venues V1]

    A currency in capitals, ``coin`` for the base, or ``named`` for the one in the contract's symbol.
    """

    price: str
    index: str
    money: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FundingRule(ConventionRow):
    """How a venue's perps pay funding from a day on: at settlements, or continuously.  [venues V3]"""

    accrues: bool
    interval_ns: int  # between settlements; 0 where it accrues


@dataclass(frozen=True, slots=True, kw_only=True)
class Lot(ConventionRow):
    """The smallest amount in which instruments of one venue and kind are traded, from a day on.  [venues V4]

    An amount is in base units, of an inverse contract in the currency of its price.
    """

    lot: float  # the multiplier of the contract included


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceTick(ConventionRow):
    """The step of the prices of one venue and kind, from a day on.  [venues V4]

    ``above`` holds pairs, ascending: the price from which another tick holds, and that tick.
    """

    tick: float  # price currency
    above: tuple[tuple[float, float], ...]
