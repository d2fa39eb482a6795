"""Speed of the venue simulator: many accounts a minute of one market, and one large deleveraging.

``python benchmarks/venue_speed.py [--accounts 100000] [--minutes 1440]`` prints CPU seconds of `engine.venue.step` with
funding, margin and liquidation, of a plain loop over a hundredth of the accounts, and of the deleveraging of 20,000
accounts.  The loop follows funding, value and requirement of accounts that are never liquidated and must agree with
the ledger to the last quantum; where it does not, the benchmark ends with an error.
"""

from __future__ import annotations

import argparse
import sys
import tracemalloc
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from benchmarks.measure import cpu_seconds
from engine.venue.auto_deleveraging import Winners, ranks
from engine.venue.base import Brackets, MarketParams, Orders, State, Tick, VenueParams, frozen, no_orders
from engine.venue.haircuts import queue
from engine.venue.margin import requirement
from engine.venue.step import start, step

MINUTE_NS = 60_000_000_000
TICKS, UNIT = 1_000_000, 1  # a lot of 1e-5 BTC at 100,000 USD and ticks of 0.1: quanta of a micro-USD
BRACKETS = Brackets((0, 50_000_000_000, 500_000_000_000), (5_000, 10_000, 25_000), (10_000, 20_000, 50_000))


def market() -> VenueParams:
    """Return a market with hourly funding, three brackets and no breaker."""
    never = 10**9
    given = MarketParams(
        "BTC", UNIT, BRACKETS, premium_rule="mark", mark_rule="oracle", source_max_spread_ppm=1_000_000,
        funding_interval_ns=60 * MINUTE_NS, band_up_ppm=500_000, band_down_ppm=500_000,
    )  # fmt: skip
    return VenueParams(
        (given,), slow_return_1min_sigmas=never, slow_divergence_ppm=never, halt_return_5min_ppm=never
    )  # fmt: skip


def opened(accounts: int, params: VenueParams) -> State:
    """Return accounts in pairs, long and short of one size, levered 2 to 80 times; a maker is the last one."""
    random = np.random.Generator(np.random.PCG64(1))
    half = accounts // 2
    lots = random.integers(100, 100_000, half)
    size = np.concatenate([np.stack([lots, -lots], axis=1).ravel(), [0]])
    worth = np.abs(size) * TICKS * UNIT
    leverage = np.concatenate([1.0 / random.uniform(1 / 80, 1 / 2, 2 * half), [1.0]])
    deposits = (worth / leverage).astype(np.int64)
    deposits[-1] = 10**17
    state = start(params, deposits, 10**12, 0)
    signed = size * np.int64(TICKS * UNIT)
    return replace(
        state, cash=frozen(deposits - signed), size=frozen(size[None, :]), cost=frozen(signed[None, :].copy())
    )


def prices(minutes: int) -> list[int]:
    """Return a price a minute: a walk with steps of 5 bps."""
    moves = np.random.Generator(np.random.PCG64(2)).normal(0, 5e-4, minutes)
    return [round(TICKS * float(x)) for x in np.exp(np.cumsum(moves))]


def tick(minute: int, price: int, maker: int) -> Tick:
    """Return a tick with one source and a maker's quotes on both sides."""
    mid = np.array([[price]], dtype=np.int64)
    quotes = Orders(*(np.array(c, dtype=np.int64) for c in (
        [maker, maker], [0, 0], [10**9, -(10**9)], [price - price // 2000, price + price // 2000],
    )))  # fmt: skip
    age = np.zeros((1, 1), dtype=np.int64)
    return Tick(minute * MINUTE_NS, mid - 1, mid + 1, age, np.zeros(1, dtype=np.int64), quotes, no_orders())


def plain(state: State, rows: list[int], path: list[int], deltas: list[int]) -> dict[int, int]:
    """Return the cash of accounts after the path, one after another; those that fall below MM are left out."""
    result = {}
    for i in rows:
        cash, size, alive = int(state.cash[i]), int(state.size[0, i]), True
        for price, delta in zip(path, deltas, strict=True):
            if delta:
                cash -= -(-size * delta // 10**9)
            worth = size * price * UNIT
            if cash + worth < requirement(abs(worth), BRACKETS, BRACKETS.maintenance_ppm):
                alive = False
                break
        if alive:
            result[i] = cash
    return result


def deleveraging(count: int = 20_000) -> tuple[Winners, int]:
    """Return the ranks' columns of that many winners, and lots to close: half of theirs."""
    random = np.random.Generator(np.random.PCG64(3))
    profit, wallet = random.integers(1, 10**10, count), random.integers(10**6, 10**11, count)
    notional = random.integers(10**8, 10**12, count)
    return Winners(profit, wallet, wallet + profit, notional, notional + profit, notional // 50), count * 500


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--accounts", type=int, default=100_000)
    parser.add_argument("--minutes", type=int, default=1440)
    asked = parser.parse_args()
    params = market()
    first, path = opened(asked.accounts, params), prices(asked.minutes)
    ticks = [tick(k + 1, price, asked.accounts) for k, price in enumerate(path)]
    states: list[State] = []
    indices = [0]

    def whole() -> None:
        state = first
        for given in ticks:
            state, _ = step(state, given)
            indices.append(state.markets[0].funding_index)
        states.append(state)

    seconds = cpu_seconds(whole)
    deltas = [b - a for a, b in pairwise(indices)]
    rows = list(range(max(1, asked.accounts // 100)))
    kept: dict[int, int] = {}
    slow = cpu_seconds(lambda: kept.update(plain(first, rows, path, deltas)))
    last = states[0]
    wrong = [i for i, cash in kept.items() if cash != int(last.cash[i])]
    if wrong or not kept:
        sys.exit(f"venue_speed: expected the loop's cash in the ledger, was another in {len(wrong)} rows")
    hit = int(np.count_nonzero((first.size[0] != 0) & (last.size[0] == 0)))
    times = slow / len(rows) * asked.accounts / seconds
    print(f"{asked.accounts:,} accounts x {asked.minutes:,} minutes: {seconds:.2f} s of CPU, {hit:,} liquidated")
    print(f"plain loop over {len(rows):,}: {slow:.2f} s, {times:.0f} times as long an account; {len(kept):,} agree")
    winners, lots = deleveraging()
    capacity = np.full(len(winners), 1000, dtype=np.int64)
    taken = min(cpu_seconds(lambda: queue(lots, capacity, ranks(winners, "profit_leverage"))) for _ in range(9))
    print(f"deleveraging of {len(winners):,} accounts: {1000 * taken:.1f} ms of CPU, exact ranks")
    tracemalloc.start()
    step(first, ticks[0])
    peak = tracemalloc.get_traced_memory()[1] / asked.accounts
    stored = (first.cash.nbytes + first.size.nbytes + first.cost.nbytes) / asked.accounts
    print(f"memory: {stored:.0f} bytes an account stored, {peak:.0f} more at most in a step")


if __name__ == "__main__":
    main()
