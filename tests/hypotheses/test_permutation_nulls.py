"""Twins of moved.py, of the counting half of nulls.py, and of H1's rule with N2 and N3.  [statistics 3.3, 3.4]"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom, binomtest

from backtest.pipeline.placements import Placements
from engine.units import MICRO, NS_PER_DAY, NS_PER_HOUR
from hypotheses import h1, permutation_nulls
from hypotheses.base import RunData
from hypotheses.records import Answer, Proportion
from hypotheses.statistics.exceedances import (
    TIE,
    at_least_observed,
    interval_contains_alpha,
    moments_of,
    monte_carlo_p,
)
from tests.hypotheses.cases import DAY0, bits, exposure, profits, run, stats, streams

WINDOW_NS = 90 * NS_PER_DAY


def placements(here: float, elsewhere: float, *, seed: int = 1, lost: float = 0.0) -> tuple[pd.DataFrame, Placements]:
    """One signal a day at 06:00: USD a move earns where it stood and elsewhere on average; ``lost`` share unquoted."""
    draw = np.random.default_rng(seed)
    rows, unplaced, trades = [], [], []
    n3 = np.arange(4 * NS_PER_DAY, 86 * NS_PER_DAY + 1, 8 * NS_PER_HOUR)
    for day in range(90):
        t_ns = (DAY0 + day) * NS_PER_DAY + 6 * NS_PER_HOUR
        trades.append({"signal_id": f"s{day:02d}", "t_ns": t_ns, "rejected_why": ""})
        fold = np.arange(day // 9 * 9, day // 9 * 9 + 9)
        for shift in np.union1d(n3, (fold - day) * NS_PER_DAY % WINDOW_NS).tolist():
            if shift and draw.random() < lost:
                unplaced.append({"signal_id": f"s{day:02d}", "shift_ns": shift})
                continue
            at = DAY0 + (t_ns - DAY0 * NS_PER_DAY + shift) % WINDOW_NS // NS_PER_DAY
            usd = draw.normal(here if shift == 0 else elsewhere, 100.0)
            rows.append({"signal_id": f"s{day:02d}", "shift_ns": shift, "day": at, "usd_micro": round(usd * MICRO)})
    columns = ["signal_id", "shift_ns"]
    none = pd.DataFrame({"signal_id": [], "delay_ns": [], "day": [], "usd_micro": []})
    return pd.DataFrame(trades), Placements(pd.DataFrame(rows), pd.DataFrame(unplaced, columns=columns), none)


def window(here: float, elsewhere: float, **changes: float) -> RunData:
    trades, found = placements(here, elsewhere, **changes)  # type: ignore[arg-type]
    whole = run(profits(here / 7, 20))
    return replace(whole, placements=found, trades=trades)


CHARGE = np.full(90, 136_986_301)


def slow_ratio(daily: np.ndarray) -> float:
    return float(daily.mean() / daily.std(ddof=1) * np.sqrt(365))


def test_n2_is_what_a_loop_over_draws_and_signals_counts() -> None:
    """Every draw rebuilt signal by signal from the placements, in floats."""
    data, registered = window(60, 20), stats(n2_draws=60, n2_extended=60)
    rows = data.placements.placed.set_index(["signal_id", "shift_ns"])
    reached = by_mean = 0
    moves = permutation_nulls.placed_signals(data, registered)
    observed = slow_ratio((moves.observed - CHARGE).astype(float))
    for draw in range(60):
        words = bits(3)(draw).random_raw(90).reshape(10, 9)
        daily = -CHARGE.astype(float)
        for day in range(90):
            to = day // 9 * 9 + int(np.argsort(words[day // 9], kind="stable")[day % 9])
            row = rows.loc[(f"s{day:02d}", (to - day) * NS_PER_DAY % WINDOW_NS)]
            daily[int(row["day"]) - DAY0] += row["usd_micro"]
        reached += slow_ratio(daily) >= observed
        by_mean += daily.mean() >= (moves.observed - CHARGE).mean()

    found = permutation_nulls.n2(moves, CHARGE, data.block, registered, bits(3))

    assert found.p_ratio == Proportion(reached + 1, 61)
    assert found.p == found.p_mean == Proportion(by_mean + 1, 61)
    assert float(found.sharpe) == pytest.approx(observed, rel=1e-9)


@pytest.mark.parametrize("steady", [True, False])
def test_the_registered_statistic_gives_the_p_value_and_both_stand_beside_it(steady: bool) -> None:
    """Days that vary less where they stand have the larger ratio, days that vary more the smaller, at one mean."""
    data = window(360, 360, seed=6)
    moves = permutation_nulls.placed_signals(data, stats())
    mean = moves.observed.mean()
    shape = (moves.observed - mean) * (0.3 if steady else 3.0)
    own = np.rint(mean + shape).astype(np.int64)
    batch = moves.batch.copy()
    batch[np.arange(90), np.arange(90) % 9] = 0
    batch[np.arange(90), np.arange(90) % 9, np.arange(90)] = own
    bent = replace(moves, observed=own, batch=batch)

    found = {
        name: permutation_nulls.n2(
            bent, CHARGE, data.block, stats(n2_draws=199, n2_extended=199, n2_statistic=name), bits(3)
        )
        for name in ("sharpe", "mean", "larger")
    }

    ratio, by_mean = found["sharpe"].p_ratio, found["sharpe"].p_mean
    assert (ratio.count < by_mean.count) == steady
    assert {(null.p_ratio, null.p_mean) for null in found.values()} == {(ratio, by_mean)}
    assert {name: null.p for name, null in found.items()} == {
        "sharpe": ratio, "mean": by_mean, "larger": by_mean if steady else ratio
    }  # fmt: skip
    assert {name: null.exceedances for name, null in found.items()} == {
        name: null.p.count - 1 for name, null in found.items()
    }


@pytest.mark.parametrize("name", ["mean", "larger"])
def test_a_mean_that_no_move_changes_is_refused_though_the_ratio_moves(name: str) -> None:
    """Moves that swap profits between days: their sum stays."""
    series = np.array([[1, 2, 3], [3, 3, 0], [2, 2, 2]], dtype=np.int64)
    drawn, observed = moments_of(series[1:]), moments_of(series[:1])

    assert permutation_nulls.invariant(drawn, observed, name)
    assert not permutation_nulls.invariant(drawn, observed, "sharpe")


def test_n3_enumerates_all_247_shifts() -> None:
    """Each shift moves every signal by the same time; p counts those that reach the observed ratio, and itself."""
    data, registered = window(60, 20), stats()
    moves = permutation_nulls.placed_signals(data, registered)
    placed = data.placements.placed
    ratios = []
    for shift in moves.shift_ns:
        rows = placed[placed["shift_ns"] == shift]
        ratios.append(slow_ratio(np.bincount(rows["day"] - DAY0, rows["usd_micro"], minlength=90) - CHARGE))

    found = permutation_nulls.n3(moves, CHARGE, registered)

    assert len(moves.shift_ns) == found.draws == 247
    assert found.p == Proportion(1 + sum(r >= slow_ratio(moves.observed - CHARGE) for r in ratios), 248)
    assert found.ordered_sharpe == pytest.approx(sorted(ratios), rel=1e-5)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.lists(st.integers(-(10**11), 10**11), min_size=4, max_size=4), min_size=2, max_size=6))
def test_ratios_are_ordered_in_exact_integers(series: list[list[int]]) -> None:
    """Against the signed squares of rational Sharpe ratios; the first series is the observed one."""
    rows = np.array(series, dtype=np.int64)

    def square(row: list[int]) -> Fraction | None:
        mean = Fraction(sum(row), 4)
        variance = sum((x - mean) ** 2 for x in row)
        return None if variance == 0 else mean * abs(mean) / variance

    observed = square(series[0])
    if observed is None:
        return
    factor = Fraction(TIE - (1 if observed > 0 else -1), TIE) ** 2
    expected = [square(row) is None or square(row) >= observed * factor for row in series]

    found = at_least_observed(moments_of(rows), moments_of(rows[:1]))

    assert found.tolist() == expected
    assert found[0]


@pytest.mark.parametrize(
    ("exceedances", "draws"), [(400, 9_999), (432, 9_999), (500, 9_999), (573, 9_999), (575, 9_999), (0, 99)]
)
def test_the_extension_rule_is_the_interval_of_clopper_and_pearson(exceedances: int, draws: int) -> None:
    """The exact interval of scipy at 99.9%, contains 0.05 or not."""
    interval = binomtest(exceedances, draws).proportion_ci(confidence_level=0.999, method="exact")

    found = interval_contains_alpha(exceedances, draws, Decimal("0.05"), Decimal("0.999"))

    assert found == (interval.low <= 0.05 <= interval.high)


def test_a_null_near_the_level_is_drawn_on_with_the_same_streams() -> None:
    """After the registered draws the interval holds alpha: the extended number is drawn, the first ones kept."""
    data = window(20, 20, seed=3)
    moves = permutation_nulls.placed_signals(data, stats())
    level = permutation_nulls.n2(moves, CHARGE, data.block, stats(n2_draws=400, n2_extended=400), bits(3)).p.value
    near = stats(n2_draws=400, n2_extended=800, alpha=level)

    found = permutation_nulls.n2(moves, CHARGE, data.block, near, bits(3))

    assert found.extended
    assert found.p.of == 801
    assert found.p == permutation_nulls.n2(moves, CHARGE, data.block, stats(n2_draws=800, n2_extended=800), bits(3)).p


def test_above_the_registered_share_of_missing_moves_there_is_no_p_value() -> None:
    """Five per cent of the moves of N2 without a quote: then H1 cannot be told, whatever N1 says."""
    found = h1.evaluate(window(1_200, 0, lost=0.12), stats(n2_draws=99), streams, exposure())

    assert found.p_n1.under(Decimal("0.05"))
    assert found.p_n2 is found.p_n2_ratio is found.p_n2_mean is None
    assert found.answer is Answer.CANNOT_TELL
    assert not found.registered
    assert all("not computable" in found.reasons[name] for name in ("p_n2", "p_n2_ratio", "p_n2_mean"))
    assert found.statement.startswith("cannot tell")


def test_exactly_the_registered_share_of_missing_moves_is_not_above_it() -> None:
    """5 of 100 may be missing, 6 may not.  [statistics 3.3]"""
    observed = moments_of(np.array([[1, 2, 3]]))

    assert permutation_nulls._not_computable(Proportion(5, 100), observed, stats()) is None
    assert "not computable" in str(permutation_nulls._not_computable(Proportion(6, 100), observed, stats()))


def test_a_null_refuses_a_statistic_that_no_move_changes() -> None:
    """Every move earns the same: the ratio is invariant, the test has neither size nor power.  [statistics 3.1]"""
    data = window(60, 20)
    moves = permutation_nulls.placed_signals(data, stats())
    own = moves.batch[np.arange(90), np.arange(90) % 9][:, None]
    still = replace(moves, batch=np.repeat(own, 9, axis=1), shifted=np.tile(moves.observed, (247, 1)))

    n2 = permutation_nulls.n2(still, CHARGE, data.block, stats(n2_draws=50), bits(3))
    n3 = permutation_nulls.n3(still, CHARGE, stats())

    for found in (n2, n3):
        assert found.p is None
        assert "no move changes" in found.reason


def test_both_nulls_and_the_bootstrap_make_a_supported_h1_robust() -> None:
    """Signals that earn only where they stand: robust, not provisional, and "signal alpha" is allowed."""
    found = h1.evaluate(window(1_200, 0), stats(n2_draws=199, n2_extended=199), streams, exposure())

    assert found.answer is Answer.SUPPORTED
    assert not found.provisional
    assert found.grade == "robust"
    assert found.failed_conditions == ()
    assert found.signal_alpha
    assert found.p_n2 == found.p_n2_ratio == found.p_n2_mean == Proportion(1, 200)


def test_a_premium_that_random_entry_earns_too_is_not_supported() -> None:
    """N1 rejects, N2 does not: the registered rule asks both."""
    found = h1.evaluate(window(1_200, 1_200), stats(n2_draws=199, n2_extended=199), streams, exposure())

    assert found.p_n1.under(Decimal("0.05"))
    assert not found.registered
    assert not found.signal_alpha
    assert "p(N2) is not under" in found.statement


def test_the_deflated_ratio_counts_the_other_configurations() -> None:
    """Alone it is the PSR against zero; among others it is lower; without a record it has a reason."""
    base = run(profits(25, 300, seed=4))
    alone = h1.evaluate(replace(base, trials=()), stats(), streams, exposure())
    among = h1.evaluate(replace(base, trials=(-2.0, 0.5, 4.0)), stats(), streams, exposure())
    unknown = h1.evaluate(base, stats(), streams, exposure())

    assert alone.trials == 1
    assert among.trials == 4
    assert among.dsr < alone.dsr
    assert unknown.dsr is None
    assert "dsr" in unknown.reasons


def test_sampling_from_a_finite_group_is_a_little_conservative(vectors) -> None:  # type: ignore[no-untyped-def]
    """Phipson and Smyth's exact p (statmod permp) never exceeds (b + 1)/(m + 1)."""
    import json

    cases = json.loads((vectors / "stats" / "permutation.json").read_text())["vectors"]
    case = next(c for c in cases if c["id"] == "permp-example-exact")
    given_, size = case["inputs"], case["inputs"]["total_permutations"]
    for x, exact in zip(given_["x"], case["expected"]["p_exact"], strict=True):
        mean = np.mean(binom.cdf(x, given_["nperm"], np.arange(1, size + 1) / size))
        assert mean == pytest.approx(exact, abs=case["tolerance"]["abs"])
        assert exact <= float(monte_carlo_p(x, given_["nperm"]).value)
