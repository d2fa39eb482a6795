"""Monitors: order flow, funding spikes, robust scores.  [risk.md 11]

Scores are exact rationals of integers; a monitor only proposes, the parameter engine decides.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from engine.errors import DataError
from engine.venue.integers import PPM

MAD_SCALE = Fraction(14826, 10000)
"""Makes the median absolute deviation comparable with a standard deviation of a normal law."""


@dataclass(frozen=True, slots=True)
class BestLevel:
    """Best bid and ask with their sizes at one event."""

    bid: int
    bid_size: int
    ask: int
    ask_size: int


def order_flow_imbalance(before: BestLevel, after: BestLevel) -> int:
    """Return the signed flow of one book event.  [risk.md 11.1, Cont, Kukanov, Stoikov 2014]

    ``1[b >= b'] q - 1[b <= b'] q' - 1[a <= a'] p + 1[a >= a'] p'``: positive is buying pressure.
    """
    bids = (after.bid >= before.bid) * after.bid_size - (after.bid <= before.bid) * before.bid_size
    asks = (after.ask <= before.ask) * after.ask_size - (after.ask >= before.ask) * before.ask_size
    return bids - asks


def depth_within(levels: Sequence[tuple[int, int]], reference: int, reach_ppm: int) -> int:
    """Return the size quoted within ``reach`` of the reference, levels are (price, size).  [11.1]"""
    return sum(size for price, size in levels if abs(price - reference) * PPM <= reference * reach_ppm)


def median(values: Sequence[Fraction]) -> Fraction:
    """Return the exact median.  Raises `DataError` for no values."""
    if not values:
        raise DataError("expected values before the current bar, was none: wait for the window to fill")
    ordered = sorted(values)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


def robust_score(value: Fraction, history: Sequence[Fraction]) -> Fraction | None:
    """Return ``(x - median) / (1.4826 MAD)`` over the history, which excludes the current bar.  [11.1]

    None where more than half of the history is one value: then no scale is known.  Raises `DataError` for no history.
    """
    centre = median(history)
    spread = median([abs(x - centre) for x in history])
    return (value - centre) / (MAD_SCALE * spread) if spread else None


def trailing_quantile(history: Sequence[int], quantile: Fraction) -> int:
    """Return the smallest value that at least the share ``quantile`` of the history does not exceed.

    Raises `DataError` for no history.
    """
    if not history:
        raise DataError("expected a history for a quantile, was none")
    rank = quantile * len(history)
    return sorted(history)[max(0, -(-rank.numerator // rank.denominator) - 1)]


def is_funding_spike(rate_ppb_8h: int, history_abs_ppb: Sequence[int], score: Fraction | None) -> bool:
    """Return ``|r| > max(3 bps, q95 of trailing |r|)`` or ``z > 4``.  [11.2]"""
    # 3 bps per 8 hours, in ppb.  [risk.md 11.2]
    limit = max(300_000, trailing_quantile(history_abs_ppb, Fraction(95, 100)) if history_abs_ppb else 0)
    return abs(rate_ppb_8h) > limit or (score is not None and score > 4)


def multiplier_of_level(level: int) -> int:
    """Return the initial-margin multiplier in ppm, ``1 + 0.25 level``.  [11.3]

    Raises `DataError` if the level is negative.
    """
    if level < 0:
        raise DataError(f"expected a level >= 0, was {level}")
    return PPM + 250_000 * level
