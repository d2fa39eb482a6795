"""Reallocation, cap, lag, cliff: properties over random legs and books.  [covenants 5 to 7, 11]"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.covenants import execution_lag, leverage_cap, liquidity_cliff
from engine.covenants.base import Book, Leg
from engine.covenants.invariants import broken_by_reallocation, broken_by_revision
from engine.covenants.parameters import Parameters
from engine.covenants.reallocation import breached_is_a, reallocate, reduce_to_cap, share_of, walk
from engine.units import NS_PER_SECOND

P = Parameters()
money = st.floats(1.0, 1e6)
sizes = st.floats(0.01, 50).map(lambda x: round(x, 3))


@given(
    size=sizes, side=st.sampled_from([-1.0, 1.0]), margin=money, entry=st.floats(30000, 90000), depth=st.floats(0, 40),
    cap=st.floats(1.0, 10.0), rr=st.floats(0.01, 0.9), other=money,
)  # fmt: skip
def test_invariants_of_a_reallocation(
    size: float, side: float, margin: float, entry: float, depth: float, cap: float, rr: float, other: float
) -> None:
    donor, recipient = Leg(side * size, entry, margin, 0.0125), Leg(-side * 5, 3000.0, other, 0.02)
    book = Book(((60010.0, depth), (60200.0, depth), (60301.0, 1e9)))  # the last is beyond 50 bps
    done = reallocate(donor, recipient, 60000.0, book, cap, rr, 0.001, 0.0005, P)

    assert broken_by_reallocation(donor, recipient, done, 60000.0, P) == []
    assert done.fill.filled <= 2 * P.participation * depth + 1e-9
    deeper = reallocate(
        donor, recipient, 60000.0, Book(((60010.0, 2 * depth), (60200.0, depth))), cap, rr, 0.001, 0.0005, P
    )
    assert deeper.fill.fraction >= done.fill.fraction - 1e-12


def test_the_invariants_notice() -> None:
    donor, recipient = Leg(-10.0, 60000.0, 100000.0, 0.0125), Leg(1.0, 3000.0, 1000.0, 0.02)
    done = reallocate(donor, recipient, 60000.0, Book(((60000.0, 1e6),)), 8.0, 0.15, 0.001, 0.0, P)
    from dataclasses import replace

    grown = replace(done, donor=replace(done.donor, size=-11.0))
    assert any("size grew" in text for text in broken_by_reallocation(donor, recipient, grown, 60000.0, P))
    stolen = replace(done, recipient=replace(done.recipient, margin_usd=0.0))
    assert broken_by_reallocation(donor, recipient, stolen, 60000.0, P) == ["margins are not conserved"]
    assert broken_by_revision(11.0, 5.0, 0.5, 0.2, Parameters(reading="scaled")) != []
    assert broken_by_revision(3.0, 5.0, 0.5, 0.2, P) == []
    assert len(broken_by_revision(3.0, 11.0, 0.2, 0.5, P)) == 3


def test_nothing_filled_releases_nothing() -> None:
    donor, recipient = Leg(-10.0, 60000.0, 100000.0, 0.0125), Leg(1.0, 3000.0, 1000.0, 0.02)
    done = reallocate(donor, recipient, 60000.0, Book(()), 8.0, 0.15, 0.001, 0.0005, P)

    assert (done.fill.fraction, done.transfer_usd, done.donor, done.recipient) == (0.0, 0.0, donor, recipient)
    assert done.status == "PARTIAL"


def test_a_poor_donor_gives_nothing() -> None:
    donor, recipient = Leg(-10.0, 60000.0, 20000.0, 0.0125), Leg(1.0, 3000.0, 1000.0, 0.02)
    done = reallocate(donor, recipient, 61500.0, Book(((61500.0, 1e6),)), 8.0, 0.15, 0.001, 0.0, P)

    assert done.fill.fraction == 1.0
    assert done.transfer_usd == 0.0
    assert done.status == "PARTIAL"


def test_the_breached_leg_is_the_one_that_lost() -> None:
    assert breached_is_a(-10.0, 200.0, +600.0, 0.0)
    assert not breached_is_a(-10.0, 200.0, -600.0, -40.0)
    assert breached_is_a(-10.0, 200.0, 0.0, 0.0)
    assert not breached_is_a(10.0, -200.0, 0.0, 0.0)


def test_adaptive_share() -> None:
    p = Parameters(rr_rule="adaptive")
    assert [share_of(p, s, 2.0) for s in (2.0, 3.0, 9.0, 0.1)] == pytest.approx([0.15, 0.225, 0.30, 0.05])
    assert share_of(P, 9.0, 2.0) == 0.15


def test_a_leg_above_its_cap_is_cut_to_it() -> None:
    leg = Leg(10.0, 60000.0, 60000.0, 0.0125)
    deep = Book(((60000.0, 1e9),))
    cut = reduce_to_cap(leg, 60000.0, deep, 5.0, 0.001, 0.0, P)

    assert cut.size * 60000.0 / cut.equity_usd(60000.0) == pytest.approx(5.0)
    assert reduce_to_cap(leg, 60000.0, deep, 10.0, 0.001, 0.0, P) == leg
    assert reduce_to_cap(leg, 60000.0, Book(()), 5.0, 0.001, 0.0, P) == leg
    assert leverage_cap.excess(10.0, 5.0) == 0.5
    assert leverage_cap.excess(4.0, 5.0) == 0.0


def test_cap_is_the_floor_where_volatility_is_unknown() -> None:
    assert leverage_cap.cap(np.array([np.nan, 0.6]), 0.6, 1.0, P).tolist() == [1.0, 10.0]
    root = Parameters(gamma=0.5)
    assert leverage_cap.cap(np.array([2.4]), 0.6, 1.0, root).tolist() == [5.0]


def test_costly_funding_looks_at_either_side() -> None:
    a, b = np.array([0.0002, 0.0002, -0.0004]), np.array([-0.0005, 0.0001, -0.0001])
    assert leverage_cap.costly_funding(a, b, -1, False).tolist() == [-0.0005, -0.0002, 0.0004]
    assert leverage_cap.costly_funding(a, b, -1, True).tolist() == [0.0, 0.0001, 0.0004]


def test_margin_shortfall() -> None:
    caps, loss = np.array([10.0, 10.0, 2.0, np.nan]), np.array([0.05, 0.2, 0.2, 0.9])
    assert leverage_cap.margin_shortfall(caps, loss) == pytest.approx(1 / 3)


def test_lag_rounds_up_to_the_next_book() -> None:
    minute = 60 * NS_PER_SECOND
    books = np.arange(10, dtype=np.int64) * minute

    assert execution_lag.execution_index(2 * minute, 12 * NS_PER_SECOND, books) == 3
    assert execution_lag.execution_index(2 * minute, 0, books) == 2
    assert execution_lag.execution_index(9 * minute, 1, books) == 10
    assert execution_lag.lag_ns("l1", 0.0) == 6 * NS_PER_SECOND
    assert execution_lag.lag_ns("l1", 0.5) == 12 * NS_PER_SECOND
    assert execution_lag.lag_cost_bps(1, 101.0, 100.0) == pytest.approx(100.0)
    assert execution_lag.distinct_lags(minute) == {"cex": ("cex", "rollup", "l1", "degraded")}
    assert list(execution_lag.distinct_lags(NS_PER_SECOND)) == ["cex", "rollup", "l1", "degraded"]


def test_cliff() -> None:
    depth = np.array([10.0, 12.0, 8.0, 10.0, 0.99, 1.01, np.nan])
    assert liquidity_cliff.cliffs(depth, 4).tolist() == [False, False, False, False, True, False, True]
    book = Book(((100.0, 4.0), (100.6, 9.0)))
    assert liquidity_cliff.depth_within(book, 100.0, 0.005) == 4.0
    assert liquidity_cliff.stressed(book, 0.23).levels[0] == (100.0, 4.0 * 0.23)
    assert liquidity_cliff.expected_fraction(4.0, 2.0, 0.25) == 0.5
    assert liquidity_cliff.revisions_to_flat(2.5, 4.0, 0.25) == 3.0
    assert liquidity_cliff.revisions_to_flat(2.5, 0.0, 0.25) == float("inf")


def test_a_walk_stops_at_the_wanted_size() -> None:
    fill = walk(Book(((100.0, 8.0), (100.1, 8.0))), 3.0, 100.0, 0.005, 0.25, 0.001)
    assert fill.filled == pytest.approx(3.0)
    assert fill.average_usd == pytest.approx((2 * 100.0 + 100.1) / 3)
