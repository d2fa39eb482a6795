"""Circuit breakers: the halt ladder and the reopening auction.  [risk.md 10.3]

L1, the collar, is always on.  L2 is reduce-only with wider liquidation spacing, L3 stops matching and liquidations.
The level may rise at any time; it falls one step at a time, after its dwell, so it cannot oscillate.
"""

from __future__ import annotations

from dataclasses import dataclass

from engine.venue.base import BreakerLevel, OracleState, Reason
from engine.venue.integers import PPM


@dataclass(frozen=True, slots=True)
class LadderLimits:
    """Thresholds and dwells of the ladder."""

    sigmas: int = 5
    divergence_ppm: int = 20_000
    return_5min_ppm: int = 100_000
    halt_dwell_ns: int = 60_000_000_000
    slow_dwell_ns: int = 300_000_000_000


@dataclass(frozen=True, slots=True)
class LadderInputs:
    """Absolute returns of the mark over one and five minutes, its distance from the oracle, all in ppm."""

    return_1min_ppm: int
    sigma_1min_ppm: int
    return_5min_ppm: int
    divergence_ppm: int
    oracle: OracleState


def wanted_level(given: LadderInputs, limits: LadderLimits) -> tuple[BreakerLevel, Reason]:
    """Return the level that this event alone asks for, and why; strict inequalities."""
    # States are in the order of the guards: up to TOO_VOLATILE the price itself is refused.  [risk.md 2]
    if given.oracle <= OracleState.TOO_VOLATILE or given.oracle in UNUSABLE:
        return BreakerLevel.HALT, Reason.ORACLE_INVALID
    if given.return_5min_ppm > limits.return_5min_ppm:
        return BreakerLevel.HALT, Reason.VOLATILITY_5MIN
    if given.return_1min_ppm > limits.sigmas * given.sigma_1min_ppm:
        return BreakerLevel.SLOW, Reason.VOLATILITY_1MIN
    if given.divergence_ppm > limits.divergence_ppm:
        return BreakerLevel.SLOW, Reason.DIVERGENCE
    return BreakerLevel.COLLAR, Reason.DWELL_OVER


UNUSABLE = (OracleState.STALE_MARGIN, OracleState.INSUFFICIENT_DATA)
"""States in which margin may not be measured: INVALID for the ladder."""


def next_level(
    level: BreakerLevel, since_ns: int, now_ns: int, given: LadderInputs, limits: LadderLimits
) -> tuple[BreakerLevel, int, Reason]:
    """Return (level, since when, reason).  A level asked for again begins its dwell anew."""
    wanted, reason = wanted_level(given, limits)
    if wanted >= level:
        # The collar has no dwell to begin.
        return wanted, now_ns if wanted > BreakerLevel.COLLAR else since_ns, reason
    dwell = limits.halt_dwell_ns if level == BreakerLevel.HALT else limits.slow_dwell_ns
    if now_ns - since_ns < dwell:
        return level, since_ns, Reason.DWELL_OVER
    return BreakerLevel(level - 1), now_ns, Reason.DWELL_OVER


def return_ppm(marks: tuple[tuple[int, int], ...], now_ns: int, price: int, span_ns: int) -> int:
    """Return the absolute return in ppm against the latest mark at or before ``now - span``; 0 without one.

    ``marks`` are (time, mark), oldest first.  The value is truncated.
    """
    before = [mark for time, mark in marks if time <= now_ns - span_ns and mark > 0]
    return abs(price - before[-1]) * PPM // before[-1] if before else 0


def call_auction(
    buys: tuple[tuple[int, int], ...], sells: tuple[tuple[int, int], ...], reference: int
) -> tuple[int, int]:
    """Return (price, lots) of a call auction over (limit, lots): the price that trades most.  [10.3]

    Ties: smallest imbalance, then nearest to the reference, then the lower price.  (0, 0) where nothing crosses.
    """
    best: tuple[int, int, int, int] | None = None
    # What trades changes at limits only, so the best price is among them.
    for price in sorted({p for p, _ in buys} | {p for p, _ in sells}):
        wanted = sum(lots for limit, lots in buys if limit >= price)
        offered = sum(lots for limit, lots in sells if limit <= price)
        rank = (-min(wanted, offered), abs(wanted - offered), abs(price - reference), price)
        if min(wanted, offered) > 0 and (best is None or rank < best):
            best = rank
    return (best[3], -best[0]) if best else (0, 0)
