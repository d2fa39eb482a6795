"""The thresholds of C5 are read off the emitted rows, fold by fold.  [live L0.7]"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from backtest.live.comparison import Emitted
from backtest.live.emitted_thresholds import thresholds_of
from backtest.records import Plan
from engine.units import NS_PER_DAY, NS_PER_US
from tests.helpers.small_run import Tiny


def signal(day: int, constraint: str = "calendar", z: str = "1.5") -> dict[str, Any]:
    """A signal at noon of a day of the window."""
    params = {"z_threshold": z} if constraint == "calendar" else {}
    as_of_us = (day * NS_PER_DAY + NS_PER_DAY // 2) // NS_PER_US
    return {"provenance": {"constraint": constraint, "as_of_us": as_of_us, "params": params}}


def test_each_fold_has_the_threshold_of_its_rows_and_one_without_any_the_largest(tiny: Tiny) -> None:
    plan = Plan(10 * NS_PER_DAY, 16 * NS_PER_DAY, 0, 3, 2 * NS_PER_DAY, 0, 0)
    rows = [signal(10, z="2"), signal(11, z="2"), signal(13, "triangle"), signal(15, z="1.25"), signal(9, z="9")]
    emitted = Emitted(Path(), "", 0, "", "", (), {str(n): row for n, row in enumerate(rows)})
    z_of = thresholds_of(emitted, plan)
    grid = tiny.registration.params.z_grid
    assert [z_of(fold, (), tiny.registration) for fold in range(3)] == [2.0, max(grid), 1.25]
