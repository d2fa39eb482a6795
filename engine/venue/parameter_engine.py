"""Parameter engine: what modules propose becomes a parameter, or does not.  [risk.md 13]

In this order: bounds, rate limits, monotone safety (tighten at once, loosen only after a delay), conflicts to the most
conservative value, effective at the next event time.  No module can breach a bound, whatever it proposes (I12).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from engine.errors import DataError
from engine.venue.base import Proposal, Queued
from engine.venue.integers import PPM, clamp


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter that modules may move; ``tighter`` is +1 where a larger value is the safer one, else -1."""

    name: str
    low: int
    high: int
    tighter: int
    up_ppm_an_hour: int
    down_ppm_an_hour: int


LOOSEN_DELAY_NS: Final = 3_600_000_000_000
"""Loosening waits one hour (ours)."""


def rate_limited(current: int, proposed: int, parameter: Parameter, elapsed_ns: int) -> int:
    """Return the proposal within bounds and within what ``elapsed_ns`` allows.  [13]

    The largest move is ``current x ppm an hour x elapsed``, floored; at least one unit, so that no parameter is stuck
    by rounding.  Raises `DataError` for negative elapsed time.
    """
    if elapsed_ns < 0:
        raise DataError(f"expected elapsed time >= 0 ns, was {elapsed_ns}: times must not go back")
    hour = 3_600_000_000_000
    up = max(1, abs(current) * parameter.up_ppm_an_hour * elapsed_ns // (PPM * hour))
    down = max(1, abs(current) * parameter.down_ppm_an_hour * elapsed_ns // (PPM * hour))
    bounded = clamp(proposed, parameter.low, parameter.high)
    return clamp(bounded, current - down, current + up)


def decide(
    current: int,
    proposals: Sequence[Proposal],
    parameter: Parameter,
    clock: Clock,
    waiting: Queued | None,
    market: int,
) -> tuple[int, Queued | None]:
    """Return the value for the next event time, and the loosening that waits, of one parameter of one market.  [13]

    The most conservative proposal wins.  It tightens at once, within bounds and rate limits, and ends a waiting
    loosening; it loosens only after every decision of a whole delay asked for that.  Without proposals a loosening goes
    on waiting, or moving.
    """
    if not proposals and waiting is None:
        return current, None
    pick = max if parameter.tighter > 0 else min
    asked = [clamp(p.value, parameter.low, parameter.high) for p in proposals]
    target = pick(asked) if asked else waiting.value if waiting else current
    moved = rate_limited(current, target, parameter, clock.elapsed_ns)
    # An equal target ends a waiting loosening too: not every decision of the delay asked for it.
    if (target - current) * parameter.tighter >= 0:
        return moved, None
    due_ns = waiting.due_ns if waiting else clock.now_ns + LOOSEN_DELAY_NS
    return (moved if clock.now_ns >= due_ns else current), Queued(due_ns, market, parameter.name, target)


@dataclass(frozen=True, slots=True)
class Clock:
    """Event time, and time since the event before."""

    now_ns: int
    elapsed_ns: int


INITIAL_MULTIPLIER: Final = Parameter("initial_multiplier_ppm", PPM, 3 * PPM, +1, 200_000, 20_000)
"""Initial margin: +20% an hour up, -2% down, as the change limits of risk.md 12.2."""
BAND: Final = Parameter("band_up_ppm", 1_000, 999_000, -1, 500_000, 500_000)
BAND_DOWN: Final = Parameter("band_down_ppm", 1_000, 999_000, -1, 500_000, 500_000)
PARAMETERS: Final = (INITIAL_MULTIPLIER, BAND, BAND_DOWN)
"""What modules may move, in this order.  A proposal for any other name is an error."""


def check_names(proposals: Sequence[Proposal], markets: int) -> None:
    """Raise `DataError` for a proposal of an unknown parameter or market."""
    names = [p.name for p in PARAMETERS]
    for p in proposals:
        if p.parameter not in names:
            raise DataError(f"module {p.module!r}: expected a parameter in {names}, was {p.parameter!r}")
        if not 0 <= p.market < markets:
            raise DataError(f"module {p.module!r}: expected a market in 0..{markets - 1}, was {p.market}")
