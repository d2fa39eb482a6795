"""Rules without a shared vector: each by hand, at its edges.  [risk.md 1-13, corrections of 20]"""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import DataError
from engine.venue import circuit_breakers as ladder
from engine.venue import (
    funding,
    insurance_fund,
    liquidation,
    liquidation_price,
    margin,
    mark,
    monitors,
    oracle,
    parameter_engine,
    portfolio_margin,
    price_bands,
    socialised_loss,
)
from engine.venue import oracle_guards as guards
from engine.venue.base import BreakerLevel, OracleState, Proposal, Reason
from engine.venue.integers import clamp, div_half_even
from tests.engine.venue.small import ints

MINUTE = 60_000_000_000


# -- oracle --------------------------------------------------------------------------------------------------------


def test_guards_fire_in_their_order() -> None:
    """Each state at the edge of its test, with everything after it bad too.  [risk.md 2]"""
    limits = guards.GuardLimits()

    def state(price: int, twap: int, confidence: int, age: int, enough: bool) -> OracleState:
        return guards.oracle_state(price, twap, confidence, age, enough, limits)

    assert state(0, 100, 999, 999, False) == OracleState.NON_POSITIVE
    assert state(501, 100, 999, 999, False) == OracleState.TOO_VOLATILE
    assert state(500, 100, 11, 999, False) == OracleState.TOO_UNCERTAIN
    assert state(500, 100, 10, 121, False) == OracleState.STALE_MARGIN
    assert state(500, 100, 10, 120, False) == OracleState.INSUFFICIENT_DATA
    assert state(500, 100, 10, 11, True) == OracleState.STALE_AMM
    assert state(500, 100, 10, 10, True) == OracleState.VALID


def test_the_integer_form_of_volatility_fires_at_six_times() -> None:
    """floor(max / min) > 5, while the real ratio fires above 5.  [risk.md 2, trap]"""
    whole = guards.GuardLimits(integer_volatility=True)

    assert guards.oracle_state(599, 100, 0, 0, True, whole) == OracleState.VALID
    assert guards.oracle_state(600, 100, 0, 0, True, whole) == OracleState.TOO_VOLATILE
    assert guards.oracle_state(501, 100, 0, 0, True, guards.GuardLimits()) == OracleState.TOO_VOLATILE


def test_the_twap_is_biased_toward_the_old_value_as_corrected() -> None:
    """Constant 100, 60 of 3,600 s: 101.  The correction of risk.md 20 reverses the sign of the main text."""
    assert guards.twap_update(100, 100, 60, 3_600, biased=True) == 101
    assert guards.twap_update(100, 100, 60, 3_600, biased=False) == 100
    assert guards.twap_update(1_000_000, 100, 60, 3_600, biased=True) == (1_000_000 * 60 + 100 * 3_540) // 3_600 - 1
    assert guards.twap_update(100, 77, 0, 3_600, biased=True) == 77  # no time, no change
    assert guards.twap_update(1, 0, 60, 3_600, biased=True) == 0  # never biased below 0
    assert guards.twap_update(200, 100, 3_600, 3_600, biased=True) == (200 * 3_600 + 100) // 3_601  # rest is 1: no bias
    with pytest.raises(DataError, match="was -1: prices must not go back in time"):
        guards.twap_update(1, 1, -1, 60, biased=False)


def test_observations_are_clipped_by_tier() -> None:
    assert [guards.clip_to_twap(900, 300, tier) for tier in ("A", "B", "C", "D")] == [330, 360, 450, 400]
    assert guards.clip_to_twap(1, 300, "A") == 270


def test_a_divergence_limit_under_a_tenth_has_no_effect() -> None:
    """[risk.md 2, Drift]"""
    assert not guards.is_divergent(100, 90, 50_000)
    assert guards.is_divergent(1_000, 899, 50_000)
    assert not guards.is_divergent(1_000, 851, 150_000)


def test_ages_are_compared_strictly() -> None:
    second = 1_000_000_000
    assert [guards.freshness(a * second) for a in (10, 30)] == ["live", "freeze"]
    assert [guards.freshness(a * second + 1) for a in (10, 30)] == ["freeze", "reduce_only"]
    assert guards.is_frozen_feed(60 * second + 1, -501)
    assert not guards.is_frozen_feed(60 * second, 501)
    assert not guards.is_frozen_feed(61 * second, 500)
    with pytest.raises(DataError, match="after the receive time"):
        guards.freshness(-1)


def test_a_crossed_or_one_sided_or_old_source_is_left_out() -> None:
    """E5 in small: a stale bid above the ask is not a market.  [risk.md 1.5]"""
    bid, ask = ints([99, 101, 0, 99, 90, 99]), ints([101, 99, 101, 101, 110, 99])
    age = ints([5, 5, 5, 11, 5, 5])

    assert oracle.included(bid, ask, age, 10, 20_000).tolist() == [True, False, False, False, False, False]
    assert oracle.included(bid, ask, age, 11, 200_000).tolist() == [True, False, False, True, True, False]


def test_an_update_is_accurate_between_price_and_index_or_with_bounded_overshoot() -> None:
    """Old 10,000 against index 10,400, tick 1: overshoot up to 20.  [risk.md 1.5]"""
    accepted = [oracle.is_accurate_update(10_000, p, 10_400, 100) for p in (9_999, 10_000, 10_400, 10_420, 10_421)]
    assert accepted == [False, True, True, True, False]
    assert [oracle.is_accurate_update(10_000, p, 10_001, 100) for p in (10_002, 10_003)] == [True, False]


def test_a_quorum_and_medians_refuse_nothing() -> None:
    with pytest.raises(DataError, match="at least one value"):
        oracle.median_floor([])
    with pytest.raises(DataError, match="one positive weight"):
        oracle.weighted_median([1], [0])
    with pytest.raises(DataError, match="one confidence"):
        oracle.confidence_aggregate([1], [-1])


@given(st.lists(st.integers(50, 150), min_size=1, max_size=7), st.integers(1, 10**6))
def test_an_outlier_moves_a_capped_mean_by_its_weighted_cap(prices: list[int], outlier: int) -> None:
    """Every clipped price is within half a per cent of the median.  [risk.md 1.4]"""
    scaled = [p * 10_000 for p in [*prices, outlier]]
    clipped, index = oracle.capped_mean(scaled, [1] * len(scaled))
    middle = oracle.median_floor(scaled)

    assert all(abs(p - middle) * 1_000 <= 5 * middle for p in clipped)
    assert min(clipped) <= index <= max(clipped)


# -- mark and funding ----------------------------------------------------------------------------------------------


def test_marks_with_missing_inputs() -> None:
    """Two inputs take the fallback average as the third; one stands alone; without a print the median is of two."""
    assert mark.from_ema_basis_median(mark.MarkInputs(100, basis=2)) == 102
    assert mark.from_ema_basis_median(mark.MarkInputs(100, 110, 112, basis=2)) == (102 + 111) // 2
    assert mark.from_ema_basis_median(mark.MarkInputs(100, 110, 112, basis=2, fallback=105)) == 105
    assert mark.from_funding_and_basis_median(mark.MarkInputs(100, basis=4)) == 102
    assert mark.from_ema_basis(mark.MarkInputs(100, basis=-4)) == 96
    assert mark.from_oracle(mark.MarkInputs(100, basis=-4)) == 100


def test_the_whole_minute_clock_counts_up() -> None:
    """Half a minute left is one minute.  [risk.md 3, BitMEX]"""
    inputs = mark.MarkInputs(10**9, rate_ppb=10**6, left_ns=MINUTE // 2, interval_ns=480 * MINUTE)
    assert mark.from_funding_basis(inputs) == 10**9 + 10**9 // 1_000 // 480


def test_decays_refuse_time_that_goes_back() -> None:
    with pytest.raises(DataError, match="times must not go back"):
        mark.decay(-1, MINUTE)
    assert mark.decay(0, MINUTE) == mark.SCALE


def test_drift_offsets_and_clamps_by_the_twap() -> None:
    """risk.md 20: a five-thousandth of the oracle TWAP is added, then the clamp, both of the TWAP."""
    assert funding.twap_spread_rate(1_000_000, 1_000_000, "A", offset=True) == 200 * 1_000 // 24
    assert funding.twap_spread_rate(2_000_000, 1_000_000, "C", offset=True) == 50_000 * 1_000 // 24
    assert funding.twap_spread_rate(1, 1_000_000, "A", offset=False) == -(30_303 * 1_000 // 24)


@given(st.integers(-(10**9), 10**9), st.integers(0, 10**13), st.integers(0, 10**13), st.integers(0, 10**8))
def test_the_protocol_never_pays_more_than_a_third_of_its_pool(rate: int, long: int, short: int, pool: int) -> None:
    """The receiving side is paid by payers and the pool's share, no unit more.  [risk.md 4.5]"""
    long_rate, short_rate, after = funding.with_protocol_as_counterparty(rate, long, -short, pool, 2 * (pool // 3))
    most = max(0, pool - pool // 3) // 3

    assert after >= pool - most
    paid = long_rate * long // 10**12 if rate > 0 else -(short_rate * short) // 10**12
    received = short_rate * short // 10**12 if rate > 0 else -(long_rate * long) // 10**12
    if after < pool:
        assert received <= paid + most + 1


def test_gmx_static_and_saved_factor() -> None:
    """risk.md 20: the payer follows the sign of the saved factor, not the larger side."""
    assert funding.static_interest_rate(Fraction(1, 100), Fraction(30), Fraction(10), 1) == Fraction(20, 4_000)
    assert funding.static_interest_rate(Fraction(1, 100), Fraction(10), Fraction(30), 2) == -Fraction(400, 4_000)
    numbers = funding.SavedFactor(
        Fraction(1, 1000), Fraction(1, 500), Fraction(1, 10), Fraction(1, 20), Fraction(0), Fraction(1, 2)
    )
    now = funding.saved_factor(Fraction(1, 10), Fraction(40), Fraction(60), numbers, 10)
    assert now == Fraction(1, 10) - Fraction(2, 1000)  # shorts are larger, the factor still makes longs pay
    assert funding.saved_factor(Fraction(1, 10), Fraction(51), Fraction(49), numbers, 10) == Fraction(1, 10) - Fraction(
        1, 50
    )
    assert funding.saved_factor(Fraction(1, 10), Fraction(54), Fraction(46), numbers, 10) == Fraction(1, 10)
    assert funding.saved_factor(Fraction(1, 2), Fraction(90), Fraction(10), numbers, 10) == Fraction(1, 2)
    with pytest.raises(DataError, match="open interest > 0"):
        funding.saved_factor(Fraction(0), Fraction(0), Fraction(0), numbers, 1)


def test_means_of_premiums() -> None:
    assert funding.time_weighted_mean([1, 1, 4]) == Fraction(1 + 2 + 12, 6)
    assert funding.padded_mean([-7, -7], 4) == -3  # truncated toward zero
    assert funding.padded_mean([10] * 6, 4) == 10
    with pytest.raises(DataError, match="at least one funding sample"):
        funding.padded_mean([], 0)
    assert funding.midpoint_premium(Fraction(101), Fraction(103), Fraction(100)) == Fraction(2, 100)


# -- margin and liquidation prices ---------------------------------------------------------------------------------


def test_a_bracket_table_with_a_gap_is_refused_by_name_and_rank() -> None:
    """[issue 16, bad input]"""
    margin.check_continuous([(0, 10), (10, 30)], "BTCUSDT")
    with pytest.raises(DataError, match="BTCUSDT: bracket 2: expected lower bound 10, was 11"):
        margin.check_continuous([(0, 10), (11, 30)], "BTCUSDT")
    with pytest.raises(DataError, match="BTCUSDT: bracket 1: expected lower bound 0, was 5"):
        margin.check_continuous([(5, 10)], "BTCUSDT")
    with pytest.raises(DataError, match="BTCUSDT: bracket 2: expected upper > lower"):
        margin.check_continuous([(0, 10), (10, 10)], "BTCUSDT")
    with pytest.raises(DataError, match=r"rates that do not fall, was 1 after 2 \(rank 2\)"):
        margin.deductions([Fraction(0), Fraction(5)], [Fraction(2), Fraction(1)])


TABLE = ([Fraction(0), Fraction(1_000), Fraction(5_000)], [Fraction(1, 100), Fraction(5, 100), Fraction(25, 100)])


@given(st.integers(1, 80), st.sampled_from([1, -1]), st.integers(1, 6_000))
def test_at_the_liquidation_price_value_equals_maintenance(lots: int, side: int, wallet: int) -> None:
    """Found by the formula, checked by the definition: V(p*) = MM(|s| p*).  [risk.md 7.2]"""
    size, price = Fraction(side * lots), Fraction(100)
    result = liquidation_price.linear_in_brackets(size, price, Fraction(wallet), *TABLE)

    if result is None:
        assert side > 0
        assert wallet >= lots * 100 - 1
    else:
        value = wallet + size * (result - price)
        assert value == margin.bracket_maintenance(abs(size) * result, *TABLE)


def test_added_margin_moves_the_price_by_its_share() -> None:
    """-x / (|s| (1 - m)) for a long, +x / (|s| (1 + m)) for a short.  [risk.md 6.9 (iii)]"""
    for side in (1, -1):
        size, rate = Fraction(side * 5), Fraction(1, 20)
        before, after = (
            liquidation_price.linear(size, Fraction(100), Fraction(v), rate, Fraction(0), Fraction(0))
            for v in (200, 207)
        )
        assert before is not None
        assert after is not None
        assert after - before == -side * Fraction(7) / (5 * (1 - side * rate))


def test_inverse_prices_by_their_definition() -> None:
    """V = W + n / E - n / p equals m n / p at the liquidation price, 0 at bankruptcy.  [risk.md 7.2, 7.3]"""
    n, wallet, entry, rate = Fraction(10_000), Fraction(1, 10), Fraction(50_000), Fraction(1, 100)
    long = liquidation_price.inverse(n, wallet, entry, rate, 1)
    short = liquidation_price.inverse(n, wallet, entry, rate, -1)
    bankrupt = liquidation_price.inverse_bankruptcy(n, wallet, entry)

    assert long is not None
    assert short is not None
    assert wallet + n / entry - n / long == rate * n / long
    assert wallet - n / entry + n / short == rate * n / short
    assert wallet + n / entry - n / bankrupt == 0
    assert liquidation_price.inverse(n, Fraction(1), entry, rate, -1) is None


def test_bankruptcy_quotes_refuse_what_does_not_reduce() -> None:
    account = liquidation_price.CrossAccount(0, ((10, margin.FlatMarket(10, 0, -6, 200_000, 500_000)),))
    for delta in (0, 5, -11):
        with pytest.raises(DataError, match=f"reduces a position of 10, was {delta}"):
            liquidation_price.bankruptcy_quote(account, 0, delta)


def test_the_queue_orders_by_ratio_then_requirement_then_id() -> None:
    """Accounts (id, V, MM): ratios 0.5, 0.5 with more MM, 0.2, and one without requirement last.  [7.6]"""
    rows = [(4, 50, 100), (3, 100, 200), (2, 20, 100), (1, -5, 0), (0, 50, 100)]
    assert liquidation.riskiest_first(rows) == [2, 3, 0, 4, 1]


def test_staged_and_backstop_rules() -> None:
    assert [liquidation.staged_portion_ppm(n, 100_000, 200_000) for n in (100_000, 100_001)] == [1_000_000, 200_000]
    assert [liquidation.goes_to_backstop(v, 300) for v in (199, 200)] == [True, False]
    assert [liquidation.rounded_to_tick(Fraction(15, 2), 5, buy) for buy in (True, False)] == [10, 5]
    assert liquidation.rounded_to_tick(Fraction(1, 2), 5, False) == 5
    assert liquidation.lots_to_close(7, 700, 0, 500_000) == 4
    assert liquidation.slot_fee(10, 99, 0, 1_499) == 10
    assert liquidation.slot_fee(10, 9_999, 0, 1_500) == 1_510


def test_drift_shortage_uses_both_oracles_in_the_first_term_only() -> None:
    """risk.md 20: P = 100, Pq = 0.5, ratio 10%, fund fee 1%: 10 / (50 x 0.1 - 100 x 0.01) = 2.5."""
    args = (10_000_000, 1_000, 0, 10_000, 100_000_000, 500_000)
    assert liquidation.shortage_base(*args) == 2_500_000_000
    assert liquidation.shortage_base(10_000_000, 100, 10_000, 0, 100_000_000, 1_000_000) is None


# -- fund, socialisation, bands ------------------------------------------------------------------------------------


def test_the_fund_pays_at_most_the_remaining_claim() -> None:
    """risk.md 20: maximum insurance less what was settled already; one unit stays in the fund."""
    assert insurance_fund.bankruptcy_cover(100, 1_000, 80, 30) == 50
    assert insurance_fund.bankruptcy_cover(100, 60, 1_000, 0) == 59
    assert insurance_fund.bankruptcy_cover(100, 0, 1_000, 0) == 0
    assert insurance_fund.bankruptcy_cover(100, 1_000, 30, 80) == 0
    assert insurance_fund.drawdown([5, 9, 4, 10]) == [0, 0, 5, 0]
    assert insurance_fund.coverage_days(90, Fraction(30)) == 3
    assert insurance_fund.coverage_days(90, Fraction(0)) is None
    assert insurance_fund.may_fill(5, -5)
    assert not insurance_fund.may_fill(5, -6)


def test_shares_add_up() -> None:
    assert socialised_loss.shares(10, [1, 1, 1]) == [4, 3, 3]
    with pytest.raises(DataError, match="positive sum"):
        socialised_loss.shares(10, [0, 0])
    with pytest.raises(DataError, match="open positions to share"):
        socialised_loss.index_delta(-1, 0, 0)


def test_capacity_between_one_and_two_baselines_falls_to_it() -> None:
    """Baseline 100 an hour: 150 falls by 50 in half an hour, 110 stops at 100; 90 rises to 100, not beyond."""
    limiter = price_bands.Limiter(3_600, 100, 0)
    assert [price_bands.capacity_after(c, 0, limiter, 1_800) for c in (150, 110, 90)] == [100, 100, 100]
    assert price_bands.capacity_after(190, 0, limiter, 1_800) == 140
    assert price_bands.capacity_after(300, 0, limiter, 1_800) == 200
    assert [price_bands.withdrawals_gated(b, 0) for b in (None, 49, 50)] == [False, True, False]
    assert price_bands.withdrawals_gated(None, 5 * MINUTE)


# -- breakers, monitors, parameters --------------------------------------------------------------------------------


def calm(**changes: object) -> ladder.LadderInputs:
    given: dict = {"return_1min_ppm": 0, "sigma_1min_ppm": 1_000, "return_5min_ppm": 0, "divergence_ppm": 0}
    return ladder.LadderInputs(**{**given, "oracle": OracleState.VALID, **changes})


def test_the_ladder_rises_at_once_and_falls_one_step_after_its_dwell() -> None:
    """Strict thresholds; a halt of one minute, then slow mode of five.  [risk.md 10.3]"""
    limits = ladder.LadderLimits()
    wanted = ladder.wanted_level
    assert wanted(calm(return_1min_ppm=5_000), limits)[0] == BreakerLevel.COLLAR
    assert wanted(calm(return_1min_ppm=5_001), limits) == (BreakerLevel.SLOW, Reason.VOLATILITY_1MIN)
    assert wanted(calm(divergence_ppm=20_001), limits) == (BreakerLevel.SLOW, Reason.DIVERGENCE)
    assert wanted(calm(return_5min_ppm=100_001), limits) == (BreakerLevel.HALT, Reason.VOLATILITY_5MIN)
    assert wanted(calm(oracle=OracleState.STALE_MARGIN), limits) == (BreakerLevel.HALT, Reason.ORACLE_INVALID)
    assert wanted(calm(oracle=OracleState.STALE_AMM), limits)[0] == BreakerLevel.COLLAR

    def next_of(level: BreakerLevel, since: int, now: int) -> tuple[BreakerLevel, int]:
        return ladder.next_level(level, since, now, calm(), limits)[:2]

    assert next_of(BreakerLevel.HALT, 0, MINUTE - 1) == (BreakerLevel.HALT, 0)
    assert next_of(BreakerLevel.HALT, 0, MINUTE) == (BreakerLevel.SLOW, MINUTE)
    assert next_of(BreakerLevel.SLOW, 0, 5 * MINUTE - 1) == (BreakerLevel.SLOW, 0)
    assert next_of(BreakerLevel.SLOW, 0, 5 * MINUTE) == (BreakerLevel.COLLAR, 5 * MINUTE)


@given(st.lists(st.tuples(st.integers(0, 10 * MINUTE), st.booleans()), max_size=30))
def test_no_dwell_sees_two_downward_steps(path: list[tuple[int, bool]]) -> None:
    """No oscillation: between two falls lies at least the shorter dwell.  [10.3]"""
    limits, level, since, now, falls = ladder.LadderLimits(), BreakerLevel.COLLAR, 0, 0, []
    for wait, bad in path:
        now += wait
        given_now = calm(return_5min_ppm=200_000 if bad else 0)
        new, since, _ = ladder.next_level(level, since, now, given_now, limits)
        if new < level:
            assert new == level - 1
            falls.append(now)
        level = new
    assert all(b - a >= MINUTE for a, b in pairwise(falls))


def test_the_auction_trades_most() -> None:
    """Buys 10 at 102, 5 at 100; sells 8 at 99, 4 at 101: 10 lots at 101 or 102, least imbalance, nearest 100."""
    assert ladder.call_auction(((102, 10), (100, 5)), ((99, 8), (101, 4)), 100) == (101, 10)
    assert ladder.call_auction(((98, 10),), ((99, 8),), 100) == (0, 0)


def test_returns_look_back_over_the_span() -> None:
    marks = ((0, 100), (30, 110), (60, 120))
    assert ladder.return_ppm(marks, 90, 132, 30) == 100_000
    assert ladder.return_ppm(marks, 90, 132, 60) == 200_000
    assert ladder.return_ppm(marks, 90, 132, 100) == 0


def test_order_flow_by_hand() -> None:
    """A better bid adds its size; a bid that fell takes the old one away; the ask side mirrors.  [11.1]"""
    was = monitors.BestLevel(100, 5, 101, 7)
    assert monitors.order_flow_imbalance(was, monitors.BestLevel(101, 3, 102, 7)) == 3 + 7
    assert monitors.order_flow_imbalance(was, monitors.BestLevel(100, 8, 101, 2)) == 3 + 5
    assert monitors.order_flow_imbalance(was, monitors.BestLevel(99, 9, 100, 4)) == -5 - 4
    assert monitors.depth_within([(100, 5), (102, 7), (90, 1)], 100, 20_000) == 12


def test_scores_exclude_the_bar_and_refuse_a_flat_history() -> None:
    history = [Fraction(x) for x in (1, 2, 3, 4, 5)]
    assert monitors.robust_score(Fraction(6), history) == Fraction(3) / monitors.MAD_SCALE
    assert monitors.robust_score(Fraction(6), [Fraction(1)] * 5) is None
    assert monitors.trailing_quantile([3, 1, 2, 4], Fraction(1, 2)) == 2
    assert monitors.is_funding_spike(300_001, [], None)
    assert not monitors.is_funding_spike(300_000, [400_000], Fraction(4))
    assert monitors.is_funding_spike(0, [], Fraction(41, 10))
    assert [monitors.multiplier_of_level(k) for k in (0, 1, 4)] == [1_000_000, 1_250_000, 2_000_000]


@given(
    st.lists(st.integers(-(10**9), 10**9), min_size=1, max_size=5),
    st.integers(0, 10**13),
    st.integers(10**6, 3 * 10**6),
)
def test_no_module_breaches_a_bound_or_a_rate(values: list[int], elapsed: int, current: int) -> None:
    """I12, with modules that propose anything.  [risk.md 13]"""
    parameter = parameter_engine.INITIAL_MULTIPLIER
    proposals = [Proposal("any", 0, parameter.name, v, "") for v in values]
    clock = parameter_engine.Clock(10**15, elapsed)
    value, queued = parameter_engine.decide(current, proposals, parameter, clock, None, 0)

    assert parameter.low <= value <= parameter.high
    assert value >= current  # a loosening waits
    assert value - current <= max(1, current * 200_000 * elapsed // (10**6 * 3_600 * 10**9))
    assert (queued is None) == (max(min(max(v, parameter.low), parameter.high) for v in values) >= current)


def test_unknown_parameters_and_markets_are_refused() -> None:
    with pytest.raises(DataError, match=r"module 'm': expected a parameter in \[.*\], was 'leverage'"):
        parameter_engine.check_names([Proposal("m", 0, "leverage", 1, "")], 1)
    with pytest.raises(DataError, match=r"expected a market in 0\.\.0, was 1"):
        parameter_engine.check_names([Proposal("m", 1, "band_up_ppm", 1, "")], 1)


# -- portfolio margin ----------------------------------------------------------------------------------------------


def test_the_grid_has_its_moves_and_damped_extremes() -> None:
    """Nine buckets of +-16% incl. 0, three shocks, two damped extremes.  [risk.md 6.7]"""
    grid = portfolio_margin.grid(160_000, 9, (400_000, 0, -400_000), ((-660_000, 300_000), (5_000_000, 100_000)))

    assert len(grid.moves_ppm) == 9 * 3 + 2
    assert sorted(set(grid.moves_ppm[:27])) == [40_000 * k for k in range(-4, 5)]
    assert grid.weights_ppm[-2:] == (300_000, 100_000)
    with pytest.raises(DataError, match="odd number of buckets"):
        portfolio_margin.grid(160_000, 8, (0,), ())


@given(st.lists(st.lists(st.integers(-(10**6), 10**6), min_size=5, max_size=5), min_size=2, max_size=4))
def test_portfolio_margin_is_sub_additive_and_monotone(rows: list[list[int]]) -> None:
    """Merged accounts need no more than apart; more scenarios never need less; never negative."""
    grid = portfolio_margin.grid(100_000, 5, (0,), ())
    profits = np.array(rows, dtype=np.int64)
    whole = portfolio_margin.maintenance(profits, grid)
    fewer = portfolio_margin.Grid(grid.moves_ppm[:3], grid.shocks_ppm[:3], grid.weights_ppm[:3])

    assert whole >= 0
    assert whole <= sum(portfolio_margin.maintenance(profits[i : i + 1], grid) for i in range(len(rows)))
    assert portfolio_margin.maintenance(profits[:, :3], fewer) <= whole
    assert portfolio_margin.initial(whole, 1_300_000) == -(-whole * 13 // 10)


def test_rounding_helpers() -> None:
    assert [div_half_even(n, 2) for n in (-3, -1, 1, 3, 5)] == [-2, 0, 0, 2, 2]
    with pytest.raises(DataError, match="low 3, high 2"):
        clamp(0, 3, 2)
