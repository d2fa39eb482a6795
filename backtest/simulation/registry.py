"""The kinds of scenarios, in the order of risk.md 14 and 21: the one list of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from backtest.simulation import bridge, cascade, collateral_mix, contagion, funding_anchor, margin_pools, market
from backtest.simulation.events import (
    adl_waves,
    bracket_tables,
    broken_book,
    collateral_print,
    deficit_ledger,
    margin_study,
    mark_against_last,
    monitor_study,
    published_rank,
)
from backtest.simulation.result import SimulationResult, SimulationTask


@dataclass(frozen=True, slots=True)
class ScenarioKind:
    """A kind of scenario: the name of its table, whether it reads published files, and what it computes."""

    name: str
    is_real: bool
    compute: Callable[[SimulationTask], SimulationResult]


SCENARIO_KINDS: tuple[ScenarioKind, ...] = (
    ScenarioKind("adl_waves", True, adl_waves.measure),
    ScenarioKind("deficit_ledger", True, deficit_ledger.measure),
    ScenarioKind("mark_against_last", True, mark_against_last.measure),
    ScenarioKind("broken_book", True, broken_book.measure),
    ScenarioKind("collateral_print", True, collateral_print.measure),
    ScenarioKind("bracket_tables", True, bracket_tables.measure),
    ScenarioKind("published_rank", True, published_rank.measure),
    ScenarioKind("monitor", True, monitor_study.measure),
    ScenarioKind("probabilistic_margin", True, margin_study.measure),
    ScenarioKind("cascade", False, cascade.measure),
    ScenarioKind("network", False, contagion.measure),
    ScenarioKind("funding_anchor", False, funding_anchor.measure),
    ScenarioKind("collateral_mix", False, collateral_mix.measure),
    ScenarioKind("margin_pools", False, margin_pools.measure),
    ScenarioKind("bridge", False, bridge.measure),
    ScenarioKind("market", False, market.measure),
)


def kind_of(name: str) -> ScenarioKind:
    """Return the kind of that name; the schema admits no other."""
    return next(kind for kind in SCENARIO_KINDS if kind.name == name)
