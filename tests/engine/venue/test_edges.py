"""Values on the edge of a rule: each of these was told from its neighbour by no other test of the family."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from engine.errors import DataError
from engine.venue.base import EventKind, OracleState, Reason, State
from engine.venue.events import Event
from engine.venue.funding_index import index_delta_ppm
from engine.venue.haircuts import regret
from engine.venue.integers import PPM, integer_roots
from engine.venue.invariants import deleveraged_to_zero, funding_residue
from engine.venue.liquidation import shortage_base
from engine.venue.liquidation_price import linear
from engine.venue.modules import LiquidationMonitor, StateView
from engine.venue.monitors import multiplier_of_level
from engine.venue.oracle_guards import clip_to_twap
from engine.venue.parameter_engine import INITIAL_MULTIPLIER
from engine.venue.step import step
from tests.engine.venue.small import MINUTE, SECOND, ints, market, opened, tick, venue, with_positions


def test_no_time_passes_without_an_error_and_time_never_goes_back() -> None:
    assert index_delta_ppm(800, 10**6, 0, 0) == 0
    with pytest.raises(DataError, match="was -1"):
        index_delta_ppm(800, 10**6, 0, -1)


def test_roots_of_zero_and_of_squares_are_exact() -> None:
    assert integer_roots(ints([0, 1, 3, 4, 2**40])).tolist() == [0, 1, 1, 2, 2**20]
    with pytest.raises(DataError, match="was -1"):
        integer_roots(ints([0, -1]))


def test_the_regret_of_the_best_allocation_is_nothing_and_of_a_queue_is_the_rest() -> None:
    """Ten asked of two winners of ten each: the best takes five of each, a queue all of one."""
    capacity = ints([10, 10])

    assert regret(ints([5, 5]), capacity, 10) == 0
    assert regret(ints([10, 0]), capacity, 10) == Fraction(1, 2)


def test_a_denominator_of_one_still_says_how_much_to_close() -> None:
    """Oracle of one unit at par, ratio 2, fee 1: each unit closed covers one."""
    assert shortage_base(7, 20_000, 1_000_000, 0, 1, PPM) == 7 * 10**9
    assert shortage_base(7, 20_000, 1_000_000, PPM, 1, PPM) is None


def test_a_long_that_would_be_liquidated_at_zero_has_no_price() -> None:
    """Value equal to the whole position: covered down to nothing."""
    assert linear(Fraction(2), Fraction(100), Fraction(200), Fraction(1, 100), Fraction(0), Fraction(0)) is None
    assert linear(Fraction(2), Fraction(100), Fraction(199), Fraction(1, 2), Fraction(0), Fraction(0)) == 1


def test_an_observation_is_clipped_to_a_truncated_reach() -> None:
    """A tenth of 1,005 is 100.5, truncated to 100; a third of 100 is 33."""
    assert clip_to_twap(9_999, 1_005, "A") == 1_105
    assert clip_to_twap(0, 1_005, "A") == 905
    assert clip_to_twap(200, 100, "other") == 133


def test_a_monitor_goes_no_further_than_its_highest_level_and_no_level_early() -> None:
    """1,000 lots open and a level each half percent: five lots closed are level 1, all of them level 4."""
    state = with_positions(opened(venue(market()), [10**12, 10**12]), [(0, 1, 1000, 10)])

    def proposed(lots: int) -> int:
        event = Event(0, EventKind.LIQUIDATION, Reason.MARKET_DATA, lots=lots)
        (proposal,) = LiquidationMonitor()(StateView(state, (event,)))
        return proposal.value

    assert [proposed(n) for n in (0, 4, 5, -10, 1000)] == [multiplier_of_level(k) for k in (0, 0, 1, 2, 4)]


def test_initial_margin_moves_between_its_base_and_three_times_it() -> None:
    assert (INITIAL_MULTIPLIER.low, INITIAL_MULTIPLIER.high, INITIAL_MULTIPLIER.tighter) == (PPM, 3 * PPM, 1)
    assert (INITIAL_MULTIPLIER.up_ppm_an_hour, INITIAL_MULTIPLIER.down_ppm_an_hour) == (200_000, 20_000)
    assert np.isclose(INITIAL_MULTIPLIER.up_ppm_an_hour / PPM, 0.2)


def test_a_source_is_used_up_to_ten_seconds_of_age() -> None:
    """The harness's rule where a venue names none: the oldest that counts, and a nanosecond more.  [risk.md 1.5]"""
    state, _ = step(opened(venue(), [100]), tick(SECOND, [100]))
    ages = (10 * SECOND, 10 * SECOND + 1)
    states = [step(state, tick(2 * SECOND, [100], age_ns=age))[0].markets[0].oracle_state for age in ages]

    assert states == [OracleState.VALID, OracleState.INSUFFICIENT_DATA]


def test_funding_leaves_less_than_a_quantum_a_position() -> None:
    """Three positions leave 0, 1 or 2; no position leaves nothing."""
    before = with_positions(opened(venue(), [100, 100, 100]), [(0, 1, 2, 10), (0, 2, 2, 10)])

    def problems(state: State, quanta: int) -> int:
        return len(funding_residue(state, [Event(0, EventKind.FUNDING, Reason.FUNDING_BOUNDARY, quanta=quanta)]))

    assert [problems(before, quanta) for quanta in (-1, 0, 1, 2, 3)] == [1, 0, 0, 0, 1]
    assert [problems(opened(venue(), [100]), quanta) for quanta in (-1, 0, 1)] == [1, 0, 1]


def test_what_is_left_after_deleveraging_is_a_quantum_a_market_unless_the_account_traded_itself() -> None:
    closed = Event(0, EventKind.DELEVERAGING, Reason.BANKRUPT, account=0, winners=(1,), winner_lots=(5,))
    trade = Event(0, EventKind.FILL, Reason.USER_ORDER, account=2, counterparty=1, lots=1)
    state = opened(venue(), [1, 100, 100])

    def problems(cash: int, *more: Event) -> int:
        return len(deleveraged_to_zero(replace(state, cash=ints([cash, 100, 100])), [closed, *more]))

    assert [problems(cash) for cash in (-2, -1, 1, 2)] == [1, 0, 0, 1]
    assert problems(2, trade) == 1
    assert problems(2, replace(trade, counterparty=0)) == 0
    assert problems(2, replace(trade, account=0)) == 0
    assert problems(2, replace(trade, kind=EventKind.LIQUIDATION, counterparty=0)) == 1
    assert len(deleveraged_to_zero(with_positions(state, [(0, 1, 1, 9)]), [closed])) == 0
    at_mark = replace(state, params=replace(state.params, deleveraging_price="mark"), cash=ints([9, 100, 100]))
    assert deleveraged_to_zero(at_mark, [closed]) == []


def test_a_fill_that_the_fund_pays_for_is_no_lift() -> None:
    """Value 0, half sold at a limit under bankruptcy: the account has value 0 and 5 lots, which nothing closes now.

    Only the fund's payment for a whole deficit sends the rest to the winners.
    """
    params = venue(limit_price_rule="fillable", liquidation_portion_ppm=PPM // 2)
    state = with_positions(opened(params, [50, 10_000, 100_000], fund=1_000), [(0, 1, 10, 100)])

    state, events = step(state, tick(SECOND, [95], quotes=[(2, 0, 50, 94)]))

    assert [(e.kind, e.reason) for e in events if e.kind in (EventKind.FUND, EventKind.DELEVERAGING)] == [
        (EventKind.FUND, Reason.FUND_PAYS)
    ]
    assert (state.size[0].tolist(), state.fund) == ([5, -10, 5], 1_000 - 5)


def test_a_premium_is_of_the_book_or_of_the_mark() -> None:
    """Mark and oracle are 100, the book bids 110: 10% less the band by the book; the interest alone by the mark."""
    rates = {}
    for rule in ("impact", "mark"):
        given = market(funding_interval_ns=60 * MINUTE, premium_rule=rule)
        state = opened(venue(given), [5_000])
        for time_ns in (SECOND, 60 * MINUTE):
            state, events = step(state, tick(time_ns, [100], quotes=[(0, 0, 5, 110)]))
        rates[rule] = [e.lots for e in events if e.kind == EventKind.FUNDING]

    assert rates == {"impact": [10**8 - given.funding_band_ppb_8h], "mark": [given.funding_interest_ppb_8h]}
