"""A shift of labels is found to a fraction of a step, and none is found where there is none.  [S1.1, S1.5]"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backtest.data.checks.lag import lag_between
from backtest.data.checks.lag_scan import lag_scan
from engine.records import Feed
from engine.units import NS_PER_HOUR
from tests.backtest.data.markets import START, instrument, instruments, quote, store

STEP = NS_PER_HOUR
FINE = 20


def walk(seed: int, steps: int) -> np.ndarray:
    """A random walk with fat tails at a twentieth of a step."""
    return 100.0 * np.exp(np.cumsum(1e-4 * np.random.default_rng(seed).standard_t(4, (steps + 20) * FINE)))


def sampled(path: np.ndarray, late_steps: float, steps: int) -> np.ndarray:
    """Closes whose labels run ``late_steps`` late: what is stamped t was seen at t - late."""
    at = (np.arange(10, steps + 10) * FINE - round(late_steps * FINE)).astype(int)
    return path[at]


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 10_000), st.integers(-60, 60))
def test_any_shift_is_measured_within_its_error(seed: int, twentieths: int) -> None:
    """Late labels give a negative lag, whole steps or not; the estimate is within five errors of the truth."""
    late, steps = twentieths / FINE, 1500
    path = walk(seed, steps)
    lag = lag_between("a", "b", sampled(path, 0.0, steps), sampled(path, late, steps), STEP, 6)

    assert lag is not None
    assert abs(lag.lag_ns + late * STEP) < 5 * lag.error_ns
    if abs(late) > 0.35:
        assert ("late" if late > 0 else "early") in lag.warning
    if late == 0:
        assert lag.warning == ""


@pytest.mark.parametrize("seed", range(30))
def test_two_unrelated_series_raise_no_alarm(seed: int) -> None:
    """The guard holds against noise over many lags."""
    lag = lag_between("a", "b", sampled(walk(seed, 900), 0, 900), sampled(walk(seed + 999, 900), 0, 900), STEP, 100)

    assert lag is not None
    assert lag.warning == ""


def test_too_little_or_constant_data_say_nothing() -> None:
    """Few samples, no overlap, or a price that never moves: None, not a number."""
    path = sampled(walk(1, 500), 0, 500)
    gone = np.where(np.arange(500) < 30, path, np.nan)

    assert lag_between("a", "b", path[:40], path[:40], STEP, 6) is None
    assert lag_between("a", "b", path, gone, STEP, 6) is None
    assert lag_between("a", "b", path, np.full(500, 7.0), STEP, 6) is None


def test_a_wild_print_does_not_hide_a_shift() -> None:
    """One price off by a factor of ten in each series leaves the finding as it was."""
    path = walk(5, 800)
    a, b = sampled(path, 0, 800), sampled(path, 0.5, 800)
    a[100], b[400] = a[100] * 10, b[400] / 10
    lag = lag_between("a", "b", a, b, STEP, 6)

    assert lag is not None
    assert abs(lag.lag_ns / STEP + 0.5) < 0.2
    assert "late" in lag.warning


def test_bars_that_close_at_other_hours_are_not_called_late(tmp_path: Path) -> None:
    """Two honest sources of 8 h bars, one closing at 04:00: no warning.  The same labelled 4 h late: a warning."""
    steps, bar = 900, 8 * NS_PER_HOUR
    listed = instruments(
        *(instrument(f"{venue}:A", feed=int(Feed.BAR), bar_ns=bar) for venue in ("binance", "bybit", "okx"))
    )
    path = walk(8, steps)
    first, half = sampled(path, 0, steps), sampled(path, 0.5, steps)
    rows = []
    for k in range(steps):
        rows += [quote(START + k * bar, 0, first[k], first[k]), quote(START + k * bar - bar // 2, 1, half[k], half[k])]
        rows.append(quote(START + k * bar, 2, half[k], half[k]))
    lags = {
        lag.second: lag
        for lag in lag_scan(store(tmp_path / "d", listed, rows, grid_ns=bar), "BTC")
        if lag.first == "binance:A"
    }

    assert lags["bybit:A"].warning == ""
    assert abs(lags["okx:A"].lag_ns + bar // 2) < bar // 8
    assert "late" in lags["okx:A"].warning
