"""Stage 6: breaker state, before liquidations.  [risk.md 0.4, 10.3]

A halt that also stops liquidations traps deficits; the other order is a parameter and is tested as a variant.
"""

from __future__ import annotations

from dataclasses import replace

from engine.venue.base import BreakerLevel, EventKind, OracleState
from engine.venue.circuit_breakers import LadderInputs, LadderLimits, next_level, return_ppm
from engine.venue.integers import PPM
from engine.venue.mark import MINUTE_NS
from engine.venue.working import Working


def apply(work: Working) -> None:
    """Set the level of each market from this event's mark and oracle."""
    given, now = work.before.params, work.tick.time_ns
    limits = LadderLimits(
        given.slow_return_1min_sigmas,
        given.slow_divergence_ppm,
        given.halt_return_5min_ppm,
        given.halt_dwell_ns,
        given.slow_dwell_ns,
    )
    for m, market in enumerate(work.markets):
        mark, oracle = market.mark_ticks, market.oracle_ticks
        inputs = LadderInputs(
            return_ppm(market.marks, now, mark, MINUTE_NS),
            work.params(m).sigma_1min_ppm,
            return_ppm(market.marks, now, mark, 5 * MINUTE_NS),
            # Without an oracle price its state asks for the halt.
            abs(mark - oracle) * PPM // oracle if oracle > 0 else 0,
            market.oracle_state,
        )
        level, since, reason = next_level(market.breaker, market.breaker_since_ns, now, inputs, limits)
        if level != market.breaker:
            work.emit(EventKind.BREAKER, reason, m, lots=int(level))
        work.markets[m] = replace(market, breaker=level, breaker_since_ns=since)


def is_halted(work: Working, market: int) -> bool:
    """Return whether no order may match: a halt, or an oracle that nothing may use."""
    state = work.markets[market]
    return state.breaker == BreakerLevel.HALT or state.oracle_state <= OracleState.TOO_VOLATILE or state.mark_ticks <= 0


def may_liquidate(work: Working, market: int) -> bool:
    """Return whether the oracle and the breaker allow liquidations in a market.  [risk.md 2, 10.3]"""
    state = work.markets[market]
    usable = state.oracle_state in (OracleState.VALID, OracleState.STALE_AMM) and state.mark_ticks > 0
    return usable and not (state.breaker == BreakerLevel.HALT and work.before.params.halt_stops_liquidations)


def is_reduce_only(work: Working, market: int) -> bool:
    """Return whether orders may only reduce: slow mode, or an oracle too old for new margin.  [2, 10.3]"""
    state = work.markets[market]
    return state.breaker == BreakerLevel.SLOW or state.oracle_state not in (OracleState.VALID, OracleState.STALE_AMM)
