"""Twins of parametric.py, difference.py and overfit.py: published numbers, R, quadrature, slow loops."""

from __future__ import annotations

import json
from itertools import combinations
from math import comb, log, sqrt
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import chi, norm, rankdata, ttest_1samp

from hypotheses.sensitivity.difference import sharpe_difference
from hypotheses.sensitivity.overfit import overfitting
from hypotheses.sensitivity.parametric import block_t, error_at, first_order_bias, normal_interval


def cases(vectors: Path, topic: str) -> dict[str, dict[str, Any]]:
    return {case["id"]: case for case in json.loads((vectors / "stats" / f"{topic}.json").read_text())["vectors"]}


def fund(vectors: Path, name: str) -> np.ndarray:
    table = json.loads((vectors / "stats" / "data-hfdata-cols1-4.json").read_text())
    return np.array(table["rows"], dtype=float)[:, table["columns"].index(name)]


@pytest.mark.parametrize("name", ["pp-funds12-iid", "pp-funds12-hac", "pp-funds34-iid", "pp-funds12-product-iid"])
def test_the_difference_of_two_ratios_is_that_of_ledoit_and_wolf(vectors: Path, name: str) -> None:
    """R's PeerPerformance on its own hedge funds: difference, t and p-value."""
    case = cases(vectors, "ledoit_wolf")[name]
    one, two = case["inputs"].get("columns", ["fund1", "fund2"])

    found = sharpe_difference(
        fund(vectors, one), fund(vectors, two), hac=case["inputs"]["hac"], product="product" in name
    )

    assert found is not None
    told = {"dsharpe": found.value, "tstat": found.t, "pval": found.p}
    for key, value in case["expected"].items():
        assert told[key] == pytest.approx(value, rel=case["tolerance"]["rel"])


def test_series_that_cannot_be_compared_give_none() -> None:
    """One without variance, or the same series twice."""
    x = np.random.default_rng(1).normal(size=30)

    assert sharpe_difference(x, np.ones(30), hac=True) is None
    assert sharpe_difference(x, x, hac=False) is None


def test_the_normal_interval_inverts_the_noncentral_t(vectors: Path) -> None:
    """SharpeR's interval to the accuracy of its own root search; the noncentral t by quadrature, to 1e-9.

    The published ends are 1e-5 from the exact inversion, more than the vector's tolerance.
    """
    case = cases(vectors, "sharpe_se")["sharper-exact-ci-fund3"]
    x = fund(vectors, "fund3")
    n, ratio = len(x), float(x.mean() / x.std(ddof=1))
    assert ratio * sqrt(12) == pytest.approx(case["expected"]["sr_annual"], abs=2e-6)

    found = normal_interval(ratio, n, 0.95)

    assert [end * sqrt(12) for end in found] == pytest.approx(case["expected"]["ci95_exact"], abs=2e-5)
    for end, share in zip(found, (0.975, 0.025), strict=True):
        below, _ = quad(
            lambda c, true=end: norm.cdf(ratio * sqrt(n) * c / sqrt(n - 1) - true * sqrt(n)) * chi.pdf(c, n - 1),
            2.0,
            14.0,
            epsabs=1e-13,
            points=[6.0, 7.7, 9.0],
            limit=200,
        )
        assert below == pytest.approx(share, abs=1e-9)


@pytest.mark.parametrize("name", ["llz-sigma-nongauss", "llz-sigma-ar20"])
def test_the_error_at_a_benchmark_is_the_published_one(vectors: Path, name: str) -> None:
    """Lopez de Prado, Lipton and Zoonekynd print three decimals, without and with an AR(1)."""
    given = cases(vectors, "sharpe_se")[name]
    inputs = given["inputs"]

    found = error_at(0.036 / 0.079, inputs["T"], inputs["skew"], inputs["kurtosis_nonexcess"], inputs["rho"])

    assert found == pytest.approx(given["expected"]["sigma_sr"], abs=given["tolerance"]["abs"])
    assert np.isnan(error_at(2.0, 24, 9.0, 3.0, 0.0))


def test_the_first_order_bias_is_three_quarters_of_the_ratio_over_n(vectors: Path) -> None:
    """Bao (2009) for normal returns, as in SharpeR."""
    case = cases(vectors, "power")["bias-normal-n90"]
    inputs = case["inputs"]

    found = first_order_bias(inputs["snr_per_period"], inputs["n"], *inputs["cumulants"])

    assert found == pytest.approx(case["expected"]["bias"], rel=1e-10)


def test_the_first_order_bias_is_what_skewed_samples_show() -> None:
    """A simulation with skewness and heavy tails: the mean estimate exceeds the truth by the formula."""
    rng = np.random.default_rng(5)
    draws = rng.exponential(1.0, size=(60_000, 60)) - 0.6  # ratio 0.4, skew 2, excess 6
    found = float((draws.mean(axis=1) / draws.std(axis=1, ddof=1)).mean()) - 0.4

    assert found == pytest.approx(first_order_bias(0.4, 60, 2.0, 6.0), abs=0.003)


def test_the_t_over_blocks_is_student_s_on_block_ratios() -> None:
    """Ibragimov and Mueller: scipy's one-sample t-test of the ten ratios; none where a block never moves."""
    values = np.random.default_rng(2).normal(0.2, 1.0, 90)
    block = np.arange(90) // 9
    ratios = [values[block == b].mean() / values[block == b].std(ddof=1) for b in range(10)]
    oracle = ttest_1samp(ratios, 0.0)

    found = block_t(values, block, 0.95)

    assert found is not None
    assert found[0] == pytest.approx(oracle.statistic, rel=1e-12)
    assert found[1] == pytest.approx(tuple(oracle.confidence_interval(0.95)), rel=1e-10)
    assert block_t(np.where(block == 3, 0.0, values), block, 0.95) is None
    assert block_t(values, np.zeros(90, dtype=int), 0.95) is None


def test_the_halves_are_those_of_the_paper(vectors: Path) -> None:
    """C(S, S/2): 6, 924 and 12,870 for 4, 12 and 16 groups; ours are as many."""
    case = cases(vectors, "literature")["cscv-counts"]
    assert [comb(s, s // 2) for s in case["inputs"]["S"]] == case["expected"]["combinations"]

    table = np.random.default_rng(4).normal(size=(48, 3))

    for groups, expected in zip(case["inputs"]["S"][:2], case["expected"]["combinations"], strict=False):
        assert overfitting(table, np.arange(48) * groups // 48).combinations == expected


def test_overfitting_is_the_slow_loop() -> None:
    """For each half: best inside, rank outside, logit; by hand over all of them."""
    table = np.random.default_rng(6).normal(0.05, 1.0, size=(60, 5))
    group = np.arange(60) // 10
    logits = []
    for half in combinations(range(6), 3):
        inside = np.array([g in half for g in group])
        here, there = (
            [float(rows[:, k].mean() / rows[:, k].std(ddof=1)) for k in range(5)]
            for rows in (table[inside], table[~inside])
        )
        share = rankdata(there)[int(np.argmax(here))] / 6
        logits.append(log(share / (1 - share)))

    found = overfitting(table, group)

    assert found.logits == pytest.approx(tuple(logits), rel=1e-12)
    assert found.probability == np.mean(np.array(logits) <= 0)


def test_overfitting_knows_skill_from_a_mirror() -> None:
    """One always better: never overfitted.  Two that swap places in every half: always."""
    rng = np.random.default_rng(9)
    noise, group = rng.normal(size=(100, 1)), np.arange(100) // 10
    better = noise + np.array([[0.0, 1.0, 2.0, 3.0]])
    shift = rng.normal(0.0, 3.0, 10)[group]
    mirror = np.stack([shift + noise[:, 0], noise[:, 0] - shift], axis=1)

    assert overfitting(better, group).probability == 0.0
    assert (overfitting(mirror - mirror.mean(axis=0), group).probability or 0) > 0.9
    idle = overfitting(np.zeros((100, 2)), group)
    assert idle.probability is None
    assert idle.undefined == idle.combinations == 252
