"""Twins of sharpe.py, blocklength.py and longrun.py: the exact kernels against libraries and published numbers."""

from __future__ import annotations

import json
from decimal import Decimal
from math import sqrt
from pathlib import Path

import numpy as np
import pytest
from arch.bootstrap import optimal_block_length
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import lfilter
from scipy.stats import norm
from statsmodels.api import add_constant
from statsmodels.regression.linear_model import OLS
from statsmodels.stats.sandwich_covariance import S_hac_simple

from engine.exact.decimals import of_float, quantise
from hypotheses.statistics import block_length, sharpe
from hypotheses.statistics.long_run_variance import FLOOR, long_run_variance, standard_error
from hypotheses.statistics.psr import standard_error as iid_standard_error
from tests.helpers.ledgers import cases as exact

UNIT = 10**9


def cases(vectors: Path, topic: str) -> dict[str, dict]:
    return {case["id"]: case for case in json.loads((vectors / "stats" / f"{topic}.json").read_text())["vectors"]}


def fund(vectors: Path, name: str) -> np.ndarray:
    table = json.loads((vectors / "stats" / "data-hfdata-cols1-4.json").read_text())
    return np.array(table["rows"])[:, table["columns"].index(name)]


def units(values: np.ndarray, scale: float = 1e15) -> np.ndarray:
    """Return floats as integers fine enough that no statistic sees the rounding: all of them are scale-free."""
    return np.rint(np.asarray(values) * scale).astype(np.int64)


def autoregressive(rho: float, n: int, seed: int) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(0, 0.01, n)
    for t in range(1, n):
        noise[t] += rho * noise[t - 1]
    return np.rint(noise * UNIT).astype(np.int64)


def test_the_annual_ratio_is_that_of_the_exact_vectors() -> None:
    """Three integer series give the published decimals to nine places, not nearly."""
    for case in exact("exact_statistics"):
        ratio = sharpe.daily(np.array(case["returns_1e9"], dtype=np.int64))

        assert ratio is not None
        assert Decimal(case["annualised_sharpe_365"]) == quantise(sharpe.annual(ratio))


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(-(10**8), 10**8), min_size=2, max_size=60))
def test_the_daily_ratio_is_mean_over_sd(values: list[int]) -> None:
    """The integer formula is numpy's mean over std of divisor n - 1; a constant series has none."""
    returns = np.array(values, dtype=np.int64)
    found = sharpe.daily(returns)

    if len(set(values)) == 1:
        assert found is None
    else:
        assert float(found) == pytest.approx(returns.mean() / returns.std(ddof=1), rel=1e-9, abs=1e-12)


def test_influence_values_have_mean_zero_and_the_iid_standard_error(vectors: Path) -> None:
    """Their variance over n is Mertens' iid variance: skewness and kurtosis are in it."""
    returns = units(fund(vectors, "fund1"))
    ratio = sharpe.daily(returns)
    psi = np.array([float(p) for p in sharpe.influence(returns, ratio)])
    z = (returns - returns.mean()) / returns.std()
    # the closed form mixes the ratio of divisor n - 1 with moments of divisor n, as the protocol does
    expected = iid_standard_error(float(ratio), len(z) + 1, float((z**3).mean()), float((z**4).mean()))

    assert psi.mean() == pytest.approx(0, abs=1e-12)
    assert sqrt(psi.var() / len(psi)) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("name", ["pw-lcg-20260501-n90", "pw-lcg-7-n120"])
def test_the_block_length_is_that_of_the_vectors(vectors: Path, name: str) -> None:
    """Arch and R's np::b.star agree on these series, and so do we."""
    case = cases(vectors, "block_length")[name]

    found = block_length.optimal_block_length(units(case["inputs"]["data"], 1e6))

    assert float(found) == pytest.approx(case["expected"]["stationary"], rel=1e-9)


def test_the_block_length_of_a_long_series_is_arch_s(vectors: Path) -> None:
    """Arch's own test series of 10,000 points, from the frozen legacy stream."""
    shocks = np.random.RandomState(0).standard_normal(10_100)  # the vector's generator
    for t in range(1, len(shocks)):
        shocks[t] += 0.3 * shocks[t - 1]
    case = cases(vectors, "block_length")["arch-test-ar03"]

    found = block_length.optimal_block_length(units(shocks[100:], 1e9))

    assert float(found) == pytest.approx(case["expected"]["stationary"], rel=1e-4)
    assert float(found) == pytest.approx(float(optimal_block_length(shocks[100:])["stationary"].iloc[0]), rel=1e-8)


def rnorm(count: int, seed: int) -> np.ndarray:
    """R's rnorm after set.seed: Mersenne twister, inversion with two uniforms a draw."""
    state, key = seed, []
    for _ in range(50):
        state = (69069 * state + 1) & 0xFFFFFFFF
    for _ in range(625):
        state = (69069 * state + 1) & 0xFFFFFFFF
        key.append(state)
    twister = np.random.MT19937()
    twister.state = {"bit_generator": "MT19937", "state": {"key": np.array(key[1:], dtype=np.uint32), "pos": 624}}
    uniform = twister.random_raw(2 * count) * 2.3283064365386963e-10
    whole = np.floor(134_217_728 * uniform[0::2]) + uniform[1::2]
    return norm.ppf(whole / 134_217_728)


def test_the_block_length_of_patton_s_series_is_r_s(vectors: Path) -> None:
    """np::b.star's own example, 100,000 points of an AR(1), drawn as R draws them."""
    case = cases(vectors, "block_length")["np-bstar-ar05"]
    burn = 13  # arima.sim: p + q + ceiling(6 / log(minroots))
    x = lfilter([1.0], [1.0, -0.5], rnorm(100_000 + burn, 123))[burn:]

    found = block_length.optimal_block_length(units(x, 1e6))

    assert float(found) == pytest.approx(case["expected"]["stationary"], abs=case["tolerance"]["abs"])


@pytest.mark.parametrize("rho", [-0.5, 0.0, 0.3, 0.6, 0.9, 0.97])
@pytest.mark.parametrize("n", [14, 30, 90, 181])
def test_the_block_length_is_arch_s_within_its_limits(rho: float, n: int) -> None:
    """For any dependence and length the exact rule is the library's, floored at one day."""
    for seed in range(4):
        series = autoregressive(rho, n, seed)

        expected = max(1.0, float(optimal_block_length(series / UNIT)["stationary"].iloc[0]))

        assert float(block_length.optimal_block_length(series)) == pytest.approx(expected, rel=1e-9, abs=1e-9)


def test_a_series_without_variation_or_length_has_no_block_length() -> None:
    """Nothing is made up for a constant series, nor for one shorter than its own lags."""
    assert block_length.optimal_block_length(np.full(90, 5, dtype=np.int64)) is None
    assert block_length.optimal_block_length(np.arange(9, dtype=np.int64)) is None


@pytest.mark.parametrize("name", ["sr-lrv-qspw-fund1", "sr-lrv-qspw-fund3"])
def test_the_long_run_variance_is_that_of_sandwich(vectors: Path, name: str) -> None:
    """R's prewhitened quadratic-spectral estimate of the influence values, its bandwidth and its standard error."""
    expected = cases(vectors, "ledoit_wolf")[name]["expected"]
    returns = units(fund(vectors, name.removeprefix("sr-lrv-qspw-")))
    ratio = sharpe.daily(returns)

    found = long_run_variance(sharpe.influence(returns, ratio))

    assert float(ratio) == pytest.approx(expected["sharpe"], rel=1e-8)
    assert float(found.bandwidth) == pytest.approx(expected["bandwidth"], rel=1e-8)
    assert float(found.variance) == pytest.approx(expected["lrv"], rel=1e-8)
    assert sqrt(float(found.variance) / len(returns)) == pytest.approx(expected["se_sharpe"], rel=1e-8)


@pytest.mark.parametrize(("rho", "n"), [(0.4, 70), (-0.3, 90), (0.8, 181)])
def test_the_long_run_variance_is_statsmodels_sandwich_of_the_whitened_series(rho: float, n: int) -> None:
    """The library's own OLS whitens and gives the bandwidth; its HAC sandwich sums the kernel."""
    psi = autoregressive(rho, n, 5) / UNIT
    slope = float(OLS(psi[1:], psi[:-1]).fit().params[0])
    white = psi[1:] - slope * psi[:-1]
    ar = float(OLS(white[1:], add_constant(white[:-1])).fit().params[1])
    width = 1.3221 * (4 * ar**2 / (1 - ar) ** 4 * len(white)) ** 0.2

    def quadratic_spectral(lags: int) -> np.ndarray:
        a = 6 * np.pi * np.arange(1, lags + 1) / width / 5
        return np.concatenate([[1.0], 3 / a**2 * (np.sin(a) / a - np.cos(a))])

    hac = float(S_hac_simple(white[:, None], len(white) - 1, quadratic_spectral)[0, 0])

    found = long_run_variance([of_float(p) for p in psi])

    assert float(found.rho) == pytest.approx(slope, rel=1e-9)
    assert float(found.bandwidth) == pytest.approx(width, rel=1e-9)
    assert float(found.variance) == pytest.approx(hac / n / (1 - slope) ** 2, rel=1e-9)


def test_the_long_run_variance_is_a_slow_float_loop() -> None:
    """Every term of the formula written out once more, in floats."""
    psi = autoregressive(0.4, 70, 3) / UNIT
    rho = (psi[1:] @ psi[:-1]) / (psi[:-1] @ psi[:-1])
    e = psi[1:] - rho * psi[:-1]
    slope = np.polyfit(e[:-1], e[1:], 1)[0]
    width = 1.3221 * (4 * slope**2 / (1 - slope) ** 4 * len(e)) ** 0.2
    total = e @ e
    for lag in range(1, len(e)):
        a = 6 * np.pi * lag / width / 5
        total += 2 * 3 / a**2 * (np.sin(a) / a - np.cos(a)) * (e[lag:] @ e[:-lag])

    found = long_run_variance([of_float(p) for p in psi])

    assert float(found.variance) == pytest.approx(total / len(psi) / (1 - rho) ** 2, rel=1e-9)


def test_the_long_run_variance_of_a_long_autoregression_is_near_its_closed_form() -> None:
    """sigma^2 / (1 - rho)^2, within what 4,000 points allow: the kernel looks far enough."""
    psi = autoregressive(0.5, 1_500, 11) / UNIT

    found = long_run_variance([of_float(p) for p in psi])

    assert float(found.variance) == pytest.approx(0.01**2 / (1 - 0.5) ** 2, rel=0.2)


def test_the_whitening_slope_is_limited() -> None:
    """A series that grows has a slope above one: 0.97 is taken, and -0.97 where it swings.  [statistics 6]"""
    growing = [of_float(1.05**t) for t in range(40)]
    swinging = [of_float((-1.05) ** t) for t in range(40)]

    assert long_run_variance(growing).rho == Decimal("0.97")
    assert long_run_variance(swinging).rho == Decimal("-0.97")


def test_the_long_run_variance_is_floored_and_the_factor_is_small() -> None:
    """A variance of nothing is 1e-12; at 90 days the small-sample factor is 1.7%."""
    assert long_run_variance([Decimal(0)] * 20).variance == FLOOR
    assert float(standard_error(Decimal(1), 90)) * sqrt(90) == pytest.approx(1.017, abs=5e-4)
