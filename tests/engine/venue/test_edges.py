"""Values on the edge of a rule: each of these was told from its neighbour by no other test of the family."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from engine.errors import DataError
from engine.venue.base import EventKind, Reason
from engine.venue.events import Event
from engine.venue.funding_index import index_delta_ppm
from engine.venue.haircuts import regret
from engine.venue.integers import PPM, integer_roots
from engine.venue.liquidation import shortage_base
from engine.venue.liquidation_price import linear
from engine.venue.modules import LiquidationMonitor, StateView
from engine.venue.monitors import multiplier_of_level
from engine.venue.oracle_guards import clip_to_twap
from engine.venue.parameter_engine import INITIAL_MULTIPLIER
from tests.engine.venue.small import ints, market, opened, venue, with_positions


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
