"""Twins of resampling.py: closed forms, a slow walk, published intervals, and arch on the same indices."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from arch.bootstrap import IIDBootstrap, optimal_block_length

from engine.exact.decimals import of_float
from hypotheses.sensitivity import resampling
from hypotheses.statistics import block_length, bootstrap
from tests.hypotheses.cases import bits


def vector(vectors: Path, name: str) -> dict[str, Any]:
    table = json.loads((vectors / "stats" / "bootstrap.json").read_text())["vectors"]
    return next(case for case in table if case["id"] == name)


def variance(values: np.ndarray) -> np.ndarray:
    """The statistic of the book's example: divisor n."""
    return np.asarray(values.var(axis=-1))


class GivenIndices(IIDBootstrap):
    """arch's bootstrap, with indices drawn by us."""

    rows: list[np.ndarray]

    def update_indices(self) -> np.ndarray:
        return self.rows.pop()


@pytest.mark.parametrize("method", ["percentile", "bca"])
def test_intervals_are_arch_s_on_the_same_indices(method: str) -> None:
    """Given the same resamples, both libraries read the same ends off them, to the last digits."""
    values = np.random.default_rng(3).gamma(2.0, 1.0, 40) - 1.5
    days = bootstrap.resampled_days(bootstrap.blocks(40, Decimal("4.5"), 400, bits()))
    oracle = GivenIndices(values)
    oracle.rows = list(days)[::-1]

    expected = oracle.conf_int(
        lambda x: np.atleast_1d(resampling.sharpe(np.asarray(x))), reps=400, method=method, size=0.9
    ).ravel()

    draws = resampling.by_draw(values, days, resampling.sharpe)
    point = float(resampling.sharpe(values))
    curve = resampling.jackknife_acceleration(values, resampling.sharpe, 1)
    found = resampling.percentile(draws, 0.9) if method == "percentile" else resampling.bca(draws, point, curve, 0.9)
    assert found == pytest.approx(expected.tolist(), rel=1e-9)


def test_the_acceleration_is_the_book_s(vectors: Path) -> None:
    """Efron and Tibshirani print 0.061 for the spatial data; blocks of one value are the classical jackknife."""
    case = vector(vectors, "et1993-spatial-accel")
    data = np.array(case["inputs"]["data"], dtype=float)

    assert float(variance(data)) == pytest.approx(case["expected"]["theta_hat"], rel=1e-9)
    assert resampling.jackknife_acceleration(data, variance, 1) == pytest.approx(
        case["expected"]["acceleration"], rel=1e-9
    )


def test_the_bca_interval_is_the_book_s(vectors: Path) -> None:
    """Blocks of length one are independent draws: the printed interval, within its Monte-Carlo error."""
    case = vector(vectors, "et1993-spatial-bca")
    data = np.array(case["inputs"]["data"], dtype=float)
    days = bootstrap.resampled_days(bootstrap.blocks(len(data), Decimal(1), 9_999, bits()))
    draws = resampling.by_draw(data, days, variance)

    found = resampling.bca(draws, float(variance(data)), resampling.jackknife_acceleration(data, variance, 1), 0.9)

    assert found == pytest.approx(tuple(case["expected"]["interval"]), abs=case["tolerance"]["abs"])


def test_a_jackknife_of_longer_blocks_estimates_the_same_acceleration() -> None:
    """On independent days the block length does not matter on average: skew / (6 sqrt n) for a mean."""
    values = np.random.default_rng(8).exponential(1.0, 4_000)

    def mean(x: np.ndarray) -> np.ndarray:
        return np.asarray(x.mean(axis=-1))

    third = ((values - values.mean()) ** 3).mean() / values.std() ** 3
    for block in (1, 5):
        found = resampling.jackknife_acceleration(values[:400], mean, block)
        assert found == pytest.approx(third / 6 / 20, rel=0.35)


def test_the_circular_bootstrap_has_the_closed_form_variance(vectors: Path) -> None:
    """(b / n) times the variance of the n circular block means; ours within 5% at 20,000 draws."""
    case = vector(vectors, "cb-var-mean-13")
    data, length = np.array(case["inputs"]["data"]), case["inputs"]["block"]
    n = len(data)
    means = np.array([np.roll(data, -i)[:length].mean() for i in range(n)])
    assert means.var() * length / n == pytest.approx(case["expected"]["variance"], rel=1e-10)

    days = bootstrap.resampled_days(resampling.circular_blocks(n, length, 20_000, bits()))

    assert data[days].mean(axis=1).var() == pytest.approx(case["expected"]["variance"], rel=0.05)


@pytest.mark.parametrize("length", [1, 4, 7, 23])
def test_circular_blocks_are_the_slow_walk(length: int) -> None:
    """One word a block; runs of consecutive days of the circle; the last block is cut where the draw is full."""
    n = 23
    found = bootstrap.resampled_days(resampling.circular_blocks(n, length, 12, bits()))

    for r in range(12):
        words = bits()(r).random_raw(-(-n // length))
        walk = [(((int(word) >> 32) * n) >> 32) + step for word in words for step in range(length)]
        assert found[r].tolist() == [day % n for day in walk][:n]


def test_the_circular_length_is_arch_s() -> None:
    """The optimal lengths of the two bootstraps differ by a constant, so one exact kernel serves both."""
    noise = np.random.default_rng(11).normal(size=300)
    series = np.convolve(noise, [1.0, 0.8, 0.5], mode="valid")
    units = np.rint(series * 1e9).astype(np.int64)

    expected = float(optimal_block_length(units / 1e9)["circular"].iloc[0])

    found = block_length.optimal_block_length(units)
    assert found is not None
    assert resampling.circular_length(found, 300) == round(expected)
    assert resampling.circular_length(of_float(0.2), 300) == 1
    assert resampling.circular_length(of_float(900.0), 300) == 300


def test_what_has_no_interval_gives_none() -> None:
    """No draw with a value, or all on one side of the point; a constant series has no ratio."""
    none = np.full(5, np.nan)

    assert resampling.percentile(none, 0.95) is None
    assert resampling.bca(none, 0.0, 0.0, 0.95) is None
    assert resampling.bca(np.array([1.0, 2.0]), 0.0, 0.0, 0.95) is None
    assert np.isnan(resampling.sharpe(np.ones(4)))
    assert resampling.jackknife_acceleration(np.ones(6), variance, 2) == 0.0
