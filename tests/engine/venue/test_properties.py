"""Random venues, prices, orders and faults: every invariant after every event.  [risk.md 15]"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from math import isqrt
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.venue import invariants, margin, oracle
from engine.venue.base import Brackets, EventKind, State, Tick
from engine.venue.integers import exact_sum, integer_roots, mul_div_ceil, mul_div_floor, shares_floor, shares_half_even
from engine.venue.step import step
from tests.engine.venue.small import MINUTE, SECOND, ints, market, opened, tick, venue

ACCOUNTS = 6
RULES = st.sampled_from(
    ["profit_leverage", "profit_margin_ratio", "mark_to_entry_leverage", "profit_effective_leverage", "pro_rata"]
)
TABLES = st.sampled_from(
    [
        Brackets((0,), (50_000,), (100_000,)),
        Brackets((0,), (333_333,), (500_001,)),
        Brackets((0, 700, 3_000), (30_001, 70_007, 200_000), (60_000, 140_000, 400_000)),
    ]
)


@st.composite
def venues(draw: st.DrawFn) -> State:
    """A venue of one or two markets, every switch drawn."""
    markets = [
        market(
            brackets=draw(TABLES),
            quanta_per_lot_tick=draw(st.sampled_from([1, 7])),
            maker_fee_ppm=draw(st.sampled_from([0, 333])),
            taker_fee_ppm=draw(st.sampled_from([0, 10_007])),
            liquidation_fee_ppm=draw(st.sampled_from([0, 15_001])),
            funding_interval_ns=draw(st.sampled_from([0, MINUTE])),
            funding_cap_ppb_8h=10**9,
            premium_rule=draw(st.sampled_from(["mark", "impact"])),
            mark_rule=draw(st.sampled_from(["oracle", "ema_basis_median"])),
            sigma_1min_ppm=draw(st.sampled_from([10**9, 20_000])),
        )
        for _ in range(draw(st.integers(1, 2)))
    ]
    params = venue(
        *markets,
        deleveraging_rule=draw(RULES),
        deleveraging_price=draw(st.sampled_from(["bankruptcy", "mark"])),
        limit_price_rule=draw(st.sampled_from(["bankruptcy", "fillable"])),
        fund_before_deleveraging=draw(st.booleans()),
        backstop_account=draw(st.sampled_from([-1, 0])),
        liquidation_portion_ppm=draw(st.sampled_from([1_000_000, 250_000])),
        halt_stops_liquidations=draw(st.booleans()),
        halt_return_5min_ppm=draw(st.sampled_from([10**9, 300_000])),
    )
    draws = np.random.Generator(np.random.PCG64(draw(st.integers(0, 2**32))))
    positions = [pairs(draws) for _ in markets]
    notional = [
        sum(abs(int(row[a])) * 100 * m.quanta_per_lot_tick for row, m in zip(positions, markets, strict=True))
        for a in range(ACCOUNTS)
    ]
    # between nearly nothing and far more than the initial margin, so that every price move hurts somebody
    deposits = [int(n * draws.integers(2, 120) // 100) + int(draws.integers(0, 50)) for n in notional]
    state = opened(params, deposits, draw(st.sampled_from([0, 50, 100_000])))
    cost = np.array([row * 100 * m.quanta_per_lot_tick for row, m in zip(positions, markets, strict=True)])
    return replace(state, size=np.array(positions), cost=cost, cash=state.cash - cost.sum(axis=0))


def pairs(draws: np.random.Generator) -> np.ndarray:
    """Positions that sum to zero: a few trades between two accounts each."""
    size = np.zeros(ACCOUNTS, dtype=np.int64)
    for _ in range(int(draws.integers(1, 6))):
        buyer, seller = draws.choice(ACCOUNTS, 2, replace=False)
        lots = int(draws.integers(1, 60))
        size[buyer] += lots
        size[seller] -= lots
    return size


@st.composite
def ticks(draw: st.DrawFn, markets: int, count: int) -> list[Tick]:
    """Prices that walk and jump, quotes near them, orders of anybody, transfers, sources that fall silent."""
    draws = np.random.Generator(np.random.PCG64(draw(st.integers(0, 2**32))))
    now, result, prices = 0, [], [100] * markets
    for _ in range(count):
        now += int(draws.choice([SECOND, 20 * SECOND, MINUTE]))
        prices = [max(5, p * int(draws.choice([100, 99, 103, 92, 110, 75, 130])) // 100) for p in prices]

        def rows(most: int, spread: int, prices: list[int] = prices) -> list[tuple[int, int, int, int]]:
            made = []
            for _ in range(int(draws.integers(0, most))):
                m = int(draws.integers(0, markets))
                lots = int(draws.integers(-60, 61))
                away = int(draws.integers(-spread, spread + 1))
                made.append((int(draws.integers(0, ACCOUNTS)), m, lots, max(1, prices[m] * (100 + away) // 100)))
            return made

        moved = [(int(draws.integers(0, ACCOUNTS)), int(draws.integers(-3_000, 3_000)))] * int(draws.integers(0, 2))
        age = 11 * SECOND if draws.integers(0, 12) == 0 else 0
        result.append(tick(now, prices, rows(9, 8), rows(6, 8), moved, age_ns=age))
    return result


@settings(max_examples=300)
@given(st.data())
def test_every_invariant_holds_after_every_event(data: st.DataObject) -> None:
    """I1 to I7, I12 and I13, whatever happens."""
    state = data.draw(venues())
    for one in data.draw(ticks(len(state.markets), 6)):
        new, events = step(state, one)
        assert invariants.violations(state, one, new, events) == []
        state = new


@settings(max_examples=60)
@given(st.data())
def test_a_replay_gives_the_same_and_a_later_tick_changes_nothing_before(data: st.DataObject) -> None:
    """I10 and I11: same inputs, same outputs; cut the input and what came before stays."""
    state = data.draw(venues())
    seen = data.draw(ticks(len(state.markets), 5))

    def replay(count: int) -> list[Any]:
        now, out = state, []
        for one in seen[:count]:
            now, events = step(now, one)
            out.append((now.cash.tolist(), now.size.tolist(), now.fund, now.fees, events))
        return out

    assert invariants.is_replayed(lambda: replay(5))
    assert replay(3) == replay(5)[:3]


@settings(max_examples=200)
@given(st.data())
def test_a_liquidation_never_lowers_the_ratio(data: st.DataObject) -> None:
    """I6: at or above the bankruptcy price and before fees, V / MM does not fall; what is left is no larger."""
    state = data.draw(venues())
    state = replace(state, params=replace(state.params, limit_price_rule="bankruptcy", backstop_account=-1))
    for one in data.draw(ticks(len(state.markets), 4)):
        only_prices = replace(one, orders=replace(one.orders, lots=one.orders.lots * 0))
        new, events = step(state, only_prices)
        accounts = {e.account for e in events if e.kind == EventKind.LIQUIDATION}
        others = {
            e.account for e in events if e.kind in (EventKind.DELEVERAGING, EventKind.SOCIALISATION, EventKind.TRANSFER)
        }
        others |= {e.counterparty for e in events} | {a for e in events for a in e.winners}
        for account in accounts - others:
            fees = sum(e.quanta for e in events if e.kind == EventKind.FUND and e.account == account)
            before, mm_before = measured(new, state, account, one)
            after, mm_after = measured(new, new, account, one)
            assert (after + fees) * mm_before >= before * mm_after
        state, _ = step(state, one)


def measured(prices: State, book: State, account: int, one: Tick) -> tuple[int, int]:
    """V and MM of an account's book at the marks of ``prices``, after this event's funding on the book before."""
    value, maintenance = int(book.cash[account]), 0
    for m, given_market in enumerate(book.params.markets):
        if book is not prices:
            delta = prices.markets[m].funding_index - book.markets[m].funding_index
            value -= -(-int(book.size[m, account]) * delta // 10**9)
        worth = int(book.size[m, account]) * prices.markets[m].mark_ticks * given_market.quanta_per_lot_tick
        value += worth
        maintenance += margin.requirement(abs(worth), given_market.brackets, given_market.brackets.maintenance_ppm)
    return value, maintenance


SOURCES = st.lists(st.tuples(st.integers(1, 1_000), st.integers(1, 9)), min_size=1, max_size=9)


@given(SOURCES, st.lists(st.integers(1, 10_000), max_size=9))
def test_less_than_half_of_the_weight_moves_nothing_outside_the_honest_range(
    honest: list[tuple[int, int]], lies: list[int]
) -> None:
    """I8, the breakdown point of both weighted medians: dishonest weight stays under half of the total."""
    prices, weights = [p for p, _ in honest], [w for _, w in honest]
    free = sum(weights) - 1
    false = []
    for lie in lies:
        if free >= 1:
            false.append((lie, 1))
            free -= 1
    all_prices, all_weights = prices + [p for p, _ in false], weights + [w for _, w in false]

    generic = oracle.weighted_median(all_prices, all_weights)
    assert min(prices) <= generic <= max(prices)
    if 2 * len(false) + 1 < sum(all_weights):  # floor(total / 2) must be out of reach of the lies alone
        assert min(prices) <= oracle.lower_weighted_median(all_prices, all_weights) <= max(prices)
    assert min(all_prices) <= oracle.median_half_away(all_prices) <= max(all_prices)


@given(st.lists(st.integers(1, 400), min_size=1, max_size=7), st.lists(st.integers(0, 900_000), min_size=8, max_size=8))
def test_margin_is_monotone_and_continuous_at_brackets(gaps: list[int], rates: list[int]) -> None:
    """I9, on arrays and on numbers, against the exact rational formula."""
    lower = [0]
    for gap in gaps:
        lower.append(lower[-1] + gap)
    steps = sorted(rates[: len(lower)])
    table = Brackets(tuple(lower), tuple(steps), tuple(steps))
    values = sorted({v for bound in lower for v in (max(0, bound - 1), bound, bound + 1)} | {lower[-1] + 999})

    exact = [
        margin.bracket_maintenance(Fraction(v), [Fraction(x) for x in lower], [Fraction(r, 10**6) for r in steps])
        for v in values
    ]
    many = margin.requirements(ints(values), table, table.maintenance_ppm).tolist()

    assert many == [margin.requirement(v, table, table.maintenance_ppm) for v in values]
    assert many == [-(-e.numerator // e.denominator) for e in exact]
    assert many == sorted(many)
    pairs_of = zip(exact[:-1], exact[1:], values[:-1], values[1:], strict=True)
    assert all(b - a <= Fraction(steps[-1], 10**6) * (w - v) for a, b, v, w in pairs_of)


@given(st.lists(st.integers(-(2**61), 2**61), max_size=9))
def test_sums_and_products_are_exact_or_refused(values: list[int]) -> None:
    """Against Python's integers, whatever the size."""
    array = np.array(values, dtype=np.int64)
    assert exact_sum(array) == sum(values)
    for factor, divisor in ((7, 1_000_000), (-999_999, 1_000_000), (1, 3)):
        assert mul_div_floor(array, factor, divisor, "test").tolist() == [v * factor // divisor for v in values]
        assert mul_div_ceil(array, factor, divisor, "test").tolist() == [-(-v * factor // divisor) for v in values]
    assert integer_roots(np.abs(array)).tolist() == [isqrt(abs(v)) for v in values]


@given(
    st.integers(-(2**62), 2**62),
    st.lists(st.tuples(st.integers(-(2**40), 2**40), st.integers(1, 2**31), st.integers(0, 2**31)), max_size=6),
)
def test_shares_are_exact_whatever_the_size(amount: int, rows: list[tuple[int, int, int]]) -> None:
    """Against Python's integers and Fractions, with parts up to the whole."""
    whole = max([w for _, w, _ in rows], default=1)
    parts = ints([p % (whole + 1) for _, _, p in rows])
    assert shares_floor(amount, parts, whole, "test").tolist() == [amount * p // whole for p in parts.tolist()]

    wholes, inside = ints([w for _, w, _ in rows]), ints([p % (w + 1) for _, w, p in rows])
    exact = [round(Fraction(a * p, w)) for (a, w, _), p in zip(rows, inside.tolist(), strict=True)]
    assert shares_half_even(ints([a for a, _, _ in rows]), inside, wholes).tolist() == exact
