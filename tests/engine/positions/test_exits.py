"""How a signal is filled and how it ends: each rule alone, and their order inside one grid time.

Rules: [S4.4, S4.5].
"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from engine.market.view import PreparedPanel, prepare
from engine.params import ForcedExit
from engine.positions.base import OpenPosition, Position, Trigger
from engine.positions.exit_fills import first_end
from engine.positions.exits import advance, advance_one, force_close, unfilled
from engine.records import ExitReason, Panel, Right
from engine.units import NS_PER_DAY, NS_PER_HOUR, NS_PER_SECOND
from tests.helpers.builders import T0_NS, curves, instruments, option, panel, params, perp, quote, rules, spot
from tests.helpers.positions import carried, resolved, signal

SPOT, PERP = "binance:BTCUSDC", "binance:BTCUSDC-PERP"
LEGS = {PERP: -1.0, SPOT: 1.0}


def block(
    perps: list[float], *, lost: tuple[int, ...] = (), life: int = 100, first: int = 0, **changes: Any
) -> PreparedPanel:
    """One value of the perp an hour over a spot at 100,000; ``lost`` rows have no usable perp."""
    table = instruments(spot(SPOT), perp(PERP))
    age = [NS_PER_DAY if row in lost else 0 for row in range(len(perps))]
    times = T0_NS + NS_PER_HOUR * np.arange(first, first + len(perps), dtype=np.int64)
    made = panel(table, {SPOT: quote(1e5), PERP: quote(perps, rate=0.0, age_ns=age)}, times_ns=times)
    registered = params(grid_ns=NS_PER_HOUR, rules=rules(life_ns=life * NS_PER_HOUR), **changes)
    return prepare(made, registered, curves())


def resolved_in_blocks(
    perps: list[float], cuts: tuple[int, ...], *, lost: tuple[int, ...] = (), **changes: Any
) -> Position:
    """The cash-and-carry of `ended`, over blocks that end before the rows ``cuts``."""
    views = [
        block(perps[a:b], first=a, lost=tuple(row - a for row in lost if a <= row < b), **changes)
        for a, b in pairwise([0, *cuts, len(perps)])
    ]
    return resolved(signal(views[0], 0, LEGS), *views)


def ended(view: PreparedPanel, **changes: object) -> tuple[str, int]:
    """Reason and hour of the exit of a cash-and-carry decided at the first row, gross 100, net 50 bps."""
    position = resolved(signal(view, 0, LEGS, **changes), view)  # type: ignore[arg-type]
    return position.reason.value, (position.exit_ns - T0_NS) // NS_PER_HOUR


def test_the_entry_is_the_first_grid_time_after_the_latency_even_if_the_gap_has_closed() -> None:
    """A gap that has reversed by then is entered, found converged and left as soon as it can be, at full cost."""
    view = block([101_000.0, 99_900.0, 100_000.0])
    position = resolved(signal(view, 0, LEGS), view)

    assert (position.reason, position.entry_ns) == (ExitReason.CONVERGED, T0_NS + NS_PER_HOUR)
    assert position.trigger == Trigger(ExitReason.CONVERGED, position.entry_ns)
    assert position.exit_ns == T0_NS + 2 * NS_PER_HOUR
    assert position.entry_gross_bps == pytest.approx(-10.0)


def test_the_gross_at_entry_is_what_is_left_of_the_decision_s() -> None:
    """100 bps at the decision, of which 40 are gone before the fill."""
    view = block([101_000.0, 100_600.0, 100_600.0])

    assert carried(signal(view, 0, LEGS), view).entry_gross_bps == pytest.approx(60.0)


def test_converged_at_a_quarter_of_the_entry_gross() -> None:
    """60 bps at entry: 16 is not enough, 15 is; filled an hour later."""
    assert ended(block([101_000.0, 100_600.0, 100_160.0, 100_150.0, 100_150.0])) == ("converged", 4)


def test_stopped_beyond_three_times_the_decision_net() -> None:
    """Net 50 bps: a loss of 150 is not beyond, 151 is; funding counts, costs do not."""
    assert ended(block([101_000.0, 101_000.0, 102_500.0, 102_510.0, 102_510.0])) == ("stopped", 4)


def test_funding_paid_counts_towards_the_stop() -> None:
    """The short pays 2 bps at 08:00 and so is stopped at a loss of 149 bps at mids."""
    perps = [101_000.0] * 8 + [101_000.0, 102_490.0, 102_490.0]
    table = instruments(spot(SPOT), perp(PERP))
    paid = [-2e-4 if row == 8 else 0.0 for row in range(len(perps))]
    times = T0_NS + NS_PER_HOUR * np.arange(len(perps), dtype=np.int64)
    made = panel(table, {SPOT: quote(1e5), PERP: quote(perps, rate=0.0, funding_paid=paid)}, times_ns=times)
    view = prepare(made, params(grid_ns=NS_PER_HOUR), curves())

    assert ended(view) == ("stopped", 10)
    assert isinstance(advance_one(unfilled(signal(block(perps), 0, LEGS)), block(perps), params()), OpenPosition)


def test_horizon_runs_from_the_decision() -> None:
    """Life of five hours from t0, not from the fill."""
    assert ended(block([101_000.0] * 9, life=5)) == ("horizon", 5)


@pytest.mark.parametrize(("last", "reason"), [(102_600.0, "stopped"), (100_100.0, "converged")])
def test_a_trigger_at_the_horizon_is_kept_and_not_filled(last: float, reason: str) -> None:
    """It comes before the horizon in the order of one grid time; its fill does not, latency or none."""
    for latency_ns in (NS_PER_SECOND, 0):
        view = block([101_000.0, 101_000.0, last], life=2, exit_latency_ns=latency_ns)
        position = resolved(signal(view, 0, LEGS), view)

        assert (position.reason, position.exit_ns) == (ExitReason.HORIZON, T0_NS + 2 * NS_PER_HOUR)
        assert position.trigger == Trigger(ExitReason(reason), T0_NS + 2 * NS_PER_HOUR)


@pytest.mark.parametrize("cuts", [(), (3,), (2, 3, 4), (1, 2, 3, 4, 5)])
@pytest.mark.parametrize(("latency_h", "filled"), [(0.0, 2), (0.001, 3), (1.0, 3), (1.001, 4)])
def test_a_trigger_is_filled_at_the_first_grid_time_after_its_latency_and_nothing_takes_it_back(
    latency_h: float, filled: int, cuts: tuple[int, ...]
) -> None:
    """Converged at 02:00 for one grid time only: filled at the mids of the fill, wherever blocks are cut."""
    perps = [101_000.0, 101_000.0, 100_100.0, 100_900.0, 101_200.0, 101_300.0]
    position = resolved_in_blocks(perps, cuts, exit_latency_ns=round(latency_h * NS_PER_HOUR))

    assert (position.reason, position.exit_ns) == (ExitReason.CONVERGED, T0_NS + filled * NS_PER_HOUR)
    assert position.exit_price == (perps[filled], 100_000.0)
    assert position.trigger == Trigger(ExitReason.CONVERGED, T0_NS + 2 * NS_PER_HOUR)


@pytest.mark.parametrize("cuts", [(), (3,), (1, 2, 3, 4)])
def test_the_first_trigger_stays_where_the_other_rule_is_met_while_it_waits(cuts: tuple[int, ...]) -> None:
    """Stopped at 02:00, converged by the time of the fill."""
    position = resolved_in_blocks([101_000.0, 101_000.0, 102_600.0, 100_000.0, 100_000.0], cuts)

    assert (position.reason, position.exit_ns) == (ExitReason.STOPPED, T0_NS + 3 * NS_PER_HOUR)


@pytest.mark.parametrize("cuts", [(), (3,), (4,), (1, 2, 3, 4, 5)])
def test_a_fill_waits_for_a_quote_of_every_leg(cuts: tuple[int, ...]) -> None:
    """The perp is lost for two grid times after the trigger."""
    perps = [101_000.0, 101_000.0, 100_100.0, 100_300.0, 100_400.0, 100_500.0]
    position = resolved_in_blocks(perps, cuts, lost=(3, 4))

    assert (position.reason, position.exit_ns) == (ExitReason.CONVERGED, T0_NS + 5 * NS_PER_HOUR)
    assert position.exit_price == (100_500.0, 100_000.0)


@pytest.mark.parametrize("cuts", [(), (3,), (1, 2, 3, 4)])
@pytest.mark.parametrize(("lost", "reason"), [((3,), "horizon"), ((3, 4), "data_gap")])
def test_the_horizon_ends_what_still_waits_by_its_own_rule(
    lost: tuple[int, ...], reason: str, cuts: tuple[int, ...]
) -> None:
    """Triggered at 02:00, no perp at 03:00, a life of four hours: its last rule, and the trigger beside it."""
    position = resolved_in_blocks([101_000.0, 101_000.0, 100_100.0, 100_300.0, 100_400.0], cuts, lost=lost, life=4)

    assert (position.reason.value, position.exit_ns) == (reason, T0_NS + 4 * NS_PER_HOUR)
    assert position.trigger == Trigger(ExitReason.CONVERGED, T0_NS + 2 * NS_PER_HOUR)
    assert position.gap == (reason == "data_gap", False)


@pytest.mark.parametrize("lost", [(), (3,)])
def test_the_end_of_the_window_closes_what_still_waits_at_its_last_mark(lost: tuple[int, ...]) -> None:
    """Triggered at the last grid time, or without a quote after it: R1.8, forced, the trigger kept."""
    perps = [101_000.0, 101_000.0, 100_100.0, 100_300.0][: 4 if lost else 3]
    view = block(perps, lost=lost)
    (position,) = force_close((carried(signal(view, 0, LEGS), view),), T0_NS + NS_PER_DAY, view.params)

    assert (position.reason, position.forced, position.exit_ns) == (ExitReason.HORIZON, True, T0_NS + NS_PER_DAY - 1)
    assert position.trigger == Trigger(ExitReason.CONVERGED, T0_NS + 2 * NS_PER_HOUR)


@pytest.mark.parametrize(("fill_h", "reason"), [(3, "converged"), (4, "expired")])
def test_an_expiry_ends_what_is_not_filled_before_it(fill_h: int, reason: str) -> None:
    """Triggered at 02:00, expiring at 04:00: filled at 03:00, or settled."""
    expiry, name = T0_NS + 4 * NS_PER_HOUR, "deribit:C"
    table = instruments(spot(SPOT), option(name, expiry, 90_000.0, Right.CALL))
    times = T0_NS + NS_PER_HOUR * np.arange(5, dtype=np.int64)
    known = {"index": 1e5, "settlement": [np.nan] * 4 + [1e5]}
    quotes = {SPOT: quote(1e5), name: quote([0.11, 0.11, 0.10, 0.10, 0.10], **known)}
    registered = params(grid_ns=NS_PER_HOUR, exit_latency_ns=(fill_h - 2) * NS_PER_HOUR)
    view = prepare(panel(table, quotes, times_ns=times), registered, curves())
    position = resolved(signal(view, 0, {name: -1.0, SPOT: 1e-9}, constraint="C7"), view)

    assert (position.reason.value, position.exit_ns) == (reason, T0_NS + fill_h * NS_PER_HOUR)
    assert position.trigger == Trigger(ExitReason.CONVERGED, T0_NS + 2 * NS_PER_HOUR)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (ExitReason.VOID, ExitReason.VENUE),
        (ExitReason.VENUE, ExitReason.EXPIRED),
        (ExitReason.EXPIRED, ExitReason.COVENANT),
        (ExitReason.COVENANT, ExitReason.STOPPED),
        (ExitReason.COVENANT, ExitReason.CONVERGED),
        (ExitReason.STOPPED, ExitReason.CONVERGED),
        (ExitReason.CONVERGED, ExitReason.HORIZON),
    ],
)
def test_inside_one_grid_time_the_order_of_the_rules_decides(before: ExitReason, after: ExitReason) -> None:
    """Void, venue and covenant win over a fill of the same grid time; an earlier row wins over all."""
    assert first_end({after: 5, before: 5}) == (5, before)
    assert first_end({after: 4, before: 5}) == (4, after)


def test_an_expiry_comes_before_every_other_rule() -> None:
    """The option expires at the very time at which the package has converged."""
    expiry = T0_NS + 2 * NS_PER_HOUR
    name = "deribit:C"
    table = instruments(spot(SPOT), option(name, expiry, 90_000.0, Right.CALL))
    times = T0_NS + NS_PER_HOUR * np.arange(3, dtype=np.int64)
    quotes = {
        SPOT: quote(1e5),
        name: quote([0.11, 0.11, 0.10], index=1e5, settlement=[np.nan, np.nan, 1e5]),
    }
    view = prepare(panel(table, quotes, times_ns=times), params(grid_ns=NS_PER_HOUR), curves())
    position = resolved(signal(view, 0, {name: -1.0, SPOT: 1e-9}, constraint="C7"), view)

    assert position.reason is ExitReason.EXPIRED
    assert position.expired == (True, False)


def test_a_leg_that_cannot_be_priced_fires_no_rule_and_a_quote_that_returns_does() -> None:
    """A gap inside a life is waited out; the horizon without a quote is a data gap."""
    assert ended(block([101_000.0, 101_000.0, 100_000.0, 100_000.0, 100_000.0], lost=(2,))) == ("converged", 4)
    assert ended(block([101_000.0, 101_000.0, 100_000.0, 100_000.0], lost=(2, 3), life=3)) == ("data_gap", 3)


def test_a_leg_that_the_panel_no_longer_holds_at_the_horizon_is_delisted() -> None:
    """The rest of the position is left at its quotes, the lost leg at its last one."""
    view = block([101_000.0, 101_000.0], life=3)
    held = carried(signal(view, 0, LEGS), view)
    table = view.panel.instruments
    times = T0_NS + NS_PER_HOUR * np.arange(2, 5, dtype=np.int64)
    later = prepare(panel(table, {SPOT: quote(1e5)}, times_ns=times), view.params, curves())
    position = advance_one(held, later, view.params)

    assert isinstance(position, Position)
    assert (position.reason, position.gap) == (ExitReason.DELISTED, (True, False))
    assert position.exit_price == (101_000.0, 100_000.0)


def test_without_a_quote_at_the_entry_the_signal_is_void() -> None:
    """It was never filled: no entry, no marks, no money."""
    view = block([101_000.0, 101_000.0, 101_000.0], lost=(1,))
    position = resolved(signal(view, 0, LEGS), view)

    assert (position.reason, position.entry, position.exit_ns) == (ExitReason.VOID, (), T0_NS + NS_PER_HOUR)


def test_a_life_that_is_over_before_the_entry_makes_the_signal_void() -> None:
    """The next grid time came too late."""
    view = block([101_000.0, 101_000.0], life=1)

    assert ended(view) == ("void", 1)


def test_an_old_mark_is_not_a_mark_and_the_day_before_is_carried() -> None:
    """At 24:00 the perp's last quote is two hours old: its mark is the entry's, stale."""
    view = block([101_000.0] * 3, first=20)
    made = signal(view, 0, LEGS)
    age = [2 * NS_PER_HOUR, 0]
    table = view.panel.instruments
    times = T0_NS + NS_PER_HOUR * np.arange(24, 26, dtype=np.int64)
    next_day: Panel = panel(table, {SPOT: quote(99_000.0), PERP: quote(1e5, rate=0.0, age_ns=age)}, times_ns=times)
    held = carried(made, view, prepare(next_day, view.params, curves()))

    assert [mark.stale for mark in held.marks] == [(True, False)]
    assert held.marks[0].price == (101_000.0, 99_000.0)


def test_days_without_data_carry_the_mark() -> None:
    """Two midnights pass between the blocks: two marks, both stale, then the forced close."""
    view = block([101_000.0] * 2)
    held = carried(signal(view, 0, LEGS), view)
    (position,) = force_close((held,), T0_NS + 3 * NS_PER_DAY, view.params)

    assert [(mark.day - T0_NS // NS_PER_DAY, mark.stale) for mark in position.marks] == [
        (0, (True, True)),
        (1, (True, True)),
    ]
    assert position.forced


def test_a_signal_of_the_last_grid_time_is_void_when_the_window_ends() -> None:
    """It was never filled."""
    view = block([101_000.0])
    (position,) = force_close((unfilled(signal(view, 0, LEGS)),), T0_NS + NS_PER_DAY, view.params)

    assert (position.reason, position.forced) == (ExitReason.VOID, True)


def test_open_positions_keep_their_order() -> None:
    """`advance` returns what is open and what has ended, each in the order given."""
    view = block([101_000.0, 101_000.0, 100_000.0, 100_000.0])
    made = signal(view, 0, LEGS)
    stays = replace(made, gross_bps=1e6, signal_id="stays")
    open_, done = advance((unfilled(made), unfilled(stays)), view, view.params)

    assert [held.signal.signal_id for held in open_] == ["stays"]
    assert [p.signal.signal_id for p in done] == [made.signal_id]


def order(hour: float, reason: str, underlying: str = "BTC", venue: str = "") -> ForcedExit:
    return ForcedExit(T0_NS + round(hour * NS_PER_HOUR), underlying, venue, ExitReason(reason))


@pytest.mark.parametrize("cuts", [(), (3,), (1, 2, 3, 4, 5)])
@pytest.mark.parametrize("reason", ["venue", "covenant"])
@pytest.mark.parametrize(("hour", "ended_at"), [(1.0, 6), (1.001, 2), (2.0, 2), (2.5, 3), (4.0, 4)])
def test_an_order_from_outside_closes_what_was_filled_before_it(
    hour: float, ended_at: int, reason: str, cuts: tuple[int, ...]
) -> None:
    """Filled at 01:00: an order of that time does not meet it; life ends at 06:00."""
    perps = [101_000.0] * 8
    position = resolved_in_blocks(perps, cuts, life=6, forced_exits=(order(hour, reason),))

    assert (position.exit_ns - T0_NS) // NS_PER_HOUR == ended_at
    assert position.reason.value == ("horizon" if ended_at == 6 else reason)
    assert position.trigger is None


@pytest.mark.parametrize("cuts", [(), (3,), (4,)])
def test_an_order_waits_for_a_quote_of_every_leg_and_is_not_taken_back(cuts: tuple[int, ...]) -> None:
    position = resolved_in_blocks([101_000.0] * 8, cuts, lost=(2, 3), life=6, forced_exits=(order(2, "covenant"),))
    assert (position.reason.value, (position.exit_ns - T0_NS) // NS_PER_HOUR) == ("covenant", 4)
    late = resolved_in_blocks([101_000.0] * 8, cuts, lost=(2, 3, 4, 5, 6, 7), life=6, forced_exits=(order(2, "venue"),))
    assert late.reason.value == "data_gap"


def test_an_order_wins_over_a_waiting_fill_and_over_the_horizon_of_its_row() -> None:
    """Converged at 02:00, its fill due at 03:00, where the order is too; the trigger is kept."""
    perps = [101_000.0, 101_000.0, 100_100.0, 100_300.0, 100_400.0]
    position = resolved_in_blocks(perps, (), forced_exits=(order(3, "covenant"),))
    assert (position.reason, position.trigger) == (
        ExitReason.COVENANT, Trigger(ExitReason.CONVERGED, T0_NS + 2 * NS_PER_HOUR)
    )  # fmt: skip
    at_end = resolved_in_blocks([101_000.0] * 8, (), life=5, forced_exits=(order(5, "covenant"),))
    assert at_end.reason is ExitReason.COVENANT


def test_an_order_is_of_one_coin_and_one_venue() -> None:
    for given, reason in (
        (order(2, "covenant", underlying="ETH"), "horizon"),
        (order(2, "covenant", venue="deribit"), "horizon"),
        (order(2, "covenant", venue="binance"), "covenant"),
    ):
        assert resolved_in_blocks([101_000.0] * 8, (), life=6, forced_exits=(given,)).reason.value == reason


def test_the_earliest_order_ends_it_and_a_venue_comes_before_a_covenant() -> None:
    both = (order(3, "covenant"), order(3, "venue"), order(4, "venue"))
    assert resolved_in_blocks([101_000.0] * 8, (), life=6, forced_exits=both).reason is ExitReason.VENUE
    assert resolved_in_blocks([101_000.0] * 8, (), life=6, forced_exits=(*both, order(2, "covenant"))).exit_ns == (
        T0_NS + 2 * NS_PER_HOUR
    )
