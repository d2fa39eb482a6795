"""Margin and shared depth: who is refused, what each pays of a book, and that the future changes neither."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import UsageError
from engine.market.view import PreparedPanel, prepare
from engine.positions.base import Position
from engine.positions.portfolio import margin_usd, settle_portfolio
from engine.records import ExitReason, Right
from engine.units import MICRO, NS_PER_DAY, NS_PER_HOUR
from tests.helpers.builders import T0_NS, curves, instruments, option, panel, params, perp, quote, spot
from tests.helpers.positions import resolved, signal

SPOT, PERP = "binance:BTCUSDC", "binance:BTCUSDC-PERP"


def view(rows: int = 40, size: float = 2.0, **changes: object) -> PreparedPanel:
    """Half an hour a row; the perp is 1% over spot and never moves."""
    times = T0_NS + np.arange(rows, dtype=np.int64) * (NS_PER_HOUR // 2)
    table = instruments(spot(SPOT), perp(PERP))
    sizes = {"bid_size": size, "ask_size": size}
    block = panel(table, {SPOT: quote(100_000.0, **sizes), PERP: quote(101_000.0, rate=0.0, **sizes)}, times_ns=times)
    return prepare(block, params(grid_ns=NS_PER_HOUR // 2, **changes), curves())


def position(
    market: PreparedPanel, row: int, *, lasts: int = 4, net: float = 50.0, usd: float = 25_000.0, name: str = ""
) -> Position:
    """A cash-and-carry decided at ``row``, entered at the next and left ``lasts`` rows after."""
    made = signal(market, row, {PERP: -1.0, SPOT: 1.0}, net_bps=net, size_usd=usd, signal_id=name or f"id-{row:03d}")
    rule = {**market.params.rules}
    rule["C1"] = replace(rule["C1"], life_ns=(1 + lasts) * (NS_PER_HOUR // 2))
    found = resolved(made, replace(market, params=replace(market.params, rules=rule)))
    assert found.reason is ExitReason.HORIZON
    return found


def trades(market: PreparedPanel, positions: list[Position]) -> dict[str, object]:
    return {
        t.position.signal.signal_id: t for t in settle_portfolio(positions, market.panel.instruments, market.params)
    }


def test_a_signal_beyond_the_capital_is_refused_and_never_traded_later() -> None:
    """Each needs 25,000 of spot and 20% of 25,250 of perp; 61,000 USD hold two, and the third when one has ended."""
    market = view(capital_usd=61_000)
    made = [position(market, row) for row in (0, 1, 2, 5)]
    found = settle_portfolio(made, market.panel.instruments, market.params)

    assert margin_usd(made[0], market.panel.instruments, market.params) == pytest.approx(30_050.0)
    assert [t.rejected for t in found] == ["", "", "margin", ""]
    assert found[2].net == 0
    assert found[2].accruals == {}


def test_margin_is_free_again_at_the_time_of_the_exit() -> None:
    """A position that ends at t does not stand in the way of a signal at t."""
    market = view(capital_usd=31_000)
    first = position(market, 0)
    row = int(np.searchsorted(market.panel.times_ns, first.exit_ns))
    found = settle_portfolio(
        [first, position(market, row - 1), position(market, row)], market.panel.instruments, market.params
    )

    assert [t.rejected for t in found] == ["", "margin", ""]


def test_signals_of_one_time_compete_in_the_order_of_their_ids() -> None:
    """(t0, signal id), whatever their net.  [statistics R1.3]"""
    market = view(capital_usd=31_000)
    found = settle_portfolio(
        [position(market, 0, name="b", net=90.0), position(market, 0, name="a", net=20.0)],
        market.panel.instruments,
        market.params,
    )

    assert [(t.position.signal.signal_id, t.rejected) for t in found] == [("a", ""), ("b", "margin")]


def test_options_need_their_premium_and_a_short_one_a_share_of_the_underlying_too() -> None:
    """0.25 coin: long 0.05 coin of premium; short 15% of 25,000 USD plus 0.1 coin of premium."""
    expiry = T0_NS + NS_PER_DAY
    table = instruments(
        spot(SPOT), option("deribit:A", expiry, 9e4, Right.CALL), option("deribit:B", expiry, 8e4, Right.CALL)
    )
    quotes = {SPOT: quote(1e5), "deribit:A": quote(0.05, index=1e5), "deribit:B": quote(0.1, index=1e5)}
    market = prepare(panel(table, quotes, rows=2), params(), curves())
    made = signal(market, 0, {"deribit:A": 1.0, "deribit:B": -1.0}, constraint="C7")
    held = replace(position(view(), 0), signal=made)

    assert margin_usd(held, table, market.params) == pytest.approx(1_250.0 + 2_500.0 + 3_750.0)


def test_the_second_signal_on_a_book_pays_for_the_depth_the_first_has_taken() -> None:
    """(s/D)(X2^2 - X1^2): with equal X three times the first one's impact, at entry and at exit alike."""
    market = view()
    alone = trades(market, [position(market, 0)])["id-000"]
    both = trades(market, [position(market, 0), position(market, 1, lasts=10)])
    later = trades(market, [position(market, 1, lasts=10)])["id-001"]

    # impact of 25,250 of 2 x 101,000 and 25,000 of 2 x 100,000 at the touch, entry and exit, 1 bps of spread
    def impact(notional: float, touch: float) -> float:
        return 1e-4 * notional * notional / touch

    bid, ask = 1 - 0.5e-4, 1 + 0.5e-4
    base = impact(25_250, 202_000 * bid) + impact(25_000, 200_000 * ask)
    base_out = impact(25_250, 202_000 * ask) + impact(25_000, 200_000 * bid)
    spread = 2 * 0.5e-4 * 50_250
    assert alone.slippage == round((spread + base + base_out) * MICRO)
    assert both["id-000"].slippage == alone.slippage
    assert both["id-001"].slippage - later.slippage == pytest.approx(2 * (base + base_out) * MICRO, abs=2)


def test_a_book_is_full_again_in_the_next_refill_window() -> None:
    """Windows are aligned to UTC; after 24:00 the depth is untouched."""
    market = view(rows=60, refill_window_ns=NS_PER_DAY)
    first, second = position(market, 0), position(market, 48)
    found = trades(market, [first, second])

    assert found["id-048"].slippage == trades(market, [second])["id-048"].slippage


def test_at_one_time_the_larger_net_takes_from_the_book_first() -> None:
    """Order of depth: time, then net descending, then id."""
    market = view()
    found = trades(market, [position(market, 0, name="a", net=20.0), position(market, 0, name="b", net=90.0)])

    assert found["b"].slippage < found["a"].slippage


def test_an_exit_takes_from_the_book_when_it_happens_not_when_it_was_decided() -> None:
    """A, decided first, buys the perp back after B has bought it: B pays for an untouched ask, A for what B left."""
    market = view()
    a = position(market, 0, lasts=20, name="a")
    opposite = signal(market, 5, {PERP: 1.0, SPOT: -1.0}, net_bps=50.0, signal_id="b")
    rules = {**market.params.rules, "C1": replace(market.params.rules["C1"], life_ns=4 * NS_PER_HOUR)}
    held = replace(market.params, rules=rules, exit_share=-100.0, stop_multiple=100.0)
    b = resolved(opposite, replace(market, params=held))
    assert a.entry_ns < b.entry_ns < b.exit_ns < a.exit_ns

    alone, both = trades(market, [a])["a"], trades(market, [a, b])
    impact = 2 * 1e-4 * (25_250**2 / (202_000 * (1 + 0.5e-4)) + 25_000**2 / (200_000 * (1 - 0.5e-4)))
    assert both["a"].slippage - alone.slippage == pytest.approx(impact * MICRO, abs=2)
    only = trades(market, [b])["b"]
    left = 2 * 1e-4 * (25_250**2 / (202_000 * (1 - 0.5e-4)) + 25_000**2 / (200_000 * (1 + 0.5e-4)))
    assert both["b"].slippage - only.slippage == pytest.approx(left * MICRO, abs=2)


def test_an_id_that_repeats_is_refused() -> None:
    """Two positions of one id cannot both be booked."""
    market = view()
    with pytest.raises(UsageError, match="distinct signal ids"):
        settle_portfolio([position(market, 0), position(market, 0)], market.panel.instruments, market.params)


entries = st.lists(
    st.tuples(st.integers(0, 30), st.integers(1, 8), st.sampled_from([20.0, 50.0, 90.0]), st.floats(1e3, 9e4)),
    min_size=1,
    max_size=10,
)


@settings(deadline=None, max_examples=25)
@given(entries, st.randoms(use_true_random=False), st.integers(0, 9))
def test_order_changes_nothing_and_what_comes_later_changes_nothing_before(drawn: list, shuffle, cut: int) -> None:  # type: ignore[no-untyped-def, type-arg]
    """Any permutation gives the same trades; without the signals of the last times, entries before cost the same."""
    market = view(capital_usd=120_000)
    made = [
        position(market, row, lasts=lasts, net=net, usd=usd, name=f"{n:02d}")
        for n, (row, lasts, net, usd) in enumerate(drawn)
    ]
    found = settle_portfolio(made, market.panel.instruments, market.params)
    shuffled = list(made)
    shuffle.shuffle(shuffled)
    assert settle_portfolio(shuffled, market.panel.instruments, market.params) == found

    last = sorted(p.signal.t_ns for p in made)[min(cut, len(made) - 1)]
    kept = [p for p in made if p.signal.t_ns <= last]
    earlier = trades(market, kept)
    for trade in found:
        name, exit_ns = trade.position.signal.signal_id, trade.position.exit_ns
        if name in earlier:
            assert earlier[name].rejected == trade.rejected
            if exit_ns <= last:
                assert earlier[name] == trade


@settings(deadline=None, max_examples=25)
@given(entries)
def test_shares_of_a_book_add_up_to_the_charge_on_the_total(drawn: list) -> None:  # type: ignore[type-arg]
    """Sum of (s/D)(after^2 - before^2) = (s/D) total^2 where spread and depth do not change.  [statistics R1.5, 7.2]"""
    market = view(capital_usd=10**9, refill_window_ns=10 * NS_PER_DAY)
    made = [
        position(market, row, lasts=lasts, net=net, usd=usd, name=f"{n:02d}")
        for n, (row, lasts, net, usd) in enumerate(drawn)
    ]
    found = settle_portfolio(made, market.panel.instruments, market.params)
    total = sum(usd for *_, usd in drawn)
    bid, ask = 1 - 0.5e-4, 1 + 0.5e-4
    sides = [(1.01, 202_000 * bid), (1.0, 200_000 * ask), (1.01, 202_000 * ask), (1.0, 200_000 * bid)]
    impact = sum(1e-4 * (weight * total) ** 2 / touch for weight, touch in sides)
    spread = 2 * 0.5e-4 * 2.01 * total

    assert sum(t.slippage for t in found) == pytest.approx((impact + spread) * MICRO, rel=1e-9, abs=4 * len(found))
