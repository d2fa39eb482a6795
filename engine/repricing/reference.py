"""One signal moved to one time by the engine's own functions: the definition, and what odd cases fall back to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from engine.costs.depth import impact_usd
from engine.market.view import PreparedPanel
from engine.params import Params
from engine.positions.base import LegQuote, Position, Signal
from engine.positions.exits import advance_one, force_close, unfilled
from engine.positions.leg_quotes import quotes_of, terms_at
from engine.positions.settlement import leg_notional, settle
from engine.records import Instruments


def reprice_one(
    signal: Signal, t_ns: int, codes: Sequence[int], views: Sequence[PreparedPanel], params: Params, end_ns: int
) -> Position:
    """Return the position of ``signal`` moved to ``t_ns`` with the legs ``codes``, as the engine resolves it.

    ``views`` are consecutive, the first holds the decision's grid time; where they end the window ends.  What the exit
    rules read of a signal stays: its gross, its net and its life.  [docs/decisions/0120]
    """
    first, life_ns = views[0], params.rules[signal.constraint].life_ns
    row = int(first.panel.times_ns.searchsorted(t_ns))
    quantity = [leg.quantity for leg in signal.legs]
    legs = quotes_of(first, row, terms_at(first, row, codes, quantity, life_ns))
    held = unfilled(replace(signal, t_ns=t_ns, spot_usd=float(first.spot_usd[row]), legs=legs))
    for view in views:
        moved = advance_one(held, view, params)
        if isinstance(moved, Position):
            return moved
        held = moved
    return force_close((held,), end_ns, params)[0]


def earnings_by_day(position: Position, instruments: Instruments, params: Params) -> Mapping[int, int]:
    """Return the micro-USD of ``position`` by day, each side of each leg paying the impact of an untouched book."""
    entry = tuple(_impact(position, leg) for leg in position.entry)
    leaves = zip(position.exit, position.expired, strict=True)
    exit_ = tuple(0.0 if expired else _impact(position, leg) for leg, expired in leaves)
    return settle(position, instruments, params, entry, exit_).accruals


def _impact(position: Position, leg: LegQuote) -> float:
    if not leg.depth_usd > 0.0:
        return 0.0
    return impact_usd(leg.spread_bps, leg.depth_usd, 0.0, leg_notional(position, leg))
