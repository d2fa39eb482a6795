"""The plan of a simulation: one TOML file, a kind, and the table of that kind.  [risk.md 14.3, interface]

Amounts are decimal texts, so that a plan is exact; a key that the schema does not know is refused.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Literal, TypeVar

import numpy as np
from pydantic import Field

from backtest import limits
from backtest.toml_tables import Table, TableError, read_table
from engine.errors import DataError, MissingError, UsageError
from engine.venue.integers import exact_sum

_Amount = Annotated[str, Field(pattern=r"^[0-9]{1,15}(\.[0-9]{1,9})?$")]
_Share = Annotated[str, Field(pattern=r"^(0(\.[0-9]{1,9})?|1(\.0{1,9})?)$")]
_Folder = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.+-]{0,99}$")]
_Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.+-]{0,63}$")]
_Seconds = Annotated[int, Field(ge=0, le=limits.PLAN_SPAN_D * 86_400)]
_ModuleName = Literal["liquidation_monitor", "funding_spike", "staleness", "concentration"]
_DataFile = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.+-]{0,99}/[A-Za-z0-9][A-Za-z0-9_.+-]{0,99}$")]
_Day = Annotated[str, Field(pattern=r"^20[0-9]{2}-[01][0-9]-[0-3][0-9]$")]
_Minute = Annotated[str, Field(pattern=r"^20[0-9]{2}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]Z$")]
_Count = Annotated[int, Field(ge=1, le=1_000_000)]


class DeleveragingBook(Table):
    """Kind ``adl_waves``: the waves of a deleveraging, read, recomputed, and on synthetic books.  [risk.md 21, E1]"""

    folder: _Folder
    books: Annotated[int, Field(ge=1, le=20)]
    cap: _Share
    maintenance: _Share


class DeficitLedger(Table):
    """Kind ``deficit_ledger``: deficits listed wave by wave, booked once.  [risk.md 21, E2]"""

    folder: _Folder


class MarkAgainstLast(Table):
    """Kind ``mark_against_last``: who is liquidated under the last print, the mark, a delayed mark.  [E4]"""

    mark_file: _DataFile
    last_file: _DataFile
    first_utc: _Minute
    last_utc: _Minute
    accounts: _Count
    maintenance: _Share
    most_leverage: Annotated[int, Field(ge=2, le=125)]


class BrokenBook(Table):
    """Kind ``broken_book``: depth snapshots judged by the inclusion rule and the frozen-feed guard.  [E5]"""

    file: _DataFile
    max_spread: _Share


class CollateralPrint(Table):
    """Kind ``collateral_print``: a collateral's price on one venue against a pool and its redemption.  [E6]"""

    book_file: _DataFile
    pool_file: _DataFile
    day_utc: _Day
    accounts: _Count
    liquidation_ltv: _Share
    alarm_below: _Share


class BracketTables(Table):
    """Kind ``bracket_tables``: published bracket tables, their algebra, and what a raised rate liquidates.  [E7]"""

    file: _DataFile
    accounts: _Count


class PublishedRank(Table):
    """Kind ``published_rank``: published ranks against the closings that were made.  [E8]"""

    folder: _Folder


class Monitor(Table):
    """Kind ``monitor``: alerts of large flow against alerts of volatility, before large moves.  [11.4]"""

    file: _DataFile
    window_bars: Annotated[int, Field(ge=20, le=100_000)]
    ahead_bars: Annotated[int, Field(ge=2, le=1440)]
    alert_rate: _Share
    draws: Annotated[int, Field(ge=40, le=100_000)]
    shifts: Annotated[int, Field(ge=1, le=100_000)]


class Cascade(Table):
    """Kind ``cascade``: synthetic markets over a range of gains G, around the phase change at 1.  [7.8, 14.1]"""

    gains: Annotated[list[_Amount], Field(min_length=1, max_length=100)]
    markets: Annotated[int, Field(ge=1, le=10_000)]
    accounts: _Count
    reach: _Share
    shock: _Share


class Network(Table):
    """Kind ``network``: venues with a common index and claims on each other, contagion off and on.  [14.2, 14.4]"""

    venues: Annotated[int, Field(ge=2, le=200)]
    own_gain: _Amount
    cross_gain: _Amount
    claims: _Amount
    shock: _Share


class PricePoint(Table):
    """The price elsewhere, over the start's, at a time; linear between points."""

    at_s: _Seconds
    ratio: _Amount


class Fault(Table):
    """What breaks from ``from_s`` to before ``to_s``.

    ``freeze`` the oracle keeps its price and ages, ``print`` its sources print a false price (value: its ratio to the
    true one), ``depth`` makers quote a share of their depth, ``partition`` nothing reaches the venue.
    """

    kind: Literal["freeze", "print", "depth", "partition"]
    from_s: _Seconds
    to_s: _Seconds
    value: _Amount


class ListedAccount(Table):
    """An account that the scenario names: its deposit and its signed position.  All positions add up to zero."""

    deposit_usd: _Amount
    lots: Annotated[int, Field(ge=-(2**40), le=2**40)]


class Traders(Table):
    """Leveraged longs and shorts: leverage uniform in its inverse from 1 to ``most_leverage``."""

    longs: Annotated[int, Field(ge=0, le=100_000)]
    shorts: Annotated[int, Field(ge=0, le=100_000)]
    most_leverage: _Amount
    size_usd: _Amount


class Makers(Table):
    """Makers: a ladder of levels around the book price, thinner after a fast minute."""

    count: Annotated[int, Field(ge=1, le=100)]
    deposit_usd: _Amount
    half_spread_bps: Annotated[int, Field(ge=1, le=1000)]
    levels: Annotated[int, Field(ge=1, le=200)]
    level_bps: Annotated[int, Field(ge=1, le=1000)]
    level_usd: _Amount
    withdraw_bps: Annotated[int, Field(ge=1, le=10_000)]


class Noise(Table):
    """Noise traders: a Poisson number of orders a step, log-normal sizes."""

    traders: Annotated[int, Field(ge=1, le=1000)]
    orders_a_step: Annotated[str, Field(pattern=r"^[0-9](\.[0-9]{1,3})?$")]
    median_usd: _Amount
    sigma: Annotated[str, Field(pattern=r"^[0-3](\.[0-9]{1,3})?$")]


class Arbitrage(Table):
    """An arbitrageur between this book and the price elsewhere."""

    gap_bps: Annotated[int, Field(ge=1, le=10_000)]
    size_usd: _Amount


class MarketScenario(Table):
    """Kind ``market``: one venue, its traders, prices and faults.  [14.1, 14.3]"""

    symbol: _Name
    tick_usd: _Amount
    lot: _Amount
    start_usd: _Amount
    step_s: Annotated[int, Field(ge=1, le=600)]
    steps: Annotated[int, Field(ge=1, le=20_000)]
    fund_usd: _Amount
    index_share: _Share
    impact_bps_a_musd: _Amount
    backstop_usd: _Amount = "0"
    breakers: Literal["on", "off"] = "on"
    modules: list[_ModuleName] = []  # noqa: RUF012 - pydantic copies it
    traders: Traders
    makers: Makers
    noise: Noise | None = None
    arbitrage: Arbitrage | None = None
    prices: Annotated[list[PricePoint], Field(min_length=1, max_length=10_000)]
    faults: Annotated[list[Fault], Field(max_length=1000)] = []  # noqa: RUF012 - pydantic copies it
    accounts: Annotated[list[ListedAccount], Field(max_length=100_000)] = []  # noqa: RUF012 - pydantic copies it


class Scenario(Table):
    """A whole plan; exactly the table that the kind names is there."""

    schema_name: Annotated[Literal["scenario/1"], Field(alias="schema")]
    name: _Name
    title: Annotated[str, Field(min_length=1, max_length=200)]
    kind: Literal[
        "adl_waves", "deficit_ledger", "mark_against_last", "broken_book", "collateral_print", "bracket_tables",
        "published_rank", "monitor", "cascade", "network", "market",
    ]  # fmt: skip
    venue: _Name = "harness"
    seed: Annotated[int, Field(ge=0, le=2**63 - 1)]
    adl_waves: DeleveragingBook | None = None
    deficit_ledger: DeficitLedger | None = None
    mark_against_last: MarkAgainstLast | None = None
    broken_book: BrokenBook | None = None
    collateral_print: CollateralPrint | None = None
    bracket_tables: BracketTables | None = None
    published_rank: PublishedRank | None = None
    monitor: Monitor | None = None
    cascade: Cascade | None = None
    network: Network | None = None
    market: MarketScenario | None = None


_KindTable = TypeVar("_KindTable", bound=Table)


def table_of(plan: Scenario, model: type[_KindTable]) -> _KindTable:
    """Return the table of the plan's kind; raises TypeError where the kind has another."""
    table = getattr(plan, plan.kind)
    if not isinstance(table, model):
        raise TypeError(f"{plan.kind}: expected a table {model.__name__}, was {type(table).__name__}")
    return table


@dataclass(frozen=True, slots=True)
class LoadedScenario:
    """A plan with its text: what a run directory keeps."""

    plan: Scenario
    text: str


def load_scenario(path: Path) -> LoadedScenario:
    """Return the plan in ``path``.

    Raises `MissingError` (3) if it cannot be read, `UsageError` (2) for a key or value that the schema refuses,
    `DataError` (4) for prices that go back in time or accounts that do not balance.
    """
    try:
        # Before it is read: a parser's time grows with the text.
        if path.stat().st_size > limits.PLAN_BYTES:
            raise UsageError(f"{path}: expected at most {limits.PLAN_BYTES} bytes, was {path.stat().st_size}")
        text = path.read_text(encoding="utf-8")
    except (OSError, ValueError) as problem:
        raise MissingError(f"expected a scenario at {path}, was: {problem}; check its path") from problem
    return read_scenario(text, str(path))


def read_scenario(text: str, where: str) -> LoadedScenario:
    """Return the plan in ``text``; ``where`` begins every message.  Errors as `load_scenario`."""
    try:
        plan = read_table(Scenario, tomllib.loads(text))
    # The parser recurses, so arrays nested deep enough are a RecursionError.
    except (TableError, ValueError, RecursionError) as problem:
        raise UsageError(f"{where}: {problem}") from problem
    tables = [name for name in KINDS if getattr(plan, name) is not None]
    if tables != [plan.kind]:
        raise UsageError(f"{where}: expected the table [{plan.kind}] of its kind and no other, was {tables}")
    if plan.market is not None:
        _check_market(plan.market, where)
    return LoadedScenario(plan, text)


def _check_market(market: MarketScenario, where: str) -> None:
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


KINDS: tuple[str, ...] = tuple(name for name, field in Scenario.model_fields.items() if "None" in str(field.annotation))
"""Kinds of scenarios: each is the name of its table."""
