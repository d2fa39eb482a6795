"""Coverage, independence, shortfall, scores and pairs against scipy, statsmodels, enumeration and known laws."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar as mcnemar_of_statsmodels

from backtest.simulation.coverage_tests import (
    chi_square_beyond,
    christoffersen,
    diebold_mariano,
    fz0,
    kupiec,
    mcnemar,
    merged,
    shortfall_z2,
    simulated_z2,
)
from engine.errors import DataError

RANDOM = np.random.Generator(np.random.PCG64(31))


def test_coverage_is_the_ratio_of_two_binomial_likelihoods() -> None:
    exceeded = np.arange(1000) % 100 == 0
    expected = 2 * (stats.binom.logpmf(10, 1000, 0.01) - stats.binom.logpmf(10, 1000, 0.005))

    ratio, p = kupiec(exceeded, 0.005)

    assert ratio == pytest.approx(expected)
    assert p == pytest.approx(stats.chi2.sf(expected, 1))
    assert kupiec(exceeded, 0.01) == (pytest.approx(0.0, abs=1e-9), pytest.approx(1.0, abs=1e-4))
    assert kupiec(np.zeros(100, dtype=bool), 0.01)[0] == pytest.approx(-200 * np.log(0.99))
    with pytest.raises(DataError, match="was none"):
        kupiec(np.array([], dtype=bool), 0.01)


def test_coverage_rejects_as_often_as_its_level_says() -> None:
    """At the true rate 5% of 2,000 samples, within four deviations; at twice the rate nearly all."""
    rejected = [kupiec(RANDOM.random(4000) < 0.02, 0.02)[1] < 0.05 for _ in range(2000)]
    other = [kupiec(RANDOM.random(4000) < 0.04, 0.02)[1] < 0.05 for _ in range(200)]

    assert abs(np.mean(rejected) - 0.05) < 4 * np.sqrt(0.05 * 0.95 / 2000) + 0.005
    assert np.mean(other) > 0.95


def test_independence_sees_exceedances_that_follow_each_other() -> None:
    """Both transition likelihoods written out for a sample whose exceedances come in pairs."""
    exceeded = np.isin(np.arange(400) % 40, (0, 1))
    ratio, p, joint = christoffersen(exceeded, 0.05)
    table = np.zeros((2, 2))
    for a, b in zip(exceeded[:-1].astype(int), exceeded[1:].astype(int), strict=True):
        table[a, b] += 1
    rates = table[:, 1] / table.sum(axis=1)
    pooled = table[:, 1].sum() / table.sum()
    free = sum(table[i, 1] * np.log(rates[i]) + table[i, 0] * np.log1p(-rates[i]) for i in (0, 1))
    tied = table[:, 1].sum() * np.log(pooled) + table[:, 0].sum() * np.log1p(-pooled)

    assert ratio == pytest.approx(2 * (free - tied))
    assert p == pytest.approx(stats.chi2.sf(ratio, 1))
    assert joint == pytest.approx(stats.chi2.sf(ratio + kupiec(exceeded, 0.05)[0], 2))
    assert christoffersen(RANDOM.permutation(exceeded), 0.05)[1] > 1e-3 > p


def test_shortfall_is_zero_under_the_model_and_negative_for_heavier_losses() -> None:
    n, rate = 100_000, 0.01
    var = np.full(n, stats.norm.ppf(0.99))
    es = np.full(n, stats.norm.pdf(var[0]) / rate)
    losses = RANDOM.normal(size=n)

    assert shortfall_z2(losses, var, es, rate) == pytest.approx(0.0, abs=0.1)
    assert shortfall_z2(1.3 * losses, var, es, rate) < -0.5
    assert shortfall_z2(np.array([3.0, 0.0]), np.array([2.0, 2.0]), np.array([2.5, 2.5]), 0.5) == 1 - 3 / 2.5


def test_simulated_shortfall_has_mean_zero_and_the_spread_of_its_law() -> None:
    """Sum of a Poisson number of tail losses: variance n rate E[(L/ES)^2] / (n rate)^2, E by scipy's Pareto law."""
    n, rate, var, es, shape = 20_000, 0.01, 2.0, 3.0, 0.2
    ones = np.ones(n)
    drawn = simulated_z2(var * ones, es * ones, shape * ones, rate, 1000, "s")
    law = stats.genpareto(shape, loc=var, scale=(es - var) * (1 - shape))
    spread = np.sqrt((law.var() + law.mean() ** 2) / es**2 / (n * rate))

    assert law.mean() == pytest.approx(es)
    assert drawn.mean() == pytest.approx(0.0, abs=4 * spread / np.sqrt(1000))
    assert drawn.std() == pytest.approx(spread, rel=0.1)
    assert (np.diff(drawn) >= 0).all()


def test_the_joint_score_is_least_at_the_true_pair() -> None:
    losses = RANDOM.normal(size=200_000)
    var = stats.norm.ppf(0.99)
    es = stats.norm.pdf(var) / 0.01

    def score(a: float, b: float) -> float:
        return float(fz0(losses, np.full_like(losses, a), np.full_like(losses, b), 0.01).mean())

    true = score(var, es)
    assert all(true < score(a * var, b * es) for a, b in ((0.8, 1), (1.2, 1), (1, 0.8), (1, 1.3)))
    assert fz0(np.array([3.0]), np.array([2.0]), np.array([2.5]), 0.1)[0] == pytest.approx(
        1 / 0.25 + 2 / 2.5 + np.log(2.5) - 1
    )
    with pytest.raises(DataError, match=r"was 0\.0"):
        fz0(losses[:1], np.zeros(1), np.zeros(1), 0.01)


def test_equal_scores_are_no_difference_and_a_shift_is_one() -> None:
    noise = RANDOM.normal(size=900)
    n, lags = 900, int(4 * 9 ** (2 / 9))
    centred = noise - noise.mean()
    variance = centred @ centred / n + sum(
        2 * (1 - k / (lags + 1)) * (centred[k:] @ centred[:-k]) / n for k in range(1, lags + 1)
    )

    statistic, p = diebold_mariano(noise)

    assert statistic == pytest.approx(noise.mean() / np.sqrt(variance / n))
    assert p == pytest.approx(2 * stats.norm.sf(abs(statistic)))
    assert diebold_mariano(np.zeros(50)) == (0.0, 1.0)
    assert diebold_mariano(noise + 0.3)[1] < 1e-6


@pytest.mark.parametrize(("a", "b"), [(0, 0), (3, 9), (9, 3), (5, 5), (40, 400)])
def test_pairs_are_judged_exactly(a: int, b: int) -> None:
    first = np.array([True] * a + [False] * b + [True, False] * 7)
    second = np.array([False] * a + [True] * b + [True, False] * 7)
    expected = mcnemar_of_statsmodels([[7, a], [b, 7]], exact=True).pvalue if a + b else 1.0

    assert mcnemar(first, second) == (a, b, pytest.approx(expected))


def test_tails_of_chi_square_are_those_of_scipy() -> None:
    for value in (0.0, 0.5, 3.84, 12.0):
        assert chi_square_beyond(value, 1) == pytest.approx(stats.chi2.sf(value, 1))
        assert chi_square_beyond(value, 2) == pytest.approx(stats.chi2.sf(value, 2))
    assert chi_square_beyond(-1e-12, 1) == 1.0


def test_flags_that_follow_each_other_are_one() -> None:
    flags = np.array([1, 1, 0, 1, 1, 0, 0, 0, 1], dtype=bool)

    assert list(merged(flags, 2)) == [0, 3, 8]
    assert list(merged(flags, 0)) == [0, 1, 3, 4, 8]
