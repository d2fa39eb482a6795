"""One event of the venue: ``step(state, tick) -> (state, events)``, pure.  [S6, risk.md 0.4]"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from engine.errors import DataError
from engine.venue.base import MarketState, Proposal, State, Tick, VenueParams, frozen, no_ints
from engine.venue.events import Event
from engine.venue.integers import Ints, exact_sum
from engine.venue.modules import Module, collect
from engine.venue.registry import MECHANISMS
from engine.venue.stages.parameters import next_parameters
from engine.venue.working import Working


def start(params: VenueParams, deposits: Ints, fund: int, time_ns: int) -> State:
    """Return the venue at its start: accounts with their deposits [accounts], no positions, a fund.

    The fund is counted as a deposit, so that I1 holds from the first event.  Raises `DataError` for a negative deposit
    or fund.
    """
    if fund < 0 or (deposits.size and int(deposits.min()) < 0):
        raise DataError(f"expected deposits and a fund >= 0, was fund {fund}, least deposit {deposits.min(initial=0)}")
    shape = len(params.markets), len(deposits)
    total = exact_sum(deposits) + fund
    return State(
        time_ns=time_ns,
        cash=frozen(deposits.astype("int64")),
        size=no_ints(*shape),
        cost=no_ints(*shape),
        fund=fund,
        fees=0,
        net_deposits=total,
        withdrawal_capacity=max(params.withdrawal_min_quanta, total * params.withdrawal_tvl_ppm // 1_000_000),
        params=params,
        queue=(),
        markets=tuple(MarketState(oracle_time_ns=time_ns) for _ in params.markets),
    )


def step(state: State, tick: Tick) -> tuple[State, tuple[Event, ...]]:
    """Return the venue after one event, and what happened.  Both arguments stay as they are.

    Raises `DataError` if the tick lies before the state's time, or its columns do not fit the venue.
    """
    check_tick(state, tick)
    work = Working.start(state, tick)
    for mechanism in MECHANISMS:
        mechanism.apply(work)
    after = next_parameters(work, work.finish())
    return after, tuple(work.events)


def run(
    state: State, ticks: Iterable[Tick], modules: Sequence[Module] = ()
) -> Iterator[tuple[State, tuple[Event, ...]]]:
    """Yield (state, events) after each tick; what modules propose after one event arrives with the next.  [13]"""
    proposals: tuple[Proposal, ...] = ()
    for tick in ticks:
        state, events = step(state, replace(tick, proposals=(*tick.proposals, *proposals)))
        proposals = collect(modules, state, events)
        yield state, events


def check_tick(state: State, tick: Tick) -> None:
    """Raise `DataError` for a tick that cannot follow the state: time, shapes, accounts, prices."""
    # Equal times are allowed: several events may share one.
    if tick.time_ns < state.time_ns:
        raise DataError(
            f"tick: expected a time >= {state.time_ns} ns, was {tick.time_ns}: prices must not go back in time"
        )
    markets = len(state.params.markets)
    for name in ("source_bid_ticks", "source_ask_ticks", "source_age_ns"):
        shape = getattr(tick, name).shape
        if len(shape) != 2 or shape[0] != markets:
            raise DataError(f"tick.{name}: expected [{markets} markets, sources], was {list(shape)}")
    for m, given in enumerate(state.params.markets):
        if tick.source_bid_ticks.shape[1] != len(given.source_weights):
            raise DataError(
                f"tick: expected {len(given.source_weights)} sources for market {given.name!r} (row {m}), was "
                f"{tick.source_bid_ticks.shape[1]}"
            )
    if tick.last_ticks.shape != (markets,) or (markets and int(tick.last_ticks.min()) < 0):
        raise DataError(f"tick.last_ticks: expected {markets} prices >= 0, was {tick.last_ticks.tolist()}")
    for name, table in (("quotes", tick.quotes), ("orders", tick.orders)):
        if len(table.account) and (int(table.account.min()) < 0 or int(table.account.max()) >= len(state.cash)):
            raise DataError(f"tick.{name}: expected accounts in 0..{len(state.cash) - 1}, was {table.account.tolist()}")
        if len(table.market) and (int(table.market.min()) < 0 or int(table.market.max()) >= markets):
            raise DataError(f"tick.{name}: expected markets in 0..{markets - 1}, was {table.market.tolist()}")
        if len(table.limit_ticks) and int(table.limit_ticks.min()) <= 0:
            raise DataError(f"tick.{name}: expected limit prices > 0, was {int(table.limit_ticks.min())}")
    moved = tick.transfers.account
    if len(moved) and (int(moved.min()) < 0 or int(moved.max()) >= len(state.cash)):
        raise DataError(f"tick.transfers: expected accounts in 0..{len(state.cash) - 1}, was {moved.tolist()}")
