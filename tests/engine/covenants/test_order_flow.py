"""Order-flow imbalance against the formula worked out by hand and as a slow loop.  [risk 11.1]"""

from __future__ import annotations

import numpy as np
import pytest

from engine.covenants.order_flow import flow_by_bar, imbalances


def test_each_kind_of_change_by_hand() -> None:
    """Larger bid, higher bid, lower bid, larger ask, lower ask, higher ask; each against the row before."""
    bid = np.array([100.0, 100.0, 101.0, 100.0, 100.0, 100.0, 100.0])
    bid_size = np.array([5.0, 8.0, 2.0, 4.0, 4.0, 4.0, 4.0])
    ask = np.array([102.0, 102.0, 102.0, 102.0, 102.0, 101.0, 103.0])
    ask_size = np.array([7.0, 7.0, 7.0, 7.0, 9.0, 1.0, 6.0])

    assert imbalances(bid, bid_size, ask, ask_size).tolist() == [0.0, 3.0, 2.0, -2.0, -2.0, -1.0, 1.0]


def test_a_loop_gives_the_same() -> None:
    rng = np.random.Generator(np.random.PCG64(2))
    bid, ask = 100.0 + rng.integers(-2, 3, 300) / 10, 101.0 + rng.integers(-2, 3, 300) / 10
    q_bid, q_ask = rng.uniform(0, 5, 300), rng.uniform(0, 5, 300)
    found = imbalances(bid, q_bid, ask, q_ask)
    for n in range(1, 300):
        e = 0.0
        e += q_bid[n] if bid[n] >= bid[n - 1] else 0.0
        e -= q_bid[n - 1] if bid[n] <= bid[n - 1] else 0.0
        e -= q_ask[n] if ask[n] <= ask[n - 1] else 0.0
        e += q_ask[n - 1] if ask[n] >= ask[n - 1] else 0.0
        assert found[n] == pytest.approx(e, abs=1e-12)


def test_a_bar_holds_its_own_close_and_not_the_one_before() -> None:
    found = flow_by_bar(np.array([5, 10, 11, 20]), np.array([1.0, 2.0, 4.0, 8.0]), np.array([10, 20, 30]))
    assert found[:2].tolist() == [3.0, 12.0]
    assert np.isnan(found[2])
