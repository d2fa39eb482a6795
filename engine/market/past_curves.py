"""The past curves that a score of today is compared with, as a ledger records them.  [S2.C5, audit 4.1]"""

from __future__ import annotations

from collections.abc import Mapping

from engine.market.curve import days_between
from engine.market.view import PreparedPanel
from engine.units import NS_PER_DAY, NS_PER_US


def past_curves(view: PreparedPanel, day: int) -> Mapping[str, tuple[tuple[int, float], ...]]:
    """Return the curves that the score of ``day`` is compared with: ``curve_<tenor>d`` -> (microseconds, rate) a day.

    The ``z_window_days`` days that end the day before, which `rolling_score` reads; nothing without a registered curve.
    """
    registered = view.market.curve
    if registered is None:
        return {}
    window = days_between(view.curves, day - registered.z_window_days, day - 1)
    times = [day_number * (NS_PER_DAY // NS_PER_US) for day_number in window.day.tolist()]
    return {
        f"curve_{tenor:g}d": tuple(zip(times, window.curve[:, m].tolist(), strict=True))
        for m, tenor in enumerate(registered.tenor_days)
        if times
    }
