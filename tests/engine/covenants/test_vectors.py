"""Every case of the covenant vectors, with the example of the framework under both rules.  [covenants 3.7]"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.covenants import drift_monitor, leverage_cap, regime, revision, staleness
from engine.covenants.alerts import liquidation_price
from engine.covenants.base import Book, Leg
from engine.covenants.elementary import decay, ln
from engine.covenants.parameters import Parameters
from engine.covenants.reallocation import reallocate
from engine.covenants.spread import spread_pp
from engine.covenants.spread_band import (
    breaks,
    literal_pp,
    post_process,
    principled_pp,
    same_bar_threshold_pp,
    scaled_pp,
)
from engine.units import NS_PER_SECOND

VECTORS = Path(__file__).parents[2] / "vectors" / "risk" / "covenants.json"


def case(name: str) -> tuple[dict[str, Any], dict[str, Any]]:
    found = {v["id"]: v for v in json.loads(VECTORS.read_text())["vectors"]}[name]
    return found["inputs"], found["expected"]


def band_of(inputs: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """The spreads, and the bands as published: in millionths of a percentage point."""
    spread = np.array(inputs["spread"])
    constant = {name: np.full(spread.size, inputs[name]) for name in ("alpha", "beta", "rho")}
    raw = literal_pp(constant["alpha"], constant["beta"], np.array(inputs["sigma"]), spread, constant["rho"])
    return spread, np.array([post_process(band, 2.5, Parameters()) for band in raw])


def test_the_example_under_the_lagged_rule() -> None:
    inputs, expected = case("scpc-seed-example")
    spread, band = band_of(inputs)

    assert band[0] == pytest.approx(expected["sb_start"], rel=1e-9)
    assert band[15] == pytest.approx(expected["sb_after_15_min"], rel=1e-9)
    assert np.flatnonzero(breaks(spread, band, "lagged"))[0] == expected["first_breach_index_lagged"]
    assert np.flatnonzero(breaks(spread, band, "same_bar")).tolist() == expected["breach_indices_contemporaneous"]


def test_the_example_under_the_same_bar_rule() -> None:
    inputs, expected = case("scpc-seed-example-samebar")
    spread, band = band_of(inputs)

    assert band[0] == pytest.approx(expected["sb_start"])
    assert band[15] == pytest.approx(expected["sb_after_15_min"])
    assert band[16] == pytest.approx(expected["sb_at_3_9"])
    assert np.flatnonzero(breaks(spread, band, "lagged"))[0] == expected["first_breach_index_lagged"]
    assert np.flatnonzero(breaks(spread, band, "same_bar")).tolist() == expected["breach_indices_contemporaneous"]


def test_the_seeds_transfer() -> None:
    inputs, expected = case("scpc-rr-seed-transfer")
    donor = Leg(-10.0, 60000.0, inputs["donor_margin"], 0.0125)
    done = reallocate(
        donor, Leg(1.0, 3000.0, 1.0, 0.0125), 60000.0, Book(((60000.0, 1e6),)), 100.0, inputs["rr"], 0.001, 0.0,
        Parameters(),
    )  # fmt: skip

    assert done.requested_transfer_usd == pytest.approx(expected["requested_transfer"], rel=1e-9)
    assert done.transfer_usd == done.requested_transfer_usd
    assert done.status == "FULL"


def test_fractions_cannot_give_the_seeds_band() -> None:
    inputs, expected = case("scpc-literal-frac-absurd")
    alpha, beta, rho = (np.array(inputs[name]) for name in ("alpha", "beta", "rho"))
    sigma, spread = np.array(inputs["sigma_frac"]), np.array(inputs["spread_frac"])

    assert literal_pp(alpha, beta, sigma, spread, rho) == pytest.approx(expected["sb_frac"], rel=1e-9)
    assert literal_pp(alpha, beta, 100 * sigma, 100 * spread, rho) == pytest.approx(expected["sb_pp_mode"], rel=1e-9)


def test_the_same_bar_rule_is_a_threshold() -> None:
    inputs, expected = case("scpc-samebar-breach-identity")
    level = same_bar_threshold_pp(inputs["alpha"], inputs["beta"], inputs["sigma"], inputs["rho"])
    spread = level + np.linspace(-1, 1, 41)
    spread = spread[np.abs(spread - level) > 1e-9]
    constant = [np.full(spread.size, inputs[name]) for name in ("alpha", "beta", "sigma", "rho")]
    band = literal_pp(constant[0], constant[1], constant[2], spread, constant[3])

    assert level == pytest.approx(expected["threshold"], rel=1e-9)
    assert np.array_equal(breaks(spread, band, "same_bar"), spread > level)


def test_scaled() -> None:
    inputs, expected = case("scpc-scaled")
    alpha, beta, rho, sigma, spread = (np.array(inputs[k]) for k in ("alpha", "beta", "rho", "sigma", "spread"))

    assert scaled_pp(alpha, beta, sigma, spread, rho) == pytest.approx(expected["sb"], rel=1e-9)
    assert scaled_pp(alpha, beta, 7 * sigma, 7 * spread, rho) == pytest.approx(7 * expected["sb"], rel=1e-9)


def test_principled() -> None:
    inputs, expected = case("scpc-principled")
    names = ("alpha", "beta", "sigma", "spread_rms", "rho", "rho_bar")
    found = principled_pp(*(np.array(inputs[name]) for name in names), inputs["z"])

    assert found == pytest.approx(expected["sb"], rel=1e-9)


def test_alpha_and_beta() -> None:
    inputs, expected = case("scpc-alpha-beta-regime")

    assert regime.alpha_u_shaped(np.array(inputs["vol_percentile"])) == pytest.approx(expected["alpha"], rel=1e-9)
    short = np.array(inputs["rho_short"])
    assert regime.beta_regime(short, np.full(3, inputs["rho_long"])) == pytest.approx(expected["beta"], rel=1e-9)


def test_leverage_cap() -> None:
    inputs, expected = case("scpc-lm")
    p = Parameters(l_max=inputs["l_max"], l_min=inputs["l_min"], phi_min=inputs["phi_min"])
    v = np.array([c["v"] for c in inputs["cases"]])
    phi = leverage_cap.funding_factor(
        np.array([c["funding_8h"] for c in inputs["cases"]]), inputs["funding_8h_spike"], p.phi_min
    )

    assert leverage_cap.cap(v, inputs["v_ref"], phi, p).tolist() == expected["lm"]


def test_ewma() -> None:
    inputs, expected = case("scpc-ewma-variance")
    returns = np.array(inputs["returns"])
    after = leverage_cap.ewma_after(returns, inputs["lam"], inputs["start_variance"])

    assert after == pytest.approx(expected["variance"], rel=1e-12)
    assert leverage_cap.annualised(after, inputs["bars_per_year"]) == pytest.approx(expected["vol_annual"], rel=1e-12)
    assert leverage_cap.ewma_before(returns, inputs["lam"], inputs["start_variance"])[0] == inputs["start_variance"]


def test_a_partial_reallocation() -> None:
    inputs, expected = case("scpc-rr-partial")
    d = inputs["donor"]
    donor = Leg(d["size"], d["entry"], d["margin"], d["mmr"])
    p = Parameters(kappa=inputs["kappa"], slip=inputs["slippage_cap"], participation=inputs["participation"])
    book = Book(tuple((price, size) for price, size in inputs["book_levels"]))
    done = reallocate(
        donor, Leg(100.0, 3000.0, 50000.0, 0.02), d["mark"], book, inputs["lm"], inputs["rr"], inputs["lot"],
        inputs["taker_fee"], p,
    )  # fmt: skip

    found = {
        "requested_qty": done.fill.requested,
        "filled_qty": done.fill.filled,
        "fill_fraction": done.fill.fraction,
        "vwap": done.fill.average_usd,
        "realised_pnl": done.realised_usd,
        "fee": done.fee_usd,
        "required_after": done.required_usd,
        "transfer": done.transfer_usd,
        "residual_qty": done.residual_size,
        "donor_margin_after": done.donor.margin_usd,
        "donor_liq_price_after": liquidation_price(done.donor),
    }
    assert {**found, "status": done.status} == {
        name: pytest.approx(value, rel=1e-9, abs=1e-5) if name != "status" else value
        for name, value in expected.items()
    }
    assert done.recipient == Leg(100.0, 3000.0, 50000.0 + done.transfer_usd, 0.02)


def test_moving_margin_alone_brings_liquidation_nearer() -> None:
    inputs, expected = case("scpc-rr-paradox")
    d = inputs["donor"]
    donor = Leg(d["size"], d["entry"], d["margin"], d["mmr"])
    done = reallocate(
        donor, Leg(0.0, 1.0, 0.0, 0.01), d["mark"], Book(((d["mark"], 1e6),)), 100.0, inputs["rr"], 0.001,
        inputs["fee"], Parameters(),
    )  # fmt: skip

    assert liquidation_price(donor) == pytest.approx(expected["liq_before"], abs=1e-4)
    poorer = Leg(donor.size, donor.entry_usd, donor.margin_usd * (1 - inputs["rr"]), donor.maintenance)
    assert liquidation_price(poorer) == pytest.approx(expected["liq_margin_only"], abs=1e-4)
    assert liquidation_price(done.donor) == pytest.approx(expected["liq_reduce_then_release"], abs=1e-4)


def test_revision_cap() -> None:
    inputs, expected = case("scpc-revision-cap")
    attempts = [round(t * NS_PER_SECOND) for t in inputs["attempts_seconds"]]

    assert revision.accepted(attempts) == expected["accepted"]
    assert revision.accepted([100 * NS_PER_SECOND, 30 * NS_PER_SECOND]) == [True, False]


def test_manual_threshold() -> None:
    from engine.covenants.base import Mode
    from engine.covenants.state_machine import Machine, executed

    inputs, expected = case("scpc-manual-threshold")
    p = Parameters(rr=inputs["rr"], manual_share=inputs["max_cumulative"], manual_per_hour=100)
    machine, count, left = Machine(Mode.BREACH, 2.5), 0, 1.0
    while machine.mode == Mode.BREACH:
        machine, count = executed(machine, 1000 * count, p), count + 1
        left *= 1 - inputs["rr"]
        assert 1 - left == pytest.approx(expected["cumulative"][count - 1], rel=1e-9)

    assert count == expected["first_manual_count"]
    assert machine.mode == Mode.MANUAL


def test_literal_drift() -> None:
    inputs, expected = case("scpc-drift-monitor")
    band, spread = np.array(inputs["sb_predicted"]), np.array(inputs["abs_spread"])

    assert drift_monitor.literal_deviation_pp(band, spread) == pytest.approx(expected["deviation"], rel=1e-9)
    assert drift_monitor.literal_alarm(band, spread, inputs["threshold"]).tolist() == expected["alarm"]


def test_staleness() -> None:
    inputs, expected = case("scpc-staleness")
    p = Parameters(freeze_after_s=inputs["freeze_after"], reduce_only_after_s=inputs["reduce_only_after"])

    assert [staleness.stale_mode(age, p).name for age in inputs["age_seconds"]] == expected["state"]


def test_spread() -> None:
    inputs, expected = case("scpc-spread-definition")
    spread, anchors = spread_pp(
        np.array(inputs["price_a"], float), np.array(inputs["price_b"], float), inputs["anchor_half_life_bars"],
        inputs["hedge_ratio"], float(ln(20.0)),
    )  # fmt: skip

    assert spread == pytest.approx(expected["spread_pp"], abs=1e-8)
    assert anchors[0] == float(ln(20.0))
    assert decay(2) == pytest.approx(2**-0.5, rel=1e-15)
