"""Hedge ratios against regressions of another library and planted slopes.  [covenants 1.3]"""

from __future__ import annotations

import numpy as np
import pytest

from engine.covenants.hedge import hedge_path, kalman_hedge, leg_weights, ols_hedge
from engine.covenants.measures import measure
from engine.covenants.parameters import Parameters
from engine.units import NS_PER_DAY, NS_PER_HOUR

RNG = np.random.Generator(np.random.PCG64(12))
HOURS = 24 * 120
LN_B = np.cumsum(RNG.normal(size=HOURS)) * 0.01
LN_A = 0.6 * LN_B + 0.005 * RNG.normal(size=HOURS)
A, B = 60_000.0 * np.exp(LN_A), 3_000.0 * np.exp(LN_B)
T_NS = np.arange(1, HOURS + 1, dtype=np.int64) * NS_PER_HOUR


def test_the_slope_is_that_of_a_regression_over_the_bars_before() -> None:
    found = ols_hedge(A, B, 720, 240)
    for t in (400, 1500, HOURS - 1):
        part = slice(max(0, t - 720), t)
        assert found[t] == pytest.approx(np.polyfit(LN_B[part], LN_A[part], 1)[0], rel=1e-8)
    assert (found[:240] == 1.0).all()
    # A leg that did not move has no slope.
    assert ols_hedge(A, np.ones(HOURS), 720, 240)[-1] == 1.0


def test_a_filter_without_steps_is_a_regression_with_a_prior() -> None:
    """Posterior mean of a Gaussian line: (X'X / noise + I)^-1 (X'y / noise + (0, 1))."""
    found = kalman_hedge(A, B, 1e-4, 0.0)
    for t in (50, 700):
        x = np.column_stack((np.ones(t), LN_B[:t] - LN_B[0]))
        y = LN_A[:t] - LN_A[0]
        mean = np.linalg.solve(x.T @ x / 1e-4 + np.eye(2), x.T @ y / 1e-4 + np.array([0.0, 1.0]))
        assert found[t] == pytest.approx(mean[1], rel=1e-8)


def test_a_filter_follows_a_slope_that_changes() -> None:
    half = HOURS // 2
    changed = np.where(np.arange(HOURS) < half, 0.6 * LN_B, 0.6 * LN_B[half] + 1.4 * (LN_B - LN_B[half]))
    found = kalman_hedge(np.exp(changed + 0.005 * RNG.normal(size=HOURS)), np.exp(LN_B), 1e-4, 1e-4)

    assert found[half - 1] == pytest.approx(0.6, abs=0.15)
    assert found[-1] == pytest.approx(1.4, abs=0.15)


@pytest.mark.parametrize("rule", ["ols", "kalman"])
def test_a_ratio_changes_after_midnight_and_sees_nothing_later(rule: str) -> None:
    p = Parameters(bar_min=60, hedge_rule=rule)  # type: ignore[arg-type]
    found = hedge_path(T_NS, A, B, p)
    changes = T_NS[1:][np.diff(found) != 0]

    assert len(changes) > 80
    assert (changes % NS_PER_DAY == NS_PER_HOUR).all()
    cut = 24 * 60 + 5
    assert hedge_path(T_NS[:cut], A[:cut], B[:cut], p).tolist() == found[:cut].tolist()
    assert found[-1] == pytest.approx(0.6, abs=0.05)


def test_a_change_of_the_ratio_moves_no_spread() -> None:
    """At constant prices the spread stays where it is, whatever the ratio does."""
    still_a, still_b = A.copy(), B.copy()
    still_a[1000:], still_b[1000:] = A[999], B[999]
    m = measure(T_NS, still_a, still_b, Parameters(bar_min=60, hedge_rule="ols"))
    changed = np.flatnonzero(np.diff(m.hedge[1000:1700])) + 1000

    assert changed.size > 5
    keep = 2 ** (-1 / 24)
    z = np.log1p(m.spread[1000:1700] / 100)
    assert z[1:] == pytest.approx(keep * z[:-1], abs=1e-9)


def test_weights() -> None:
    a, b = leg_weights(np.array([1.0, 3.0, 0.5]))
    assert a.tolist() == pytest.approx([1.0, 1.5, 2 / 3])
    assert (a + b).tolist() == pytest.approx([2.0, 2.0, 2.0])
    assert (a / b).tolist() == pytest.approx([1.0, 3.0, 0.5])
