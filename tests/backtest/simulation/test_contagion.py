"""Clearing, loss shares, spectral radius and amplification against closed forms and other libraries."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from backtest.simulation.contagion import amplified, clearing_payments, debt_rank, spectral_radius
from backtest.simulation.scenario import read_scenario
from backtest.simulation.scenario_run import compute
from engine.errors import DataError

PLAN = """
schema = "scenario/1"
name = "net"
title = "Net"
kind = "network"
seed = 1
[network]
venues = 5
own_gain = "0.4"
cross_gain = "CROSS"
claims = "0.6"
shock = "0.1"
"""


def test_two_banks_clear_as_by_hand() -> None:
    """A owes B 10 and has 4: B, which owes A 8 and has 1, gets 4 + what it pays A.

    p_A = min(10, 4 + p_B), p_B = min(8, 1 + p_A): full payment of B needs p_A >= 7, and 4 + 8 >= 10.
    """
    owed = np.array([[0.0, 10.0], [8.0, 0.0]])

    assert clearing_payments(owed, np.array([4.0, 1.0])).tolist() == [10.0, 8.0]
    # Nothing of its own anywhere: the greatest fixed point of p_A = min(10, p_B), p_B = min(8, p_A) is 8, not 0.
    assert clearing_payments(owed, np.array([0.0, 0.0])).tolist() == [8.0, 8.0]


def test_a_chain_passes_a_shortfall_on() -> None:
    """A owes B 10 and has 4; B owes C 7 and has 2: B pays 6."""
    owed = np.array([[0.0, 10.0, 0.0], [0.0, 0.0, 7.0], [0.0, 0.0, 0.0]])

    assert clearing_payments(owed, np.array([4.0, 2.0, 0.0])).tolist() == [4.0, 6.0, 0.0]
    with pytest.raises(DataError, match="claims and assets >= 0, was -1"):
        clearing_payments(owed, np.array([-1.0, 0.0, 0.0]))


@given(arrays(np.float64, (4, 4), elements=st.floats(0, 10)), arrays(np.float64, 4, elements=st.floats(0, 10)))
def test_clearing_is_limited_proportional_and_pays_all_it_has(owed: np.ndarray, assets: np.ndarray) -> None:
    """Limited liability and absolute priority: each node pays all it owes, or all it has."""
    np.fill_diagonal(owed, 0.0)
    paid, due = clearing_payments(owed, assets), owed.sum(axis=1)
    share = np.divide(owed, due[:, None], out=np.zeros_like(owed), where=due[:, None] > 0)
    has = assets + share.T @ paid

    assert (paid <= due + 1e-6).all()
    assert np.allclose(paid, np.minimum(due, has), atol=1e-5)


def test_debt_rank_of_a_chain() -> None:
    """A's default costs B 40% of its equity, B's distress costs C half of it: 0.6 of three equal nodes."""
    exposure = np.array([[0.0, 0.0, 0.0], [0.4, 0.0, 0.0], [0.0, 0.5, 0.0]])

    assert debt_rank(exposure, np.ones(3), np.array([1.0, 0.0, 0.0])) == pytest.approx(0.6 / 3)
    assert debt_rank(np.zeros((3, 3)), np.ones(3), np.array([1.0, 0.0, 0.0])) == 0.0


def test_debt_rank_of_a_ring_counts_each_node_once() -> None:
    ring = np.array([[0.0, 1.0], [1.0, 0.0]])

    assert debt_rank(ring, np.array([3.0, 1.0]), np.array([1.0, 0.0])) == pytest.approx(0.25)
    # Half distress costs the other a quarter, which comes back as an eighth and goes no further.
    halves = debt_rank(ring / 2, np.ones(2), np.array([0.5, 0.0]))
    assert halves == pytest.approx((0.125 + 0.25) / 2)


@given(arrays(np.float64, (5, 5), elements=st.floats(0.01, 3)))
def test_the_radius_is_that_of_a_library(matrix: np.ndarray) -> None:
    assert spectral_radius(matrix) == pytest.approx(max(abs(np.linalg.eigvals(matrix))), rel=1e-8)


def test_radius_and_sum_of_closed_forms() -> None:
    """Ones times g: radius n g; a swap of two: 1, of which a plain power iteration would only swing."""
    assert spectral_radius(np.full((4, 4), 0.2)) == pytest.approx(0.8)
    assert spectral_radius(np.array([[0.0, 1.0], [1.0, 0.0]])) == pytest.approx(1.0)
    total = amplified(np.full((4, 4), 0.2), np.array([1.0, 0.0, 0.0, 0.0]))
    # (I - g 1)^-1 = I + g 1 / (1 - n g).
    assert total is not None
    assert total.tolist() == pytest.approx([2.0, 1.0, 1.0, 1.0])
    assert amplified(np.full((4, 4), 0.25), np.ones(4)) is None
    with pytest.raises(DataError, match="feedback matrix >= 0"):
        spectral_radius(np.array([[-1.0]]))


def test_contagion_off_and_on() -> None:
    """Rows of weights add up to 1, so the radius is own + cross; admissible means finite with contagion on."""
    found = compute(read_scenario(PLAN.replace("CROSS", "0.3"), "x").plan, None).figures

    assert found["contagion"]["off"]["radius"] == pytest.approx(0.4)
    assert found["contagion"]["on"]["radius"] == pytest.approx(0.7)
    assert found["contagion"]["off"]["amplification"] == pytest.approx(1 / 0.6)
    assert found["contagion_share"] > 0
    assert found["admissible"]
    wild = compute(read_scenario(PLAN.replace("CROSS", "0.7"), "x").plan, None).figures
    assert not wild["admissible"]
    assert wild["contagion"]["on"]["lost"] == 1.0
    assert wild["contagion"]["on"]["defaults"] > 0
