"""Stage 10: the parameter engine, effective at the next event time.  [risk.md 0.4, 13]"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from engine.venue.base import EventKind, MarketParams, Reason, State
from engine.venue.parameter_engine import PARAMETERS, Clock, check_names, decide
from engine.venue.working import Working


def next_parameters(work: Working, after: State) -> State:
    """Return the state with the parameters and waiting loosenings of the next event time."""
    proposals, queue = work.tick.proposals, work.before.queue
    # Nothing is proposed and nothing waits: no parameter can move.
    if not proposals and not queue:
        return after
    check_names(proposals, len(work.markets))
    clock = Clock(work.tick.time_ns, work.tick.time_ns - work.before.time_ns)
    markets, waiting = list(work.before.params.markets), []
    for m, market in enumerate(markets):
        for parameter in PARAMETERS:
            asked = [p for p in proposals if (p.market, p.parameter) == (m, parameter.name)]
            queued = next((q for q in queue if (q.market, q.parameter) == (m, parameter.name)), None)
            current = getattr(market, parameter.name)
            value, entry = decide(current, asked, parameter, clock, queued, m)
            if entry is not None:
                waiting.append(entry)
            if value != current:
                market = _with(market, parameter.name, value)
                work.emit(EventKind.PARAMETER, Reason.MODULE_PROPOSAL, m, lots=value, quanta=value - current)
        markets[m] = market
    return replace(after, params=replace(work.before.params, markets=tuple(markets)), queue=tuple(waiting))


def _with(market: MarketParams, name: str, value: int) -> MarketParams:
    """Return the market with one integer parameter changed."""
    changed: dict[str, Any] = {name: value}
    return replace(market, **changed)
