"""One event of the venue, by hand: each mechanism in its place, each figure computed on paper.  [S6]"""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine.errors import DataError
from engine.venue.base import Brackets, BreakerLevel, EventKind, OracleState, Proposal, Reason, State
from engine.venue.invariants import check
from engine.venue.parameter_engine import LOOSEN_DELAY_NS
from engine.venue.registry import MECHANISMS
from engine.venue.step import run, step
from tests.engine.venue.small import MINUTE, SECOND, ints, market, opened, tick, venue, with_positions


def kinds(events: tuple) -> list[tuple[EventKind, Reason]]:
    return [(e.kind, e.reason) for e in events]


def after(state: State, *ticks: object) -> tuple[State, list]:
    """Step through ticks, with every invariant checked after each."""
    seen: list = []
    for one in ticks:
        new, events = step(state, one)  # type: ignore[arg-type]
        check(state, one, new, events)  # type: ignore[arg-type]
        state, seen = new, [*seen, *events]
    return state, seen


def test_mechanisms_stand_in_the_order_of_the_law() -> None:
    """Places rise; a breaker comes before liquidations, users after bankruptcies.  [risk.md 0.4]"""
    places = [m.place for m in MECHANISMS]

    assert places == sorted(places)
    assert [m.name for m in MECHANISMS] == [
        "oracle", "mark", "funding", "circuit_breakers", "liquidation", "insurance_fund", "auto_deleveraging",
        "socialised_loss", "transfers", "orders",
    ]  # fmt: skip


def test_an_order_trades_with_quotes_best_first_and_pays_fees() -> None:
    """Buy 7 against 5 at 100 and 5 at 101: 5 x 100 + 2 x 101 = 702; taker 1% rounds up by fill, maker 0.5% too."""
    params = venue(market(taker_fee_ppm=10_000, maker_fee_ppm=5_000))
    state = opened(params, [10_000, 10_000, 10_000])

    state, events = after(state, tick(SECOND, [100], quotes=[(1, 0, -5, 101), (2, 0, -5, 100)], taken=[(0, 0, 7, 101)]))

    assert state.size[0].tolist() == [7, -2, -5]
    assert state.cash.tolist() == [10_000 - 702 - 5 - 3, 10_000 + 202 - 2, 10_000 + 500 - 3]
    assert state.fees == 5 + 3 + 2 + 3
    assert [e.price_ticks for e in events if e.kind == EventKind.FILL] == [100, 101]


def test_an_order_that_would_end_below_initial_is_rejected() -> None:
    """100 quanta of equity carry 10 lots at 100 (IM 10%), not 11; a worse limit counts as a loss."""
    quotes = [(1, 0, -50, 100)]
    for lots, limit, size in ((10, 100, 10), (11, 100, 0), (9, 103, 0), (9, 101, 9)):
        state, _ = after(
            opened(venue(), [100, 10_000]), tick(SECOND, [100], quotes=quotes, taken=[(0, 0, lots, limit)])
        )
        assert int(state.size[0, 0]) == size, (lots, limit)


def test_a_maker_without_margin_is_passed_over() -> None:
    """The best quote belongs to a poor account; the order trades with the next."""
    state = opened(venue(), [10_000, 0, 10_000])

    state, _ = after(state, tick(SECOND, [100], quotes=[(1, 0, -5, 99), (2, 0, -5, 100)], taken=[(0, 0, 5, 100)]))

    assert state.size[0].tolist() == [5, 0, -5]


def long_at_100(deposit: int, fund: int = 0, lots: int = 10, **changes: object) -> State:
    """Account 0 is long ``lots`` from 100 with ``deposit``, account 1 short, account 2 is a rich maker."""
    state = opened(venue(market(**changes.pop("market", {})), **changes), [deposit, 10_000, 100_000], fund)  # type: ignore[arg-type]
    return with_positions(state, [(0, 1, lots, 100)])


def test_equality_at_maintenance_is_safe_and_one_quantum_below_is_not() -> None:
    """10 lots at 100: MM 50.  Value 50 is safe, 49 is liquidated.  [risk.md 7.1]"""
    for deposit, expected in ((50, 10), (49, 0)):
        state, _ = after(long_at_100(deposit), tick(SECOND, [100], quotes=[(2, 0, 50, 100)]))
        assert int(state.size[0, 0]) == expected


def test_liquidation_sells_no_worse_than_bankruptcy_and_the_fund_gets_the_fee() -> None:
    """Value 40 of 10 lots at 100: bankruptcy 96.  Filled at 98: 20 above, fee 1% of 980 = 9 to the fund."""
    state = long_at_100(40, market={"liquidation_fee_ppm": 10_000})

    state, events = after(state, tick(SECOND, [100], quotes=[(2, 0, 10, 98), (2, 0, 50, 95)]))

    assert state.size[0].tolist() == [0, -10, 10]
    assert (state.cash[0], state.fund) == (40 - 20 - 9, 9)
    assert kinds(tuple(events))[-2:] == [
        (EventKind.LIQUIDATION, Reason.BELOW_MAINTENANCE),
        (EventKind.FUND, Reason.FUND_RECEIVES),
    ]


def test_nothing_is_sold_below_the_bankruptcy_price() -> None:
    """The only bid is 95, bankruptcy 96: the position stays, value 40."""
    state, _ = after(long_at_100(40), tick(SECOND, [100], quotes=[(2, 0, 50, 95)]))

    assert int(state.size[0, 0]) == 10


def test_a_partial_liquidation_closes_its_portion() -> None:
    """A tenth of 10 lots, but at least a notional of 300: 3 lots."""
    state = long_at_100(40, liquidation_portion_ppm=100_000, liquidation_min_quanta=300)

    state, _ = after(state, tick(SECOND, [100], quotes=[(2, 0, 50, 100)]))

    assert int(state.size[0, 0]) == 7


def test_the_fillable_rule_lets_the_fund_pay_down_to_its_limit() -> None:
    """dYdX: V 40, MM 50, abr 0.2, spread 1.5 x 50 x 0.2 = 15: limit 98.5 -> 98; the bid of 97 does not trade."""
    for bid, size in ((98, 0), (97, 10)):
        state = long_at_100(40, limit_price_rule="fillable")
        state, _ = after(state, tick(SECOND, [100], quotes=[(2, 0, 50, bid)]))
        assert int(state.size[0, 0]) == size


def test_a_bankrupt_account_is_deleveraged_to_zero_at_its_bankruptcy_price() -> None:
    """Long 10 from 100 with 50, mark 90: value -50.  The short closes at 95, not 90: its profit falls by 50."""
    state, events = after(long_at_100(50, fund=1_000), tick(SECOND, [90]))

    assert state.size[0].tolist() == [0, 0, 0]
    assert state.cash.tolist() == [0, 10_000 + 50, 100_000]
    assert state.fund == 1_000  # accounts below zero are deleveraged without the fund
    assert (EventKind.DELEVERAGING, Reason.BANKRUPT) in kinds(tuple(events))


def test_at_the_mark_the_fund_pays_the_deficit_and_the_rest_is_shared() -> None:
    """As above at the mark 90: the short keeps 100, the deficit of 50 is 30 from the fund, 20 from positions."""
    state = with_positions(long_at_100(50, fund=30, deleveraging_price="mark"), [(2, 1, 10, 90)])

    state, events = after(state, tick(SECOND, [90]))

    assert state.fund == 0
    assert int(state.cash[0]) == 0
    shared = [(e.account, e.quanta) for e in events if e.kind == EventKind.SOCIALISATION]
    assert shared == [(1, -10), (2, -10)]  # 10 lots each are left open


def test_a_fund_that_goes_first_lifts_the_account_and_winners_lose_nothing() -> None:
    """The fund pays 50, then the position is closed at the mark, which is its bankruptcy price."""
    state, _ = after(long_at_100(50, fund=60, fund_before_deleveraging=True), tick(SECOND, [90]))

    assert state.fund == 10
    assert state.cash.tolist() == [0, 10_000 + 100, 100_000]


def test_bad_debt_without_a_position_is_no_liquidation_and_the_fund_pays() -> None:
    """Cash -10, no position: the fund pays 10.  [risk.md 7.1]"""
    state = opened(venue(), [0, 100], fund=15)
    state = replace(state, cash=ints([-10, 110]))

    state, events = after(state, tick(SECOND, [100]))

    assert (state.fund, int(state.cash[0])) == (5, 0)
    assert kinds(tuple(events))[-1] == (EventKind.FUND, Reason.BAD_DEBT)


def test_the_backstop_takes_position_and_margin_below_two_thirds() -> None:
    """MM 50: value 33 goes to the vault (99 < 100), value 34 waits.  The user keeps nothing.  [risk.md 7.5]"""
    for deposit, size, cash in ((33, 0, 0), (34, 10, 34 - 1_000)):
        state, _ = after(long_at_100(deposit, backstop_account=2), tick(SECOND, [100]))
        assert (int(state.size[0, 0]), int(state.cash[0])) == (size, cash)


def test_funding_moves_cash_from_longs_to_shorts_and_dust_to_the_fund() -> None:
    """Premium 0, interest 1 bp per 8 h, hourly: 10,000 x 1e-4 / 8 = 0.125 quanta."""
    params = venue(market(funding_interval_ns=60 * MINUTE))
    state = with_positions(opened(params, [5_000, 5_000]), [(0, 1, 100, 100)])

    state, events = after(state, tick(SECOND, [100]), tick(60 * MINUTE, [100]))

    assert (state.cash + 100 * 100 * ints([1, -1])).tolist() == [4_999, 5_000]
    assert state.fund == 1
    assert [e.lots for e in events if e.kind == EventKind.FUNDING] == [100_000]


def test_a_fresh_source_is_needed_and_a_stale_market_halts() -> None:
    """No usable source: INSUFFICIENT_DATA, a halt, and an order is rejected."""
    state, _ = after(opened(venue(), [100, 10_000]), tick(SECOND, [100]))

    state, events = after(
        state, tick(2 * SECOND, [100], quotes=[(1, 0, -5, 100)], taken=[(0, 0, 1, 100)], age_ns=11 * SECOND)
    )

    assert state.markets[0].oracle_state == OracleState.INSUFFICIENT_DATA
    assert state.markets[0].breaker == BreakerLevel.HALT
    assert kinds(tuple(events))[-1] == (EventKind.REJECTION, Reason.HALTED)


def test_a_halt_that_stops_liquidations_traps_them_and_the_variant_does_not() -> None:
    """A fall of 20% in five minutes halts; the deficit waits for the reopening, or is closed at once."""
    for stops, size in ((True, 10), (False, 0)):
        state = long_at_100(150, halt_return_5min_ppm=100_000, halt_stops_liquidations=stops)
        state, _ = after(state, tick(SECOND, [100]), tick(6 * MINUTE, [80]))
        assert state.markets[0].breaker == BreakerLevel.HALT
        assert int(state.size[0, 0]) == size


def test_slow_mode_lets_orders_reduce_only() -> None:
    """Divergence is not reachable with an oracle mark; a one-minute return beyond five sigmas is."""
    params = venue(market(sigma_1min_ppm=1_000))
    state = with_positions(opened(params, [10_000, 10_000, 10_000]), [(0, 1, 10, 100)])
    quotes = [(2, 0, 50, 101), (2, 0, -50, 101)]

    state, _ = after(state, tick(SECOND, [100]))
    state, events = after(
        state, tick(2 * MINUTE, [101], quotes=quotes, taken=[(0, 0, 5, 101), (0, 0, -20, 101), (2, 0, 5, 110)])
    )

    assert state.markets[0].breaker == BreakerLevel.SLOW
    assert state.size[0].tolist() == [0, -10, 10]  # the sale is cut to 10
    assert [r for k, r in kinds(tuple(events)) if k == EventKind.REJECTION] == [Reason.REDUCE_ONLY] * 2


def test_a_limit_is_cut_at_the_band_and_makers_outside_do_not_trade() -> None:
    """Band 5%: quotes at 106 are not reached by a limit of 200; those at 105 are."""
    params = venue(market(band_up_ppm=50_000, band_down_ppm=50_000))
    state, _ = after(
        opened(params, [10_000, 10_000]),
        tick(SECOND, [100], quotes=[(1, 0, -5, 106), (1, 0, -2, 105)], taken=[(0, 0, 7, 200)]),
    )

    assert int(state.size[0, 0]) == 2


def test_withdrawals_leave_initial_margin_and_fit_the_limiter() -> None:
    """100 of value, IM 0: 60 fit a capacity of 60, 61 do not; with 5 lots (IM 50) only 50 may go."""
    params = venue(withdrawal_min_quanta=60, withdrawal_tvl_ppm=0)
    for amount, cash in ((60, 40), (61, 100)):
        state, _ = after(opened(params, [100]), tick(SECOND, [100], moved=[(0, -amount)]))
        assert int(state.cash[0]) == cash
    for amount, moved in ((50, 50), (51, 0)):
        state = with_positions(opened(venue(), [100, 100]), [(0, 1, 5, 100)])
        new, _ = after(state, tick(SECOND, [100], moved=[(0, -amount)]))
        assert int(state.cash[0] - new.cash[0]) == moved


def test_deposits_enter_the_ledger() -> None:
    state, _ = after(opened(venue(), [100]), tick(SECOND, [100], moved=[(0, 25)]))

    assert (int(state.cash[0]), state.net_deposits) == (125, 125)


def test_a_tightening_takes_effect_at_the_next_event_within_its_rate() -> None:
    """+20% an hour: after one minute of elapsed time at most +0.33%."""
    asked = Proposal("test", 0, "initial_multiplier_ppm", 2_000_000, "why")
    state, events = after(opened(venue(), [100]), tick(MINUTE, [100], proposals=(asked,)))

    assert state.params.markets[0].initial_multiplier_ppm == 1_000_000 + 3_333
    assert kinds(tuple(events))[-1] == (EventKind.PARAMETER, Reason.MODULE_PROPOSAL)


def test_a_loosening_waits_a_whole_delay_and_a_tightening_ends_the_wait() -> None:
    """From 2x toward 1x: nothing for an hour, then -2% an hour of elapsed time."""
    params = venue(market(initial_multiplier_ppm=2_000_000))
    loose = Proposal("test", 0, "initial_multiplier_ppm", 1_000_000, "calm")
    tight = Proposal("other", 0, "initial_multiplier_ppm", 2_000_000, "not calm")
    state = opened(params, [100])

    state, _ = after(state, tick(SECOND, [100], proposals=(loose,)), tick(2 * SECOND, [100], proposals=(loose,)))
    assert state.params.markets[0].initial_multiplier_ppm == 2_000_000
    assert [q.due_ns for q in state.queue] == [SECOND + LOOSEN_DELAY_NS]
    late = SECOND + LOOSEN_DELAY_NS
    state, _ = after(state, tick(late - 60 * SECOND, [100]), tick(late, [100], proposals=(loose,)))
    assert state.params.markets[0].initial_multiplier_ppm == 2_000_000 - 2_000_000 * 2 // 100 * 60 // 3_600 - 0
    state, _ = after(state, tick(late + SECOND, [100], proposals=(loose, tight)))
    assert state.queue == ()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"time_ns": -1}, "prices must not go back in time"),
        ({"last_ticks": ints([-5])}, "tick.last_ticks: expected 1 prices >= 0"),
        ({"source_bid_ticks": ints([99])}, r"tick.source_bid_ticks: expected \[1 markets, sources\], was \[1\]"),
    ],
)
def test_a_tick_that_cannot_follow_is_refused(change: dict, message: str) -> None:
    """The error names the key and the value."""
    with pytest.raises(DataError, match=message):
        step(opened(venue(), [100]), replace(tick(SECOND, [100]), **change))


def test_an_order_of_an_unknown_account_is_refused() -> None:
    with pytest.raises(DataError, match=r"tick.orders: expected accounts in 0..0, was \[3\]"):
        step(opened(venue(), [100]), tick(SECOND, [100], taken=[(3, 0, 1, 100)]))


def test_an_account_that_does_not_balance_is_found() -> None:
    """One quantum too many is I1, one lot too many I2, each named with its figures."""
    state = opened(venue(), [100, 100])
    new, events = step(state, tick(SECOND, [100]))

    with pytest.raises(DataError, match=r"I1: .* 1 quanta too many"):
        check(state, tick(SECOND, [100]), replace(new, cash=ints([101, 100])), events)
    with pytest.raises(DataError, match="I2: market 0: positions sum to 1 lots"):
        check(state, tick(SECOND, [100]), replace(new, size=ints([[1, 0]])), events)


def test_a_step_changes_neither_argument() -> None:
    """Same inputs, same outputs; the state that came in is the state that was."""
    state = long_at_100(40)
    before = state.cash.tolist(), state.size.tolist()
    one = tick(SECOND, [100], quotes=[(2, 0, 50, 100)])

    first, second = step(state, one), step(state, one)

    assert first[1] == second[1]
    assert first[0].cash.tolist() == second[0].cash.tolist()
    assert (state.cash.tolist(), state.size.tolist()) == before
    assert not first[0].cash.flags.writeable


def test_a_run_hands_proposals_to_the_next_event() -> None:
    """A module that sees the first event moves parameters at the second."""

    def module(view: object) -> tuple[Proposal, ...]:
        return (Proposal("always", 0, "initial_multiplier_ppm", 3_000_000, "test"),)

    multipliers = [
        s.params.markets[0].initial_multiplier_ppm
        for s, _ in run(opened(venue(), [100]), [tick(MINUTE, [100]), tick(2 * MINUTE, [100])], [module])
    ]

    assert multipliers == [1_000_000, 1_003_333]


def test_brackets_apply_to_values() -> None:
    """MM 5% to 500, 10% above: 10 lots at 100 need 25 + 50 = 75."""
    table = Brackets((0, 500), (50_000, 100_000), (100_000, 200_000))
    for deposit, size in ((75, 10), (74, 0)):
        state = long_at_100(deposit, market={"brackets": table})
        state, _ = after(state, tick(SECOND, [100], quotes=[(2, 0, 50, 100)]))
        assert int(state.size[0, 0]) == size
