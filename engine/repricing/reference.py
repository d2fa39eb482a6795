"""Reprices one signal at one time with the functions of `engine.positions`: the definition, and the fallback.

`engine.repricing.placebo_entries` gives the same result for many entries at once, and calls this for rare cases.
"""

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
    """Return the position of ``signal`` decided at ``t_ns`` with the legs ``codes``, as the engine resolves it.

    ``views`` are consecutive blocks; the first holds the grid time of the decision and the last ends the window at
    ``end_ns``.  The signal keeps its gross, its net and its life, which the exit rules read.  [docs/decisions/0120]
    """
    first, life_ns = views[0], params.rules[signal.constraint].life_ns
    row = int(first.panel.times_ns.searchsorted(t_ns))
    quantity = [leg.quantity for leg in signal.legs]
    legs = quotes_of(first, row, terms_at(first, row, codes, quantity, life_ns))
    open_ = unfilled(replace(signal, t_ns=t_ns, spot_usd=float(first.spot_usd[row]), legs=legs))
    for view in views:
        advanced = advance_one(open_, view, params)
        if isinstance(advanced, Position):
            return advanced
        open_ = advanced
    return force_close((open_,), end_ns, params)[0]


def earnings_by_day(position: Position, instruments: Instruments, params: Params) -> Mapping[int, int]:
    """Return day -> micro-USD of ``position``; each execution pays the impact of its notional on an untouched book."""
    entry = tuple(_impact(position, leg) for leg in position.entry)
    exits = zip(position.exit, position.expired, strict=True)
    exit_ = tuple(0.0 if expired else _impact(position, leg) for leg, expired in exits)
    return settle(position, instruments, params, entry, exit_).accruals


def _impact(position: Position, leg: LegQuote) -> float:
    # Negated: an unknown depth is NaN and pays the fallback slippage instead.
    if not leg.depth_usd > 0.0:
        return 0.0
    return impact_usd(leg.spread_bps, leg.depth_usd, 0.0, leg_notional(position, leg))
