"""Twin of psr.py: the published examples of both conventions.  [statistics 3.5]"""

from __future__ import annotations

import json
from decimal import Decimal
from math import sqrt
from pathlib import Path

import numpy as np
import pytest

from hypotheses.statistics import psr
from hypotheses.statistics.psr_of_series import (
    deflated_sharpe,
    probabilistic_sharpe,
    probabilistic_sharpe_at_benchmark,
    sample_moments,
)


def cases(vectors: Path) -> dict[str, dict]:
    found = json.loads((vectors / "stats" / "psr_dsr.json").read_text())["vectors"]
    return {case["id"]: case for case in found}


def test_the_newer_convention_is_the_published_one(vectors: Path) -> None:
    """Lopez de Prado, Lipton and Zoonekynd (2025): 0.987 for 24 months."""
    case = cases(vectors)["llz-psr0"]
    i = case["inputs"]

    found = psr.psr_at_benchmark(0.036 / 0.079, i["sr0"], i["T"], i["skew"], i["kurtosis_nonexcess"])

    assert found == pytest.approx(case["expected"]["psr"], abs=case["tolerance"]["abs"])


@pytest.mark.parametrize("name", ["bldp2012-mintrl-daily250", "bldp2012-mintrl-monthly"])
def test_shortest_records_are_the_published_ones(vectors: Path, name: str) -> None:
    """Years until a PSR of 95% against an annual ratio of 1."""
    case = cases(vectors)[name]
    i, year = case["inputs"], case["inputs"]["periods_per_year"]

    periods = psr.minimum_track_record(
        i["sr_annual"] / sqrt(year), i["sr0_annual"] / sqrt(year), i["skew"], i["kurtosis_nonexcess"], i["prob"]
    )

    assert periods / year == pytest.approx(case["expected"]["min_trl_years"], abs=case["tolerance"]["abs"])


def test_the_shortest_record_of_the_hedge_fund_index(vectors: Path) -> None:
    """0.7152 years at a monthly ratio of 0.7079, and 13.029 months for the newer convention's example."""
    case, newer = cases(vectors)["bldp2012-mintrl-hfr1"], cases(vectors)["llz-mintrl95"]
    i, j = case["inputs"], newer["inputs"]

    months = psr.minimum_track_record(i["sr_monthly"], i["sr0"], i["skew"], i["kurtosis_nonexcess"], i["prob"])
    n = newer["expected"]["min_trl_obs"]
    reached = psr.psr_at_benchmark(0.036 / 0.079, j["sr0"], n, j["skew"], j["kurtosis_nonexcess"])

    assert months / 12 == pytest.approx(case["expected"]["min_trl_years"], abs=case["tolerance"]["abs"])
    assert reached == pytest.approx(j["prob"], abs=newer["tolerance"]["abs"])


def test_the_two_conventions_agree_where_the_shape_is_normal_and_the_ratio_small() -> None:
    """They differ by the variance's argument and by n - 1 against n."""
    returns = np.rint(np.random.default_rng(2).normal(2e5, 5e6, 4_000)).astype(np.int64)

    old, new = (f(returns, Decimal(0)) for f in (probabilistic_sharpe, probabilistic_sharpe_at_benchmark))

    assert old == pytest.approx(new, abs=2e-3)


def test_a_constant_series_has_neither() -> None:
    """No deviation, no ratio."""
    flat = np.full(90, 7, dtype=np.int64)

    assert probabilistic_sharpe(flat, Decimal(1)) is None
    assert probabilistic_sharpe_at_benchmark(flat, Decimal(1)) is None
    assert deflated_sharpe(flat, [1.0, 2.0]) is None


def test_the_deflated_ratio_compares_with_the_best_of_unskilled_trials_per_day() -> None:
    """Annual ratios of the trials vary by V: the daily benchmark rests on V / 365.  [statistics 3.5]"""
    series = np.rint(np.random.default_rng(4).normal(2e6, 1e7, 90)).astype(np.int64)
    trials = (1.5, -0.5, 2.0, 0.25)
    shape = sample_moments(series)
    assert shape is not None
    benchmark = psr.expected_maximum(4, float(np.var(trials, ddof=1)) / 365)

    found = deflated_sharpe(series, trials)

    assert found == pytest.approx(psr.psr(shape.ratio, benchmark, 90, shape.skew, shape.kurtosis), rel=1e-12)
    assert deflated_sharpe(series, trials[:1]) == pytest.approx(probabilistic_sharpe(series, Decimal(0)))
