"""Price bands, quoting caps and withdrawal limits.  [risk.md 10.1, 10.4]"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from engine.errors import DataError
from engine.venue.integers import PPM, div_ceil


def band(reference: Fraction, up_ppm: int, down_ppm: int, tick: Fraction) -> tuple[Fraction, Fraction]:
    """Return (lowest sale, highest purchase), rounded outward to the tick.  [risk.md 10.1]"""
    low = reference * (PPM - down_ppm) / PPM / tick
    high = reference * (PPM + up_ppm) / PPM / tick
    return low.numerator // low.denominator * tick, div_ceil(high.numerator, high.denominator) * tick


def band_ticks(reference_ticks: int, up_ppm: int, down_ppm: int) -> tuple[int, int]:
    """Return (lowest sale, highest purchase) in ticks, rounded outward; the low end is at least 1."""
    low = reference_ticks * (PPM - down_ppm) // PPM
    return max(1, low), div_ceil(reference_ticks * (PPM + up_ppm), PPM)


def capped_spreads(long_spread: int, short_spread: int, max_spread: int) -> tuple[int, int]:
    """Return bid and ask spreads whose sum is at most the cap: larger side rounded up, other the rest.  [10, Drift]"""
    total = long_spread + short_spread
    if total <= max_spread:
        return long_spread, short_spread
    if long_spread > short_spread:
        larger = div_ceil(long_spread * max_spread, total)
        # The rest and not a share of its own: the two add up to the cap.
        return larger, max_spread - larger
    larger = div_ceil(short_spread * max_spread, total)
    return max_spread - larger, larger


@dataclass(frozen=True, slots=True)
class Limiter:
    """A withdrawal limiter: its period, and the baseline ``max(minimum, TVL x ppm)``."""

    period_ns: int
    minimum: int
    tvl_ppm: int


def capacity_after(previous: int, tvl: int, limiter: Limiter, elapsed_ns: int) -> int:
    """Return the capacity after ``elapsed_ns``: it moves toward the baseline.  [risk.md 10.4, dYdX]

    Below the baseline B by ``floor(B dt / period)``, not beyond; between B and 2 B the same amount down; above 2 B by
    ``floor((capacity - B) dt / period)`` down.  Raises `DataError` for negative elapsed time.
    """
    if elapsed_ns < 0:
        raise DataError(f"expected elapsed time >= 0 ns, was {elapsed_ns}: times must not go back")
    baseline = max(limiter.minimum, tvl * limiter.tvl_ppm // PPM)
    move = baseline * elapsed_ns // limiter.period_ns
    if previous < baseline:
        return min(baseline, previous + move)
    if previous > 2 * baseline:
        move = (previous - baseline) * elapsed_ns // limiter.period_ns
    return max(baseline, previous - move)


def withdrawals_gated(blocks_since_negative: int | None, outage_ns: int) -> bool:
    """Return whether all withdrawals wait: 50 blocks after a negative account, or an outage of 5 min.  [10.4]"""
    recent = blocks_since_negative is not None and blocks_since_negative < 50
    return recent or outage_ns >= 300_000_000_000
