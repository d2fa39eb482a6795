"""Fills signals and ends positions.  [S4.4, S4.5, spec README "From signal to return"]

1. Entry at the first grid time at or after t + latency, even if the violation has closed by then.  The signal is `void`
   if a leg has no usable quote there or its life is over.
2. From the grid time of entry on, the first row at which the stop or the convergence holds triggers the exit, which
   nothing takes back.  A row at which a leg has no usable quote triggers neither.  It is filled at the first row at or
   after the trigger plus the latency at which every leg has a usable quote: `engine.positions.exit_fills`.
3. An expiry or the horizon ends what is not filled strictly before it, by its own rule; both are known beforehand and
   wait for nothing.  Within one row the order is expired, stopped, converged, horizon.
   An order from outside (`engine.positions.forced_exits`) ends a position as `venue`, before an expiry in its row, or
   as `covenant`, after it; both win over a waiting fill.
4. At the horizon a leg without a usable quote is marked at its last one: `data_gap`, or `delisted` if the panel no
   longer holds the instrument.

Row t of a block decides with rows <= t only, so a block may be cut anywhere.  Costs are not used, so a position does
not depend on the trades of others.  `engine.repricing.exits` applies the same rules to many positions at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from engine.market.view import PreparedPanel
from engine.params import Params
from engine.positions.base import DayMark, Funding, LegMark, LegQuote, OpenPosition, Position, Signal, Trigger
from engine.positions.closing import closed_at, forced, last_quotes, void
from engine.positions.exit_fills import fill_rows, first_end
from engine.positions.expiry import is_undelivered, next_expiry_ns, window_start_ns
from engine.positions.forced_exits import forced_rows
from engine.positions.formulas import exit_micro_bps, has_converged, is_stopped, open_gross_bps, stop_micro_bps
from engine.positions.funding import received_usd, settlements
from engine.positions.leg_quotes import requote
from engine.positions.marks import day_marks, last_marks
from engine.positions.price_path import PricePath, all_quoted, package_profit, price_path
from engine.records import BoolArray, ExitReason, FloatArray, IntArray
from engine.units import BPS, NEVER_NS


def unfilled(signal: Signal) -> OpenPosition:
    """Return the open position of ``signal`` before its entry."""
    return OpenPosition(signal, NEVER_NS, (), (), 0.0, (), (), signal.t_ns - 1, (), (), 0.0)


def advance(
    open_: tuple[OpenPosition, ...], view: PreparedPanel, params: Params
) -> tuple[tuple[OpenPosition, ...], tuple[Position, ...]]:
    """Return the positions still open at the end of the block, and those resolved in it, each in the order given."""
    advanced = [advance_one(position, view, params) for position in open_]
    return (
        tuple(item for item in advanced if isinstance(item, OpenPosition)),
        tuple(item for item in advanced if isinstance(item, Position)),
    )


def advance_one(open_: OpenPosition, view: PreparedPanel, params: Params) -> OpenPosition | Position:
    """Return ``open_`` at the end of the block, or the position if it ended in the block.

    Only grid times after ``open_.seen_ns`` are read.
    """
    times = view.panel.times_ns
    # right: the row of `seen_ns` has been read.
    start = int(np.searchsorted(times, open_.seen_ns, side="right"))
    if open_.entry_ns == NEVER_NS:
        start = max(start, int(np.searchsorted(times, open_.signal.t_ns + params.latency_ns)))
        if start >= len(times):
            return open_
        path = price_path(view, open_.signal.legs)
        filled = _fill(open_, view, params, path, start)
        return filled if isinstance(filled, Position) else _carry(filled, view, params, path, start)
    return _carry(open_, view, params, price_path(view, open_.entry), start) if start < len(times) else open_


def force_close(open_: tuple[OpenPosition, ...], t_end_ns: int, params: Params) -> tuple[Position, ...]:
    """Return ``open_`` closed at the end of the window: at the last mark, with full exit cost, in the last day.  [R1.8]

    ``t_end_ns`` is the first time after the window.  A signal that has not been filled is `void`.
    """
    return tuple(
        void(position.signal, t_end_ns - 1, forced=True)
        if position.entry_ns == NEVER_NS
        else forced(position, t_end_ns - 1, params)
        for position in open_
    )


def _fill(
    open_: OpenPosition, view: PreparedPanel, params: Params, path: PricePath, row: int
) -> OpenPosition | Position:
    """Fill ``open_`` at ``row``, or void it.  `_carry` starts at the same row and sets its last quotes."""
    signal, now = open_.signal, int(view.panel.times_ns[row])
    table, life_ns = view.panel.instruments, params.rules[signal.constraint].life_ns
    over_ns = min(signal.t_ns + life_ns, next_expiry_ns(signal.legs, table))
    # At the very end of the life too: a fill there would have to end in its own row.
    if now >= over_ns or not all_quoted(path)[row]:
        return void(signal, now, forced=False)
    entry = requote(view, [row] * len(signal.legs), path.column, signal.legs, life_ns, closing=False)
    since_decision = float(package_profit(path, signal.legs)[row])
    usd = tuple(float(c) for c in path.conversion[row])
    return replace(
        open_,
        entry_ns=now,
        entry=entry,
        entry_usd=usd,
        entry_gross_bps=open_gross_bps(signal.gross_bps, since_decision, signal.spot_usd),
        last=entry,
        seen=tuple(LegMark(leg.mid, c, now) for leg, c in zip(entry, usd, strict=True)),
        seen_ns=now,
    )


@dataclass(frozen=True, slots=True)
class _Ending:
    """The row at which a position ends and the reason; ``row`` is the block's length if it does not end."""

    row: int
    reason: ExitReason
    trigger: Trigger | None


def _carry(
    open_: OpenPosition, view: PreparedPanel, params: Params, path: PricePath, start: int
) -> OpenPosition | Position:
    """Carry a filled position over the rows from ``start`` on."""
    times = view.panel.times_ns
    # The row of the entry itself can end a position, but no funding settlement lies between it and the entry.
    after = start + int(times[start] == open_.entry_ns)
    due = settlements(view, path, open_.entry, after, open_.seen_ns)
    end = _ending(open_, view, params, path, due, start)
    rows = _Rows(view, params, path, due, start, end.trigger)
    open_at_end = end.row == len(times)
    before = _before_window(open_, rows, end) if open_at_end or end.reason is ExitReason.EXPIRED else None
    if open_at_end:
        return replace(_carried(open_, rows, end.row - 1, payments_before=NEVER_NS), undelivered=before)
    if end.reason is ExitReason.EXPIRED and is_undelivered(view, open_.entry, end.row) and before is not None:
        # Settled by nothing that is known: it ended before the venue began to average.  [venues V2]
        late_ns = int(times[end.row]) - before.exit_ns
        return replace(before, known_after_ns=late_ns, first_index=_by_first_index(open_, rows, end))
    # Strictly inside the life: a settlement at the exit is not the position's.  [S4.6]
    carried = _carried(open_, rows, end.row, payments_before=int(times[end.row]))
    return closed_at(carried, view, path, end.row, end.reason)


@dataclass(frozen=True, slots=True)
class _Rows:
    """What a position meets from row ``start`` of a block on."""

    view: PreparedPanel
    params: Params
    path: PricePath
    due: tuple[Funding, ...]
    start: int
    trigger: Trigger | None


def _carried(open_: OpenPosition, rows: _Rows, last_row: int, payments_before: int) -> OpenPosition:
    """Return ``open_`` after ``last_row``, with the settlements before ``payments_before``."""
    times, params = rows.view.panel.times_ns, rows.params
    due = tuple(payment for payment in rows.due if payment.is_before(payments_before))
    # One that ends before its averaging window has ended before what was triggered in it.
    known = rows.trigger is not None and rows.trigger.t_ns <= times[last_row]
    return replace(
        open_,
        last=last_quotes(open_, rows.view, params, rows.path, rows.start, last_row),
        seen=last_marks(open_.seen, rows.path, rows.start, last_row),
        seen_ns=int(times[last_row]),
        marks=open_.marks + _day_marks(open_, rows.path, times, rows.start, last_row, params.mark_max_age_ns),
        funding=open_.funding + due,
        funding_usd=_add(open_.funding_usd, open_.entry, due),
        trigger=rows.trigger if known else None,
    )


def _by_first_index(open_: OpenPosition, rows: _Rows, end: _Ending) -> Position:
    """Return ``open_`` as an expiry settles by the index of the first grid time after it: a sensitivity."""
    carried = _carried(open_, rows, end.row, payments_before=int(rows.view.panel.times_ns[end.row]))
    view = replace(rows.view, params=replace(rows.params, delivery=()))
    return closed_at(carried, view, rows.path, end.row, end.reason)


def _before_window(open_: OpenPosition, rows: _Rows, end: _Ending) -> Position | None:
    """Return ``open_`` as it ends if the settlement price of its first expiry stays unknown.  [venues V2]

    It is closed at the last grid time before the averaging window, at its entry if that came later; None where no leg
    has a window, or before a grid time of its life has been read.
    """
    view, start = rows.view, rows.start
    window_ns = window_start_ns(view, [leg.code for leg in open_.entry])
    row = min(int(np.searchsorted(view.panel.times_ns, window_ns, side="right")), end.row) - 1
    if window_ns == NEVER_NS or (row < start and open_.undelivered is not None):
        return open_.undelivered
    row = max(row, start)
    carried = _carried(open_, rows, row, payments_before=int(view.panel.times_ns[row]))
    closed = closed_at(carried, view, rows.path, row, ExitReason.DATA_GAP)
    return replace(closed, flags=tuple(sorted({*closed.flags, "delivery_unknown"})))


def _ending(
    open_: OpenPosition, view: PreparedPanel, params: Params, path: PricePath, due: tuple[Funding, ...], start: int
) -> _Ending:
    """Return the row from ``start`` on at which ``open_`` ends by S4.5, and the first rule that ends it there."""
    times, horizon_ns = view.panel.times_ns, open_.signal.t_ns + params.rules[open_.signal.constraint].life_ns
    ends = {
        ExitReason.EXPIRED: _first(times >= next_expiry_ns(open_.entry, view.panel.instruments), start),
        ExitReason.HORIZON: _first(times >= horizon_ns, start),
    }
    ends |= _forced(open_, view, params, path, start)
    trigger = open_.trigger or _triggered(open_, view, params, path, due, start, ends)
    if trigger is not None:
        row, over = _fill_row(trigger, times, path, params.exit_latency_ns, start, ends), min(ends.values())
        # A fill at the row of the horizon is not before it.
        ends |= {trigger.reason: row} if row < over else {}
    row, reason = first_end(ends)
    if reason is ExitReason.HORIZON and row < len(times) and not all_quoted(path)[row]:
        reason = ExitReason.DELISTED if min(path.column) < 0 else ExitReason.DATA_GAP
    return _Ending(row, reason, trigger)


def _forced(
    open_: OpenPosition, view: PreparedPanel, params: Params, path: PricePath, start: int
) -> dict[ExitReason, int]:
    """Return the row at which an order from outside closes ``open_``, by reason; empty where there are no orders."""
    legs = np.arange(len(open_.entry))[None, :]
    entry_ns, from_row = np.array([open_.entry_ns]), np.array([start])
    codes = [leg.code for leg in open_.entry]
    orders, times = params.forced_exits, view.panel.times_ns
    rows = forced_rows(orders, view.panel.instruments, codes, times, path.mid.T, legs, entry_ns, from_row)
    return {reason: int(row[0]) for reason, row in rows.items()}


def _triggered(
    open_: OpenPosition,
    view: PreparedPanel,
    params: Params,
    path: PricePath,
    due: tuple[Funding, ...],
    start: int,
    ends: Mapping[ExitReason, int],
) -> Trigger | None:
    """Return the first rule of stop and convergence that holds from row ``start`` on; None if the life is over before.

    It is met at the row of the horizon, and not at that of an expiry.
    """
    spot_usd, times = open_.signal.spot_usd, view.panel.times_ns
    earned, paid = BPS * package_profit(path, open_.entry) / spot_usd, BPS * _paid(open_, due, times) / spot_usd
    stop = stop_micro_bps(np.array([open_.signal.net_bps]), params)
    level = exit_micro_bps(np.array([open_.entry_gross_bps]), params)
    met = {
        ExitReason.STOPPED: _first(is_stopped(earned, paid, stop), start),
        ExitReason.CONVERGED: _first(has_converged(open_.entry_gross_bps, earned, level), start),
    }
    row, reason = first_end({**ends, **met})
    return Trigger(reason, int(times[row])) if reason in met and row < len(times) else None


def _fill_row(
    trigger: Trigger, times: IntArray, path: PricePath, latency_ns: int, start: int, ends: Mapping[ExitReason, int]
) -> int:
    """Return the row at which ``trigger`` is filled, or the first of ``ends``."""
    legs = np.arange(path.mid.shape[1])[None, :]
    due_ns, from_row, end_row = (np.array([v]) for v in (trigger.t_ns + latency_ns, start, min(ends.values())))
    return int(fill_rows(times, path.mid.T, legs, due_ns, from_row, end_row)[0])


def _paid(open_: OpenPosition, due: tuple[Funding, ...], times: IntArray) -> FloatArray:
    """Return the funding received before each row, USD per unit of base notional, ``[T]``."""
    step = np.zeros(len(times) + 1)
    step[0] = open_.funding_usd
    for payment in due:
        # right: a settlement at a row's own time is not yet received by a position that ends there.
        side: Literal["left", "right"] = "left" if payment.accrued else "right"
        step[int(np.searchsorted(times, payment.t_ns, side=side))] += received_usd(open_.entry, payment)
    return np.cumsum(step)[:-1]


def _add(before: float, legs: tuple[LegQuote, ...], due: tuple[Funding, ...]) -> float:
    for payment in due:
        before += received_usd(legs, payment)
    return before


def _day_marks(
    open_: OpenPosition, path: PricePath, times: IntArray, start: int, last_row: int, max_age_ns: int
) -> tuple[DayMark, ...]:
    def marks_at(end_ns: int) -> tuple[LegMark, ...]:
        return last_marks(open_.seen, path, start, int(np.searchsorted(times, end_ns, side="right")) - 1)

    return day_marks(open_, marks_at, int(times[last_row]), max_age_ns)


def _first(holds: BoolArray, start: int) -> int:
    rows = np.flatnonzero(holds[start:])
    return start + int(rows[0]) if len(rows) else len(holds)
