"""Cascades against closed forms and a slow loop, and their known limits."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backtest.simulation.cascade import cascade, spiral_level
from backtest.simulation.scenario import read_scenario
from backtest.simulation.scenario_run import compute

PLAN = """
schema = "scenario/1"
name = "phase"
title = "Phase"
kind = "cascade"
seed = 1
[cascade]
gains = ["0", "0.5", "0.8", "1.2"]
markets = 6
accounts = 20000
reach = "0.5"
shock = "0.01"
"""


def even(count: int, reach: float) -> tuple[np.ndarray, np.ndarray]:
    """Accounts at every step of the reach: no chance in the density."""
    return reach * (np.arange(count) + 0.5) / count, np.full(count, 1.0 / count)


@pytest.mark.parametrize("gain", [0.0, 0.25, 0.5, 0.75, 0.9])
def test_below_one_the_amplification_is_a_geometric_sum(gain: float) -> None:
    """A = 1 / (1 - G), and the whole fall is shock / (1 - G)."""
    distance, size = even(100_000, 0.5)
    outcome = cascade(distance, size, 0.01, gain * 0.5)

    assert outcome.amplification == pytest.approx(1 / (1 - gain), rel=2e-3)
    assert outcome.fall == pytest.approx(0.01 / (1 - gain), rel=2e-3)
    assert spiral_level(distance, size, gain * 0.5) == pytest.approx(gain, rel=1e-6)


def test_from_one_on_everything_within_reach_goes() -> None:
    distance, size = even(10_000, 0.5)

    for gain in (1.05, 2.0):
        outcome = cascade(distance, size, 0.01, gain * 0.5)
        assert outcome.liquidated == pytest.approx(1.0)
        assert outcome.is_cascade


def test_known_limits() -> None:
    """No leverage: nobody is liquidated by any fall below 100%.  Infinite depth: A = 1."""
    distance, size = even(1000, 0.5)

    unlevered = cascade(np.ones(1000), size, 0.4, 1.0)
    assert (unlevered.liquidated, unlevered.amplification, unlevered.rounds) == (0.0, 1.0, 0)
    deep = cascade(distance, size, 0.2, 0.0)
    assert (deep.amplification, deep.fall) == (1.0, 0.2)


@given(st.lists(st.floats(0.0, 1.0), min_size=1, max_size=12), st.floats(0.0, 0.5), st.floats(0.0, 2.0), st.booleans())
def test_a_slow_loop_over_accounts_agrees(distances: list[float], shock: float, impact: float, root: bool) -> None:
    distance, size = np.array(distances), np.full(len(distances), 1.0 / len(distances))
    outcome = cascade(distance, size, shock, impact, root)
    gone: set[int] = set()
    fall = shock
    while True:
        hit = {i for i, x in enumerate(distances) if x <= fall}
        if hit <= gone:
            break
        gone |= hit
        sold = len(gone) / len(distances)
        fall = shock + impact * (sold**0.5 if root else sold)

    assert outcome.liquidated == pytest.approx(len(gone) / len(distances))
    assert outcome.fall == pytest.approx(fall)


def test_the_scenario_shows_the_phase_change() -> None:
    result = compute(read_scenario(PLAN, "made").plan, None)
    phase = result.tables["phase"].set_index("gain")

    assert phase.loc[0.0, "amplification"] == 1.0
    assert phase.loc[0.5, "amplification"] == pytest.approx(2.0, rel=0.1)
    assert phase.loc[1.2, "liquidated"] == pytest.approx(1.0)
    assert phase.loc[0.8, "liquidated"] < 0.2
    assert np.isnan(phase.loc[1.2, "closed_form"])
    assert compute(read_scenario(PLAN, "made").plan, None, workers=2).files() == result.files()
