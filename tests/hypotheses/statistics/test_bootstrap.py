"""Twins of bootstrap.py and intervals.py: slow loops, closed forms, and another library."""

from __future__ import annotations

import itertools
import json
from decimal import Decimal
from math import sqrt
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from arch.bootstrap import StationaryBootstrap
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.exact.decimals import of_float
from hypotheses.statistics import bootstrap, inference, intervals, sharpe, studentised
from tests.hypotheses.cases import bits

UNIT = 10**9
HUNDREDTH = Decimal("0.01")


def vector(vectors: Path, name: str) -> dict[str, Any]:
    table = json.loads((vectors / "stats" / "bootstrap.json").read_text())["vectors"]
    return next(case for case in table if case["id"] == name)


def returns(n: int = 40, seed: int = 5, mean: float = 0.001) -> np.ndarray:
    return np.rint(np.random.default_rng(seed).normal(mean, 0.01, n) * UNIT).astype(np.int64)


def walk(n: int, length: Decimal, words: np.ndarray) -> list[list[int]]:
    """Return the blocks of one draw as lists of days, by the letter of the rule, one position after the other."""
    bound = int(Decimal(2**64) / length)
    found: list[list[int]] = []
    for position in range(n):
        u, v = int(words[2 * position]), int(words[2 * position + 1])
        if position == 0 or u < bound:
            found.append([((v >> 32) * n) >> 32])
        else:
            found[-1].append((found[-1][-1] + 1) % n)
    return found


@pytest.mark.parametrize("length", ["1", "1.000000001", "4.25", "29"])
def test_blocks_are_the_slow_walk(length: str) -> None:
    """Two words a position: restart, then day; blocks wrap around the circle; the first position always restarts."""
    n = 23

    found = bootstrap.blocks(n, Decimal(length), 25, bits())

    for r in range(25):
        slow = walk(n, Decimal(length), bits()(r).random_raw(2 * n))
        mine = found.draw == r
        assert [b[0] for b in slow] == found.start[mine].tolist()
        assert [len(b) for b in slow] == found.length[mine].tolist()
        assert [day for b in slow for day in b] == bootstrap.resampled_days(found)[r].tolist()


def test_a_replicate_does_not_depend_on_how_many_there_are() -> None:
    """One generator a replicate: draw 7 of 10 is draw 7 of 1,000; another seed gives other draws."""
    few, many = (bootstrap.resampled_days(bootstrap.blocks(30, Decimal(4), draws, bits())) for draws in (10, 1_000))
    other = bootstrap.resampled_days(bootstrap.blocks(30, Decimal(4), 10, bits(2)))

    assert np.array_equal(few, many[:10])
    assert not np.array_equal(few, other)


def test_blocks_have_the_registered_mean_length() -> None:
    """With L = 5 a restart comes at one in five positions, but for the forced first."""
    found = bootstrap.blocks(90, Decimal(5), 2_000, bits())

    share = (len(found.start) - found.draws) / (found.draws * 89)
    assert share == pytest.approx(0.2, abs=0.004)


def slow_sharpe_t(series: np.ndarray, blocks: list[list[int]]) -> float:
    """Return t* of one draw in plain numpy, from its definition."""
    x = series / UNIT
    sample = x[[day for block in blocks for day in block]]
    point, ratio = x.mean() / x.std(ddof=1), sample.mean() / sample.std(ddof=1)
    z = (sample - sample.mean()) / sample.std()
    psi = z - ratio / 2 * (z * z - 1)
    ends = np.cumsum([0, *(len(block) for block in blocks)])
    squares = sum(psi[a:b].sum() ** 2 for a, b in itertools.pairwise(ends))
    return float((ratio - point) / (sqrt(squares) / len(x)))


@pytest.mark.parametrize("mean", [0.0, 0.002, 1.5])
@pytest.mark.parametrize("length", ["1", "3.5", "12"])
def test_studentised_draws_are_the_slow_definition(mean: float, length: str) -> None:
    """SR*, its own influence values and the block sums, once more without integers; also where the mean is huge."""
    series, n = returns(mean=mean), 40
    drawn = studentised.sharpe_t(series, bootstrap.blocks(n, Decimal(length), 60, bits()))

    for r in range(60):
        blocks = walk(n, Decimal(length), bits()(r).random_raw(2 * n))
        if len(blocks) > 1:
            # plain floats lose up to (mean/sd)^2 of their digits where ours lose none
            assert drawn.by_draw[r] == pytest.approx(slow_sharpe_t(series, blocks), rel=1e-6 if mean > 1 else 1e-9)


def test_numbers_too_large_for_int64_change_only_the_type() -> None:
    """Returns of 400% have squares whose sums pass 2^63: the same draws, scaled down, say the same."""
    series = returns(n=90) // 1000 * 1000
    resample = bootstrap.blocks(90, Decimal(4), 200, bits())

    small, large = studentised.sharpe_t(series, resample), studentised.sharpe_t(series * 400, resample)

    np.testing.assert_allclose(small.by_draw, large.by_draw, rtol=1e-9)


def test_a_rotation_of_the_sample_has_t_zero() -> None:
    """A draw of a single block is the sample turned round: it deviates by nothing, and is not discarded."""
    series = returns(n=12)
    resample = bootstrap.blocks(12, Decimal(12), 400, bits())
    alone = np.bincount(resample.draw) == 1

    drawn = studentised.sharpe_t(series, resample)

    assert alone.any()
    assert np.all(drawn.by_draw[alone] == 0.0)
    assert drawn.discarded == 0


def test_draws_without_variance_are_discarded_and_counted() -> None:
    """One busy day in twelve: draws that miss it, or hold nothing else, have no Sharpe ratio."""
    series = np.array([5_000_000] + [0] * 11, dtype=np.int64)
    resample = bootstrap.blocks(12, Decimal(2), 300, bits())
    constant = [len(set(series[row])) == 1 for row in bootstrap.resampled_days(resample)]

    drawn = studentised.sharpe_t(series, resample)

    assert drawn.discarded == sum(constant) > 0
    assert np.array_equal(np.isnan(drawn.by_draw), constant)
    sparse = np.append(series, np.zeros(24, dtype=np.int64))
    assert "no variance" in str(inference.infer_sharpe(sparse, 300, bits(), HUNDREDTH).undefined)


def test_the_mean_is_studentised_by_its_own_blocks() -> None:
    """t* of the mean from its definition, in floats."""
    values, n = np.random.default_rng(3).integers(0, 10**11, 40), 40
    drawn = studentised.mean_t(values, bootstrap.blocks(n, Decimal(3), 60, bits()))

    for r in range(60):
        blocks = walk(n, Decimal(3), bits()(r).random_raw(2 * n))
        sample = values[[day for block in blocks for day in block]] - 0.0
        error = sqrt(sum((values[b] - sample.mean()).sum() ** 2 for b in blocks)) / n
        assert drawn.by_draw[r] == pytest.approx((sample.mean() - values.mean()) / error, rel=1e-9)


def test_the_variance_of_the_resampled_mean_is_the_closed_form(vectors: Path) -> None:
    """Politis and Romano (1994): within 5% at 20,000 draws."""
    case = vector(vectors, "sb-var-mean-5")
    data = np.array(case["inputs"]["data"])
    resample = bootstrap.blocks(len(data), Decimal(case["inputs"]["mean_block"]), 20_000, bits())

    variance = data[bootstrap.resampled_days(resample)].mean(axis=1).var()

    assert variance == pytest.approx(case["expected"]["variance"], rel=0.05)


def test_percentiles_agree_with_arch_in_distribution(vectors: Path) -> None:
    """The percentile interval of arch's stationary bootstrap, from our draws, within its Monte-Carlo error."""
    case = vector(vectors, "arch-sb-percentile-31")
    data = np.array(case["inputs"]["data"])
    resample = bootstrap.blocks(len(data), Decimal(case["inputs"]["mean_block"]), 8_000, bits())
    sample = data[bootstrap.resampled_days(resample)]

    found = np.quantile(sample.mean(axis=1) / sample.std(axis=1, ddof=1), [0.025, 0.975])

    np.testing.assert_allclose(found, case["expected"]["interval"], atol=case["tolerance"]["abs"])


def test_percentiles_agree_with_arch_at_equal_indices(monkeypatch: pytest.MonkeyPatch) -> None:
    """Given our days, arch's own machinery for the percentile interval gives our order of Sharpe ratios."""
    series = returns(n=60)
    resample = bootstrap.resampled_days(bootstrap.blocks(60, Decimal(4), 400, bits()))
    rows = iter(resample)
    monkeypatch.setattr(StationaryBootstrap, "update_indices", lambda self: next(rows))
    other = StationaryBootstrap(4, series / UNIT)

    expected = other.conf_int(lambda x: x.mean() / x.std(ddof=1), reps=400, method="percentile")[:, 0]

    ours = [float(sharpe.daily(series[row])) for row in resample]
    np.testing.assert_allclose(np.percentile(ours, [2.5, 97.5]), expected, rtol=1e-9)


def test_a_draw_that_ties_with_the_observed_ratio_counts() -> None:
    """Draws at or above the threshold, and the sample itself.  [statistics 3.5]"""
    ordered = np.array([1.0, 2.0, 2.0, 3.0])

    assert studentised.p_value(studentised.Studentised(ordered, ordered, 0), Decimal(2)) == (4, 5)


def test_intervals_are_read_off_the_ordered_draws() -> None:
    """C is the order statistic ceil(0.95 (B + 1)) of |t*|; tails, bounds and p-value come from the same draws."""
    found = inference.infer_sharpe(returns(90), 399, bits(), HUNDREDTH)
    t, level = found.drawn.ordered, Decimal("0.95")
    point, error = float(found.point), float(found.error)

    both, tails = intervals.symmetric(found, level), intervals.equal_tailed(found, level)

    assert float(both.high - both.low) / 2 == pytest.approx(np.sort(np.abs(t))[379] * error)
    assert float(both.high + both.low) / 2 == pytest.approx(point)
    assert [float(tails.low), float(tails.high)] == pytest.approx([point - t[389] * error, point - t[9] * error])
    assert float(intervals.lower_bound(found, level)) == pytest.approx(point - t[379] * error)
    assert float(intervals.upper_bound(found, level)) == pytest.approx(point - t[19] * error)
    assert intervals.p_positive(found).count == 1 + int((t >= point / error).sum())
    assert intervals.p_positive(found).of == 400


def test_too_few_draws_give_no_interval() -> None:
    """Ten draws cannot say 95%."""
    found = inference.infer_sharpe(returns(90), 10, bits(), HUNDREDTH)

    assert intervals.symmetric(found, Decimal("0.95")) is None


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 50))
def test_a_ratio_does_not_know_the_unit_of_money(seed: int, factor: int) -> None:
    """Multiplying every return by a constant moves neither t* nor the interval."""
    series = returns(30, seed)

    one, two = (inference.infer_sharpe(x, 60, bits(), HUNDREDTH) for x in (series, series * factor))

    assert one.block_length == two.block_length
    np.testing.assert_allclose(one.drawn.by_draw, two.drawn.by_draw, rtol=1e-9, atol=1e-12)
    assert float(one.error) == pytest.approx(float(two.error))


def test_the_error_of_a_mean_is_that_of_its_units() -> None:
    """In USD or in micro-USD the studentised bounds of the mean are the same money."""
    values = np.random.default_rng(4).integers(0, 10**6, 60)

    small, large = (inference.infer_mean(values * k, 200, bits(), HUNDREDTH) for k in (1, 1_000))

    assert float(intervals.upper_bound(small, Decimal("0.95"))) * 1_000 == pytest.approx(
        float(intervals.upper_bound(large, Decimal("0.95")))
    )


def test_series_that_do_not_vary_are_undefined_with_a_reason() -> None:
    """No interval is invented for a constant, and the record says why."""
    flat = np.zeros(90, dtype=np.int64)

    assert inference.infer_sharpe(flat, 50, bits(), HUNDREDTH).undefined == "the standard deviation is zero"
    assert inference.infer_mean(flat, 50, bits(), HUNDREDTH).undefined == "every day has the same value"
    assert inference.infer_sharpe(returns(9), 50, bits(), HUNDREDTH).undefined is not None


def test_common_blocks_use_the_median_length_rounded_up() -> None:
    """StepM resamples all sleeves on the same days."""
    lengths = [of_float(v) for v in (2.2, 9.0, 3.1)]

    found = inference.common_blocks(30, lengths, 5, bits())

    assert np.array_equal(
        bootstrap.resampled_days(found), bootstrap.resampled_days(bootstrap.blocks(30, Decimal(4), 5, bits()))
    )
