"""Rolling moments against plain loops over each window."""

from __future__ import annotations

import numpy as np
import pytest

from engine.covenants.rolling import correlation_before, deviation_before, mean_before, rank_within, rms_before

RNG = np.random.Generator(np.random.PCG64(7))
X = RNG.normal(size=400)
Y = 0.6 * X + 0.8 * RNG.normal(size=400)
X[[5, 6, 77]] = np.nan


def windows(x: np.ndarray, n: int) -> list[np.ndarray]:
    return [x[max(0, t - n) : t] for t in range(x.size)]


@pytest.mark.parametrize("n", [3, 50, 1000])
def test_moments(n: int) -> None:
    least = 3
    for t, part in enumerate(windows(X, n)):
        known = part[~np.isnan(part)]
        if known.size < least:
            assert np.isnan(deviation_before(X, n, least)[t])
            continue
        assert deviation_before(X, n, least)[t] == pytest.approx(np.std(known, ddof=1), rel=1e-9)
        assert mean_before(X, n, least)[t] == pytest.approx(np.mean(known), rel=1e-9, abs=1e-12)
        assert rms_before(X, n, least)[t] == pytest.approx(np.sqrt(np.mean(known**2)), rel=1e-9)


def test_correlation() -> None:
    found = correlation_before(X, Y, 60, 10)
    for t, (a, b) in enumerate(zip(windows(X, 60), windows(Y, 60), strict=True)):
        both = ~(np.isnan(a) | np.isnan(b))
        if both.sum() < 10:
            assert np.isnan(found[t])
        else:
            assert found[t] == pytest.approx(np.corrcoef(a[both], b[both])[0, 1], rel=1e-9)


def test_a_leg_that_does_not_move_has_no_correlation() -> None:
    assert np.isnan(correlation_before(np.zeros(50), Y[:50], 20, 5)).all()
    assert np.isnan(correlation_before(np.full(50, 0.1), Y[:50], 20, 5)).all()


def test_rank() -> None:
    values = np.round(X, 1)  # with ties
    found = rank_within(values, 40, 5)
    for t, part in enumerate(windows(values, 40)):
        known = part[~np.isnan(part)]
        if known.size < 5 or np.isnan(values[t]):
            assert np.isnan(found[t])
        else:
            assert found[t] == pytest.approx(
                (np.count_nonzero(known < values[t]) + 0.5 * np.count_nonzero(known == values[t])) / known.size
            )


def test_a_cut_changes_nothing_before_it() -> None:
    assert np.array_equal(deviation_before(X, 50, 3)[:200], deviation_before(X[:200], 50, 3), equal_nan=True)
    assert np.array_equal(rank_within(X, 50, 3)[:200], rank_within(X[:200], 50, 3), equal_nan=True)
