"""The plan of a simulation: one TOML file, a kind, and the table of that kind.  [risk.md 14.3, interface]

Amounts are decimal texts, so that a plan is exact; a key that the schema does not know is refused.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import Field

from backtest import limits
from backtest.simulation.scenario_fields import (
    Amount,
    DataFile,
    DecimalShare,
    Folder,
    PositiveCount,
    ShortName,
    UtcDay,
    UtcMinute,
)  # fmt: skip
from backtest.simulation.scenario_market import MarketScenario, check_market
from backtest.simulation.scenario_studies import Bridge, CollateralMix, FundingAnchor, MarginPools
from backtest.toml_tables import Table, TableError, read_table
from engine.errors import MissingError, UsageError


class DeleveragingBook(Table):
    """Kind ``adl_waves``: the waves of a deleveraging, read, recomputed, and on synthetic books.  [risk.md 21, E1]"""

    folder: Folder
    books: Annotated[int, Field(ge=1, le=20)]
    cap: DecimalShare
    maintenance: DecimalShare


class DeficitLedger(Table):
    """Kind ``deficit_ledger``: deficits listed wave by wave, booked once.  [risk.md 21, E2]"""

    folder: Folder


class MarkAgainstLast(Table):
    """Kind ``mark_against_last``: who is liquidated under the last print, the mark, a delayed mark.  [E4]"""

    mark_file: DataFile
    last_file: DataFile
    first_utc: UtcMinute
    last_utc: UtcMinute
    accounts: PositiveCount
    maintenance: DecimalShare
    most_leverage: Annotated[int, Field(ge=2, le=125)]


class BrokenBook(Table):
    """Kind ``broken_book``: depth snapshots judged by the inclusion rule and the frozen-feed guard.  [E5]"""

    file: DataFile
    max_spread: DecimalShare


class CollateralPrint(Table):
    """Kind ``collateral_print``: a collateral's price on one venue against a pool and its redemption.  [E6]"""

    book_file: DataFile
    pool_file: DataFile
    day_utc: UtcDay
    accounts: PositiveCount
    liquidation_ltv: DecimalShare
    alarm_below: DecimalShare


class BracketTables(Table):
    """Kind ``bracket_tables``: published bracket tables, their algebra, and what a raised rate liquidates.  [E7]"""

    file: DataFile
    accounts: PositiveCount


class PublishedRank(Table):
    """Kind ``published_rank``: published ranks against the closings that were made.  [E8]"""

    folder: Folder


class Monitor(Table):
    """Kind ``monitor``: alerts of large flow against alerts of volatility, before large moves.  [11.4]"""

    file: DataFile
    window_bars: Annotated[int, Field(ge=20, le=100_000)]
    ahead_bars: Annotated[int, Field(ge=2, le=1440)]
    alert_rate: DecimalShare
    draws: Annotated[int, Field(ge=40, le=100_000)]
    shifts: Annotated[int, Field(ge=1, le=100_000)]


class CoinFile(Table):
    """A coin, as the venue's file names its market, and the file of its bars."""

    name: ShortName
    file: DataFile


class ProbabilisticMargin(Table):
    """Kind ``probabilistic_margin``: the model of section 12 against fixed brackets, out of sample.  [12]

    ``equity_margins``: what an account has at its opening, in average margins; ``position_usd`` is liquidated at
    ``participation`` of the median volume.
    """

    coins: Annotated[list[CoinFile], Field(min_length=1, max_length=10)]
    bar_min: Literal[1, 5, 15, 30, 60]
    window_days: Annotated[int, Field(ge=5, le=1000)]
    level: Literal["0.975", "0.99", "0.995"]
    paths: Annotated[int, Field(ge=1000, le=100_000)]
    position_usd: Amount
    participation: DecimalShare
    half_spread_bps: Amount
    fee_bps: Amount
    equity_margins: Amount
    delays_h: Annotated[list[Annotated[int, Field(ge=1, le=2000)]], Field(max_length=10)]
    draws: Annotated[int, Field(ge=40, le=10_000)]


class Cascade(Table):
    """Kind ``cascade``: synthetic markets over a range of gains G, around the phase change at 1.  [7.8, 14.1]"""

    gains: Annotated[list[Amount], Field(min_length=1, max_length=100)]
    markets: Annotated[int, Field(ge=1, le=10_000)]
    accounts: PositiveCount
    reach: DecimalShare
    shock: DecimalShare


class Network(Table):
    """Kind ``network``: venues with a common index and claims on each other, contagion off and on.  [14.2, 14.4]"""

    venues: Annotated[int, Field(ge=2, le=200)]
    own_gain: Amount
    cross_gain: Amount
    claims: Amount
    shock: DecimalShare


class Scenario(Table):
    """A whole plan; exactly the table that the kind names is there."""

    schema_name: Annotated[Literal["scenario/1"], Field(alias="schema")]
    name: ShortName
    title: Annotated[str, Field(min_length=1, max_length=200)]
    kind: Literal[
        "adl_waves", "deficit_ledger", "mark_against_last", "broken_book", "collateral_print", "bracket_tables",
        "published_rank", "monitor", "probabilistic_margin", "cascade", "network", "funding_anchor",
        "collateral_mix", "margin_pools", "bridge", "market",
    ]  # fmt: skip
    venue: ShortName = "harness"
    seed: Annotated[int, Field(ge=0, le=2**63 - 1)]
    adl_waves: DeleveragingBook | None = None
    deficit_ledger: DeficitLedger | None = None
    mark_against_last: MarkAgainstLast | None = None
    broken_book: BrokenBook | None = None
    collateral_print: CollateralPrint | None = None
    bracket_tables: BracketTables | None = None
    published_rank: PublishedRank | None = None
    monitor: Monitor | None = None
    probabilistic_margin: ProbabilisticMargin | None = None
    cascade: Cascade | None = None
    network: Network | None = None
    funding_anchor: FundingAnchor | None = None
    collateral_mix: CollateralMix | None = None
    margin_pools: MarginPools | None = None
    bridge: Bridge | None = None
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
        check_market(plan.market, where)
    return LoadedScenario(plan, text)


KINDS: tuple[str, ...] = tuple(name for name, field in Scenario.model_fields.items() if "None" in str(field.annotation))
"""Kinds of scenarios: each is the name of its table."""
