"""Risk modules: pure functions from a read-only view to proposals.  [risk.md 13]

A module sees `StateView` and the time, nothing else, so its output at t cannot depend on anything later (I11).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from engine.venue.base import NOBODY, EventKind, Proposal, State
from engine.venue.events import Event
from engine.venue.integers import PPM, exact_sum
from engine.venue.monitors import is_funding_spike, multiplier_of_level


@dataclass(frozen=True, slots=True)
class StateView:
    """What a module may see: the state after an event, and the events of that time."""

    state: State
    events: tuple[Event, ...]


Module = Callable[[StateView], tuple[Proposal, ...]]


def null_module(_view: StateView) -> tuple[Proposal, ...]:
    """Propose nothing: runs with it equal runs without modules."""
    return ()


@dataclass(frozen=True, slots=True)
class LiquidationMonitor:
    """Raise initial margin by a level for each ``share_ppm`` of open interest that one event liquidates.

    Level 0 proposes the neutral value, so that margin comes down again through the delay.
    """

    share_ppm: int = 5_000
    most: int = 4
    name: str = "liquidation_monitor"

    def __call__(self, view: StateView) -> tuple[Proposal, ...]:
        proposals = []
        for market in range(len(view.state.markets)):
            size = view.state.size[market]
            # Longs alone: the shorts are as many (I2).
            interest = exact_sum(size[size > 0])
            closed = sum(abs(e.lots) for e in view.events if e.kind == EventKind.LIQUIDATION and e.market == market)
            level = min(self.most, closed * PPM // (interest * self.share_ppm)) if interest else 0
            reason = f"{closed} lots liquidated of {interest} open"
            proposals.append(Proposal(self.name, market, "initial_multiplier_ppm", multiplier_of_level(level), reason))
        return tuple(proposals)


@dataclass(frozen=True, slots=True)
class FundingSpike:
    """Raise initial margin by one level while the funding rate is a spike.  [11.2]"""

    name: str = "funding_spike"

    def __call__(self, view: StateView) -> tuple[Proposal, ...]:
        return tuple(
            Proposal(
                self.name,
                m,
                "initial_multiplier_ppm",
                multiplier_of_level(int(is_funding_spike(market.last_rate_ppb_8h, (), None))),
                f"funding rate {market.last_rate_ppb_8h} ppb per 8 h",
            )
            for m, market in enumerate(view.state.markets)
        )


@dataclass(frozen=True, slots=True)
class Staleness:
    """Raise initial margin by two levels while a market's oracle is older than ``age_ns``."""

    age_ns: int = 10_000_000_000
    name: str = "staleness"

    def __call__(self, view: StateView) -> tuple[Proposal, ...]:
        ages = [view.state.time_ns - market.oracle_time_ns for market in view.state.markets]
        return tuple(
            Proposal(self.name, m, "initial_multiplier_ppm", multiplier_of_level(2 * (age > self.age_ns)), f"{age} ns")
            for m, age in enumerate(ages)
        )


@dataclass(frozen=True, slots=True)
class Concentration:
    """Raise initial margin by one level for each account share of open interest above ``share_ppm``."""

    share_ppm: int = 250_000
    name: str = "concentration"

    def __call__(self, view: StateView) -> tuple[Proposal, ...]:
        proposals = []
        for market in range(len(view.state.markets)):
            size = view.state.size[market]
            interest = exact_sum(size[size > 0])
            largest = max(int(size.max(initial=0)), -int(size.min(initial=0)))
            level = int(interest > 0 and largest * PPM > interest * self.share_ppm)
            proposals.append(
                Proposal(self.name, market, "initial_multiplier_ppm", multiplier_of_level(level), f"largest {largest}")
            )
        return tuple(proposals)


def collect(modules: Sequence[Module], state: State, events: tuple[Event, ...]) -> tuple[Proposal, ...]:
    """Return the proposals of all modules, in their order, for the next event."""
    view = StateView(state, events)
    return tuple(p for module in modules for p in module(view))


def concerns_market(event: Event) -> bool:
    """Return whether an event is of a market as a whole."""
    return event.account == NOBODY
