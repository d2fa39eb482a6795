"""Funding that accrues is paid from the entry to the exit, and what settles only strictly between them.  [venues V3]"""

from __future__ import annotations

import itertools
from fractions import Fraction

import numpy as np
import pytest

from engine.market.view import PreparedPanel, prepare
from engine.records import ACCRUAL_NS, ExitReason
from engine.units import NS_PER_HOUR
from tests.engine.positions.test_settlement import money
from tests.helpers.builders import T0_NS, curves, instruments, panel, params, perp, quote, rules, spot
from tests.helpers.positions import resolved, signal

NAN = float("nan")
SPOT, PERP = "binance:BTCUSDC", "deribit:BTC-PERPETUAL"
TABLE = instruments(spot(SPOT), perp(PERP, quote="USD", settle="BTC", inverse=True, funding_interval_ns=ACCRUAL_NS))
AT = [6, 7, 7.25, 8, 9.5]


def block(paid: list[float], at: list[float] = AT, life_h: float = 3.5, **values: object) -> PreparedPanel:
    times = T0_NS + np.array([round(h * NS_PER_HOUR) for h in at], dtype=np.int64)
    rows = len(at)
    quotes = {
        SPOT: quote([100_000.0] * rows),
        PERP: quote([100_500.0] * rows, index=100_000.0, funding_paid=paid, **values),
    }
    registered = params(grid_ns=0, exit_latency_ns=0, rules=rules(life_ns=round(life_h * NS_PER_HOUR)))
    return prepare(panel(TABLE, quotes, times_ns=times), registered, curves())


@pytest.mark.parametrize("cuts", [(), (2,), (1, 2, 3, 4)])
def test_what_accrued_after_the_entry_and_up_to_the_exit_is_the_position_s(cuts: tuple[int, ...]) -> None:
    """Entered at 07:00, ended at 09:30: the shares of (07:00, 09:30], none of (06:00, 07:00], wherever blocks end."""
    paid = [9e-4, 9e-4, 1e-5, 2e-5, 4e-5]
    edges = [0, *cuts, len(AT)]
    views = [block(paid[a:b], AT[a:b]) for a, b in itertools.pairwise(edges)]
    position = resolved(signal(views[0], 0, {PERP: -1.0, SPOT: 1.0}, gross_bps=50.0), *views)
    trade = money(position, views[0])

    assert (position.reason, position.exit_ns) == (ExitReason.HORIZON, T0_NS + round(9.5 * NS_PER_HOUR))
    assert [round(p.t_ns - T0_NS) / NS_PER_HOUR for p in position.funding] == [7.25, 8.0, 9.5]
    assert position.flags == ()
    # n contracts of 1 USD over the mark, in coin at the index: 25,125 / 100,500 x 100,000 USD, shares of 7e-5
    exact = Fraction(25_000) * Fraction(100_500, 100_000) / 100_500 * 100_000 * Fraction(7, 100_000)
    assert trade.funding == pytest.approx(float(exact * 10**6), abs=2.0)


def test_a_share_that_is_not_known_pays_nothing_and_is_flagged() -> None:
    """Never zero without a word."""
    view = block([0.0, 0.0, 1e-5, NAN, 1e-5])
    position = resolved(signal(view, 0, {PERP: -1.0, SPOT: 1.0}, gross_bps=50.0), view)

    assert "funding_missing" in position.flags
    assert [p.flagged for p in position.funding] == [False, True, False]


def test_the_stop_sees_what_has_accrued_up_to_its_own_row() -> None:
    """At 08:00 the position has paid 600 bps of the hour that ended there: it ends there, and not a row later."""
    view = block([0.0, 0.0, 0.0, -6e-2, 0.0])
    position = resolved(signal(view, 0, {PERP: -1.0, SPOT: 1.0}, gross_bps=50.0), view)

    assert (position.reason, position.exit_ns) == (ExitReason.STOPPED, T0_NS + 8 * NS_PER_HOUR)
    assert [p.rate for p in position.funding] == [-6e-2]
