"""The grammar of what is traded: a coin's instruments by constraint, and a venue's conventions."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from backtest.registration.fields import Coin, Count, Day, Name, NotNegative, Positive, Share, Text
from backtest.toml_tables import Table


class Pair(Table):
    """A (perp, spot) pair of C1."""

    perp: Name
    spot: Name


class Triangle(Table):
    """Two perps of one venue, and the spot pair that converts.  [S2.C2]"""

    perp_usdc: Name
    perp_usdt: Name
    fx: Name


class BookCovenantsTable(Table):
    """Covenants over the plan's book; the family `covenants` is then one of those in force.  [S4.5, S7]

    What the table leaves out has the values of `engine.covenants.parameters`.
    """

    a: Name  # perp whose marks are A's
    b: Name
    bar_min: Count  # minutes of a bar and of a revision
    reading: Literal["literal", "scaled"]  # the principled one needs a fit
    alpha: Share
    beta: Share
    closes_on: Literal["breach", "manual"]  # at the entry into this state open positions of both coins are closed


class Fx(Table):
    """The spot pairs that convert the dollars, and the peg guard.  [S1.6, venues V1]

    ``usd_is`` stands in a plan whose data hold no pair with USD: USD then counts as that dollar.
    """

    usdc_usdt: Name  # spot, never the perp
    usdc_usd: Name | None = None
    usdt_usd: Name | None = None
    usd_is: Literal["USDC"] | None = None
    peg_bps: Positive  # packages in two dollars wait while USDC/USDT is further from 1


class Corners(Table):
    """The four corners of C6."""

    dex_perp: Name
    cex_perp: Name
    spot: Name
    option_venue: Name
    min_expiry_d: NotNegative
    mids_only: bool


class CurveTable(Table):
    """The curve of C5.  [statistics 9]"""

    perp: Name
    futures_venue: Name
    perp_average_h: Positive
    tenor_d: list[Positive]
    belly_d: Positive
    wing_d: list[Positive]
    z_window_d: Count
    min_curves: Count


class Underlying(Table):
    """What is registered for one coin; a list that is empty says that the study has no such package."""

    name: Coin
    reference: Name
    reference_is_index: bool
    cash_carry: list[Pair]
    triangle: list[Triangle]
    put_call_venues: list[Name]
    butterfly_venues: list[Name]
    vertical_venues: list[Name]
    forward_from_marks: bool
    four_corner: list[Corners]  # none or one
    curve: list[CurveTable]  # none or one


class Fee(Table):
    """Taker fees of one product; the caps belong to options and are left out elsewhere.  [S3.4, venues V5]

    A row holds from its day until the next one of the same keys.  Older plans have ``as_of`` in place of ``from`` and
    no ``verified``: there the earliest row of a kind holds for all time before it too.
    """

    kind: Literal["spot", "perp", "future", "option"]
    taker_bps: NotNegative
    delivery_bps: NotNegative
    source: Text
    as_of: Day | None = None
    first_day: Day | None = Field(default=None, alias="from")
    symbol: Name | None = None
    settle: Coin | None = None
    settlement_period: Literal["day", "week", "month"] | None = None
    verified: Literal[False] | Text | None = None  # by what
    cap_share: Share | None = None
    delivery_cap_share: Share | None = None


class ConventionTable(Table):
    """The keys of a dated row of a venue's conventions: what it holds for, and from which day.  [venues]"""

    kind: Literal["spot", "perp", "future", "option"]
    first_day: Day = Field(alias="from")
    source: Text
    verified: Literal[False] | Text  # by what
    symbol: Name | None = None
    base: Coin | None = None
    settle: Coin | None = None
    settlement_period: Literal["day", "week", "month"] | None = None


class Delivery(ConventionTable):
    """How long before expiry a venue averages its index for the settlement price.  [venues V2]"""

    average_s: Positive


class Money(ConventionTable):
    """The currency of a contract's price, of its index and of its money.  [venues V1]

    ``coin`` is the contract's base, ``named`` the currency in its symbol.
    """

    price: Coin | Literal["coin", "named"]
    index: Coin | Literal["coin", "named"]
    money: Coin | Literal["coin", "named"]


class FundingTable(ConventionTable):
    """How a venue's perps pay funding: at settlements ``interval_h`` apart, or continuously.  [venues V3]"""

    mode: Literal["settles", "accrues"]
    interval_h: Positive | None = None  # of what settles


class LotRow(ConventionTable):
    """The lot of one product from a day on, in base units, of an inverse contract in its price currency.  [venues V4]

    An amount is a whole number of ``lot x multiplier``; a multiplier that is left out is 1.
    """

    lot: Positive
    multiplier: Positive | None = None


class TickStep(Table):
    """Another tick from a price on."""

    price: Positive
    tick: Positive


class TickRow(ConventionTable):
    """The step of the prices of one product from a day on, price currency; ``above`` by price, ascending.  [V4]"""

    tick: Positive
    above: list[TickStep] = Field(default_factory=list)


class Venue(Table):
    """A venue: its fees, the price its funding is paid on, and its conventions.

    A table of conventions that is left out belongs to a plan from before it.
    """

    name: Name
    funding_paid_on: Literal["mark", "index", "none"]
    funding_source: Text
    fees: list[Fee]
    delivery: list[Delivery] = Field(default_factory=list)
    money: list[Money] = Field(default_factory=list)
    funding: list[FundingTable] = Field(default_factory=list)
    lots: list[LotRow] = Field(default_factory=list)  # left out by plans older than the key
    ticks: list[TickRow] = Field(default_factory=list)
