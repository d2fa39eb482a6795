"""The exact eigen-solver against numpy's, and the shared vector of a curve's components."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.exact.jacobi import covariance, principal_components, signed, symmetric_eigen
from engine.market.curve import mean_and_sd, score_of


def vector(vectors: Path, name: str) -> dict:
    text = json.loads((vectors / "stats" / "pca.json").read_text())
    return next(v for v in text["vectors"] if v["id"] == name)


def test_the_components_of_the_shared_curve_are_those_of_the_vector(vectors: Path) -> None:
    """Loadings with signs, variance shares and the last z agree with numbers computed elsewhere, to 1e-9."""
    case = vector(vectors, "curve-pca-a")
    curves = case["inputs"]["curves_bps"]
    expected, tolerance = case["expected"], case["tolerance"]["abs"]

    mean, loadings, values = principal_components(curves)
    scores = [score_of(curve, mean, loadings[2]) for curve in curves]
    centre, spread = mean_and_sd(scores)

    total = math.fsum(values)
    assert expected["variance_share"] == pytest.approx([v / total for v in values[:3]], abs=tolerance)
    for name, loading in zip(("level", "slope", "curvature"), loadings, strict=False):
        assert expected[name] == pytest.approx(loading, abs=tolerance)
    assert expected["curvature_z_last"] == pytest.approx((scores[-1] - centre) / spread, abs=tolerance)


@settings(deadline=None, max_examples=40)
@given(st.integers(2, 8), st.integers(0, 2**32 - 1))
def test_eigenvalues_and_vectors_agree_with_numpy(size: int, seed: int) -> None:
    """For random covariances: descending values, orthonormal vectors, A v = lambda v, all as `eigh` has them."""
    rows = np.random.Generator(np.random.PCG64(seed)).standard_normal((3 * size, size))
    matrix = covariance(rows.tolist())

    values, vectors = symmetric_eigen(matrix)

    assert np.cov(rows.T).ravel() == pytest.approx(np.array(matrix).ravel(), rel=1e-12, abs=1e-12)
    assert np.linalg.eigvalsh(matrix)[::-1] == pytest.approx(values, rel=1e-9, abs=1e-12)
    v = np.array(vectors)
    assert np.eye(size).ravel() == pytest.approx((v @ v.T).ravel(), abs=1e-12)
    assert (np.array(values)[:, None] * v).ravel() == pytest.approx((v @ np.array(matrix)).ravel(), abs=1e-10)


def test_a_diagonal_matrix_is_its_own_answer() -> None:
    """Equal eigenvalues keep the order of their indices."""
    values, vectors = symmetric_eigen([[1.0, 0.0, 0.0], [0.0, 3.0, 0.0], [0.0, 0.0, 1.0]])

    assert values == [3.0, 1.0, 1.0]
    assert vectors == [[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]


def test_the_bits_do_not_depend_on_where_it_runs() -> None:
    """Two by two by hand: eigenvalues of [[2, 1], [1, 2]] are 3 and 1, vectors at 45 degrees."""
    values, vectors = symmetric_eigen([[2.0, 1.0], [1.0, 2.0]])

    assert pytest.approx(values, abs=1e-15) == [3.0, 1.0]
    assert [math.sqrt(0.5)] * 2 == pytest.approx([abs(x) for x in vectors[0]], abs=1e-15)


@pytest.mark.parametrize(
    ("factor", "before", "after"),
    [
        (0, [-0.5, -0.6, -0.6], [0.5, 0.6, 0.6]),
        (1, [0.7, 0.0, -0.7], [-0.7, 0.0, 0.7]),
        (2, [0.4, -0.8, 0.4], [-0.4, 0.8, -0.4]),
        (1, [-0.5, 0.7, -0.5], [-0.5, 0.7, -0.5]),  # last minus first is 0: the largest modulus decides
        (1, [0.5, -0.7, 0.5], [-0.5, 0.7, -0.5]),
        (3, [-0.7, 0.1, 0.7], [0.7, -0.1, -0.7]),  # of equal moduli the first
    ],
)
def test_signs_follow_the_rule_of_each_factor(factor: int, before: list[float], after: list[float]) -> None:
    """Level by its sum, slope by its ends, curvature by its middle, ties by the largest modulus.  [R9.3]"""
    assert after == signed(before, factor)


def test_too_few_curves_are_refused() -> None:
    """Two curves have one difference and no covariance."""
    with pytest.raises(ValueError, match="at least 3 curves"):
        principal_components([[1.0, 2.0], [2.0, 3.0]])
