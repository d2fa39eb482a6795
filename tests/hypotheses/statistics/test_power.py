"""Twins of power.py, psr.py and margins.py."""

from __future__ import annotations

import json
from decimal import Decimal
from math import sqrt
from pathlib import Path

import numpy as np
import pytest

from backtest.seeds.streams import load
from hypotheses.statistics import power, psr, psr_of_series, ties
from tests.helpers.small_run import ROOT
from tests.hypotheses.cases import bits

REGISTERED = {"alpha": 0.05, "level": 0.95, "claim": 1.0}


def cases(vectors: Path, topic: str) -> dict[str, dict]:
    return {c["id"]: c for c in json.loads((vectors / "stats" / f"{topic}.json").read_text())["vectors"]}


@pytest.mark.parametrize("name", ["h1-power-n90-sr1", "h1-power-n90-sr3"])
def test_the_t_test_s_power_is_r_s(vectors: Path, name: str) -> None:
    """R's power.t.test and SharpeR, to 1e-8."""
    case = cases(vectors, "power")[name]

    found = power.t_test_power(case["inputs"]["annual_sharpe"], 0.0, case["inputs"]["n"], 0.05)

    assert found == pytest.approx(case["expected"]["power"], abs=1e-8)


def test_the_power_of_a_year_of_another_length_is_sharper_s(vectors: Path) -> None:
    """SharpeR's documented example: a year of 253 days at a ratio of 1."""
    case = cases(vectors, "power")["sharper-power-253"]
    given = case["inputs"]

    found = power.t_test_power(
        given["annual_sharpe"], 0.0, given["n"], given["alpha"], a_year=given["periods_per_year"]
    )

    assert found == pytest.approx(case["expected"]["power"], abs=1e-9)


def test_the_days_needed_are_r_s(vectors: Path) -> None:
    """252 days at a true Sharpe ratio of 3."""
    case = cases(vectors, "power")["n-for-80pct-sr3"]

    assert power.days_needed(3, 0.05, 0.8) == pytest.approx(case["expected"]["days"], rel=1e-5)


def test_the_table_is_that_of_the_protocol() -> None:
    """Every exact row of statistics 1.4 to its printed digit, the simulated one within its noise of the study."""
    table = power.power_table(90, 10, bits(), **REGISTERED)
    rows = {row.name: [round(100 * p, 1) for p in row.power] for row in table.rows}

    assert rows["SR <= 0 rejected at 5%, t-test"] == [12.5, 25.5, 43.4, 79.4, 98.9]
    assert rows["SR <= 1 rejected at 5%"] == [5.0, 12.4, 25.3, 62.4, 96.3]
    assert rows["one constraint: lower 97.5% bound above 0"] == [7.1, 16.4, 31.3, 69.0, 97.6]
    assert rows["registered joint rule with N1, protocol's study"] == [11.6, 22.6, 37.9, 74.6, 97.5]
    np.testing.assert_allclose(rows["registered joint rule with N1"], [11.6, 22.6, 37.9, 74.6, 97.5], atol=3)
    assert [round(d) for d in table.days_for_80[:4]] == [2258, 566, 252, 92]
    assert table.detectable_80 == pytest.approx(5.0, abs=0.05)
    assert table.smallest_p == 1 / 1024


def test_a_short_window_has_its_own_table_and_no_study_row() -> None:
    """Fourteen days in seven folds can show next to nothing, and say so."""
    table = power.power_table(14, 7, bits(), **REGISTERED)

    assert {row.kind for row in table.rows} == {"exact", "simulated"}
    assert max(table.rows[0].power[:3]) < 0.15
    assert power.power_table(3, 1, bits(), **REGISTERED).detectable_80 is not None


def test_the_simulated_row_depends_on_its_stream_only() -> None:
    """The same stream gives the same row, another gives another."""
    one, again, other = (power.joint_power(30, 5, 0.05, bits(seed)) for seed in (1, 1, 2))

    assert one == again
    assert one != other


def test_the_table_of_a_stream_is_computed_once_however_often_its_lock_is_read() -> None:
    """The second window of a study, and the next of ten thousand replications, find the first one's table."""
    one, again = (load(ROOT / "seeds.lock").stream("calibrate/power") for _ in range(2))
    first = power.power_table(30, 5, one, **REGISTERED)

    assert power.power_table(30, 5, again, **REGISTERED) is first
    assert power.power_table(30, 5, load(ROOT / "seeds.lock").stream("h1/n2"), **REGISTERED) is not first


def test_probabilistic_sharpe_ratios_are_the_published_ones(vectors: Path) -> None:
    """Bailey and Lopez de Prado's examples: 0.982 for 24 months at 0.458; DSR 0.9004 among a hundred trials."""
    table = cases(vectors, "psr_dsr")
    normal, deflated = table["bldp2012-psr-normal"], table["bldp2014-dsr-N100"]
    i = deflated["inputs"]
    trial = psr.expected_maximum(i["n_trials"], i["var_trials_annual"] / i["periods_per_year"])
    daily = i["sr_annual"] / sqrt(i["periods_per_year"])

    assert psr.psr(0.458, 0, 24, 0, 3) == pytest.approx(normal["expected"]["psr"], abs=5e-4)
    assert trial == pytest.approx(table["bldp2014-sr0-N100"]["expected"]["sr0_per_period"], abs=5e-5)
    found = psr.psr(daily, trial, i["T"], i["skew"], i["kurtosis_nonexcess"])
    assert found == pytest.approx(deflated["expected"]["dsr"], abs=5e-5)
    assert psr.expected_maximum(1, 0.5) == 0


def test_the_iid_standard_error_is_the_published_one(vectors: Path) -> None:
    """0.1028 for the hedge-fund index of Bailey and Lopez de Prado (2012)."""
    case = cases(vectors, "sharpe_se")["bldp2012-se-hfr1"]
    i = case["inputs"]

    found = psr.standard_error(i["sr"], i["n"], i["skew"], i["kurtosis_nonexcess"])

    assert found == pytest.approx(case["expected"]["se"], abs=5e-5)


@pytest.mark.parametrize("name", ["lo2002-table1-sr0.50", "lo2002-table1-sr1.50", "lo2002-table1-sr3.00"])
def test_lo_s_table_of_standard_errors_is_the_iid_formula(vectors: Path, name: str) -> None:
    """Lo (2002), table 1: every cell, to its three printed decimals."""
    case = cases(vectors, "sharpe_se")[name]
    ratio = float(name.removeprefix("lo2002-table1-sr"))

    found = [psr.standard_error(ratio, n + 1, 0, 3) for n in case["inputs"]["T"]]

    np.testing.assert_allclose(found, case["expected"]["se"], atol=case["tolerance"]["abs"])


@pytest.mark.parametrize("name", ["lo2002-table2-rho+90", "lo2002-table2-rho+0", "lo2002-table2-rho-20"])
def test_lo_s_table_of_scale_factors_is_reproduced(vectors: Path, name: str) -> None:
    """Lo (2002), table 2: what takes the place of sqrt(q) under an AR(1)."""
    case = cases(vectors, "sharpe_se")[name]

    found = [psr.lo_annualisation(case["inputs"]["ar1_rho"], q) for q in case["inputs"]["q"]]

    np.testing.assert_allclose(found, case["expected"]["eta"], atol=case["tolerance"]["abs"])


def test_a_psr_that_has_no_variance_is_undefined() -> None:
    """A constant series, and moments under which the formula's variance is negative."""
    assert psr_of_series.probabilistic_sharpe(np.full(90, 7, dtype=np.int64), Decimal(1)) is None
    assert np.isnan(psr.psr(2.0, 0, 24, 3.0, 3))


def test_a_tie_is_decided_against_the_claim() -> None:
    """Within one part in a billion of the threshold neither side wins."""
    claim, relative = Decimal(50_000), Decimal("1e-9")

    assert ties.tied(Decimal("49999.99996"), claim, relative)
    assert not ties.falls_below(Decimal("49999.99996"), claim, relative)
    assert ties.falls_below(Decimal("49999.9999"), claim, relative)
    assert not ties.exceeds(Decimal("1e-9"), Decimal(0), relative)
    assert ties.exceeds(Decimal("2e-9"), Decimal(0), relative)
