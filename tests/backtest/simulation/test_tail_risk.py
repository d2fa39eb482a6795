"""The Pareto tail against scipy, closed forms and the sample; each fallback where the rule puts it."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import genpareto
from scipy.stats import t as student

from backtest.simulation.tail_risk import pareto_fit, tail_of
from engine.errors import DataError

RANDOM = np.random.Generator(np.random.PCG64(8))


@pytest.mark.parametrize("shape", [-0.2, 0.0, 0.15, 0.6])
def test_a_fit_is_at_least_as_likely_as_the_one_of_scipy(shape: float) -> None:
    sample = genpareto.rvs(shape, scale=0.7, size=500, random_state=RANDOM)
    xi, beta = pareto_fit(sample)
    other, _, scale = genpareto.fit(sample, floc=0.0)

    assert genpareto.logpdf(sample, xi, scale=beta).sum() >= genpareto.logpdf(sample, other, scale=scale).sum() - 1e-3
    assert (xi, beta) == pytest.approx((other, scale), abs=0.02)


def test_value_at_risk_and_shortfall_are_those_of_a_known_law() -> None:
    """Student's t with 4 degrees: both have closed forms, which 400,000 losses meet within 2%."""
    losses = student.rvs(4, size=400_000, random_state=RANDOM)
    tail = tail_of(losses, 0.995)
    var = student.ppf(0.995, 4)
    es = student.pdf(var, 4) / 0.005 * (4 + var * var) / 3

    assert not tail.is_empirical
    assert tail.var == pytest.approx(var, rel=0.02)
    assert tail.es == pytest.approx(es, rel=0.02)
    # The shape of the limit is 1/4; at a threshold of 95% it is less, and the same as scipy fits.
    assert 0.1 < tail.shape < 0.25


def test_a_tail_without_shape_is_exponential() -> None:
    """VaR = u - beta ln((1 - q) / zeta), ES = VaR + beta: of exponential losses both are known."""
    losses = RANDOM.exponential(2.0, 400_000)
    tail = tail_of(losses, 0.995)

    assert tail.var == pytest.approx(2.0 * np.log(200.0), rel=0.02)
    assert tail.es == pytest.approx(tail.var + 2.0, rel=0.02)
    assert pareto_fit(np.array([1.0, 1.0]))[1] > 0


def test_few_excesses_and_heavy_shapes_are_measured_on_the_sample() -> None:
    few = np.arange(400.0)
    heavy = 1.0 / np.linspace(1e-6, 1.0, 4000) ** 1.5
    tail, wild = tail_of(few, 0.99), tail_of(heavy, 0.99)

    assert tail.is_empirical
    # The largest 1% and the one at the quantile: 395 to 399.
    assert (tail.var, tail.es) == (395.0, 397.0)
    assert wild.is_empirical
    assert wild.shape >= 0.9
    assert wild.es == pytest.approx(np.sort(heavy)[3959:].mean())


@pytest.mark.parametrize(("count", "level"), [(19, 0.99), (100, 0.95), (100, 1.0)])
def test_too_few_losses_and_levels_outside_are_refused(count: int, level: float) -> None:
    with pytest.raises(DataError, match=f"was {count} and {level}"):
        tail_of(np.arange(float(count)), level)
