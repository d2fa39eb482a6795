"""Settles all positions of a window against one capital and one set of books.  [statistics R1.2, R1.3, R1.5]

1. Margin: in the order (t0, signal id) a signal opens a position only if the margin in use at t0 plus its own stays
   within the committed capital.  A rejected signal is counted and not traded later.
2. Depth: executions take from a book's side in the order (time, t0, net descending, id).  Each pays
   ``spread / D (X_after^2 - X_before^2)``, with X the notional taken from that side in the same refill window and its
   own spread and depth D.  Entries and exits take from the same depth.  [docs/decisions/0032]
3. Settlement of the traded positions.

Later positions change no earlier rejection and no earlier cost.  The order of ``positions`` has no effect.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import fsum

import numpy as np

from engine.costs.depth import impact_usd
from engine.errors import UsageError
from engine.params import Params
from engine.positions.base import LegQuote, Position, Trade
from engine.positions.settlement import leg_notional, settle, units, untraded
from engine.records import ExitReason, Instruments, Kind
from engine.units import MICRO, micro_bps, micro_usd

VOID = "void"
MARGIN = "margin"


def settle_portfolio(positions: Sequence[Position], instruments: Instruments, params: Params) -> tuple[Trade, ...]:
    """Return one trade for each position, sorted by (t0, signal id): settled, or rejected with the reason.

    ``positions`` are all positions of one window, over all underlyings.  Raises ``UsageError`` if a signal id repeats.
    """
    # The order in which signals compete, whatever the order given.  [R1.3]
    ordered = sorted(positions, key=lambda position: (position.signal.t_ns, position.signal.signal_id))
    ids = {position.signal.signal_id for position in ordered}
    if len(ids) != len(ordered):
        raise UsageError(
            f"expected positions with distinct signal ids, was {len(ordered)} positions with {len(ids)} ids: "
            "identify the signals before they are settled"
        )
    refused = _refused(ordered, instruments, params)
    traded = [p for p in ordered if p.reason is not ExitReason.VOID and p.signal.signal_id not in refused]
    impact = _impacts(traded, params)
    return tuple(_trade(position, refused, impact, instruments, params) for position in ordered)


def margin_usd(position: Position, instruments: Instruments, params: Params) -> float:
    """Return the margin of ``position`` at its decision, USD: the registered share of each leg's notional.  [R1.3]

    A long option needs its premium, a short option its premium plus the registered share of the underlying's notional.
    """
    share, scale = params.margin_share, units(position)
    by_leg = []
    for leg in position.signal.legs:
        kind, notional = Kind(instruments.kind[leg.code]), leg_notional(position, leg)
        if kind is Kind.OPTION:
            underlying = abs(leg.quantity) * scale * position.signal.spot_usd
            by_leg.append(notional + (share["short_option"] * underlying if leg.quantity < 0.0 else 0.0))
        else:
            by_leg.append(share[kind.name.lower()] * notional)
    return fsum(by_leg)


def _trade(
    position: Position,
    refused: frozenset[str],
    impact: dict[tuple[str, bool], list[float]],
    instruments: Instruments,
    params: Params,
) -> Trade:
    identity = position.signal.signal_id
    if identity in refused:
        return untraded(position, MARGIN)
    if position.reason is ExitReason.VOID:
        return untraded(position, VOID)
    return settle(position, instruments, params, tuple(impact[identity, False]), tuple(impact[identity, True]))


def _refused(ordered: Sequence[Position], instruments: Instruments, params: Params) -> frozenset[str]:
    """Return the signal ids whose margin exceeds the free capital; margin is in use from t0 to the exit."""
    # Whole micro-USD, so that no rounding decides who is refused.
    budget = params.capital_usd * MICRO
    in_use: list[tuple[int, int]] = []
    refused = set()
    for position in ordered:
        # Strictly: a position that ends at t0 frees its margin for it.
        in_use = [(until, need) for until, need in in_use if until > position.signal.t_ns]
        need = micro_usd(margin_usd(position, instruments, params))
        if need + sum(margin for _, margin in in_use) <= budget:
            in_use.append((position.exit_ns, need))
        else:
            refused.add(position.signal.signal_id)
    return frozenset(refused)


@dataclass(frozen=True, slots=True)
class _Execution:
    """The execution of one package, at entry or at exit."""

    t_ns: int
    rank: tuple[int, int, str]  # t0, net descending, id
    closing: bool
    legs: tuple[LegQuote, ...]
    notional_usd: tuple[float, ...]
    crosses: tuple[bool, ...]  # False for a leg that expired

    @property
    def order(self) -> tuple[int, tuple[int, int, str], bool]:
        return self.t_ns, self.rank, self.closing


def _executions(position: Position) -> tuple[_Execution, _Execution]:
    signal = position.signal
    net = int(micro_bps(np.array([signal.net_bps]))[0])
    rank = (signal.t_ns, -net, signal.signal_id)
    entered = tuple(leg_notional(position, leg) for leg in position.entry)
    exited = tuple(leg_notional(position, leg) for leg in position.exit)
    crosses = tuple(not expired for expired in position.expired)
    return (
        _Execution(position.entry_ns, rank, False, position.entry, entered, (True,) * len(entered)),
        _Execution(position.exit_ns, rank, True, position.exit, exited, crosses),
    )


def _impacts(traded: Sequence[Position], params: Params) -> dict[tuple[str, bool], list[float]]:
    """Return the impact of each execution by leg, USD, by (signal id, closing)."""
    executions = sorted(
        (execution for position in traded for execution in _executions(position)), key=lambda execution: execution.order
    )
    taken: dict[tuple[int, bool, int], float] = {}  # (instrument code, buys, refill window) -> USD
    impact: dict[tuple[str, bool], list[float]] = {}
    for execution in executions:
        window = execution.t_ns // params.refill_window_ns
        charged = impact.setdefault((execution.rank[2], execution.closing), [])
        for leg, notional, crosses in zip(execution.legs, execution.notional_usd, execution.crosses, strict=True):
            # An expired leg is settled, not traded; one of unknown depth pays the fallback slippage instead.
            if not (crosses and leg.depth_usd > 0.0):
                charged.append(0.0)
                continue
            # Closing a long leg sells: exits take from the same depth as entries.  [decision 0032]
            side = (leg.code, (leg.quantity > 0.0) != execution.closing, window)
            before = taken.get(side, 0.0)
            taken[side] = before + notional
            charged.append(impact_usd(leg.spread_bps, leg.depth_usd, before, before + notional))
    return impact
