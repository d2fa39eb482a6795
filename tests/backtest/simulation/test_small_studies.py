"""The small synthetic studies at limits that are known by hand: funding, collateral, pools, two ledgers."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from backtest.simulation.collateral_mix import expected_shortfall, protocol_losses
from backtest.simulation.funding_anchor import half_life_h, premium_paths, variance_ratio
from backtest.simulation.margin_pools import apart, requirements, together
from backtest.simulation.scenario import load_scenario
from backtest.simulation.scenario_run import compute
from backtest.simulation.scenario_studies import FundingAnchor
from engine.venue.margin import collateral_value

SCENARIOS = Path(__file__).resolve().parents[3] / "configs" / "scenarios"


def plan(name: str, **changes: object) -> dict:
    """Return the figures of a scenario of configs/ with changes of its table."""
    whole = load_scenario(SCENARIOS / f"{name}.toml").plan
    table = getattr(whole, whole.kind).model_copy(update=changes)
    return compute(whole.model_copy(update={whole.kind: table}), None).figures


def anchor(**changes: object) -> FundingAnchor:
    given = {
        "hours": 48, "paths": 1, "shock": "0.01", "noise_an_hour": "0", "interest": "0.0001", "band": "0.0005",
        "cap": "0.04", "responses": ["1"],
    }  # fmt: skip
    return FundingAnchor(**(given | changes))


def test_a_premium_falls_by_the_rate_above_interest_and_stops_in_the_dead_band() -> None:
    """Rate = mean premium - 5 bps while it is above the band: the first hours by hand, the last one inside."""
    path = premium_paths(anchor(), 0.5, np.zeros((1, 48)))[0]

    first = 0.01 - 0.5 * (0.01 - 0.0005 - 0.0001)
    second = first - 0.5 * ((7 * 0.01 + first) / 8 - 0.0005 - 0.0001)
    assert path[:3] == pytest.approx([0.01, first, second])
    inside = premium_paths(anchor(shock="0.0005"), 0.5, np.zeros((1, 48)))[0]
    assert inside == pytest.approx(np.full(49, 0.0005))
    assert premium_paths(anchor(), 0.0, np.zeros((1, 48)))[0] == pytest.approx(np.full(49, 0.01))


def test_half_life_and_variance_ratio_of_known_paths() -> None:
    hours = np.arange(200)
    assert half_life_h(np.array([0.5 ** (hours / 10)])) == 10
    assert half_life_h(np.ones((3, 50))) is None
    random = np.random.Generator(np.random.PCG64(1))
    walk = np.cumsum(random.normal(size=(400, 400)), axis=1)
    assert variance_ratio(walk, 24) == pytest.approx(1.0, abs=0.1)
    # Independent values: the variance of any difference is the same, so the ratio is 1/24.
    assert variance_ratio(random.normal(size=(400, 400)), 24) == pytest.approx(1 / 24, abs=0.01)


def test_funding_off_is_a_random_walk_and_stronger_answers_halve_sooner() -> None:
    found = plan("funding-anchor", paths=60)["responses"]

    assert found["0"]["half_life_h"] is None
    assert found["0.05"]["half_life_h"] > found["0.2"]["half_life_h"] >= found["0.5"]["half_life_h"]
    assert found["0"]["variance_ratio_day"] == pytest.approx(1.0, abs=0.2)
    assert found["0"]["variance_ratio_day"] > found["0.05"]["variance_ratio_day"] > found["0.5"]["variance_ratio_day"]


def test_a_loss_is_what_is_owed_beyond_the_worth_that_is_left() -> None:
    """Two accounts, two assets; worth as the engine counts it without a haircut."""
    owed = np.array([0.5, 0.75])
    losses = protocol_losses(np.array([[0.75, 0.25], [1.0, 0.0]]), np.array([0, 1]), owed, 0.4, 0.5)
    left = [
        float(
            collateral_value(Fraction(3, 4), Fraction(6, 10), Fraction(0))
            + collateral_value(Fraction(1, 4), Fraction(8, 10), Fraction(0))
        ),
        float(collateral_value(Fraction(1), Fraction(8, 10), Fraction(0))),
    ]

    assert losses == pytest.approx([max(0.0, 0.75 - left[0]) / 1.25, max(0.0, 0.75 - left[1]) / 1.25])
    assert expected_shortfall(np.arange(100.0)) == np.arange(94.0, 100.0).mean()


def test_spreading_collateral_helps_only_where_assets_fall_alone() -> None:
    found = plan("collateral-mix")["shortfall"]
    alone, half, nearly = (found[f"followed by {x} of it"] for x in ("0", "0.5", "0.9"))

    assert alone["es_one_asset"] == half["es_one_asset"] == nearly["es_one_asset"]
    assert alone["es_most_assets"] < half["es_most_assets"] < nearly["es_most_assets"] < nearly["es_one_asset"]
    whole = plan("collateral-mix", followed=["1"])["shortfall"]["followed by 1 of it"]
    # Where all fall as one, mixing changes nothing.
    assert whole["es_most_assets"] == pytest.approx(whole["es_one_asset"])


def test_margin_of_a_pool_is_of_the_net_size_but_at_least_a_share_of_the_gross() -> None:
    size = np.array([[3.0, -2.0], [1.0, 1.0], [2.0, -2.0]])
    alone, pool = requirements(size, 0.1, 0.25)

    assert alone == pytest.approx(np.abs(size) * 0.1)
    assert pool == pytest.approx([0.125, 0.2, 0.1])


def test_a_hedge_survives_in_a_pool_and_a_loss_reaches_every_venue_of_it() -> None:
    hedge, moves = np.array([[10.0, -10.0]]), np.array([-0.2, -0.2])
    alone, pool = requirements(hedge, 0.1, 0.25)

    split, joint = apart(hedge, moves, alone), together(hedge, moves, pool)
    assert (split.failed, split.deficits.tolist()) == (1, [1.0, 0.0])
    assert (joint.failed, joint.deficits.tolist()) == (0, [0.0, 0.0])
    one = together(hedge, np.array([-0.2, 0.0]), pool)
    assert (one.failed, one.deficits.tolist()) == (1, [0.75, 0.75])


def test_pools_save_margin_and_carry_a_venue_s_loss_elsewhere() -> None:
    found = plan("margin-pools")

    assert 0.5 < found["margin_saved"] < 0.8
    assert found["shocks"]["one venue, apart, 0.06"]["elsewhere"] == 0.0
    assert found["shocks"]["one venue, together, 0.06"]["elsewhere"] > 0.0
    assert plan("margin-pools", offset="1")["margin_saved"] == pytest.approx(0.0)


def test_no_fault_of_a_bridge_counts_twice_and_early_credit_bounds_the_loss() -> None:
    found = plan("bridge")
    late, small, large = found["limits"].values()

    assert (found["unbalanced"], found["double_counts"]) == (0, 0)
    assert found["loss_within_limit"]
    assert (late["largest_loss_usd"], late["lost_usd"]) == (0.0, 0.0)
    assert 0 < small["largest_loss_usd"] <= 20_000 < large["largest_loss_usd"] <= 100_000
    # Without early credit nobody waits less than finality, here 780 s.
    assert late["median_wait_s"] > 780 > large["median_wait_s"]
    calm = plan("bridge", forgettings=0)["limits"]
    assert {row["credited"] for row in calm.values()} == {1000}
    assert {row["lost_usd"] for row in calm.values()} == {0.0}
