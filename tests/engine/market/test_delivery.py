"""The window a venue averages its index over, by date, and the mean of what is known in it.  [venues V2]"""

from __future__ import annotations

from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backtest.registration.load import load_registration
from engine.market.delivery import averaging_ns, averaging_windows, index_mean
from engine.records import Right
from engine.units import NS_PER_SECOND
from tests.helpers.builders import T0_NS, future, instruments, option, perp

MINUTE = 60 * NS_PER_SECOND
HOUR = 60 * MINUTE
EXPIRY = T0_NS + 8 * HOUR
RULES = load_registration(Path("configs/demo.toml")).params.delivery


def expiry_ns(day: str) -> int:
    return int(datetime.fromisoformat(f"{day}T08:00:00+00:00").astimezone(UTC).timestamp()) * NS_PER_SECOND


@pytest.mark.parametrize(
    ("venue", "kind", "day", "minutes"),
    [
        ("deribit", "option", "2021-01-01", 30),
        ("deribit", "future", "2026-03-27", 30),
        ("binance", "future", "2024-11-10", 60),
        ("binance", "future", "2024-11-11", 30),
        ("binance", "future", "2019-08-31", 0),
        ("binance", "option", "2025-01-31", 0),
        ("bybit", "future", "2025-01-31", 0),
    ],
)
def test_the_window_is_that_of_the_venue_the_kind_and_the_day_of_expiry(
    venue: str, kind: str, day: str, minutes: int
) -> None:
    """Binance: an hour, since 2024-11-11 half of one; what is not registered has none."""
    at = expiry_ns(day)
    name = f"{venue}:X"
    listed = future(name, at) if kind == "future" else option(name, at, 90_000.0, Right.CALL)
    table = instruments(listed, perp("deribit:P"))

    assert averaging_ns(RULES, table, table.code_of(name)) == minutes * MINUTE
    windows = averaging_windows(RULES, table)
    assert windows[table.code_of(name)] == minutes * MINUTE
    assert windows[table.code_of("deribit:P")] == 0


@pytest.mark.parametrize(
    ("window_min", "step_min", "known"),
    [(30, 1, True), (30, 5, True), (30, 6, True), (30, 7, False), (30, 10, False), (30, 60, False),
     (60, 5, True), (60, 10, True), (60, 12, True), (60, 15, False)],
)  # fmt: skip
def test_a_grid_must_be_fine_enough_for_the_window(window_min: int, step_min: int, known: bool) -> None:
    """Five readings over two thirds of the window: 5 minutes in half an hour, 10 in an hour, no coarser than these."""
    t_ns = np.arange(0, 24 * HOUR, step_min * MINUTE) + T0_NS
    index = 100_000.0 + (t_ns - T0_NS) / MINUTE
    mean = index_mean(t_ns, index, EXPIRY, window_min * MINUTE)
    inside = [100_000 + m for m in range(480 - window_min + 1, 481) if m % step_min == 0]

    assert (mean == mean) == known
    if known:
        assert mean == float(Fraction(sum(inside), len(inside)))


def test_the_start_of_the_window_is_no_reading_of_it_and_its_end_is() -> None:
    """07:30 < t <= 08:00."""
    t_ns = EXPIRY - MINUTE * np.array([30, 24, 18, 12, 6, 0, -1])
    index = np.array([1e9, 10.0, 20.0, 30.0, 40.0, 50.0, 1e9])

    assert index_mean(t_ns, index, EXPIRY, 30 * MINUTE) == 30.0


@pytest.mark.parametrize(
    "minutes",
    [(20, 15, 10, 5), (16, 12, 8, 4, 0), (29, 28, 27, 26, 25, 24, 23, 22, 21, 20), (), (20, 20, 10, 10, 0)],
)
def test_few_or_crowded_readings_are_no_mean(minutes: tuple[int, ...]) -> None:
    """Fewer than five times, or less than twenty minutes from the first to the last."""
    t_ns = EXPIRY - MINUTE * np.array(minutes, dtype=np.int64)

    assert np.isnan(index_mean(t_ns, np.full(len(t_ns), 100.0), EXPIRY, 30 * MINUTE))


def test_instruments_quoted_at_one_time_are_one_reading() -> None:
    """A snapshot of eight hundred options weighs as much as one of a perp; a missing or a zero index is none."""
    t_ns = EXPIRY - MINUTE * np.array([20, 15, 10, 5, 0, 0, 0, 0, 0])
    index = np.array([100.0, 100.0, 100.0, 100.0, 150.0, 160.0, 140.0, np.nan, 0.0])

    assert index_mean(t_ns, index, EXPIRY, 30 * MINUTE) == 110.0


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(-5, 70), st.integers(1, 10**6)), max_size=40),
    st.sampled_from([30, 60]),
    st.randoms(use_true_random=False),
)
def test_the_mean_is_that_of_exact_fractions_in_any_order(rows, window, random) -> None:  # type: ignore[no-untyped-def]
    """A slow second computation: means by time as fractions, then their mean."""
    by_time: dict[int, list[int]] = {}
    for back, price in rows:
        if 0 <= back < window:
            by_time.setdefault(back, []).append(price)
    random.shuffle(rows)
    t_ns = EXPIRY - MINUTE * np.array([back for back, _ in rows], dtype=np.int64)
    found = index_mean(t_ns, np.array([float(price) for _, price in rows]), EXPIRY, window * MINUTE)

    if len(by_time) < 5 or 3 * (max(by_time) - min(by_time)) < 2 * window:
        assert np.isnan(found)
    else:
        exact = sum(Fraction(sum(of), len(of)) for of in by_time.values()) / len(by_time)
        assert found == pytest.approx(float(exact), rel=1e-15)
