"""The venue at the start of a market scenario: accounts, positions, margin.  [risk.md 14.1, 22]"""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path

import numpy as np

from backtest.simulation.covenant_streams import uniforms
from backtest.simulation.populations import leverages
from backtest.simulation.scenario import Scenario
from backtest.simulation.scenario_market import MarketScenario
from backtest.simulation.venues import VenueGrid, load_venue
from engine.venue.base import State, VenueParams, frozen
from engine.venue.integers import Ints, exact_sum
from engine.venue.margin import requirement
from engine.venue.step import start

NEVER = 10**9
"""A limit of the halt ladder that no price reaches."""


@dataclass(frozen=True, slots=True)
class Opening:
    """The first state, the role of each account, and the rows of those that act."""

    state: State
    roles: tuple[str, ...]
    makers: Ints
    noise: Ints
    arbitrage: int
    quanta_per_lot_tick: int
    start_ticks: int

    @property
    def lots_a_musd(self) -> int:
        """Lots of a million USD at the start's price."""
        return int(10**12 // (self.quanta_per_lot_tick * self.start_ticks))


def open_market(plan: Scenario, given: MarketScenario, venues: Path) -> Opening:
    """Return the opening of a market: traders' positions against each other, the rest against the first maker.

    A trader's margin is notional over leverage, at least the venue's initial requirement.  Errors as `load_venue`.
    """
    grid = VenueGrid(Decimal(given.tick_usd), Decimal(given.lot))
    params = load_venue(venues, plan.venue, (given.symbol,), grid)
    ticks = round(Decimal(given.start_usd) / Decimal(given.tick_usd))
    unit = grid.quanta_per_lot_tick()
    lots, margin, roles = _traders(plan, given, params, ticks, unit)
    deposits = margin + [_quanta(given.makers.deposit_usd)] * given.makers.count
    roles += ["maker"] * given.makers.count
    first_maker = len(margin)
    extra = {"noise": given.noise.traders if given.noise else 0, "arbitrage": 1 if given.arbitrage else 0}
    for role, count in extra.items():
        deposits += [_quanta(given.makers.deposit_usd)] * count
        roles += [role] * count
    backstop = len(deposits) if given.backstop_usd != "0" else -1
    if backstop >= 0:
        deposits, roles = [*deposits, _quanta(given.backstop_usd)], [*roles, "backstop"]
    params = _with_sources(params, backstop)
    if given.breakers == "off":
        params = replace(params, slow_return_1min_sigmas=NEVER, slow_divergence_ppm=NEVER, halt_return_5min_ppm=NEVER)
    state = start(params, np.array(deposits, dtype=np.int64), _quanta(given.fund_usd), 0)
    sizes = np.zeros(len(deposits), dtype=np.int64)
    sizes[: len(lots)] = lots
    sizes[first_maker] = -sum_of(lots)
    worth = sizes * np.int64(ticks * unit)
    state = replace(
        state, cash=frozen(state.cash - worth), size=frozen(sizes[None, :]), cost=frozen(worth[None, :].copy())
    )
    rows = {role: np.flatnonzero(np.array(roles) == role).astype(np.int64) for role in ("maker", "noise", "arbitrage")}
    arbitrage = int(rows["arbitrage"][0]) if len(rows["arbitrage"]) else -1
    return Opening(state, tuple(roles), rows["maker"], rows["noise"], arbitrage, unit, ticks)


def sum_of(lots: list[int]) -> int:
    """Return the sum of lots."""
    return exact_sum(np.array(lots, dtype=np.int64))


def _traders(
    plan: Scenario, given: MarketScenario, params: VenueParams, ticks: int, unit: int
) -> tuple[list[int], list[int], list[str]]:
    """Return lots, margins in quanta and roles of longs, shorts, and accounts that the scenario lists."""
    people, market = given.traders, params.markets[0]
    count = people.longs + people.shorts
    seed = f"seed {plan.seed}"
    drawn = leverages(plan.seed, "venue/market/leverage", count, float(people.most_leverage))
    size = float(people.size_usd) * (0.5 + uniforms(seed, "venue/market/size", count))
    lots, margins, roles = [], [], []
    for i in range(count):
        whole = max(1, round(float(size[i]) * 1e6 / (ticks * unit)))
        notional = whole * ticks * unit
        least = requirement(notional, market.brackets, market.brackets.initial_ppm)
        lots.append(whole if i < people.longs else -whole)
        margins.append(max(least, round(notional / float(drawn[i]))))
        roles.append("long" if i < people.longs else "short")
    for account in given.accounts:
        lots.append(account.lots)
        margins.append(_quanta(account.deposit_usd))
        roles.append("listed")
    return lots, margins, roles


def _with_sources(params: VenueParams, backstop: int) -> VenueParams:
    """Return parameters with at least as many sources as the venue needs, and the row of the backstop.

    A venue whose weights are not published gets equal ones: all sources of a scenario print one price.
    """
    market = params.markets[0]
    count = max(len(market.source_weights), market.min_sources)
    weights = market.source_weights if len(market.source_weights) == count else (1,) * count
    return replace(params, markets=(replace(market, source_weights=weights),), backstop_account=backstop)


def _quanta(usd: str) -> int:
    return int(Decimal(usd) * 1_000_000)
