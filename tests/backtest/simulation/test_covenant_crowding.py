"""The crowding experiment against cases that can be worked out by hand.  [covenants 9.8]"""

from __future__ import annotations

import numpy as np
import pytest

from backtest.simulation.covenant_crowding import IMPACT, SHOCK, cascade, crowding


def test_nobody_near_liquidation_nothing_happens() -> None:
    assert cascade(np.array([2.0, 2.0]), np.array([0.5, 0.5]), np.zeros(2, bool)) == pytest.approx((0.0, 0.0, 0.0))


def test_one_account_is_liquidated_and_moves_the_price() -> None:
    liquidated, reallocated, move = cascade(np.array([20.0, 2.0]), np.array([0.04, 0.96]), np.zeros(2, bool))
    assert (liquidated, reallocated) == pytest.approx((0.04, 0.0))
    assert move == pytest.approx(IMPACT * 0.2)


def test_covenants_sell_themselves_into_the_move() -> None:
    liquidated, reallocated, move = cascade(np.array([2.0]), np.array([1.0]), np.ones(1, bool))
    assert liquidated == 0.0
    assert reallocated == pytest.approx(1 - 0.85**5)
    assert move == pytest.approx(IMPACT * (1 - 0.85**5) ** 0.5)
    assert SHOCK > 0


def test_shares_are_compared_on_the_same_markets() -> None:
    table = crowding("root", 5)
    assert table["covenanted_share"].tolist() == [0.0, 0.1, 0.2, 0.3, 0.4, 0.5]
    assert table["reallocated"].is_monotonic_increasing
    assert table["prevented"].iloc[0] in (0.0, 1.0)
    assert crowding("root", 5).equals(table)
