"""The curve, its factors and its rolling score."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.market.curve import (
    Nodes,
    at_knots,
    block_curves,
    changes_sign,
    constant_maturities,
    curve_nodes,
    days_between,
    extend_curves,
    fit_curve,
    fly_weights,
    knots_of,
    rolling_score,
    score_of,
    scores,
)
from engine.market.view import prepare
from engine.params import Curve
from engine.records import CurveHistory
from engine.units import NS_PER_DAY
from tests.helpers.builders import T0_NS, curves, market, params
from tests.helpers.markets import CURVATURE, FUTURE_DAYS, SLOPE, TENORS, Market, flat_history, future_name, known_fit

TODAY = T0_NS // NS_PER_DAY


def registered() -> Curve:
    curve = market().curve
    assert curve is not None
    return curve


def walk(days: int = 80, seed: int = 2) -> CurveHistory:
    """Curves that wander by level, slope and curvature with deviations 10, 4 and 2 bps a day."""
    draw = np.random.Generator(np.random.PCG64(seed)).standard_normal((days, 3)) * np.array([1e-3, 4e-4, 2e-4])
    x = np.linspace(-1.0, 1.0, 5)
    shapes = np.stack([np.ones(5), x, 0.6 - 1.2 * x * x])
    noise = np.random.Generator(np.random.PCG64(seed + 1)).standard_normal((days, 5)) * 1e-5
    values = SLOPE + np.cumsum(sum(draw[:, k : k + 1] * shapes[k] for k in range(3)), axis=0) + noise
    return curves(list(range(TODAY - days, TODAY)), values.tolist())


def test_nodes_are_the_funding_and_the_simple_basis_of_each_future() -> None:
    """Funding of 1e-4 per 8 hours is 0.1095 a year; a future at S (1 + 0.08 tau) has a basis of 0.08."""
    block = Market(rates={"deribit:BTC-PERPETUAL": 1e-4}).block()

    nodes = curve_nodes(prepare(block, params(), curves()), registered())

    assert nodes is not None
    assert nodes.rate[0, 0] == pytest.approx(1e-4 * 3 * 365)
    assert nodes.rate[0, 1:] == pytest.approx([SLOPE] * len(FUTURE_DAYS))
    assert nodes.tenor_days[0] == pytest.approx([0.0] + [d + 1.0 / 3.0 for d in FUTURE_DAYS])


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 2**32 - 1), st.floats(0.0, 0.5))
def test_the_curve_is_linear_between_usable_nodes_and_unknown_beyond(seed: int, gaps: float) -> None:
    """Against numpy's interpolation over the nodes that are there; four are needed; nothing is extrapolated.  [R9.1]"""
    draw = np.random.Generator(np.random.PCG64(seed))
    tenor = np.sort(draw.uniform(0.0, 250.0, (6, 7)), axis=1)
    rate = draw.standard_normal((6, 7))
    rate[draw.random((6, 7)) < gaps] = np.nan
    targets = (7.0, 30.0, 60.0, 90.0, 180.0)

    found = constant_maturities(Nodes(np.arange(6), tenor, rate), targets)

    for t in range(6):
        there = ~np.isnan(rate[t])
        slow = np.full(5, np.nan)
        if there.sum() >= 4:
            slow = np.interp(targets, tenor[t][there], rate[t][there], left=np.nan, right=np.nan)
        assert slow == pytest.approx(found[t], nan_ok=True, abs=1e-12)


def test_a_target_on_a_node_is_the_node() -> None:
    """No rounding is added where a future has exactly the registered tenor, first and last node included."""
    nodes = Nodes(np.arange(4), np.array([[7.0, 30.0, 60.0, 180.0]]), np.array([[0.1, 0.2, 0.4, 0.3]]))

    assert constant_maturities(nodes, (7.0, 60.0, 180.0)).tolist() == [[0.1, 0.4, 0.3]]


def test_loadings_stay_flat_beyond_the_registered_tenors() -> None:
    """Linear between the tenors, the end value outside."""
    knots = knots_of((7.0, 30.0, 60.0), np.array([3.0, 7.0, 18.5, 30.0, 45.0, 60.0, 90.0, np.nan]))
    values = at_knots((1.0, 3.0, 2.0), knots)

    assert values.tolist()[:-1] == [1.0, 1.0, 2.0, 3.0, 2.5, 2.0, 2.0]
    assert math.isnan(values[-1])


def test_the_days_of_a_block_are_carried_in_order() -> None:
    """The first grid time of each day gives the day's curve; incomplete ones are dropped; no day comes twice."""
    block = Market().block(2)
    found = block_curves(prepare(block, params(), curves()))

    assert found.day.tolist() == [TODAY]
    assert found.curve[0] == pytest.approx([2.0 / 3.0 * SLOPE + SLOPE / 3.0] * 5, rel=0.2)
    assert found.curve[0][1:] == pytest.approx([SLOPE] * 4)
    again = extend_curves(extend_curves(flat_history(3), found), found)
    assert again.day.tolist() == [TODAY - 3, TODAY - 2, TODAY - 1, TODAY]
    market = Market()
    market.rows = [row for row in market.rows if row.name != future_name(185)]
    assert len(block_curves(prepare(market.block(), params(), curves())).day) == 0


def test_a_fit_finds_the_factors_that_made_the_curves() -> None:
    """Level, slope and curvature in order, identified, unlike numpy's only in method."""
    history = walk()

    fit = fit_curve(history, registered(), fold=3, z_threshold=2.5)

    assert fit.identified, fit.reason
    assert (fit.fold, fit.z_threshold) == (3, 2.5)
    values, vectors = np.linalg.eigh(np.cov(np.diff(history.curve, axis=0).T))
    assert fit.shares == pytest.approx(values[::-1][:3] / values.sum(), abs=1e-9)
    for ours, theirs in zip(fit.loadings, vectors.T[::-1], strict=False):
        assert abs(np.array(ours) @ theirs) == pytest.approx(1.0, abs=1e-9)
    assert fit.mean == pytest.approx(history.curve.mean(axis=0), abs=1e-15)
    c = (history.curve - history.curve.mean(axis=0)) @ np.array(fit.loadings[2])
    assert fit.train_sd == pytest.approx(c.std(ddof=1), rel=1e-9)


@pytest.mark.parametrize(
    ("history", "reason"),
    [
        (walk(59), "59 curves, 60 needed"),
        (curves(range(80), np.full((80, 5), 0.05).tolist()), "rank deficient"),
        (curves(range(80), (0.05 + np.outer(np.arange(80) % 7, np.arange(5.0))).tolist()), "rank deficient"),
    ],
)
def test_a_fit_that_names_nothing_says_why(history: CurveHistory, reason: str) -> None:
    """Too few curves, or curves that move in fewer than three ways: unidentified, no signal.  [R9.4, R9.6]"""
    fit = fit_curve(history, registered(), fold=0, z_threshold=2.0)

    assert not fit.identified
    assert reason in fit.reason


def test_the_rolling_score_sees_the_days_before_only() -> None:
    """60 days ending the day before: today's own curve and older ones change nothing.  [R9.5]"""
    fit, history = known_fit()["BTC"], walk(80)
    mean, spread = rolling_score(history, fit, registered(), TODAY)
    c = [score_of(row, fit.mean, fit.loadings[2]) for row in history.curve[-60:].tolist()]

    assert mean == pytest.approx(np.mean(c), rel=1e-12)
    assert spread == pytest.approx(np.std(c, ddof=1), rel=1e-12)
    later = extend_curves(history, curves([TODAY], [[9.0] * 5]))
    assert (mean, spread) == rolling_score(later, fit, registered(), TODAY)
    assert (mean, spread) == rolling_score(days_between(later, TODAY - 60, TODAY), fit, registered(), TODAY)


def test_too_short_or_too_still_a_past_gives_no_score() -> None:
    """Under five curves a tenor, or a deviation under 0.01 bps: NaN.  [R9.5, R9.6]"""
    fit = known_fit()["BTC"]

    assert math.isnan(rolling_score(walk(24), fit, registered(), TODAY)[0])
    assert not math.isnan(rolling_score(walk(25), fit, registered(), TODAY)[0])
    assert math.isnan(rolling_score(flat_history(noise=9e-7), fit, registered(), TODAY)[0])


def test_scores_of_a_block_are_those_of_its_rows() -> None:
    """One formula, two shapes, the same bits."""
    values = walk(10).curve

    assert scores(values, [SLOPE] * 5, CURVATURE).tolist() == [
        score_of(row, [SLOPE] * 5, CURVATURE) for row in values.tolist()
    ]


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 2**32 - 1))
def test_the_fly_is_blind_to_level_and_slope(seed: int) -> None:
    """Sum w v1 = sum w v2 = 0, sum |w| = 2, belly sold.  [S2.C5]"""
    v1, v2 = np.random.Generator(np.random.PCG64(seed)).standard_normal((2, 5, 3))

    w = fly_weights(v1, v2)

    assert (w * v1).sum(axis=1) == pytest.approx(np.zeros(5), abs=1e-12)
    assert (w * v2).sum(axis=1) == pytest.approx(np.zeros(5), abs=1e-12)
    assert np.abs(w).sum(axis=1) == pytest.approx(np.full(5, 2.0))
    assert (w[:, 1] < 0.0).all()


def test_a_fly_that_is_not_determined_is_none() -> None:
    """Equal loadings leave the weights open: NaN, no package."""
    assert np.isnan(fly_weights(np.ones((1, 3)), np.ones((1, 3)))).all()


def test_changes_of_sign_leave_zeros_out() -> None:
    """A loading that touches zero has not changed its sign."""
    assert [changes_sign(v) for v in ([-1.0, 2.0, -1.0], [-1.0, 0.0, -1.0], [1.0, 0.0, -1.0], [0.0])] == [2, 0, 1, 0]


def test_a_missing_node_shows_in_the_curve() -> None:
    """A future without a quote is no node: the line runs over it."""
    market_ = Market(mids={future_name(58): 1.5e5})  # quarantined: too far from the median
    view = prepare(market_.block(), params(), curves())
    nodes = curve_nodes(view, replace(registered()))

    assert nodes is not None
    assert np.isnan(nodes.rate[0, 1 + FUTURE_DAYS.index(58)])
    assert constant_maturities(nodes, TENORS)[0, 1:] == pytest.approx([SLOPE] * 4)
