"""Monitors on made bars: planted warnings are found with their lead, noise is not, and nothing looks ahead."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from backtest.simulation.events.monitor_study import (
    alerts_of,
    difference_interval,
    events_ahead,
    judge_alerts,
    robust_scores,
    shifted_precision,
)
from backtest.simulation.scenario import read_scenario
from backtest.simulation.scenario_run import compute
from engine.errors import DataError

PLAN = """
schema = "scenario/1"
name = "made"
title = "Made"
kind = "monitor"
seed = 1
[monitor]
file = "a/bars.feather"
window_bars = 600
ahead_bars = 15
alert_rate = "0.01"
draws = 200
shifts = 200
"""


def bars(root: Path, lead: int | None) -> Path:
    """Six days of quiet minutes with a jump every 400; the volume is high ``lead`` bars before, or never."""
    random = np.random.Generator(np.random.PCG64(5))
    n = 6 * 1440
    moves, volume = random.normal(0, 1e-4, n), random.uniform(1, 2, n)
    for jump in range(100, n, 400):
        moves[jump] += 0.01
        if lead is not None:
            volume[jump - lead] = 50.0
    (root / "a").mkdir()
    dates = pd.date_range("2025-01-01", periods=n, freq="min", tz="UTC")
    frame = pd.DataFrame({"date": dates, "close": 100 * np.cumprod(1 + moves), "volume": volume})
    frame.to_feather(root / "a" / "bars.feather")
    return root


def test_a_planted_warning_is_found_with_its_lead(tmp_path: Path) -> None:
    found = compute(read_scenario(PLAN, "x").plan, bars(tmp_path, 7)).figures
    flow, volatility = found["monitors"]["flow"], found["monitors"]["volatility"]

    # Jumps of one size are over the quantile of the last 600 bars only where none of those was larger.
    assert flow["recall"] > 0.9
    assert flow["lead_bars"] >= 7.0
    assert flow["precision"] > volatility["precision"]
    assert found["shifts_at_least_as_good"] < 0.05
    assert found["adds_value"] == (found["difference_low"] > 0)


def test_volume_without_a_warning_adds_nothing(tmp_path: Path) -> None:
    found = compute(read_scenario(PLAN, "x").plan, bars(tmp_path, None)).figures

    assert not found["adds_value"]
    assert found["shifts_at_least_as_good"] > 0.02


def test_events_by_hand() -> None:
    """Level: the largest known; only a strictly larger move ahead is an event, counted from the next bar."""
    moves = np.array([1.0, 1.0, 1.0, 1.0, 3.0, 1.0, 1.0])
    events, first = events_ahead(moves, 2, 2)

    assert events.tolist() == [False, False, True, True, False, False, False]
    assert first.tolist() == [0, 0, 2, 1, 0, 0, 0]


def test_scores_are_those_of_a_slow_loop() -> None:
    values = np.random.Generator(np.random.PCG64(2)).normal(0, 1, 60)
    scores = robust_scores(values, 20)

    assert np.isnan(scores[:20]).all()
    for t in range(20, 60):
        window = values[t - 20 : t]
        spread = 1.4826 * np.median(np.abs(window - np.median(window)))
        assert scores[t] == pytest.approx((values[t] - np.median(window)) / spread)


def test_nothing_looks_ahead() -> None:
    values = np.random.Generator(np.random.PCG64(3)).uniform(0, 1, 300)
    changed = np.concatenate([values[:200], values[200:] * 9])

    assert np.array_equal(robust_scores(values, 50)[:200], robust_scores(changed, 50)[:200], equal_nan=True)
    assert np.array_equal(alerts_of(values, 50, 0.1)[:200], alerts_of(changed, 50, 0.1)[:200])


def test_an_alert_is_over_the_scores_before_it() -> None:
    """Rate 0: above the largest of the two before; its own score is none of them."""
    assert alerts_of(np.array([1.0, 1.0, 5.0, 4.0, 6.0]), 2, 0.0).tolist() == [False, False, True, False, True]


def test_measures_by_hand() -> None:
    """Two alerts, one of them two bars before the one move."""
    events = np.array([False, True, True, True, False, False])
    first = np.array([0, 3, 2, 1, 0, 0])
    alerts = np.array([False, False, True, False, False, True])
    measures = judge_alerts(alerts, events, first, 3)

    assert (measures.precision, measures.recall, measures.lead_bars) == (0.5, 1.0, 2.0)
    assert measures.alerts_a_day == 2 * 1440 / 6
    assert judge_alerts(~alerts & False, events, first, 3).lead_bars is None


def test_an_interval_of_equal_alerts_is_zero_and_shifts_of_all_alerts_are_ties() -> None:
    flags = np.arange(4 * 1440) % 7 == 0
    events = np.arange(4 * 1440) % 5 == 0

    assert difference_interval(flags, flags, events, 50, "s") == (0.0, 0.0)
    assert shifted_precision(np.ones(100, dtype=bool), events[:100], 20, "s") == 1.0


def test_bars_out_of_order_or_too_few_are_refused(tmp_path: Path) -> None:
    root = bars(tmp_path, None)
    path = root / "a" / "bars.feather"
    frame = pd.read_feather(path)
    frame.head(1000).to_feather(path)
    with pytest.raises(DataError, match="expected at least 1215 bars for two windows, was 1000"):
        compute(read_scenario(PLAN, "x").plan, root)
    frame.iloc[::-1].reset_index(drop=True).to_feather(path)
    with pytest.raises(DataError, match="prices must not go back in time"):
        compute(read_scenario(PLAN, "x").plan, root)
