"""Fills signals and ends positions.  [S4.4, S4.5, spec README "From signal to return"]

1. Entry at the first grid time at or after t + latency, even if the violation has closed by then.  The signal is `void`
   if a leg has no usable quote there or its life is over.
2. From the grid time of entry on, the first row at which a rule holds ends the position; within one row the order is
   expired, stopped, converged, horizon.  A row at which a leg has no usable quote triggers neither of the middle two.
3. At the horizon a leg without a usable quote is marked at its last one: `data_gap`, or `delisted` if the panel no
   longer holds the instrument.  `void` of a filled position, `venue` and `covenant` come from other families.

Row t of a block decides with rows <= t only, so a block may be cut anywhere.  Costs are not used, so a position does
not depend on the trades of others.  `engine.repricing.exits` applies the same rules to many positions at once.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from engine.market.view import PreparedPanel
from engine.params import Params
from engine.positions.base import DayMark, Funding, LegMark, LegQuote, OpenPosition, Position, Signal
from engine.positions.expiry import delivered, next_expiry_ns
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
        _void(position.signal, t_end_ns - 1, forced=True)
        if position.entry_ns == NEVER_NS
        else _forced(position, t_end_ns - 1, params)
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
        return _void(signal, now, forced=False)
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


def _carry(
    open_: OpenPosition, view: PreparedPanel, params: Params, path: PricePath, start: int
) -> OpenPosition | Position:
    """Carry a filled position over the rows from ``start`` on."""
    times = view.panel.times_ns
    # The row of the entry itself can end a position, but no funding settlement lies between it and the entry.
    after = start + int(times[start] == open_.entry_ns)
    due = settlements(view, path, open_.entry, after, open_.seen_ns)
    end = _ending(open_, view, params, path, due, start)
    last_row = min(end.row, len(times) - 1)
    if end.row < len(times):
        # Strictly inside the life: a settlement at the exit is not the position's.  [S4.6]
        due = tuple(payment for payment in due if payment.t_ns < times[end.row])
    carried = replace(
        open_,
        last=_last_quotes(open_, view, params, path, start, last_row),
        seen=last_marks(open_.seen, path, start, last_row),
        seen_ns=int(times[last_row]),
        marks=open_.marks + _day_marks(open_, path, times, start, last_row, params.mark_max_age_ns),
        funding=open_.funding + due,
        funding_usd=_add(open_.funding_usd, open_.entry, due),
    )
    return carried if end.row == len(times) else _exit(carried, view, path, end)


def _ending(
    open_: OpenPosition, view: PreparedPanel, params: Params, path: PricePath, due: tuple[Funding, ...], start: int
) -> _Ending:
    """Return the first row from ``start`` on at which a rule of S4.5 holds, and the first rule that holds there."""
    signal, times = open_.signal, view.panel.times_ns
    earned = BPS * package_profit(path, open_.entry) / signal.spot_usd
    paid = BPS * _paid(open_, due, times) / signal.spot_usd
    stop = stop_micro_bps(np.array([signal.net_bps]), params)
    level = exit_micro_bps(np.array([open_.entry_gross_bps]), params)
    horizon_ns = signal.t_ns + params.rules[signal.constraint].life_ns
    expiry_ns = next_expiry_ns(open_.entry, view.panel.instruments)
    tests = (
        (ExitReason.EXPIRED, times >= expiry_ns),
        (ExitReason.STOPPED, is_stopped(earned, paid, stop)),
        (ExitReason.CONVERGED, has_converged(open_.entry_gross_bps, earned, level)),
        (ExitReason.HORIZON, times >= horizon_ns),
    )
    first = [(_first(holds, start), order, reason) for order, (reason, holds) in enumerate(tests)]
    # Within one row the order of the tests decides.  [S4.5]
    row, _, reason = min(first)
    if reason is ExitReason.HORIZON and row < len(times) and not all_quoted(path)[row]:
        reason = ExitReason.DELISTED if min(path.column) < 0 else ExitReason.DATA_GAP
    return _Ending(row, reason)


def _paid(open_: OpenPosition, due: tuple[Funding, ...], times: IntArray) -> FloatArray:
    """Return the funding received before each row, USD per unit of base notional, ``[T]``."""
    step = np.zeros(len(times) + 1)
    step[0] = open_.funding_usd
    for payment in due:
        # right: a payment at a row's own time is not yet received by a position that ends there.
        step[int(np.searchsorted(times, payment.t_ns, side="right"))] += received_usd(open_.entry, payment)
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


def _last_quotes(
    open_: OpenPosition, view: PreparedPanel, params: Params, path: PricePath, start: int, last_row: int
) -> tuple[LegQuote, ...]:
    """Return each leg's last usable quote at or before ``last_row``."""
    quotes, life_ns = list(open_.last), params.rules[open_.signal.constraint].life_ns
    usable = np.isfinite(path.mid[start : last_row + 1])
    legs = np.flatnonzero(usable.any(axis=0)).tolist()
    if legs:
        rows = (last_row - usable[::-1, legs].argmax(axis=0)).tolist()
        columns = [path.column[leg] for leg in legs]
        requoted = requote(view, rows, columns, [open_.entry[leg] for leg in legs], life_ns, closing=True)
        for leg, quote in zip(legs, requoted, strict=True):
            quotes[leg] = quote
    return tuple(quotes)


def _exit(open_: OpenPosition, view: PreparedPanel, path: PricePath, end: _Ending) -> Position:
    """Close ``open_`` at ``end.row``: expired legs at their settlement, others at their mid or last usable mid."""
    now = int(view.panel.times_ns[end.row])
    quotes, prices, usd = list(open_.last), [leg.mid for leg in open_.last], [mark.usd for mark in open_.seen]
    expired, gap, flags = [False] * len(prices), [False] * len(prices), []
    for number, leg in enumerate(open_.entry):
        if end.reason is ExitReason.EXPIRED and view.panel.instruments.expiry_ns[leg.code] <= now:
            expired[number] = True
            delivery = delivered(view, leg, open_.seen[number], end.row)
            quotes[number], prices[number], usd[number] = delivery.quote, delivery.price, delivery.usd
            flags += [delivery.flag] if delivery.flag else []
        elif np.isfinite(path.mid[end.row, number]):
            prices[number] = float(path.mid[end.row, number])
            usd[number] = float(path.conversion[end.row, number])
        else:
            gap[number] = True
    return _position(
        open_, now, end.reason, tuple(quotes), tuple(prices), tuple(usd), tuple(expired), tuple(gap), tuple(flags)
    )


def _forced(open_: OpenPosition, now: int, params: Params) -> Position:
    marks = day_marks(open_, lambda _: open_.seen, now, params.mark_max_age_ns)
    open_ = replace(open_, marks=open_.marks + marks)
    prices, usd = tuple(mark.price for mark in open_.seen), tuple(mark.usd for mark in open_.seen)
    none = (False,) * len(prices)
    # The window's end stands for the horizon; `forced` tells the two apart.  [R1.8]
    closed = _position(open_, now, ExitReason.HORIZON, open_.last, prices, usd, none, none, ())
    return replace(closed, forced=True)


def _position(
    open_: OpenPosition,
    exit_ns: int,
    reason: ExitReason,
    quotes: tuple[LegQuote, ...],
    prices: tuple[float, ...],
    usd: tuple[float, ...],
    expired: tuple[bool, ...],
    gap: tuple[bool, ...],
    flags: tuple[str, ...],
) -> Position:
    missing = any(payment.rate != payment.rate for payment in open_.funding)
    replaced = any(payment.flagged and payment.rate == payment.rate for payment in open_.funding)
    flags += ("funding_missing",) * missing + ("funding_price",) * replaced
    return Position(
        signal=open_.signal,
        entry_ns=open_.entry_ns,
        exit_ns=exit_ns,
        reason=reason,
        entry=open_.entry,
        entry_usd=open_.entry_usd,
        exit=quotes,
        exit_price=prices,
        exit_usd=usd,
        expired=expired,
        gap=gap,
        entry_gross_bps=open_.entry_gross_bps,
        marks=open_.marks,
        funding=open_.funding,
        forced=False,
        flags=tuple(sorted(set(flags))),
    )


def _void(signal: Signal, now: int, *, forced: bool) -> Position:
    empty = OpenPosition(signal, now, (), (), 0.0, (), (), now, (), (), 0.0)
    return replace(_position(empty, now, ExitReason.VOID, (), (), (), (), (), ()), forced=forced)
