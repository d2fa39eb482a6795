"""Expiries against the calendar of a real venue."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from backtest.data.synthetic.expiries import NS_PER_DAY, day_of, label, live


def test_expiries_are_fridays_at_eight():
    """Every one of them, over three years."""
    for day in range(day_of("2025-01-01"), day_of("2028-01-01"), 5):
        for expiry in live(day, 2, 3, 4):
            when = datetime.fromtimestamp(expiry // 10**9, UTC)
            assert (when.weekday(), when.hour, when.minute) == (4, 8, 0)
            assert expiry > day * NS_PER_DAY


def test_the_list_of_a_day_is_the_venue_s():
    """Deribit on 2026-01-15: two weeks, three month ends, four quarter ends."""
    found = [label(expiry) for expiry in live(day_of("2026-01-15"), 2, 3, 4)]
    assert found == ["16JAN26", "23JAN26", "30JAN26", "27FEB26", "27MAR26", "26JUN26", "25SEP26", "25DEC26"]


def test_an_expiry_once_listed_stays_until_it_has_passed():
    """No contract disappears before its time."""
    for day in range(day_of("2026-01-01"), day_of("2026-12-31")):
        gone = set(live(day, 2, 3, 4)) - set(live(day + 1, 2, 3, 4))
        assert all(expiry < (day + 1) * NS_PER_DAY for expiry in gone)


@pytest.mark.parametrize("days", [7, 30, 60, 90, 180])
def test_futures_surround_every_tenor_of_the_curve(days):
    """With the perp at 0, something is listed on both sides on every midnight of three years."""
    for day in range(day_of("2025-01-01"), day_of("2028-01-01")):
        tenors = [0.0] + [(e - day * NS_PER_DAY) / NS_PER_DAY for e in live(day, 2, 3, 4)]
        assert min(tenors) <= days <= max(tenors)


def test_a_label_is_that_of_its_day():
    """27MAR26, without a leading zero on single days."""
    start = datetime(2026, 3, 6, 8, tzinfo=UTC)
    assert label(int(start.timestamp()) * 10**9) == "6MAR26"
    assert label(int((start + timedelta(days=21)).timestamp()) * 10**9) == "27MAR26"
