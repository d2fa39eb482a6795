"""Twins of missing_days.py, panel.py and other_intervals.py: the registered rule is one row, and agrees with it."""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from math import sqrt
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from engine.exact.sums import returns
from hypotheses.h1 import annual_interval
from hypotheses.sensitivity import missing_days, other_intervals, panel
from hypotheses.sensitivity.base import JudgedRun
from hypotheses.statistics import inference, intervals
from tests.hypotheses.sensitivity.window import busy, judged, trade

LACKING = (10, 40)


@pytest.fixture
def run(tmp_path: Path) -> JudgedRun:
    """Two days without data; on the fifth a leg was marked at a carried price."""
    rows = [row for row in busy(start=0) if not any(row["signal_id"].endswith(f"/{day}") for day in LACKING)]
    found = judged(tmp_path, rows, lacking=LACKING)
    stale = np.where(np.arange(90) == 5, 2, 0)
    pd.DataFrame({"day": found.run.day, "stale_leg_days": stale}).to_parquet(tmp_path / "returns.parquet")
    return found


def ratio(x: np.ndarray) -> float:
    return float(x.mean() / x.std(ddof=1) * sqrt(365))


def test_each_rule_is_the_series_it_says(run: JudgedRun) -> None:
    """The Sharpe ratio of each rule, recomputed in floats from the portfolio's days."""
    x = run.run.portfolio.x.astype(float)
    charge = float(run.run.portfolio.profit[0] - run.run.portfolio.x[0])
    lacking = np.isin(np.arange(90), LACKING)
    worst = sum(min(int(s.profit[~lacking].min()), 0) for s in run.run.sleeves) - charge
    days = np.arange(90)
    expected = {
        "as registered": x,
        "days without data dropped": x[~lacking],
        "days without data earn nothing": np.where(lacking, -charge, x),
        "days without data as bad as the worst": np.where(lacking, worst, x),
        "days with stale marks dropped": x[days != 5],
        "both kinds of days dropped": x[~lacking & (days != 5)],
        "signals at venues with quarantined quotes left out": x,
    }

    rows = {row["rule"]: row for row in missing_days.build(run).tables[0].rows}

    assert set(rows) == set(expected)
    for rule, series in expected.items():
        assert rows[rule]["days"] == len(series)
        assert rows[rule]["sharpe"] == pytest.approx(ratio(series), rel=1e-6)
    assert rows["days without data as bad as the worst"]["sharpe"] < rows["as registered"]["sharpe"]


def test_what_leans_on_a_venue_with_quarantined_quotes_is_left_out(run: JudgedRun) -> None:
    """One venue has a crossed quote, another only stale ones: the trades of the first go, with their days and EV."""
    legs = run.run.signals["legs"].map(lambda all_: all_[0]["book"])
    first, second = legs.iloc[3], legs.iloc[4]
    rows = [
        {"underlying": "BTC", "venue": first, "kind": "perp", "counts": {"crossed": 1, "usable": 9}},
        {"underlying": "BTC", "venue": second, "kind": "perp", "counts": {"stale": 5}},
        {"underlying": "ETH", "venue": second, "kind": "perp", "counts": {"far_from_median": 5}},
    ]
    (run.folder / "quality.json").write_text(json.dumps({"rows": rows}))
    gone = run.run.signals["signal_id"].iloc[3]
    accruals = pd.read_parquet(run.folder / "accruals.parquet")
    mine = accruals[accruals["signal_id"] == gone]
    x = run.run.portfolio.x.astype(float)
    x[mine["day"].to_numpy() - run.run.day[0]] -= mine["usd_micro"].to_numpy()

    rules = {row["rule"]: row for row in missing_days.build(run).tables[0].rows}
    found = rules["signals at venues with quarantined quotes left out"]

    assert len(mine) == 1
    assert found["sharpe"] == pytest.approx(ratio(x), rel=1e-6)
    assert found["sharpe"] != rules["as registered"]["sharpe"]
    assert found["ev"] != rules["as registered"]["ev"]


def test_bounds_hold_every_rule_and_h2_s_worst_is_its_highest(run: JudgedRun) -> None:
    """A ceiling is tested by what could break it; the bounds are the least and greatest over the rules."""
    daily = np.full(90, 50_000_000, dtype=np.int64)
    daily[3], daily[list(LACKING)] = 80_000_000, 0
    verdicts = replace_daily(run, daily)
    part = missing_days.build(verdicts)
    rows = {row["rule"]: row for row in part.tables[0].rows}

    assert rows["as registered"]["ev"] == pytest.approx(daily.mean() / 1e6)
    assert rows["days without data as bad as the worst"]["ev"] == pytest.approx((daily.sum() / 1e6 + 160) / 90)
    bounds = {row["series"]: row["sharpe"] for row in part.tables[1].rows}
    assert all(bounds["all"][0] <= row["sharpe"] <= bounds["all"][1] for row in rows.values())


def replace_daily(run: JudgedRun, daily: np.ndarray) -> JudgedRun:
    run.verdicts.h2.daily_micro = tuple(daily.tolist())  # type: ignore[misc]
    return run


def test_a_window_that_lacks_nothing_has_one_answer(tmp_path: Path) -> None:
    """Every rule gives the registered numbers, and the conditions come out alike."""
    rows = missing_days.build(judged(tmp_path, busy(start=0))).tables[0].rows

    assert len({(row["sharpe"], row["interval"], row["p_n1"], row["ev"], row["above"]) for row in rows}) == 1
    assert all(row["conditions"] for row in rows)


def test_the_studentised_interval_is_the_deciding_one_where_draws_are_the_same(run: JudgedRun) -> None:
    """Same stream, same number of draws: the interval beside the others is the interval of the verdict."""
    rows = {row["series"]: row for row in other_intervals.build(run).tables[0].rows}

    for sleeve in run.run.sleeves:
        series = returns(sleeve.x, Fraction(sleeve.capital_micro))
        found = inference.infer_sharpe(series, run.draws, run.streams(f"h3/bootstrap/{sleeve.code}"), Decimal("0.01"))
        expected = annual_interval(intervals.symmetric(found, Decimal("0.95")))
        assert expected is not None
        assert rows[sleeve.code]["studentised"] == (float(expected.low), float(expected.high))
        for form in ("percentile", "bca", "circular", "ten_blocks", "normal"):
            low, high = rows[sleeve.code][form]
            assert low < rows[sleeve.code]["sharpe"] < high


def test_a_series_that_lives_on_one_day_shows_it(tmp_path: Path) -> None:
    """Without its best day its ratio turns; an idle sleeve has no interval and says why."""
    rows = [trade(f"a{day}", "C1", day, -3.0 - day % 2 if day != 50 else 9_000.0) for day in range(90)]
    part = other_intervals.build(judged(tmp_path, rows))
    tests = {row["series"]: row for row in part.tables[1].rows}
    shown = {row["series"]: row for row in part.tables[0].rows}

    assert shown["C1"]["sharpe"] > 0 > tests["C1"]["sharpe_without"]
    assert tests["C1"]["best_day_usd"] > 8_000
    assert shown["C2"]["studentised"] is None
    assert shown["C2"]["note"] == "the standard deviation is zero"
    assert tests["C2"]["p_flip"] is None


def test_the_panel_has_a_cell_a_choice_and_the_same_words_for_all(run: JudgedRun) -> None:
    """Eight series, three lengths, three forms, three streams; the summary spans its own rows."""
    summary, detail = (table.rows for table in panel.build(run).tables)

    assert len(detail) == 8 * 3 * 3
    for row in summary:
        mine = [one[stream] for one in detail if one["series"] == row["series"] for stream in panel.STREAMS]
        assert row["of"] == len(mine) == 27
        assert row["lowest"] == min(low for low, _ in mine)
        assert row["most_high"] == max(high for _, high in mine)
        assert row["above"] == sum(low > 0 for low, _ in mine)
    again = panel.build(replace(run, streams=lambda name: run.streams(name))).tables[1].rows
    assert again == detail
