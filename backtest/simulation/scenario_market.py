"""The table of a scenario of kind ``market``: prices, faults, accounts, and the agents that trade.  [risk.md 22]"""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from backtest.simulation.scenario_fields import Amount, DecimalShare, ModuleName, Seconds, ShortName
from backtest.toml_tables import Table
from engine.errors import DataError
from engine.venue.integers import exact_sum


class PricePoint(Table):
    """The price elsewhere, over the start's, at a time; linear between points."""

    at_s: Seconds
    ratio: Amount


class Fault(Table):
    """What breaks from ``from_s`` to before ``to_s``.

    ``freeze`` the oracle keeps its price and ages, ``print`` its sources print a false price (value: its ratio to the
    true one), ``depth`` makers quote a share of their depth, ``partition`` nothing reaches the venue.
    """

    kind: Literal["freeze", "print", "depth", "partition"]
    from_s: Seconds
    to_s: Seconds
    value: Amount


class ListedAccount(Table):
    """An account that the scenario names: its deposit and its signed position.  All positions add up to zero."""

    deposit_usd: Amount
    lots: Annotated[int, Field(ge=-(2**40), le=2**40)]


class Traders(Table):
    """Leveraged longs and shorts: leverage uniform in its inverse from 1 to ``most_leverage``."""

    longs: Annotated[int, Field(ge=0, le=100_000)]
    shorts: Annotated[int, Field(ge=0, le=100_000)]
    most_leverage: Amount
    size_usd: Amount


class Makers(Table):
    """Makers: a ladder of levels around the book price, thinner after a fast minute."""

    count: Annotated[int, Field(ge=1, le=100)]
    deposit_usd: Amount
    half_spread_bps: Annotated[int, Field(ge=1, le=1000)]
    levels: Annotated[int, Field(ge=1, le=200)]
    level_bps: Annotated[int, Field(ge=1, le=1000)]
    level_usd: Amount
    withdraw_bps: Annotated[int, Field(ge=1, le=10_000)]


class Noise(Table):
    """Noise traders: a Poisson number of orders a step, log-normal sizes."""

    traders: Annotated[int, Field(ge=1, le=1000)]
    orders_a_step: Annotated[str, Field(pattern=r"^[0-9](\.[0-9]{1,3})?$")]
    median_usd: Amount
    sigma: Annotated[str, Field(pattern=r"^[0-3](\.[0-9]{1,3})?$")]


class Arbitrage(Table):
    """An arbitrageur between this book and the price elsewhere."""

    gap_bps: Annotated[int, Field(ge=1, le=10_000)]
    size_usd: Amount


class MarketScenario(Table):
    """Kind ``market``: one venue, its traders, prices and faults.  [14.1, 14.3]"""

    symbol: ShortName
    tick_usd: Amount
    lot: Amount
    start_usd: Amount
    step_s: Annotated[int, Field(ge=1, le=600)]
    steps: Annotated[int, Field(ge=1, le=20_000)]
    fund_usd: Amount
    index_share: DecimalShare
    impact_bps_a_musd: Amount
    backstop_usd: Amount = "0"
    breakers: Literal["on", "off"] = "on"
    modules: list[ModuleName] = []  # noqa: RUF012 - pydantic copies it
    traders: Traders
    makers: Makers
    noise: Noise | None = None
    arbitrage: Arbitrage | None = None
    prices: Annotated[list[PricePoint], Field(min_length=1, max_length=10_000)]
    faults: Annotated[list[Fault], Field(max_length=1000)] = []  # noqa: RUF012 - pydantic copies it
    accounts: Annotated[list[ListedAccount], Field(max_length=100_000)] = []  # noqa: RUF012 - pydantic copies it


def check_market(market: MarketScenario, where: str) -> None:
    """Raise `DataError` (4) for prices that go back in time and positions that do not balance."""
    for row, (a, b) in enumerate(pairwise(market.prices), 1):
        if b.at_s <= a.at_s:
            raise DataError(
                f"{where}: market.prices[{row}].at_s: expected a time after {a.at_s} s, was {b.at_s}: prices must not "
                "go back in time"
            )
    for row, fault in enumerate(market.faults):
        if fault.to_s <= fault.from_s:
            raise DataError(
                f"{where}: market.faults[{row}].to_s: expected a time after from_s {fault.from_s}, was {fault.to_s}"
            )
    net = exact_sum(np.array([account.lots for account in market.accounts], dtype=np.int64))
    if net:
        raise DataError(
            f"{where}: market.accounts: expected positions that add up to 0 lots, was {net}: a long needs "
            "somebody short, add the other side"
        )
