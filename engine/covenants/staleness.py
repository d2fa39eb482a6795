"""Staleness of either leg's price: freeze, then reduce-only, and the way back.  [covenants 7.3]"""

from __future__ import annotations

from typing import Final

from engine.covenants.base import Covenant, Mode
from engine.covenants.parameters import Parameters

COVENANT: Final = Covenant("staleness", "Staleness", "age > 10 s freezes, > 30 s is reduce-only, strictly", "7.3")
FRESH_BARS: Final = 3
"""Consecutive fresh bars before the machine leaves a frozen state."""
STALE_CAP: Final = 0.5
"""The cap falls to this share of its last value in REDUCE_ONLY."""


def stale_mode(age_s: float, p: Parameters) -> Mode:
    """Return LIVE, FREEZE or REDUCE_ONLY for the older leg's age in seconds."""
    # The severer state first: an age over both limits is reduce-only.
    if age_s > p.reduce_only_after_s:
        return Mode.REDUCE_ONLY
    return Mode.FREEZE if age_s > p.freeze_after_s else Mode.LIVE


def gap_mode(missing_bars: int, bar_min: int) -> Mode:
    """Return the state after ``missing_bars`` bars in a row without both prices.

    Minutes: five gaps freeze.  Coarser bars: one missing bar freezes, two are reduce-only.  [covenants 1.5, 15.1]
    """
    if bar_min == 1:
        return Mode.FREEZE if missing_bars >= 5 else Mode.LIVE
    return Mode.LIVE if missing_bars == 0 else Mode.FREEZE if missing_bars == 1 else Mode.REDUCE_ONLY
