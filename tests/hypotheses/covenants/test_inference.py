"""Bootstrap, Holm, power, deflation and the verdict table against plain computations.  [covenants 9.5 to 9.7]"""

from __future__ import annotations

import numpy as np
import pytest

from backtest.simulation.covenant_metrics import drawdown_of, sharpe
from backtest.simulation.covenant_streams import stream_of
from hypotheses.covenants import inference
from hypotheses.covenants.inference import Estimate
from hypotheses.covenants.three_way import C1, verdict

RNG = np.random.Generator(np.random.PCG64(4))
A = RNG.normal(size=300) * 0.02 + 0.001
STREAM = stream_of("root", "covenants/bootstrap")
B = 0.8 * A + 0.004 * RNG.normal(size=300)


def test_indices_are_blocks_of_following_days() -> None:
    indices = inference.bootstrap_indices(300, 1200, 10.0, STREAM)
    follows = (np.diff(indices, axis=1) % 300) == 1

    assert indices.shape == (1200, 300)
    assert indices.min() == 0
    assert indices.max() == 299
    assert np.mean(follows) == pytest.approx(0.9, abs=0.01)
    assert np.bincount(indices.ravel(), minlength=300).std() / 1200 < 0.1
    assert np.array_equal(indices[:700], inference.bootstrap_indices(300, 700, 10.0, STREAM))


def test_draws_are_the_measures_of_the_drawn_days() -> None:
    indices = inference.bootstrap_indices(300, 20, 5.0, STREAM)
    drawn = inference.draw(A, indices)
    for k, row in enumerate(indices):
        assert drawn.sharpe[k] == pytest.approx(float(sharpe(A[row])))
        assert drawn.mdd[k] == pytest.approx(float(drawdown_of(A[row])))


def test_an_estimate() -> None:
    found = inference.estimate(1.0, np.arange(-10.0, 990.0))
    assert found.low == pytest.approx(np.quantile(np.arange(-10.0, 990.0), 0.025))
    assert found.p == pytest.approx(2 * (11 + 1) / 1001)
    assert np.isnan(inference.estimate(1.0, np.array([np.nan, np.nan, 1.0])).point)


@pytest.mark.parametrize(
    ("found", "word"),
    [
        (Estimate(0.15, 0.1, 0.2, 0.0), "reproduced"),
        (Estimate(0.25, 0.1, 0.3, 0.0), "direction only"),
        (Estimate(0.15, -0.1, 0.2, 0.3), "not distinguishable"),
        (Estimate(-0.15, -0.3, -0.1, 0.0), "contradicted"),
        (Estimate(float("nan"), 0.0, 0.0, 0.0), "not evaluable"),
    ],
)
def test_the_table_of_verdicts(found: Estimate, word: str) -> None:
    assert verdict(found, C1) == word


def test_holm() -> None:
    assert inference.holm({"x": 0.01, "y": 0.04}) == {"x": 0.02, "y": 0.04}
    assert inference.holm({"x": 0.03, "y": 0.02}) == {"y": 0.04, "x": 0.04}
    adjusted = inference.holm({"x": 0.01, "y": float("nan")})
    assert adjusted["x"] == 0.02
    assert np.isnan(adjusted["y"])


def test_power_is_the_formula_that_was_said_beforehand() -> None:
    found = inference.power(A, B)
    rho = np.corrcoef(A, B)[0, 1]
    assert found["se"] == pytest.approx(np.sqrt(2 * (1 - rho) / (300 / 365)))
    assert found["detectable"] == pytest.approx(2.8016 * found["se"], rel=1e-4)


def test_memmel_error_is_close_to_the_bootstraps() -> None:
    indices = RNG.integers(0, 300, (4000, 300))
    change = inference.draw(B, indices).sharpe - inference.draw(A, indices).sharpe
    assert inference.memmel_error(A, B) == pytest.approx(float(np.std(change)), rel=0.15)
    low, high = inference.studentised(A, B, indices, 400)
    assert low < float(sharpe(B) - sharpe(A)) < high


def test_more_trials_deflate_more() -> None:
    few, many = RNG.normal(size=5), RNG.normal(size=500)
    assert inference.deflated(A, many) < inference.deflated(A, few * many.std() / few.std())


def test_windows() -> None:
    assert inference.window_test(A, A, 30)["p"] == 1.0
    assert inference.window_test(A, 0.5 * A, 30)["median"] < 0
    assert np.isnan(inference.window_test(A, B, 90)["p"])
