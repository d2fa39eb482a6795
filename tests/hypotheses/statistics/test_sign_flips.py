"""Twins of nulls.py and multiplicity.py."""

from __future__ import annotations

import json
from decimal import Decimal
from fractions import Fraction
from itertools import product
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.stats import permutation_test
from statsmodels.stats.multitest import multipletests

from engine.errors import DataError
from engine.exact.sums import returns
from hypotheses.records import Proportion
from hypotheses.statistics import exceedances, multiplicity, sharpe, sign_flips


def cases(vectors: Path, topic: str) -> dict[str, dict]:
    return {case["id"]: case for case in json.loads((vectors / "stats" / f"{topic}.json").read_text())["vectors"]}


def test_the_ten_block_vector_counts_every_tie(vectors: Path) -> None:
    """A block that earned nothing doubles every tie, and ties speak for the null."""
    case = cases(vectors, "permutation")["block-flip-10"]

    found = sign_flips.n1(case["inputs"]["block_pnl_micro_usd"])

    assert Proportion(case["expected"]["count_ge"], case["expected"]["group_size"]) == found


def test_darwin_s_maize_gives_fisher_s_numbers(vectors: Path) -> None:
    """863 of 32,768 sign changes, as Fisher enumerated in 1935."""
    case = cases(vectors, "permutation")["fisher-darwin-signflip"]

    found = sign_flips.n1(case["inputs"]["values"])

    assert (case["expected"]["count_ge"], case["expected"]["group_size"]) == (found.count, found.of)
    assert float(found.value) == case["expected"]["p_one_sided"]


@pytest.mark.parametrize("name", ["ps2010-b0-m999", "ps2010-b49-m999"])
def test_a_sampled_p_value_is_never_zero(vectors: Path, name: str) -> None:
    """(b + 1) / (m + 1), as two integers."""
    case = cases(vectors, "permutation")[name]

    found = exceedances.monte_carlo_p(case["inputs"]["exceedances"], case["inputs"]["draws"])

    assert float(found.value) == case["expected"]["p"]


def test_scipy_enumerates_the_same_p_value() -> None:
    """Scipy's sign changes of a paired sample, enumerated, agree to the count."""
    sums = np.random.default_rng(2).integers(-(10**9), 2 * 10**9, 10)

    other = permutation_test(
        (sums,), lambda x: x.sum(), permutation_type="samples", alternative="greater", n_resamples=np.inf
    )

    assert float(sign_flips.n1(sums.tolist()).value) == other.pvalue


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(-(10**12), 10**12), min_size=18, max_size=18))
def test_the_order_of_sums_is_the_order_of_sharpe_ratios(x: list[int]) -> None:
    """Counting flips whose Sharpe ratio is no smaller gives the same p-value as counting block sums."""
    profit, block = np.array(x, dtype=np.int64), np.arange(18) // 3
    sums = sign_flips.block_sums(profit, block)
    ratios = [sharpe.daily(profit * np.array(s)[block]) for s in product((1, -1), repeat=6)]
    assume(all(ratio is not None for ratio in ratios))

    counted = sum(ratio >= ratios[0] for ratio in ratios)

    assert sign_flips.n1(sums) == Proportion(counted, 64)


def test_a_losing_strategy_is_never_significant() -> None:
    """Ten losing blocks: every sign change does better."""
    assert sign_flips.n1([-5] * 10) == Proportion(1024, 1024)


def test_money_is_summed_over_folds_in_integers() -> None:
    """Blocks come in ascending order, whatever the order of days, and lose no micro-dollar."""
    x = np.array([2**60, 1, -(2**60), 5])

    assert sign_flips.block_sums(x, np.array([1, 0, 1, 0])) == (6, 0)
    assert returns(x[1:2], Fraction(1)).tolist() == [10**9]


def test_sums_that_int64_cannot_hold_are_refused() -> None:
    """Nothing wraps silently."""
    with pytest.raises(DataError, match="63 bits"):
        sign_flips.sign_flips([2**61, 2**61])
    with pytest.raises(DataError, match="at most 20 blocks"):
        sign_flips.sign_flips([1] * 21)


@pytest.mark.parametrize("name", ["bh1995-holm", "holm7-a"])
def test_holm_is_r_s_p_adjust(vectors: Path, name: str) -> None:
    """The adjusted p-values of R and statsmodels, in the order given."""
    case = cases(vectors, "multiplicity")[name]

    found = [float(p) for p in multiplicity.holm([Fraction(str(p)) for p in case["inputs"]["p"]])]

    assert found == pytest.approx(case["expected"]["adjusted"], abs=1e-12)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(1, 1000), min_size=1, max_size=9))
def test_holm_agrees_with_statsmodels_on_ties_too(counts: list[int]) -> None:
    """Any p-values, equal ones among them."""
    # statsmodels collects all garbage of the process at the end of each call: a second, where a test suite is loaded
    with patch("gc.collect"):
        expected = multipletests([c / 1000 for c in counts], method="holm")[1]

    found = multiplicity.holm([Fraction(c, 1000) for c in counts])

    assert [float(p) for p in found] == pytest.approx(expected, abs=1e-12)


def test_step_down_rejects_what_the_vector_rejects(vectors: Path) -> None:
    """Romano and Wolf's studentised StepM with B = 39; adjusted p-values at 5% say the same."""
    case = cases(vectors, "multiplicity")["stepm-a"]
    observed, draws = case["inputs"]["t_observed"], np.array(case["inputs"]["t_bootstrap_centred"])

    rejected = multiplicity.step_down(observed, draws, Fraction(1, 20))
    adjusted = multiplicity.step_down_p(observed, draws)

    assert case["expected"]["rejected_zero_based"] == rejected
    assert rejected == [i for i, p in enumerate(adjusted) if p.count * 20 <= p.of]


def test_adjusted_p_values_rise_as_t_falls() -> None:
    """A weaker constraint never has the smaller adjusted p-value."""
    draws = np.random.default_rng(8).normal(size=(199, 5))
    observed = [2.4, 0.1, 3.0, -1.0, 1.7]

    counts = [p.count for p in multiplicity.step_down_p(observed, draws)]

    assert [counts[i] for i in np.argsort(observed, kind="stable")[::-1]] == sorted(counts)


def test_seven_worthless_constraints_retain_one_in_six_windows(vectors: Path) -> None:
    """1 - 0.975^7: why the adjusted columns are shown."""
    case = cases(vectors, "multiplicity")["false-retain-7"]

    assert case["expected"]["p_at_least_one_false_retain"] == pytest.approx(1 - 0.975**7, abs=1e-12)


def test_a_p_value_at_the_level_is_not_under_it() -> None:
    """5 of 100 is not under 0.05, 4 of 100 is: in integers, whatever a float makes of the ratio.  [statistics 3.4]"""
    assert not Proportion(5, 100).under(Decimal("0.05"))
    assert not Proportion(51, 1020).under(Decimal("0.05"))
    assert Proportion(4, 100).under(Decimal("0.05"))
