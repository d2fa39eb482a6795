"""An expiry settles at the venue's price, else at the mean of its index, else the position ended before the window."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from engine.convention_rows import DeliveryRule
from engine.market.view import PreparedPanel, prepare
from engine.positions.base import OpenPosition, Position
from engine.positions.exits import advance_one, unfilled
from engine.records import ExitReason, Kind, Right
from engine.units import NS_PER_HOUR, NS_PER_SECOND
from tests.engine.positions.test_settlement import money
from tests.helpers.builders import (
    T0_NS,
    curves,
    future,
    instruments,
    option,
    panel,
    params,
    quote,
    row_keys,
    rules,
    spot,
)
from tests.helpers.positions import resolved, signal

NAN = float("nan")
MINUTE = 60 * NS_PER_SECOND
EXPIRY = T0_NS + 8 * NS_PER_HOUR
SPOT, CALL, PUT, DATED = "binance:BTCUSDC", "deribit:C", "deribit:P", "deribit:F"
LEGS = {CALL: -1.0, PUT: 1.0, DATED: 0.9}
RULES = tuple(
    DeliveryRule(**row_keys("deribit", kind, "2021-01-01"), average_ns=30 * MINUTE)
    for kind in (Kind.FUTURE, Kind.OPTION)
)
TABLE = instruments(
    spot(SPOT),
    option(CALL, EXPIRY, 90_000.0, Right.CALL),
    option(PUT, EXPIRY, 90_000.0, Right.PUT),
    future(DATED, EXPIRY, inverse=True, quote="USD"),
)


def block(at: list[float], call: list[float] | None = None, mean: float = NAN, **values: Any) -> PreparedPanel:
    """Rows ``at`` hours of the day; ``mean`` is known from the expiry on."""
    times = T0_NS + np.array([round(h * NS_PER_HOUR) for h in at], dtype=np.int64)
    known = {"index": 100_000.0, "delivery_mean": np.where(times >= EXPIRY, mean, NAN), **values}
    quotes = {
        SPOT: quote([100_000.0] * len(at)),
        CALL: quote(call or [0.11] * len(at), **known),
        PUT: quote([0.005] * len(at), **known),
        DATED: quote([100_000.0] * len(at), **known),
    }
    registered = params(grid_ns=0, delivery=RULES, rules=rules(life_ns=24 * NS_PER_HOUR))
    return prepare(panel(TABLE, quotes, times_ns=times), registered, curves())


def of(view: PreparedPanel, **changes: Any):  # type: ignore[no-untyped-def]
    return signal(view, 0, LEGS, constraint="C3", gross_bps=50.0, **changes)


@pytest.mark.parametrize("mean", [60_000.0, 91_000.0])
def test_the_mean_of_the_index_settles_and_is_flagged(mean: float) -> None:
    """Parity in coin locks 0.005 coin, converted at the mean: 0.25 x mean x 0.005 USD."""
    view = block([6, 7, 7.5, 8], mean=mean)
    position = resolved(of(view), view)

    assert (position.reason, position.exit_ns, position.flags) == (
        ExitReason.EXPIRED, EXPIRY, ("delivery_from_index_mean",)
    )  # fmt: skip
    assert position.known_ns == EXPIRY
    assert money(position, view).gross == pytest.approx(0.25 * mean * 0.005 * 1e6, abs=1.0)


def test_the_price_of_the_venue_goes_before_the_mean() -> None:
    """A stored DELIVERY row is the venue's own answer."""
    view = block([6, 7, 8], mean=60_000.0, settlement=[NAN, NAN, 120_000.0])
    position = resolved(of(view), view)

    assert position.flags == ()
    assert position.exit_usd == (120_000.0,) * 3


@pytest.mark.parametrize("cuts", [(), (2,), (4,), (1, 2, 3, 4, 5, 6), (6,)])
@pytest.mark.parametrize("index", [100_000.0, NAN])
def test_without_either_it_ended_at_the_last_grid_time_before_the_window(cuts: tuple[int, ...], index: float) -> None:
    """07:30 is before the window, 07:40 in it; the end is known at the expiry; blocks may be cut anywhere."""
    at = [6, 7, 7.25, 7.5, 7 + 2 / 3, 7.9, 8.2]
    call = [0.11, 0.11, 0.1101, 0.1102, 0.1103, 0.1104, 0.1105]
    edges = [0, *cuts, len(at)]
    views = [block(at[a:b], call=call[a:b], index=index) for a, b in pairwise(edges)]
    position = resolved(of(views[0]), *views)
    bare = replace(position, flags=())

    assert (position.reason, position.exit_ns) == (ExitReason.DATA_GAP, T0_NS + round(7.5 * NS_PER_HOUR))
    assert position.flags == ("delivery_unknown",)
    assert position.known_ns == T0_NS + round(8.2 * NS_PER_HOUR)
    assert position.exit_price == pytest.approx((0.1102, 0.005, 100_000.0))
    assert position.expired == position.gap == (False,) * 3
    # What it would be if the data ended there: nothing later than 07:30 is in it.
    whole = block(at, call=call, index=index)
    again = block(at[:4], call=call[:4], index=index)
    assert money(bare, whole).net == money(resolved_before_window(again), again).net


def resolved_before_window(view: PreparedPanel) -> Position:
    """The same package closed by its horizon at the last row of ``view``, where every leg is quoted."""
    life_ns = int(view.panel.times_ns[-1]) - T0_NS - 6 * NS_PER_HOUR
    shorter = replace(view, params=replace(view.params, rules=rules(life_ns=life_ns)))
    closed = resolved(of(shorter), shorter)
    assert closed.reason is ExitReason.HORIZON
    return closed


def test_a_leg_without_a_quote_then_is_marked_at_its_last_with_the_haircut() -> None:
    """The call is gone at 07:30: its quote of 07:00 and the registered haircut."""
    view = block([6, 6.5, 7, 7.5, 8], call=[0.11, 0.11, 0.1103, NAN, NAN])
    position = resolved(of(view), view)

    assert position.exit_ns == T0_NS + round(7.5 * NS_PER_HOUR)
    assert position.gap == (True, False, False)
    assert position.exit_price[0] == pytest.approx(0.1103)


def test_a_position_entered_inside_the_window_ends_where_it_was_entered() -> None:
    """No grid time of its life is before the window: no time passes, both sides are paid."""
    view = block([7.25, 7 + 2 / 3, 7.9, 8.2], call=[0.11, 0.11, 0.1103, 0.1103])
    position = resolved(of(view), view)

    assert position.entry_ns == position.exit_ns == T0_NS + round((7 + 2 / 3) * NS_PER_HOUR)
    assert position.reason is ExitReason.DATA_GAP
    assert money(position, view).gross == 0


def test_an_exit_inside_the_window_stands() -> None:
    """The gap closes at 07:40, filled at 07:50: the position has ended before the expiry, whatever is known there."""
    view = block([6, 7, 7 + 2 / 3, 7 + 5 / 6, 8.2], call=[0.11, 0.11, 0.105, 0.105, 0.105])
    position = resolved(of(view), view)

    assert (position.reason, position.exit_ns) == (ExitReason.CONVERGED, T0_NS + round((7 + 5 / 6) * NS_PER_HOUR))


@pytest.mark.parametrize("cuts", [(), (3,), (2, 4)])
def test_a_trigger_inside_the_window_that_is_not_filled_is_not_kept_by_a_position_that_ended_before(
    cuts: tuple[int, ...],
) -> None:
    """Triggered at 07:40, a leg lost until the expiry: it ended at 07:00, when nothing had been triggered."""
    at, call = [6, 7, 7 + 2 / 3, 7 + 5 / 6, 8.2], [0.11, 0.11, 0.105, NAN, 0.105]
    views = [block(at[a:b], call=call[a:b]) for a, b in pairwise([0, *cuts, len(at)])]
    position = resolved(of(views[0]), *views)

    assert (position.reason, position.exit_ns) == (ExitReason.DATA_GAP, T0_NS + 7 * NS_PER_HOUR)
    assert position.trigger is None


def test_a_plan_without_windows_reads_the_first_index_after_as_it_was_registered() -> None:
    """Older plans keep their results."""
    view = block([6, 7, 8.2], mean=60_000.0, delivery_mean=NAN)
    view = replace(view, params=replace(view.params, delivery=()))
    position = resolved(of(view), view)

    assert position.flags == ("settlement_from_index",)
    assert position.exit_ns == T0_NS + round(8.2 * NS_PER_HOUR)


def test_until_the_expiry_nothing_says_how_it_will_settle() -> None:
    """Cut before 08:00 the position is open, with the mean and without: the decision cannot see which it will be."""
    known, unknown = (block([6, 7, 7.5, 7.9], mean=mean) for mean in (60_000.0, NAN))
    both = [advance_one(unfilled(of(view)), view, view.params) for view in (known, unknown)]

    assert isinstance(both[0], OpenPosition)
    assert both[0] == both[1]
