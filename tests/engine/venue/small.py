"""A small venue for tests: one or two markets, few accounts, prices in whole ticks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from engine.venue.base import (
    Brackets,
    MarketParams,
    Orders,
    State,
    Tick,
    Transfers,
    VenueParams,
    no_orders,
    no_transfers,
)
from engine.venue.step import start

SECOND = 1_000_000_000
MINUTE = 60 * SECOND
FLAT = Brackets((0,), (50_000,), (100_000,))  # MM 5%, IM 10%


def ints(values: Sequence[Any]) -> np.ndarray:
    return np.array(values, dtype=np.int64)


def market(**changes: Any) -> MarketParams:
    """One source, no fees, no funding, wide bands, a calm ladder: each test turns on what it is about."""
    given: dict[str, Any] = {
        "name": "TEST",
        "quanta_per_lot_tick": 1,
        "brackets": FLAT,
        "source_max_spread_ppm": 1_000_000,
        "funding_interval_ns": 0,
        "band_up_ppm": 900_000,
        "band_down_ppm": 900_000,
        "sigma_1min_ppm": 10**9,
        "impact_notional_quanta": 1,
    }
    return MarketParams(**{**given, **changes})


def venue(*markets: MarketParams, **changes: Any) -> VenueParams:
    """A venue whose ladder never halts unless a test says so."""
    given: dict[str, Any] = {"slow_divergence_ppm": 10**9, "halt_return_5min_ppm": 10**9}
    return VenueParams(markets or (market(),), **{**given, **changes})


def opened(params: VenueParams, deposits: Sequence[int], fund: int = 0) -> State:
    return start(params, ints(deposits), fund, 0)


def orders(rows: Sequence[tuple[int, int, int, int]]) -> Orders:
    """Rows of (account, market, lots, limit)."""
    return Orders(*(ints(list(c)) for c in zip(*rows, strict=True))) if rows else no_orders()


def transfers(rows: Sequence[tuple[int, int]]) -> Transfers:
    return Transfers(*(ints(list(c)) for c in zip(*rows, strict=True))) if rows else no_transfers()


def tick(
    time_ns: int,
    prices: Sequence[int],
    quotes: Sequence[tuple[int, int, int, int]] = (),
    taken: Sequence[tuple[int, int, int, int]] = (),
    moved: Sequence[tuple[int, int]] = (),
    age_ns: int = 0,
    **more: Any,
) -> Tick:
    """One source a market, quoting price - 1 and price + 1; quotes and orders as (account, market, lots, limit)."""
    mids = ints([[p] for p in prices])
    return Tick(
        time_ns=time_ns,
        source_bid_ticks=mids - 1,
        source_ask_ticks=mids + 1,
        source_age_ns=np.full_like(mids, age_ns),
        last_ticks=np.zeros(len(prices), dtype=np.int64),
        quotes=orders(quotes),
        orders=orders(taken),
        transfers=transfers(moved),
        **more,
    )


def with_positions(state: State, rows: Sequence[tuple[int, int, int, int]]) -> State:
    """Book trades (buyer, seller, lots, price) of market 0 directly, without any check."""
    cash, size, cost = state.cash.copy(), state.size.copy(), state.cost.copy()
    unit = state.params.markets[0].quanta_per_lot_tick
    for buyer, seller, lots, price in rows:
        for account, sign in ((buyer, 1), (seller, -1)):
            cash[account] -= sign * lots * price * unit
            cost[0, account] += sign * lots * price * unit
            size[0, account] += sign * lots
    return replace(state, cash=cash, size=size, cost=cost)
