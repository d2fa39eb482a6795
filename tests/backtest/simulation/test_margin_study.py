"""Probabilistic margin on made bars: it recovers a planted law, looks nowhere ahead, and judges rules by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from backtest.simulation.margin_comparison import (
    cluster_study,
    deficits,
    delayed,
    large_moves,
    procyclicality,
    raised_margins,
    run_accounts,
    time_to_safe_h,
)
from backtest.simulation.margin_filter import Filter, fit_filter, simulated_returns
from backtest.simulation.margin_forecast import MarginTask, forecast_days, horizon_bars, margin_in_force, stressed_es
from backtest.simulation.result import SimulationResult
from backtest.simulation.scenario import read_scenario
from backtest.simulation.scenario_run import compute
from engine.errors import DataError, UsageError

PLAN = """
schema = "scenario/1"
name = "made"
title = "Made"
kind = "probabilistic_margin"
venue = "hyperliquid"
seed = 1
[probabilistic_margin]
bar_min = 60
window_days = 20
level = "0.975"
paths = 2000
position_usd = "1000"
participation = "0.05"
half_spread_bps = "1"
fee_bps = "5"
equity_margins = "1.5"
delays_h = [24]
draws = 100
coins = [{ name = "BTC", file = "a/bars.feather" }]
"""


def garch_returns(n: int, seed: int = 3) -> np.ndarray:
    """Returns of a GARCH(1,1) with alpha 0.1, beta 0.85 and a deviation of 0.4% an hour."""
    shocks = np.random.Generator(np.random.PCG64(seed)).normal(size=n)
    out, variance = np.empty(n), 1.0
    for k in range(n):
        out[k] = np.sqrt(variance) * shocks[k]
        variance = 0.05 + 0.1 * out[k] ** 2 + 0.85 * variance
    return 0.004 * out


def bars(root: Path, days: int, seed: int = 3) -> Path:
    n = 24 * days
    dates = pd.date_range("2025-01-01", periods=n, freq="h", tz="UTC")
    close = 100 * np.exp(np.cumsum(garch_returns(n, seed)))
    (root / "a").mkdir()
    pd.DataFrame({"date": dates, "close": close, "volume": np.full(n, 1e4)}).to_feather(root / "a" / "bars.feather")
    return root


def task(returns: np.ndarray, **changes: float) -> MarginTask:
    given = {
        "returns": returns, "volume_usd": np.full(len(returns), 1e6), "day_bars": 24, "window_bars": 480,
        "level": 0.975, "position_usd": 1e3, "participation": 0.05, "paths": 2000, "seed": "s",
    }  # fmt: skip
    return MarginTask(**(given | changes))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, SimulationResult]:
    """Bars of 80 days and their study by one worker: 60 judged days, two tasks."""
    root = bars(tmp_path_factory.mktemp("made"), 80)
    return root, compute(read_scenario(PLAN, "x").plan, root, workers=1)


def test_a_study_on_a_known_law_covers_as_its_level_says(made: tuple[Path, SimulationResult]) -> None:
    _, result = made
    found = result.figures

    assert found["days"] == 60
    assert found["fallback_days"] == 0
    assert found["observations"] == 2 * 60 * 23
    assert found["exceedance_rate"] == pytest.approx(0.025, abs=0.008)
    assert found["kupiec_p"] > 0.01
    assert found["series"]["BTC long"]["z2"] == pytest.approx(0.0, abs=0.35)
    assert found["score_difference"] < 0
    rules = found["rules"]
    assert rules["model"]["mean_margin"] == pytest.approx(rules["fixed"]["mean_margin"])
    assert rules["unscaled"]["mean_margin"] == 0.0125
    # Of two constants the lower is exceeded at least as often.
    assert (rules["unscaled"]["exceedances"] >= rules["fixed"]["exceedances"]) == (
        rules["fixed"]["mean_margin"] >= 0.0125
    )
    assert found["procyclicality_within_twice"] == (rules["model"]["max_over_min"] <= 2)
    assert found["delays"]["0 h"]["hours_to_safe"] == 0.0
    assert found["delays"]["24 h"]["hours_to_safe"] > 0.0
    assert list(result.tables["margins"]["day"]) == list(range(20, 80))


def test_workers_change_nothing(made: tuple[Path, SimulationResult]) -> None:
    root, alone = made

    assert compute(read_scenario(PLAN, "x").plan, root, workers=2).files() == alone.files()


def test_too_few_bars_and_prices_of_zero_are_refused(tmp_path: Path) -> None:
    root = bars(tmp_path, 39)
    with pytest.raises(DataError, match="expected at least 960 bars for two windows, was 936"):
        compute(read_scenario(PLAN, "x").plan, root)
    frame = pd.concat([pd.read_feather(root / "a" / "bars.feather")] * 2, ignore_index=True)
    frame["date"] = pd.date_range("2025-01-01", periods=len(frame), freq="h", tz="UTC")
    frame.loc[7, "close"] = 0.0
    frame.to_feather(root / "a" / "bars.feather")
    with pytest.raises(DataError, match=r"expected closes > 0, was 0\.0"):
        compute(read_scenario(PLAN, "x").plan, root)
    with pytest.raises(UsageError, match="level"):
        read_scenario(PLAN.replace('"0.975"', '"0.9"'), "x")


def test_a_filter_finds_the_law_and_falls_back_where_there_is_none() -> None:
    returns = garch_returns(6000)
    law = fit_filter(returns, None)
    flat = fit_filter(np.zeros(50), None)

    assert (law.alpha, law.beta) == pytest.approx((0.1, 0.85), abs=0.05)
    assert not law.is_fallback
    assert flat.is_fallback
    assert flat.alpha + flat.beta == 1.0


def test_deviations_are_known_before_their_return() -> None:
    law = Filter(2.0, 0.1, 0.2, 0.7, is_fallback=False)
    sigma = law.deviations(np.array([2.0, 4.0]))

    assert sigma == pytest.approx([2.0, 2.0, 2.0 * np.sqrt(0.1 + 0.2 * 4 + 0.7)])


def test_simulated_returns_follow_the_recursion() -> None:
    """One residual only: every path is the recursion by hand, over two bars."""
    law = Filter(1.0, 0.1, 0.2, 0.7, is_fallback=False)
    moves = simulated_returns(law, np.array([2.0, 2.0, 2.0]), 1.0, 2, 10, "s", 0)

    assert moves == pytest.approx(np.full(10, 2.0 + 2.0 * np.sqrt(0.1 + 0.2 * 4 + 0.7)))


def test_residuals_of_a_path_followed_each_other() -> None:
    law = Filter(1.0, 1.0, 0.0, 0.0, is_fallback=False)
    moves = simulated_returns(law, np.array([1.0, 10.0, 100.0]), 1.0, 2, 200, "s", 0)

    assert sorted(set(moves.round(9).tolist())) == [11.0, 110.0]


def test_a_forecast_uses_nothing_later() -> None:
    returns = garch_returns(24 * 27)
    changed = returns.copy()
    changed[24 * 25 + 7 :] *= 5
    a, b = forecast_days(task(returns), 20), forecast_days(task(changed), 20)
    # A row of bar k is known at its close: the changed return is the first that may move anything.
    until = a["bar"] < 24 * 25 + 7

    assert a[until].equals(b[until])
    assert not a[~until]["sigma"].equals(b[~until]["sigma"])


def test_a_horizon_is_the_time_to_close_in_whole_bars() -> None:
    hourly = task(garch_returns(48))

    assert horizon_bars(hourly, 1e9) == 1
    # 50,000 USD an hour may be sold: 120,000 take two hours and 24 minutes.
    assert horizon_bars(task(hourly.returns, position_usd=120_000.0), 1e6) == 3


def test_stress_is_of_the_ten_days_with_the_largest_moves() -> None:
    returns = np.full(24 * 40, 1e-4)
    returns[24 * np.arange(12) + 5] = 0.01 * np.arange(1, 13)
    later = returns.copy()
    later[24 * 30 :] = 9.0
    made = task(later, level=0.99)

    # Days 3 to 12 of 240 bars: the three largest moves are the one at the quantile and those beyond.
    assert stressed_es(made, 24 * 30, 1) == pytest.approx((0.12 + 0.11 + 0.10) / 3)


def test_a_margin_is_limited_and_in_force_one_bar_later() -> None:
    """Daily bars: at most +480% up and at least 52% of the last down, each a bar after it is decided."""
    rows = pd.DataFrame({"es_long": [1.0, 9.0, 0.1, 0.1], "es_short": [0.5, 0.5, 0.1, 0.1], "stress": 0.0})
    costs = np.array([0.0, 0.0, 0.02, 0.02])

    assert margin_in_force(rows, 1, costs) == pytest.approx([1.0, 1.0, 5.8, 5.8 * 0.52])
    stressed = rows.assign(stress=[40.0, 0, 0, 0])
    assert margin_in_force(stressed, 1, costs)[0] == pytest.approx(0.75 + 10.0)


def test_deficits_and_procyclicality_by_hand() -> None:
    assert deficits(np.array([0.1, -0.2, 0.03]), np.array([0.04, 0.04, 0.04])) == pytest.approx([0.06, 0, 0])
    ratio, change = procyclicality(np.array([1.0] * 5 + [1.5] + [0.5] * 4), 1)
    assert (ratio, change) == (3.0, 0.5)


def test_accounts_are_liquidated_under_the_margin_before_and_regretted_if_they_recover() -> None:
    """One bar an hour: a fall of 6% after 3 hours liquidates the long; only a path that returns is regretted."""
    back, gone = np.full(72, 100.0), np.full(72, 100.0)
    back[4:20], gone[4:] = 94.0, 94.0
    margin = np.full(72, 0.05)

    recovered = run_accounts(back, margin, 1, 24, 0.1)
    lost = run_accounts(gone, margin, 1, 24, 0.1)

    assert recovered.liquidated.tolist() == [True, False]
    assert recovered.regretted.tolist() == [True, False]
    assert lost.liquidated.tolist() == [True, False]
    assert lost.regretted.tolist() == [False, False]
    # The margin that counts is the one in force before the close.
    early = np.where(np.arange(72) >= 4, 0.02, 0.05)
    assert run_accounts(back, early, 1, 24, 0.1).liquidated[0]


def test_votes_delay_a_level_twice_and_time_under_it_is_counted() -> None:
    margin = np.arange(10.0) + 1
    voted = delayed(margin, 2, 24)

    assert voted.tolist() == [1, 1, 1, 1, 3, 3, 5, 5, 7, 7]
    # Short of the model on nine of ten bars, in one spell.
    assert time_to_safe_h(voted, margin, 24) == 9.0
    assert time_to_safe_h(margin, margin, 24) == 0.0


def test_a_margin_raised_before_a_large_move_is_seen() -> None:
    returns = np.full(60, 0.001)
    returns[[30, 50]] = 0.1, 0.2
    margin = np.full(60, 1.0)
    margin[28:40] = 1.2

    assert np.flatnonzero(large_moves(returns, 20)).tolist() == [30, 50]
    assert np.flatnonzero(raised_margins(margin, 4)).tolist() == [28, 29, 30, 31]
    found = cluster_study(returns, margin, 20, 4)
    assert (found.events, found.raised_before, found.tightenings, found.false_share) == (2, 0.5, 1, 0.0)
    assert found.raised_of_all_bars == 4 / 40
