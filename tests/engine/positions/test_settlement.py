"""Money by hand: a cash-and-carry with funding, a parity held to expiry, an inverse perp, a gap, a forced close.

Rules: [S4.6, S4.7].
"""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.market.view import PreparedPanel, prepare
from engine.positions.base import Position, Trade
from engine.positions.exits import advance_one, force_close
from engine.positions.settlement import settle
from engine.records import ExitReason, Feed, Right
from engine.units import NS_PER_DAY, NS_PER_HOUR
from tests.helpers.builders import T0_NS, curves, future, instruments, option, panel, params, perp, quote, rules, spot
from tests.helpers.positions import carried, resolved, signal

DAY = T0_NS // NS_PER_DAY
HOURLY = 3_600 * 10**9
SPOT, PERP = "binance:BTCUSDC", "binance:BTCUSDC-PERP"


def hours(*at: float) -> np.ndarray:
    return T0_NS + np.array([int(h * NS_PER_HOUR) for h in at], dtype=np.int64)


def money(position: Position, view: PreparedPanel, entry: float = 0.0, exit_: float = 0.0) -> Trade:
    """The settled trade where each leg paid the same impact, USD."""
    legs = len(position.entry)
    return settle(position, view.panel.instruments, view.params, (entry,) * legs, (exit_,) * legs)


def micro(usd: str) -> int:
    return int((Decimal(usd) * 1_000_000).to_integral_value())


def carry_block(times: np.ndarray, spots: list[float], perps: list[float], **changes: object) -> PreparedPanel:
    table = instruments(spot(SPOT), perp(PERP))
    block = panel(
        table,
        {SPOT: quote(spots, spread_bps=2.0), PERP: quote(perps, spread_bps=1.0, rate=1e-4, **changes)},
        times_ns=times,
    )
    return prepare(block, params(grid_ns=0, exit_latency_ns=0), curves())


def test_a_cash_and_carry_with_funding_settles_to_the_micro_dollar_computed_by_hand() -> None:
    """Entry 07:00 (signal 06:00), settlement 08:00, exit 09:00, then the same over midnight with a mark."""
    view = carry_block(
        hours(6, 7, 8, 9),
        [100_000.0, 100_000.0, 100_400.0, 100_500.0],
        [101_000.0, 101_000.0, 101_200.0, 100_600.0],
        funding_paid=[0.0, 0.0, 1e-4, 0.0],
    )
    position = resolved(signal(view, 0, {PERP: -1.0, SPOT: 1.0}), view)
    trade = money(position, view, entry=0.25, exit_=0.125)

    assert (position.reason, position.entry_ns, position.exit_ns) == (ExitReason.CONVERGED, *hours(7, 9))
    # 0.25 BTC: spot +500, perp -1.0 x (100,600 - 101,000) = +400 a coin
    assert trade.gross == micro("225")
    # 5 bps of 25,250 and 10 bps of 25,000 in; 5 bps of 25,150 and 10 bps of 25,125 out
    assert trade.fees == micro("12.625") + micro("25") + micro("12.575") + micro("25.125")
    # half of 1 bps of the perp's, half of 2 bps of the spot's notional, each way; impact as given
    assert trade.slippage == micro("1.2625") + micro("2.5") + micro("1.2575") + micro("2.5125") + micro("0.75")
    # the short receives 1 bp of 0.25 x 101,200 at 08:00
    assert trade.funding == micro("2.53")
    assert trade.borrow == 0
    assert trade.net == trade.gross - trade.fees - trade.slippage + trade.funding
    assert trade.accruals == {DAY: trade.net}
    assert trade.modelled == micro("125")


def test_each_day_earns_what_happened_on_it() -> None:
    """Value change up to the 24:00 mark, entry costs and funding at 00:00 of the next day fall where they belong."""
    view = carry_block(
        hours(21, 22, 23),
        [100_000.0] * 3,
        [101_000.0, 101_000.0, 100_800.0],
    )
    later = carry_block(
        hours(24, 25),
        [100_000.0] * 2,
        [100_700.0, 100_100.0],
        funding_paid=[-2e-4, 0.0],
    )
    position = resolved(signal(view, 0, {PERP: -1.0, SPOT: 1.0}), view, later)
    trade = money(position, view)

    assert [mark.day for mark in position.marks] == [DAY]
    assert position.marks[0].price == (100_700.0, 100_000.0)
    entry = micro("12.625") + micro("25") + micro("1.2625") + micro("2.5")
    funding = -micro("5.035")  # the short pays 2 bps of 0.25 x 100,700 at 00:00
    leaving = micro("12.5125") + micro("25") + micro("1.25125") + micro("2.5")
    assert trade.accruals == {DAY: micro("75") - entry, DAY + 1: micro("150") + funding - leaving}
    assert trade.net == sum(trade.accruals.values())


def test_borrow_runs_by_the_time_a_spot_is_short() -> None:
    """5% a year of the entry notional, two hours on the first day and one on the next."""
    view = carry_block(hours(21, 22), [100_000.0] * 2, [99_000.0] * 2)
    later = carry_block(hours(24, 25), [100_000.0] * 2, [99_100.0, 100_000.0])
    position = resolved(signal(view, 0, {PERP: 1.0, SPOT: -1.0}), view, later)
    trade = money(position, view)

    assert trade.borrow == round(25_000 * 0.05 * 3 / 8760 * 1e6)
    assert sum(trade.accruals.values()) == trade.net


def test_every_hour_that_has_started_is_borrowed_in_full() -> None:
    """Entered at 22:00 and left at 24:30: two hours on the first day, the third on the next."""
    view = carry_block(hours(21, 22), [100_000.0] * 2, [99_000.0] * 2)
    later = carry_block(hours(24, 24.5), [100_000.0] * 2, [99_100.0, 100_000.0])
    position = resolved(signal(view, 0, {PERP: 1.0, SPOT: -1.0}), view, later)
    trade = money(position, view)

    assert position.exit_ns - position.entry_ns == 5 * NS_PER_HOUR // 2
    assert trade.borrow == round(25_000 * 0.05 * 3 / 8760 * 1e6)


def test_a_settlement_at_the_very_time_of_entry_or_exit_is_not_paid() -> None:
    """Funding is paid only by a position held strictly through it."""
    view = carry_block(
        hours(7, 8, 16),
        [100_000.0] * 3,
        [101_000.0, 101_000.0, 100_000.0],
        funding_paid=[0.0, 1e-4, 1e-4],
    )
    position = resolved(signal(view, 0, {PERP: -1.0, SPOT: 1.0}), view)

    assert (position.entry_ns, position.exit_ns) == tuple(hours(8, 16))
    assert position.funding == ()


def test_a_missing_settlement_is_flagged_and_pays_nothing() -> None:
    """Never zero silently: the record stays, with a NaN rate."""
    view = carry_block(
        hours(6, 7, 8, 9),
        [100_000.0] * 4,
        [101_000.0] * 3 + [100_000.0],
        funding_paid=[0.0, 0.0, np.nan, 0.0],
    )
    position = resolved(signal(view, 0, {PERP: -1.0, SPOT: 1.0}), view)

    assert len(position.funding) == 1
    assert position.funding[0].flagged
    assert np.isnan(position.funding[0].rate)
    assert position.flags == ("funding_missing",)
    assert money(position, view).funding == 0


def test_funding_without_a_venue_mark_is_paid_on_the_close_and_flagged() -> None:
    """The close stands in for the mark, and says so."""
    view = carry_block(
        hours(6, 7, 8, 9),
        [100_000.0] * 4,
        [101_000.0] * 3 + [100_000.0],
        funding_paid=[0.0, 0.0, 1e-4, 0.0],
        mark=np.nan,
    )
    position = resolved(signal(view, 0, {PERP: -1.0, SPOT: 1.0}), view)

    assert position.flags == ("funding_price",)
    assert position.funding[0].price_usd == pytest.approx(101_000.0)


EXPIRY = T0_NS + 8 * NS_PER_HOUR
CALL, PUT, DATED = "deribit:C", "deribit:P", "deribit:F"


def parity_block(settlement: float, index: float = 100_000.0, *, inverse: bool = True) -> PreparedPanel:
    """A call, a put and the dated future of K = 90,000, quoted until 08:00 and settled there."""
    quoted = "BTC" if inverse else "USDC"
    table = instruments(
        spot(SPOT),
        option(CALL, EXPIRY, 90_000.0, Right.CALL, quote=quoted, settle=quoted),
        option(PUT, EXPIRY, 90_000.0, Right.PUT, quote=quoted, settle=quoted),
        future(DATED, EXPIRY, inverse=inverse, quote="USD" if inverse else "USDC"),
    )
    scale = 1.0 if inverse else 100_000.0
    settled = [np.nan, np.nan, settlement]
    block = panel(
        table,
        {
            SPOT: quote([100_000.0, 100_000.0, settlement if settlement > 0 else index]),
            CALL: quote([0.11 * scale] * 3, index=index, settlement=settled),
            PUT: quote([0.005 * scale] * 3, index=index, settlement=settled),
            DATED: quote([100_000.0] * 3, index=index, settlement=settled),
        },
        times_ns=hours(6, 7, 8),
    )
    return prepare(block, params(grid_ns=0, exit_latency_ns=0), curves())


@pytest.mark.parametrize("settled", [60_000.0, 90_000.0, 140_000.0])
def test_parity_in_coin_held_to_expiry_locks_the_gap_whatever_the_settlement(settled: float) -> None:
    """C - p - (1 - K/F) = 0.005 coin is earned in coin and converted at the settlement price.  [risk.md 17.3]"""
    view = parity_block(settled)
    legs = {CALL: -1.0, PUT: 1.0, DATED: 0.9}  # sell the call, buy the put, buy K USD of future
    position = resolved(signal(view, 0, legs, constraint="C3", gross_bps=50.0), view)
    trade = money(position, view)

    assert (position.reason, position.exit_ns) == (ExitReason.EXPIRED, EXPIRY)
    assert position.expired == (True, True, True)
    assert trade.gross == micro(str(0.25 * settled)) * 5 // 1000
    assert position.flags == ()
    # delivery: options 1.5 bps of the underlying, at most 12.5% of value; future 2.5 bps of its 22,500 USD
    value = max(0.0, settled - 90_000.0), max(0.0, 90_000.0 - settled)
    delivery = sum(min(0.25 * settled * 1.5e-4, 0.125 * 0.25 * v) for v in value) + 22_500 * 2.5e-4
    entry = 0.25 * 100_000 * 3e-4 + min(0.25 * 100_000 * 3e-4, 0.125 * 0.005 * 25_000) + 22_500 * 5e-4
    assert trade.fees == pytest.approx((entry + delivery) * 1e6, abs=1.0)


def test_options_and_futures_in_dollars_settle_in_dollars() -> None:
    """C - P - (F - K) of 500 USD a coin is earned whatever the settlement price."""
    view = parity_block(72_000.0, inverse=False)
    position = resolved(signal(view, 0, {CALL: -1.0, PUT: 1.0, DATED: 1.0}, constraint="C3"), view)

    assert money(position, view).gross == micro("125")


def test_without_a_settlement_price_the_index_then_is_used_and_flagged() -> None:
    """The venue's index at expiry stands in, and the position says so."""
    view = parity_block(np.nan, index=120_000.0)
    position = resolved(signal(view, 0, {CALL: -1.0, PUT: 1.0, DATED: 0.9}, constraint="C3"), view)

    assert position.flags == ("settlement_from_index",)
    assert position.exit_price[0] == pytest.approx(0.25)


def test_an_inverse_perp_earns_n_times_the_difference_of_inverse_prices_in_coin() -> None:
    """N (1/E - 1/M) coin of each day, converted at that day's last index and never revalued.  [risk.md 0.2]"""
    name = "deribit:BTC-PERPETUAL"
    table = instruments(spot(SPOT), perp(name, quote="USD", settle="BTC", inverse=True))
    registered = params(grid_ns=0, exit_latency_ns=0, rules=rules(life_ns=4 * NS_PER_HOUR), quarantine_mid=10.0)

    def block(at: np.ndarray, price: list[float], index: list[float]) -> PreparedPanel:
        quotes = {SPOT: quote([100_000.0] * len(at)), name: quote(price, index=index)}
        return prepare(panel(table, quotes, times_ns=at), registered, curves())

    first = block(hours(22, 23), [80_000.0, 100_000.0], [99_000.0, 99_500.0])
    second = block(hours(24, 26), [125_000.0, 100_000.0], [124_000.0, 98_000.0])
    made = signal(first, 0, {name: 1.0}, gross_bps=1e6, net_bps=1e6)
    position = resolved(made, first, second)
    trade = money(position, first)

    # n = 0.25 x 80,000 USD as decided, kept as contracts although it is filled at 100,000
    contracts = 20_000.0
    first_day = contracts * (1 / 100_000 - 1 / 125_000) * 124_000
    second_day = contracts * (1 / 125_000 - 1 / 100_000) * 98_000
    assert position.entry[0].quantity == pytest.approx(0.8)
    assert trade.gross == round((first_day + second_day) * 1e6)
    assert trade.fees == round(2 * contracts * 5e-4 * 1e6)


def test_a_leg_without_a_quote_at_the_horizon_is_marked_at_its_last_one_with_the_haircut() -> None:
    """``data_gap``: half-spread, fee and 50 bps on the last usable mid of the lost leg."""
    table = instruments(spot(SPOT), perp(PERP))
    at = hours(0, 1, 24)
    block = panel(
        table,
        {
            SPOT: quote([100_000.0] * 3, spread_bps=2.0),
            PERP: quote([101_000.0, 101_000.0, 90_000.0], rate=1e-4, age_ns=[0, 0, NS_PER_HOUR]),
        },
        times_ns=at,
    )
    view = prepare(block, params(grid_ns=0, exit_latency_ns=0), curves())
    position = resolved(signal(view, 0, {PERP: -1.0, SPOT: 1.0}), view)
    trade = money(position, view)

    assert (position.reason, position.gap) == (ExitReason.DATA_GAP, (True, False))
    assert trade.gross == 0
    assert trade.slippage == 2 * micro("1.2625") + 2 * micro("2.5") + micro("126.25")


def test_what_is_open_when_the_window_ends_is_closed_at_the_last_mark_in_its_last_day() -> None:
    """Full exit cost, forced, and nothing accrues after the window.  [statistics R1.8]"""
    view = carry_block(hours(20, 21, 22), [100_000.0] * 3, [101_000.0, 101_000.0, 100_900.0])
    held = carried(signal(view, 0, {PERP: -1.0, SPOT: 1.0}), view)
    (position,) = force_close((held,), T0_NS + NS_PER_DAY, view.params)
    trade = money(position, view)

    assert position.forced
    assert position.exit_ns == T0_NS + NS_PER_DAY - 1
    assert trade.gross == micro("25")
    assert set(trade.accruals) == {DAY}
    assert trade.slippage > micro("7.4")


def test_bars_pay_the_registered_fallback_in_place_of_spread_and_depth() -> None:
    """A close knows no spread: 2 bps a side of spot and perp.  [S3.3]"""
    table = instruments(spot(SPOT, feed=Feed.BAR, bar_ns=HOURLY), perp(PERP, feed=Feed.BAR, bar_ns=HOURLY))
    close = {"bid_size": np.nan, "ask_size": np.nan}
    block = panel(
        table,
        {
            SPOT: quote([100_000.0] * 3, spread_bps=0.0, **close),
            PERP: quote([101_000.0, 101_000.0, 100_000.0], spread_bps=0.0, rate=1e-4, **close),
        },
        times_ns=hours(0, 1, 2),
    )
    view = prepare(block, params(grid_ns=0, exit_latency_ns=0), curves())
    position = resolved(signal(view, 0, {PERP: -1.0, SPOT: 1.0}), view)

    assert money(position, view).slippage == micro("5.05") + micro("5") + micro("5") + micro("5")


seeds = st.integers(0, 2**32 - 1)


@settings(deadline=None, max_examples=25)
@given(seeds, st.booleans(), st.booleans())
def test_accruals_sum_to_the_net_and_the_net_to_its_terms(seed: int, sell: bool, inverse: bool) -> None:
    """For any path, exactly, whatever the days; and every accrual lies between entry and exit.  [statistics R1.4]"""
    draw = np.random.default_rng(seed)
    spots, perps = draw.uniform(50_000.0, 150_000.0, (2, 80))
    paid = draw.choice([0.0, 1e-4, -3e-4], 80)
    table = instruments(spot(SPOT), perp(PERP, inverse=inverse, quote="USD" if inverse else "USDC"))
    registered = params(
        grid_ns=0, rules=rules(life_ns=3 * NS_PER_DAY), quarantine_mid=10.0, exit_share=-100.0, stop_multiple=100.0
    )
    views = []
    for day in range(4):
        cut = slice(20 * day, 20 * day + 20)
        block = panel(
            table,
            {SPOT: quote(spots[cut]), PERP: quote(perps[cut], rate=1e-4, funding_paid=paid[cut], index=spots[cut])},
            times_ns=T0_NS + day * NS_PER_DAY + HOURLY * np.arange(20),
        )
        views.append(prepare(block, registered, curves()))
    side = 1.0 if sell else -1.0
    position = resolved(signal(views[0], 3, {PERP: -side, SPOT: side}, gross_bps=1e6), *views)
    trade = money(position, views[0], entry=0.123456789, exit_=1.0 / 3.0)

    assert trade.net == trade.gross - trade.fees - trade.slippage + trade.funding - trade.borrow
    assert sum(trade.accruals.values()) == trade.net
    assert set(trade.accruals) <= set(range(position.entry_ns // NS_PER_DAY, position.exit_ns // NS_PER_DAY + 1))
    assert len(position.marks) == 3
    if not inverse:
        earned = sum(
            leg.quantity * (price - leg.mid) for leg, price in zip(position.entry, position.exit_price, strict=True)
        )
        assert trade.gross == pytest.approx(earned * 25_000.0 / position.signal.spot_usd * 1e6, abs=2.0)


def test_a_position_already_resolved_is_not_moved_by_later_blocks() -> None:
    """Only grid times after the last one read are read: repeating a block changes nothing."""
    view = carry_block(hours(6, 7, 8), [100_000.0] * 3, [101_000.0] * 3, funding_paid=[0.0, 0.0, 1e-4])
    held = carried(signal(view, 0, {PERP: -1.0, SPOT: 1.0}), view)

    assert advance_one(held, view, view.params) == held
