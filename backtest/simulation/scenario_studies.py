"""Tables of the small synthetic studies: funding as an anchor, mixed collateral, one pool of margin, two ledgers."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from backtest.simulation.scenario_fields import Amount, DecimalShare, PositiveCount
from backtest.toml_tables import Table


class FundingAnchor(Table):
    """Kind ``funding_anchor``: a premium after a shock, with traders who answer to funding and without.  [16]

    ``responses``: by how much of the 8-hour rate they receive the traders move the premium in an hour.  Rates of the
    interest form: ``interest``, ``band`` and ``cap`` per 8 h.
    """

    hours: Annotated[int, Field(ge=24, le=10_000)]
    paths: PositiveCount
    shock: DecimalShare
    noise_an_hour: DecimalShare
    interest: DecimalShare
    band: DecimalShare
    cap: DecimalShare
    responses: Annotated[list[Amount], Field(min_length=1, max_length=20)]


class CollateralMix(Table):
    """Kind ``collateral_mix``: what a fall of one collateral asset costs, by how collateral is spread.  [6.1, 16]"""

    most_assets: Annotated[int, Field(ge=1, le=50)]
    accounts: PositiveCount
    draws: Annotated[int, Field(ge=100, le=100_000)]
    fall: DecimalShare
    haircut: DecimalShare
    followed: Annotated[list[DecimalShare], Field(min_length=1, max_length=10)]


class MarginPools(Table):
    """Kind ``margin_pools``: one margin pool over venues against one a venue.  [14.2, 16]

    ``hedged``: share of traders whose positions add up to zero over the venues; ``offset``: share of the gross
    requirement that a pool asks for at least.
    """

    venues: Annotated[int, Field(ge=2, le=100)]
    traders: PositiveCount
    hedged: DecimalShare
    margin: DecimalShare
    offset: DecimalShare
    shocks: Annotated[list[DecimalShare], Field(min_length=1, max_length=20)]


class Bridge(Table):
    """Kind ``bridge``: collateral by messages between two ledgers, under delay, loss, reordering, doubling.  [16]"""

    messages: PositiveCount
    amount_usd: Amount
    finality_s: Annotated[int, Field(ge=1, le=100_000)]
    delay_s: Annotated[int, Field(ge=1, le=100_000)]
    lost: DecimalShare
    doubled: DecimalShare
    forgettings: Annotated[int, Field(ge=0, le=100_000)]
    early_limits_usd: Annotated[list[Amount], Field(min_length=1, max_length=20)]
