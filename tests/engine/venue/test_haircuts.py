"""Haircuts and exact ranks against slow, plain computations."""

from __future__ import annotations

from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import DataError
from engine.venue import auto_deleveraging as adl
from engine.venue import haircuts
from engine.venue.ranking import order_descending

GAINS = st.lists(st.integers(0, 12), min_size=1, max_size=5)


def ints(values: list[int]) -> np.ndarray:
    return np.array(values, dtype=np.int64)


@given(GAINS, st.integers(0, 40))
def test_a_queue_takes_in_rank_order_and_a_rest_is_reported(gains: list[int], demand: int) -> None:
    """Against a loop over the queue, here in reverse order of ids."""
    order = ints(list(range(len(gains)))[::-1])
    left, expected = demand, [0] * len(gains)
    for i in order.tolist():
        expected[i] = min(gains[i], left)
        left -= expected[i]

    result = haircuts.queue(demand, ints(gains), order)

    assert result.taken.tolist() == expected
    assert result.residual == left


@given(GAINS, st.integers(0, 40))
def test_pro_rata_adds_up_and_is_within_one_quantum_of_its_share(gains: list[int], demand: int) -> None:
    """Every share is the exact share rounded down or up, and the total is exact."""
    result = haircuts.pro_rata(demand, ints(gains))
    asked, total = min(demand, sum(gains)), sum(gains)

    assert sum(result.taken.tolist()) == asked
    assert result.residual == demand - asked
    for taken, g in zip(result.taken.tolist(), gains, strict=True):
        assert 0 <= taken <= g
        if total:
            assert abs(taken - Fraction(asked * g, total)) < 1


@given(GAINS, st.integers(0, 40), st.integers(0, 1_000_000))
def test_the_cap_binds_and_the_rest_is_socialised(gains: list[int], demand: int, cap: int) -> None:
    """No share above the cap; what is missing is the residual."""
    result = haircuts.capped_pro_rata(demand, ints(gains), cap)

    assert all(t * 1_000_000 <= g * cap for t, g in zip(result.taken.tolist(), gains, strict=True))
    assert sum(result.taken.tolist()) + result.residual == demand


@given(st.lists(st.integers(0, 5), min_size=1, max_size=4), st.integers(0, 20))
def test_the_best_integer_allocation_is_found(gains: list[int], demand: int) -> None:
    """Against all allocations of small winners, tried one by one."""
    demand = min(demand, sum(gains))
    shares = [
        max((Fraction(t, g) for t, g in zip(given, gains, strict=True) if g), default=Fraction(0))
        for given in product(*(range(g + 1) for g in gains))
        if sum(given) == demand
    ]

    assert haircuts.best_largest_share(demand, ints(gains)) == min(shares)
    assert haircuts.regret(haircuts.pro_rata(demand, ints(gains)).taken, ints(gains), demand) >= 0


def test_one_large_winner_takes_several_steps() -> None:
    """A winner may take several missing quanta before a small one takes its first."""
    assert haircuts.best_largest_share(502, ints([1000, 1, 1, 1, 1, 1])) == Fraction(502, 1000)


def test_gini_by_hand() -> None:
    """Equal shares 0; one of two bears all: 1/2."""
    assert haircuts.gini(ints([5, 10]), ints([10, 20])) == 0
    assert haircuts.gini(ints([10, 0]), ints([10, 20])) == Fraction(1, 2)
    assert haircuts.gini(ints([0, 0]), ints([10, 20])) == 0


def test_a_negative_demand_is_an_error() -> None:
    with pytest.raises(DataError, match="was demand -1"):
        haircuts.pro_rata(-1, ints([1]))


BIG = st.integers(-(2**62), 2**62)
SCORES = st.lists(st.tuples(BIG, BIG, st.integers(1, 2**62), st.integers(1, 2**62)), min_size=1, max_size=8)


@given(SCORES)
def test_ranks_are_exact_whatever_the_size(rows: list[tuple[int, int, int, int]]) -> None:
    """Against Fractions; nearly equal scores are added on purpose."""
    rows = rows + [(a + (a < 2**62), b, c, d) for a, b, c, d in rows] + rows
    a, b, c, d = (ints(list(column)) for column in zip(*rows, strict=True))
    exact = sorted(range(len(rows)), key=lambda i: (-Fraction(rows[i][0] * rows[i][1], rows[i][2] * rows[i][3]), i))

    assert order_descending((a, b), (c, d)).tolist() == exact


def test_doubles_that_collide_are_told_apart() -> None:
    """2^60 + 1 and 2^60 + 2 are one double; over equal denominators the larger comes first."""
    values, ones = ints([2**60 + 1, 2**60 + 2, 2**60]), ints([1, 1, 1])

    assert order_descending((values,), (ones,)).tolist() == [1, 0, 2]


def test_a_denominator_of_zero_is_an_error() -> None:
    with pytest.raises(DataError, match="denominators > 0"):
        order_descending((ints([1]),), (ints([0]),))


def winners(rows: list[tuple[int, int, int, int, int, int]]) -> adl.Winners:
    return adl.Winners(*(ints(list(column)) for column in zip(*rows, strict=True)))


def test_each_rank_by_hand() -> None:
    """Three accounts (U, W, V, N, entry N, MM); each rule's score computed on paper."""
    rows = [(50, 10, 60, 150, 100, 6), (20, 10, 30, 120, 100, 9), (-10, 30, 20, 90, 100, 2)]

    # Binance: 50/10 x 6/60 = 0.5; 20/10 x 9/30 = 0.6; 0
    assert adl.ranks(winners(rows), "profit_margin_ratio").tolist() == [1, 0, 2]
    # profit% x leverage: 0.5 x 2.5 = 1.25; 0.2 x 4 = 0.8; 0
    assert adl.ranks(winners(rows), "profit_leverage").tolist() == [0, 1, 2]
    # written by Hyperliquid: 1.5 x 2.5 = 3.75; 1.2 x 4 = 4.8; 0.9 x 4.5 = 4.05 (all longs)
    assert adl.ranks(winners(rows), "mark_to_entry_leverage").tolist() == [1, 2, 0]
    # BitMEX: 1.25; 0.8; -0.1 / 4.5
    assert adl.ranks(winners(rows), "profit_effective_leverage").tolist() == [0, 1, 2]


def test_a_short_uses_the_inverted_ratio() -> None:
    """Entry 100, mark 80: the short gains 20, ratio 100/80 and not 80/100.  [risk.md 18, 5]"""
    rows = [(20, 10, 30, 80, 100, 1), (-20, 40, 20, 80, 100, 1)]  # a short that won, a long that lost
    over, under = adl.mark_to_entry_leverage(winners(rows))

    assert [Fraction(int(over[0][i]), int(under[0][i])) for i in range(2)] == [Fraction(5, 4), Fraction(4, 5)]


def test_an_unknown_rank_is_an_error_that_lists_the_known() -> None:
    with pytest.raises(DataError, match=r"expected one of .*profit_leverage.*, was 'random'"):
        adl.ranks(winners([(1, 1, 1, 1, 1, 1)]), "random")


def test_the_pool_triggers_stop_and_are_always_on_when_empty() -> None:
    """On above -30%, stays on until -25%, on at a pool <= 0, off for a small pool.  [risk.md 9.1, 20]"""
    rule = adl.PoolTrigger(minimum=100)

    assert [rule.is_on(1, 1000, loss, False) for loss in (300, 301)] == [False, True]
    assert [rule.is_on(1, 1000, loss, True) for loss in (250, 251)] == [False, True]
    assert rule.is_on(0, 1000, 0, False)
    assert not rule.is_on(1, 100, 100, False)
    with pytest.raises(DataError, match="pool maximum > 0"):
        adl.pool_ratio(0, 1)


def test_the_walk_starts_anywhere_and_visits_each_once() -> None:
    assert adl.walk_order(4, 6).tolist() == [2, 3, 0, 1]
    assert adl.walk_order(0, 6).tolist() == []
