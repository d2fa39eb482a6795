"""Parameter engine: what modules propose becomes a parameter, or does not.  [risk.md 13]

In this order: bounds, rate limits, monotone safety (tighten at once, loosen only after a delay), conflicts to the most
conservative value, effective at the next event time.  No module can breach a bound, whatever it proposes (I12).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from engine.errors import DataError
from engine.venue.base import Proposal
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


@dataclass(frozen=True, slots=True)
class Queued:
    """A loosening that waits: it takes effect at ``due_ns`` if no later proposal is tighter."""

    due_ns: int
    market: int
    parameter: str
    value: int


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
    current: int, proposals: Sequence[Proposal], parameter: Parameter, elapsed_ns: int, now_ns: int
) -> tuple[int, Queued | None]:
    """Return the value for the next event time, and a loosening to queue, of proposals for one parameter.  [13]

    The most conservative proposal wins; it tightens at once, within bounds and rate limits, and loosens only through
    the queue.  Without proposals the value stays.
    """
    if not proposals:
        return current, None
    pick = max if parameter.tighter > 0 else min
    wanted = pick(rate_limited(current, p.value, parameter, elapsed_ns) for p in proposals)
    if (wanted - current) * parameter.tighter >= 0:
        return wanted, None
    return current, Queued(now_ns + LOOSEN_DELAY_NS, proposals[0].market, parameter.name, wanted)


def due(
    queue: Sequence[Queued], current: int, parameter: Parameter, market: int, now_ns: int
) -> tuple[int, tuple[Queued, ...]]:
    """Return the value after loosenings that are due, and the queue without them and without outdated ones.

    A queued value that is tighter than the current one is dropped: a tightening came in between.
    """
    kept, value = [], current
    for entry in queue:
        if (entry.market, entry.parameter) != (market, parameter.name):
            kept.append(entry)
        elif entry.due_ns > now_ns:
            if (entry.value - current) * parameter.tighter < 0:
                kept.append(entry)
        elif (entry.value - current) * parameter.tighter < 0:
            value = entry.value
    return value, tuple(kept)


INITIAL_MULTIPLIER: Final = Parameter("initial_multiplier_ppm", PPM, 3 * PPM, +1, 200_000, 20_000)
"""Initial margin: +20% an hour up, -2% down, as the change limits of risk.md 12.2."""
BAND: Final = Parameter("band_up_ppm", 1_000, 200_000, -1, 500_000, 500_000)
BAND_DOWN: Final = Parameter("band_down_ppm", 1_000, 200_000, -1, 500_000, 500_000)
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
