"""Where a signal was filled and how it ended.  [S4.4, S4.5, spec README "From signal to return"]

1. Entry at the first grid time at or after t + latency, even if the gap has closed; a leg without a usable quote
   there, or a life that is over, makes the signal `void`.
2. From the entry's grid time on, the first row at which a rule holds ends the position; inside one row the order is
   expired, stopped, converged, horizon.  A row at which a leg cannot be priced fires neither of the middle two.
3. At the horizon a leg without a quote is marked at its last usable one: `data_gap`, or `delisted` where the panel no
   longer holds it.  `void` of a filled position, `venue` and `covenant` have their sources in other families.

Row t of a block decides with rows <= t only, so a block may be cut anywhere; costs play no part, so a position does not
depend on what others trade.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from engine.market.view import PreparedPanel
from engine.params import Params
from engine.positions.base import DayMark, Funding, LegMark, LegQuote, OpenPosition, Position, Signal
from engine.positions.expiry import delivered, next_expiry_ns
from engine.positions.funding import received_usd, settlements
from engine.positions.leg_quotes import requote
from engine.positions.marks import day_marks, last_marks
from engine.positions.price_path import PricePath, all_quoted, package_profit, price_path
from engine.records import BoolArray, ExitReason, FloatArray, IntArray
from engine.units import BPS, NEVER_NS, micro_bps


def unfilled(signal: Signal) -> OpenPosition:
    """Return ``signal`` as a position not yet filled."""
    return OpenPosition(signal, NEVER_NS, (), (), 0.0, (), (), signal.t_ns - 1, (), (), 0.0)


def advance(
    open_: tuple[OpenPosition, ...], view: PreparedPanel, params: Params
) -> tuple[tuple[OpenPosition, ...], tuple[Position, ...]]:
    """Return what is still open at the end of the block, and what was resolved in it, each in the order given."""
    moved = [advance_one(held, view, params) for held in open_]
    return (
        tuple(item for item in moved if isinstance(item, OpenPosition)),
        tuple(item for item in moved if isinstance(item, Position)),
    )


def advance_one(held: OpenPosition, view: PreparedPanel, params: Params) -> OpenPosition | Position:
    """Return ``held`` at the end of the block, or the position it became inside it.

    Only grid times after ``held.seen_ns`` are read.
    """
    times = view.panel.times_ns
    start = int(np.searchsorted(times, held.seen_ns, side="right"))
    if held.entry_ns == NEVER_NS:
        start = max(start, int(np.searchsorted(times, held.signal.t_ns + params.latency_ns)))
        if start >= len(times):
            return held
        path = price_path(view, held.signal.legs)
        filled = _fill(held, view, params, path, start)
        return filled if isinstance(filled, Position) else _carry(filled, view, params, path, start)
    return _carry(held, view, params, price_path(view, held.entry), start) if start < len(times) else held


def force_close(open_: tuple[OpenPosition, ...], t_end_ns: int, params: Params) -> tuple[Position, ...]:
    """Close what is open when the window ends, at the last mark and with full exit cost, in its last day.  [R1.8]

    ``t_end_ns`` is the first instant after the window.  A signal that was never filled is `void`.
    """
    return tuple(
        _void(held.signal, t_end_ns - 1, forced=True)
        if held.entry_ns == NEVER_NS
        else _forced(held, t_end_ns - 1, params)
        for held in open_
    )


def _fill(
    held: OpenPosition, view: PreparedPanel, params: Params, path: PricePath, row: int
) -> OpenPosition | Position:
    """Fill ``held`` at ``row``, or void it.  Its last quotes are still to be told: `_carry` begins at the same row."""
    signal, now = held.signal, int(view.panel.times_ns[row])
    table, life_ns = view.panel.instruments, params.rules[signal.constraint].life_ns
    over_ns = min(signal.t_ns + life_ns, next_expiry_ns(signal.legs, table))
    if now >= over_ns or not all_quoted(path)[row]:
        return _void(signal, now, forced=False)
    entry = requote(view, [row] * len(signal.legs), path.column, signal.legs, life_ns, closing=False)
    converged = BPS * float(package_profit(path, signal.legs)[row]) / signal.spot_usd
    usd = tuple(float(c) for c in path.conversion[row])
    return replace(
        held,
        entry_ns=now,
        entry=entry,
        entry_usd=usd,
        entry_gross_bps=signal.gross_bps - converged,
        last=entry,
        seen=tuple(LegMark(leg.mid, c, now) for leg, c in zip(entry, usd, strict=True)),
        seen_ns=now,
    )


@dataclass(frozen=True, slots=True)
class _Ending:
    """The row at which a position ends; ``row`` is the block's length where it does not."""

    row: int
    reason: ExitReason


def _carry(
    held: OpenPosition, view: PreparedPanel, params: Params, path: PricePath, start: int
) -> OpenPosition | Position:
    """Carry a filled position over the rows from ``start`` on."""
    times = view.panel.times_ns
    # The row of the entry itself can end a position, but no settlement lies between it and the entry.
    after = start + int(times[start] == held.entry_ns)
    due = settlements(view, path, held.entry, after, held.seen_ns)
    end = _ending(held, view, params, path, due, start)
    last_row = min(end.row, len(times) - 1)
    if end.row < len(times):
        due = tuple(payment for payment in due if payment.t_ns < times[end.row])
    moved = replace(
        held,
        last=_last_quotes(held, view, params, path, start, last_row),
        seen=last_marks(held.seen, path, start, last_row),
        seen_ns=int(times[last_row]),
        marks=held.marks + _day_marks(held, path, times, start, last_row, params.mark_max_age_ns),
        funding=held.funding + due,
        funding_usd=_add(held.funding_usd, held.entry, due),
    )
    return moved if end.row == len(times) else _exit(moved, view, path, end)


def _ending(
    held: OpenPosition, view: PreparedPanel, params: Params, path: PricePath, due: tuple[Funding, ...], start: int
) -> _Ending:
    """Return the first row from ``start`` on at which a rule of S4.5 holds, and the first of the rules there."""
    signal, times = held.signal, view.panel.times_ns
    earned = BPS * package_profit(path, held.entry) / signal.spot_usd
    paid = BPS * _paid(held, due, times) / signal.spot_usd
    stop = -params.stop_multiple * signal.net_bps
    level = params.exit_share * held.entry_gross_bps
    horizon_ns = signal.t_ns + params.rules[signal.constraint].life_ns
    expiry_ns = next_expiry_ns(held.entry, view.panel.instruments)
    tests = (
        (ExitReason.EXPIRED, times >= expiry_ns),
        (ExitReason.STOPPED, _below(earned + paid, stop, or_equal=False)),
        (ExitReason.CONVERGED, _below(held.entry_gross_bps - earned, level, or_equal=True)),
        (ExitReason.HORIZON, times >= horizon_ns),
    )
    first = [(_first(holds, start), order, reason) for order, (reason, holds) in enumerate(tests)]
    row, _, reason = min(first)
    if reason is ExitReason.HORIZON and row < len(times) and not all_quoted(path)[row]:
        reason = ExitReason.DELISTED if min(path.column) < 0 else ExitReason.DATA_GAP
    return _Ending(row, reason)


def _paid(held: OpenPosition, due: tuple[Funding, ...], times: IntArray) -> FloatArray:
    """Return the funding received before each row, USD per unit of base notional, ``[T]``; at t counts after t."""
    step = np.zeros(len(times) + 1)
    step[0] = held.funding_usd
    for payment in due:
        step[int(np.searchsorted(times, payment.t_ns, side="right"))] += received_usd(held.entry, payment)
    return np.cumsum(step)[:-1]


def _add(before: float, legs: tuple[LegQuote, ...], due: tuple[Funding, ...]) -> float:
    for payment in due:
        before += received_usd(legs, payment)
    return before


def _day_marks(
    held: OpenPosition, path: PricePath, times: IntArray, start: int, last_row: int, max_age_ns: int
) -> tuple[DayMark, ...]:
    def marks_at(end_ns: int) -> tuple[LegMark, ...]:
        return last_marks(held.seen, path, start, int(np.searchsorted(times, end_ns, side="right")) - 1)

    return day_marks(held, marks_at, int(times[last_row]), max_age_ns)


def _below(bps: FloatArray, level: float, *, or_equal: bool) -> BoolArray:
    """Compare in int64 micro-bps, as a net meets its threshold; NaN is not below anything.  [audit 10.2]"""
    known = np.isfinite(bps)
    value = micro_bps(np.where(known, bps, 0.0))
    limit = micro_bps(np.array([level]))[0]
    under: BoolArray = value <= limit if or_equal else value < limit
    return known & under


def _first(holds: BoolArray, start: int) -> int:
    found = np.flatnonzero(holds[start:])
    return start + int(found[0]) if len(found) else len(holds)


def _last_quotes(
    held: OpenPosition, view: PreparedPanel, params: Params, path: PricePath, start: int, last_row: int
) -> tuple[LegQuote, ...]:
    """Return each leg's last usable quote at or before ``last_row``."""
    quotes, life_ns = list(held.last), params.rules[held.signal.constraint].life_ns
    usable = np.isfinite(path.mid[start : last_row + 1])
    legs = np.flatnonzero(usable.any(axis=0)).tolist()
    if legs:
        rows = (last_row - usable[::-1, legs].argmax(axis=0)).tolist()
        columns = [path.column[at] for at in legs]
        found = requote(view, rows, columns, [held.entry[at] for at in legs], life_ns, closing=True)
        for at, quote in zip(legs, found, strict=True):
            quotes[at] = quote
    return tuple(quotes)


def _exit(held: OpenPosition, view: PreparedPanel, path: PricePath, end: _Ending) -> Position:
    """Close ``held`` at the row of ``end``: settlement prices for what expired, mids or last usable mids else."""
    now = int(view.panel.times_ns[end.row])
    quotes, prices, usd = list(held.last), [leg.mid for leg in held.last], [mark.usd for mark in held.seen]
    expired, gap, flags = [False] * len(prices), [False] * len(prices), []
    for at, leg in enumerate(held.entry):
        if end.reason is ExitReason.EXPIRED and view.panel.instruments.expiry_ns[leg.code] <= now:
            expired[at] = True
            delivery = delivered(view, leg, held.seen[at], end.row)
            quotes[at], prices[at], usd[at] = delivery.quote, delivery.price, delivery.usd
            flags += [delivery.flag] if delivery.flag else []
        elif np.isfinite(path.mid[end.row, at]):
            prices[at], usd[at] = float(path.mid[end.row, at]), float(path.conversion[end.row, at])
        else:
            gap[at] = True
    return _position(
        held, now, end.reason, tuple(quotes), tuple(prices), tuple(usd), tuple(expired), tuple(gap), tuple(flags)
    )


def _forced(held: OpenPosition, now: int, params: Params) -> Position:
    marks = day_marks(held, lambda _: held.seen, now, params.mark_max_age_ns)
    held = replace(held, marks=held.marks + marks)
    prices, usd = tuple(mark.price for mark in held.seen), tuple(mark.usd for mark in held.seen)
    none = (False,) * len(prices)
    closed = _position(held, now, ExitReason.HORIZON, held.last, prices, usd, none, none, ())
    return replace(closed, forced=True)


def _position(
    held: OpenPosition,
    exit_ns: int,
    reason: ExitReason,
    quotes: tuple[LegQuote, ...],
    prices: tuple[float, ...],
    usd: tuple[float, ...],
    expired: tuple[bool, ...],
    gap: tuple[bool, ...],
    flags: tuple[str, ...],
) -> Position:
    missing = any(payment.rate != payment.rate for payment in held.funding)
    replaced = any(payment.flagged and payment.rate == payment.rate for payment in held.funding)
    flags += ("funding_missing",) * missing + ("funding_price",) * replaced
    return Position(
        signal=held.signal,
        entry_ns=held.entry_ns,
        exit_ns=exit_ns,
        reason=reason,
        entry=held.entry,
        entry_usd=held.entry_usd,
        exit=quotes,
        exit_price=prices,
        exit_usd=usd,
        expired=expired,
        gap=gap,
        entry_gross_bps=held.entry_gross_bps,
        marks=held.marks,
        funding=held.funding,
        forced=False,
        flags=tuple(sorted(set(flags))),
    )


def _void(signal: Signal, now: int, *, forced: bool) -> Position:
    empty = OpenPosition(signal, now, (), (), 0.0, (), (), now, (), (), 0.0)
    return replace(_position(empty, now, ExitReason.VOID, (), (), (), (), (), ()), forced=forced)
