"""Oracle: whether a price may be used, and for what.  [risk.md 2, corrections in 20]"""

from __future__ import annotations

from dataclasses import dataclass

from engine.errors import DataError
from engine.venue.base import OracleState
from engine.venue.integers import PPM, clamp, div_trunc

MIN_DIVERGENCE_PPM = 100_000
"""Drift: configuring a divergence limit under 10% has no effect.  [risk.md 2]"""

CONFIDENCE_MULTIPLIER = {"A": 1, "B": 1, "C": 2, "speculative": 10, "other": 50}
TWAP_CLIP = {"A": (1, 10), "B": (1, 5), "C": (1, 2), "other": (1, 3)}
"""Largest move of an observation from the TWAP, as (numerator, denominator), by Drift's contract tier."""


@dataclass(frozen=True, slots=True)
class GuardLimits:
    """Limits of the guards; ages count slots, or nanoseconds where the venue has no slots."""

    volatility_ppm: int = 5 * PPM
    integer_volatility: bool = False  # Drift's own form: floor(max / min) > 5 fires at six times
    confidence_ppm: int = 20_000
    confidence_multiplier: int = 1
    stale_margin: int = 120
    stale_amm: int = 10


def oracle_state(
    price: int, twap: int, confidence: int, age: int, enough_data: bool, limits: GuardLimits
) -> OracleState:
    """Return the first guard that fires, in the order of the table of risk.md 2, or VALID."""
    if price <= 0:
        return OracleState.NON_POSITIVE
    if _too_volatile(price, twap, limits):
        return OracleState.TOO_VOLATILE
    if confidence * PPM > price * limits.confidence_ppm * limits.confidence_multiplier:
        return OracleState.TOO_UNCERTAIN
    if age > limits.stale_margin:
        return OracleState.STALE_MARGIN
    if not enough_data:
        return OracleState.INSUFFICIENT_DATA
    return OracleState.STALE_AMM if age > limits.stale_amm else OracleState.VALID


def _too_volatile(price: int, twap: int, limits: GuardLimits) -> bool:
    # At least 1: a price of 0 has no ratio.
    low, high = sorted((max(price, 1), max(twap, 1)))
    if limits.integer_volatility:
        return high // low > limits.volatility_ppm // PPM
    return high * PPM > low * limits.volatility_ppm


def reported_spread_ppm(mark: int, oracle: int) -> int:
    """Return ``(mark - oracle) / mark`` in ppm, truncated toward zero.  [risk.md 2, "Divergence"]

    Raises `DataError` for a mark that is not positive.
    """
    if mark <= 0:
        raise DataError(f"expected a mark > 0, was {mark}")
    return div_trunc((mark - oracle) * PPM, mark)


def is_divergent(mark: int, oracle_twap: int, limit_ppm: int) -> bool:
    """Return whether mark and five-minute oracle TWAP differ by more than ``max(limit, 10%)``.  [risk.md 2]"""
    return abs(reported_spread_ppm(mark, oracle_twap)) > max(limit_ppm, MIN_DIVERGENCE_PPM)


def clip_to_twap(observation: int, twap: int, tier: str) -> int:
    """Return an observation moved into ``twap x (1 +- share of its tier)``, bounds truncated.  [risk.md 2]"""
    numerator, denominator = TWAP_CLIP.get(tier, TWAP_CLIP["other"])
    reach = twap * numerator // denominator
    return clamp(observation, twap - reach, twap + reach)


def twap_update(observation: int, twap: int, elapsed: int, window: int, *, biased: bool) -> int:
    """Return the TWAP after an observation that lasted ``elapsed``, weights in time.  [risk.md 2, corrected in 20]

    ``trunc((x * elapsed + twap * rest) / (elapsed + rest))`` with ``rest = max(1, window - elapsed)``.  ``biased`` adds
    Drift's ratchet when ``rest > 1``: +1 if ``twap * rest > x * elapsed``, -1 if smaller (the correction reverses the
    sign of the main text), and a TWAP of 0 is never biased down.  No time elapsed returns the old TWAP.
    Raises `DataError` for a negative elapsed time: prices may not go back in time.
    """
    if elapsed < 0:
        raise DataError(f"expected elapsed time >= 0, was {elapsed}: prices must not go back in time")
    if elapsed == 0:
        return twap
    rest = max(1, window - elapsed)
    new, old = observation * elapsed, twap * rest
    average = div_trunc(new + old, elapsed + rest)
    if not biased or rest <= 1:
        return average
    bias = (old > new) - (old < new)
    return average if average == 0 and bias < 0 else average + bias


def rate_limited(previous: int, submitted: int, elapsed_ns: int, max_move_ppm: int, min_elapsed_ns: int) -> int | None:
    """Return the accepted value of a rate-limited feed, or None where the update comes too early.  [risk.md 2, HIP-3]

    Bounds are rounded inward: the accepted move never exceeds the limit.
    """
    if elapsed_ns < min_elapsed_ns:
        return None
    reach = previous * max_move_ppm // PPM
    return clamp(submitted, previous - reach, previous + reach)


def use_fallback(silent_ns: int, stale_ns: int) -> bool:
    """Return whether a feed has been silent long enough for the fallback source.  [risk.md 2, HIP-3]"""
    return silent_ns >= stale_ns


def freshness(age_ns: int, freeze_ns: int = 10_000_000_000, reduce_only_ns: int = 30_000_000_000) -> str:
    """Return ``live``, ``freeze`` or ``reduce_only`` by the age in receive time, strict inequality.  [risk.md 2]

    Raises `DataError` for a negative age: a price from the future.
    """
    if age_ns < 0:
        raise DataError(f"expected an age >= 0 ns, was {age_ns}: the publish time is after the receive time")
    return "reduce_only" if age_ns > reduce_only_ns else "freeze" if age_ns > freeze_ns else "live"


def is_frozen_feed(unchanged_ns: int, reference_move_ppm: int) -> bool:
    """Return whether a feed repeats one value for over 60 s while a reference moved over 5 bps.  [risk.md 2]"""
    return unchanged_ns > 60_000_000_000 and abs(reference_move_ppm) > 500
