"""Schema of ``configs/venue_risk/*.toml``: a venue is numbers, each with unit, date, provenance mark and source.

Marks: C code, T its test, D official document, D3 copy of one, X inferred from published data, U not verified, ours.
[risk.md head]  A key that the schema does not know is refused, and so is a number without a date.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from backtest.toml_tables import Table
from engine.venue.auto_deleveraging import RANK_RULES
from engine.venue.funding import RATE_RULES
from engine.venue.mark import MARK_RULES

Mark = Literal["C", "T", "D", "D3", "X", "U", "ours"]
Unit = Literal["s", "h", "share", "ratio", "count", "bps", "per_8h", "USD"]


def _decimal(text: str) -> str:
    value = Decimal(text)
    # Decimal takes NaN and Infinity as text.
    if not value.is_finite():
        raise ValueError("a finite decimal in quotes")
    return text


def _known(rules: dict[str, object], more: tuple[str, ...] = ()) -> AfterValidator:
    names = (*rules, *more)

    def check(name: str) -> str:
        if name not in names:
            raise ValueError(f"one of {', '.join(names)}")
        return name

    return AfterValidator(check)


class VenueNumber(Table):
    """A number with all that makes it usable: unit, date, provenance mark, source."""

    value: Annotated[str, Field(pattern=r"^-?[0-9]+(\.[0-9]+)?$"), AfterValidator(_decimal)]
    unit: Unit
    as_of: date
    mark: Mark
    source: Annotated[str, Field(min_length=1)]

    def decimal(self) -> Decimal:
        """Return the value."""
        return Decimal(self.value)


class Oracle(Table):
    """Aggregation and guards.  [risk.md 1, 2]"""

    weights: dict[str, str] | None = None
    weights_from: VenueNumber | None = None
    max_age: VenueNumber | None = None
    max_spread: VenueNumber | None = None
    min_sources: VenueNumber | None = None
    stale_margin: VenueNumber | None = None
    stale_amm: VenueNumber | None = None
    volatility_limit: VenueNumber | None = None
    twap_window: VenueNumber | None = None


class MarkTable(Table):
    """Mark price.  [risk.md 3]"""

    rule: Annotated[str, _known(dict(MARK_RULES))] | None = None
    average: VenueNumber | None = None


class Funding(Table):
    """Premium and rate.  [risk.md 4]"""

    rule: Annotated[str, _known(dict(RATE_RULES))] | None = None
    paid_on: Literal["oracle", "mark"] | None = None
    premium: Literal["impact", "mark"] | None = None
    interval: VenueNumber | None = None
    interest: VenueNumber | None = None
    band: VenueNumber | None = None
    cap: VenueNumber | None = None
    impact_notional: VenueNumber | None = None


class Fees(Table):
    """Base tier.  [risk.md 5]"""

    maker: VenueNumber | None = None
    taker: VenueNumber | None = None


class Liquidation(Table):
    """Limit price and amounts.  [risk.md 7]"""

    limit_price: Literal["bankruptcy", "fillable"] | None = None
    portion: VenueNumber | None = None
    portion_above: VenueNumber | None = None
    pause: VenueNumber | None = None
    minimum: VenueNumber | None = None
    per_step: VenueNumber | None = None
    fee: VenueNumber | None = None
    spread_to_maintenance: VenueNumber | None = None
    bankruptcy_adjustment: VenueNumber | None = None
    backstop_share: VenueNumber | None = None


class Deleveraging(Table):
    """Rank, price and trigger.  [risk.md 9]"""

    rank: Annotated[str, _known(dict(RANK_RULES), ("pro_rata",))] | None = None
    price: Literal["bankruptcy", "mark"] | None = None
    fund_first: Literal["yes", "no"] | None = None
    pool_drawdown: VenueNumber | None = None
    pool_stop: VenueNumber | None = None


class Bands(Table):
    """Price bands.  [risk.md 10.1]"""

    up: VenueNumber | None = None
    down: VenueNumber | None = None


class Breakers(Table):
    """The halt ladder.  [risk.md 10.3]"""

    sigmas: VenueNumber | None = None
    divergence: VenueNumber | None = None
    return_5min: VenueNumber | None = None
    halt_dwell: VenueNumber | None = None
    slow_dwell: VenueNumber | None = None
    sigma_1min: VenueNumber | None = None


class Withdrawals(Table):
    """Limiter and transfer rule.  [risk.md 6.8, 10.4]"""

    period: VenueNumber | None = None
    minimum: VenueNumber | None = None
    tvl: VenueNumber | None = None
    transfer_notional: VenueNumber | None = None


class Bracket(Table):
    """One bracket: ``max_leverage``, or initial and maintenance rate.  [risk.md 6.3]"""

    lower_usd: Annotated[str, Field(pattern=r"^[0-9]+$")]
    max_leverage: Annotated[str, Field(pattern=r"^[1-9][0-9]*$")] | None = None
    initial: Annotated[str, Field(pattern=r"^[0-9]+(\.[0-9]+)?$")] | None = None
    maintenance: Annotated[str, Field(pattern=r"^[0-9]+(\.[0-9]+)?$")] | None = None
    as_of: date
    mark: Mark
    source: Annotated[str, Field(min_length=1)]


class Market(Table):
    """A market's brackets."""

    name: str
    brackets: Annotated[list[Bracket], Field(min_length=1)]


class VenueFile(Table):
    """One file of ``configs/venue_risk``."""

    schema_: Literal["venue_risk/1"] = Field(alias="schema")
    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    oracle: Oracle = Oracle()
    mark: MarkTable = MarkTable()
    funding: Funding = Funding()
    fees: Fees = Fees()
    liquidation: Liquidation = Liquidation()
    deleveraging: Deleveraging = Deleveraging()
    bands: Bands = Bands()
    breakers: Breakers = Breakers()
    withdrawals: Withdrawals = Withdrawals()
    markets: list[Market]


SECTIONS = ("oracle", "mark", "funding", "fees", "liquidation", "deleveraging", "bands", "breakers", "withdrawals")
"""Tables of numbers and rules, in the order of an event."""
