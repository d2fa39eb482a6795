"""One venue under stress: prices, faults and agents through `engine.venue.step`, every invariant checked.  [14.1, 14.3]

The price elsewhere follows the scenario.  The book stands at it plus the impact of what was taken: impact is linear in
the amount and halves every ten minutes.  A share of it reaches the index, which is the feedback of a cascade.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np

from backtest.simulation.agents import AgentView, arbitrage_orders, joined, maker_quotes, noise_orders
from backtest.simulation.covenant_streams import uniforms
from backtest.simulation.market_tables import MarketLog, MarketPath
from backtest.simulation.opening import Opening, open_market
from backtest.simulation.result import OURS, SimulationResult, SimulationTask
from backtest.simulation.scenario import table_of
from backtest.simulation.scenario_market import MarketScenario
from engine.venue.base import EventKind, Proposal, State, Tick, no_orders
from engine.venue.events import Event
from engine.venue.integers import PPM
from engine.venue.invariants import violations
from engine.venue.modules import Concentration, FundingSpike, LiquidationMonitor, Module, Staleness, collect
from engine.venue.step import step

NS = 1_000_000_000
HALF_LIFE_S = 600
NOISE_MOST = 50
MODULES: dict[str, Module] = {
    "liquidation_monitor": LiquidationMonitor(), "funding_spike": FundingSpike(), "staleness": Staleness(),
    "concentration": Concentration(),
}  # fmt: skip
CANNOT_SAY = (
    "Accounts, prices and agents are synthetic; impact is linear and decays by half in ten minutes (risk.md 14.1).",
    "Traders do not add margin, close or enter: only the engine, the makers and the arbitrageur act on the path.",
    "A venue's pause between liquidations and its threshold for partial closing are not simulated (`venues.UNUSED`).",
)


def measure(task: SimulationTask) -> SimulationResult:
    """Return figures and tables of a market scenario.  Errors as `open_market`."""
    given = table_of(task.plan, MarketScenario)
    opening = open_market(task.plan, given, task.venues)
    state, path = opening.state, MarketPath(last_ticks=opening.start_ticks)
    log = MarketLog(opening, given)
    draws = uniforms(f"seed {task.plan.seed}", "venue/market/noise", given.steps * (3 * NOISE_MOST + 1))
    modules = [MODULES[name] for name in given.modules]
    proposals: tuple[Proposal, ...] = ()
    for k in range(given.steps):
        u = draws[k * (3 * NOISE_MOST + 1) : (k + 1) * (3 * NOISE_MOST + 1)]
        tick = replace(next_tick(opening, given, state, path, k, u), proposals=proposals)
        before = state
        state, events = step(state, tick)
        # What modules propose after one event arrives with the next.  [13]
        proposals = collect(modules, state, events)
        log.add(tick, before, state, events, path, violations(before, tick, state, events))
        _move(opening, given, path, events)
    figures, tables = log.result(state)
    layers: dict[str, str] = dict.fromkeys(figures, OURS)
    return SimulationResult(figures, tables, layers, {}, CANNOT_SAY)


def next_tick(
    opening: Opening, given: MarketScenario, state: State, path: MarketPath, k: int, u: np.ndarray
) -> Tick:  # fmt: skip
    """Return the tick of event ``k``; notes the price elsewhere in ``path``."""
    now = k * given.step_s
    outside = max(1, round(opening.start_ticks * ratio_at(given, now)))
    path.outside.append(outside)
    book = max(2, outside * (PPM + path.impact_ppm) // PPM)
    oracle, age_s = _oracle(given, path, now, outside)
    gone = fault_at(given, "partition", now) is not None
    back = path.outside[max(0, len(path.outside) - 1 - max(1, 60 // given.step_s))]
    view = AgentView(book, outside, (outside - back) * PPM // back, opening.lots_a_musd)
    depth = fault_at(given, "depth", now)
    quotes = orders = no_orders()
    if not gone:
        quotes = maker_quotes(view, given.makers, opening.makers, 1.0 if depth is None else depth)
        taken = [no_orders()]
        if given.noise:
            taken.append(noise_orders(view, given.noise, opening.noise, u))
        if given.arbitrage:
            taken.append(arbitrage_orders(view, given.arbitrage, opening.arbitrage))
        orders = joined(*taken)
    sources = len(state.params.markets[0].source_weights)
    row = np.full((1, sources), oracle, dtype=np.int64)
    return Tick(
        time_ns=(now + given.step_s) * NS,
        # A feed behind the partition quotes nothing.
        source_bid_ticks=row * 0 if gone else row - 1,
        source_ask_ticks=row * 0 if gone else row + 1,
        source_age_ns=np.full((1, sources), age_s * NS, dtype=np.int64),
        last_ticks=np.array([path.last_ticks], dtype=np.int64),
        quotes=quotes,
        orders=orders,
    )


def ratio_at(given: MarketScenario, now_s: int) -> float:
    """Return the price elsewhere over the start's: linear between the scenario's points, flat after the last."""
    points = given.prices
    for a, b in pairwise(points):
        if a.at_s <= now_s < b.at_s:
            share = (now_s - a.at_s) / (b.at_s - a.at_s)
            return float(a.ratio) + share * (float(b.ratio) - float(a.ratio))
    return float(points[-1].ratio) if now_s >= points[-1].at_s else float(points[0].ratio)


def fault_at(given: MarketScenario, kind: str, now_s: int) -> float | None:
    """Return the value of a fault that is on, None where none of its kind is."""
    return next((float(f.value) for f in given.faults if f.kind == kind and f.from_s <= now_s < f.to_s), None)


def _oracle(given: MarketScenario, path: MarketPath, now_s: int, outside: int) -> tuple[int, int]:
    """Return the price that the sources print and its age: frozen, false, or with the book's share of impact."""
    if fault_at(given, "freeze", now_s) is not None:
        if path.frozen_since_s is None:
            path.frozen_since_s, path.frozen_ticks = now_s, outside
        return path.frozen_ticks, now_s - path.frozen_since_s
    path.frozen_since_s = None
    printed = fault_at(given, "print", now_s)
    index = outside * (PPM + round(float(given.index_share) * path.impact_ppm)) // PPM
    return max(2, round(index * (1.0 if printed is None else printed))), 0


def _move(opening: Opening, given: MarketScenario, path: MarketPath, events: Sequence[Event]) -> None:
    """Let impact decay, then add that of this event's trades against the makers."""
    decayed = round(path.impact_ppm * 0.5 ** (given.step_s / HALF_LIFE_S))
    makers = set(opening.makers.tolist())
    net = 0
    for e in events:
        if e.kind in (EventKind.LIQUIDATION, EventKind.FILL) and e.counterparty in makers:
            net, path.last_ticks = net + e.lots, e.price_ticks
    musd = net / max(1, opening.lots_a_musd)
    path.impact_ppm = max(-900_000, decayed + round(musd * 100.0 * float(given.impact_bps_a_musd)))
