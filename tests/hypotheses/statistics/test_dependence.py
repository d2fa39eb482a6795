"""Twin of dependence.py: a slow loop, the library's autocorrelation, and the size that studentising is for."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from statsmodels.tsa.stattools import acf

from hypotheses.statistics import dependence
from tests.hypotheses.cases import bits


def slow(x: np.ndarray, lag: int) -> tuple[float, float]:
    """Every sum of the formula written out."""
    n, c = len(x), x - x.mean()
    square = sum(v * v for v in c)
    ahead = [c[i] * c[i + lag] if i + lag < n else 0.0 for i in range(n)]
    rho = sum(ahead) / square
    term = [(ahead[i] - rho * c[i] ** 2) * n / square for i in range(n)]
    plain = sum(v * v for v in term) / n
    whole = plain
    for j in range(1, int(n ** (1 / 3) + 1e-9) + 1):
        whole += 2 / n * sum(term[i] * term[i + j] for i in range(n - j))
    return rho, np.sqrt(n) * rho / np.sqrt(whole if whole > 0 else plain)


@pytest.mark.parametrize("lag", [1, 3, 5])
def test_the_statistic_is_a_slow_loop_and_the_library_s_autocorrelation(lag: int) -> None:
    """Rows at once are rows one by one; rho is statsmodels'."""
    rows = np.random.default_rng(lag).standard_t(4, (6, 64))

    rho, t = dependence.studentised_autocorrelation(rows, lag)

    for row, r, statistic in zip(rows, rho, t, strict=True):
        assert (r, statistic) == pytest.approx(slow(row, lag), rel=1e-9)
        assert r == pytest.approx(acf(row, nlags=lag, fft=False)[lag], rel=1e-9)


def test_the_p_value_counts_ties_over_the_whole_group() -> None:
    """All 720 orders of six days: the share that reach the observed size, and one more of each."""
    x = np.array([0.3, -1.2, 0.9, 2.1, 1.4, -0.6])
    every = np.array(list(permutations(range(6))))
    t = np.array([abs(slow(x[list(order)], 1)[1]) for order in every])

    found = dependence.autocorrelation_test(x, 1, every)

    assert found.p == (1 + np.count_nonzero(t >= t[0] * (1 - 1e-12))) / 721


def test_it_holds_its_size_under_changing_volatility_where_a_plain_shuffle_does_not() -> None:
    """300 series of 200 uncorrelated days with an ARCH(1) variance: under a tenth against a fifth."""
    rng, n = np.random.default_rng(7), 200
    shuffles = dependence.day_permutations(n, bits(2), 199)
    plain = studentised = 0
    for _ in range(300):
        x, last = np.empty(n), 0.0
        for i in range(n):
            last = rng.standard_normal() * np.sqrt(1.0 + 0.5 * last * last)
            x[i] = last
        studentised += dependence.autocorrelation_test(x, 1, shuffles).p <= 0.05
        rho = abs(dependence.studentised_autocorrelation(x[shuffles], 1)[0])
        plain += (
            1 + np.count_nonzero(rho >= abs(dependence.studentised_autocorrelation(x[None, :], 1)[0][0]))
        ) / 200 <= 0.05

    assert studentised / 300 < 0.1
    assert plain / 300 > 0.17


def test_a_slow_series_is_found_and_the_smallest_p_is_that_of_the_draws() -> None:
    """AR(1) of 0.6 over 90 days."""
    rng = np.random.default_rng(1)
    x = rng.standard_normal(90)
    for i in range(1, 90):
        x[i] += 0.6 * x[i - 1]

    assert dependence.autocorrelation_test(x, 1, dependence.day_permutations(90, bits(), 499)).p <= 0.01
