"""Many signals moved to many times, in one pass over the blocks of their underlying.  [statistics 3.3]

A block takes the moves whose decision falls in it; the blocks after it are read as far as the longest life reaches.
Legs are rolled, filled, ended and settled on whole arrays; the few positions whose money only the engine's own walk can
tell go through it.  Row for row the result is that of `engine.moves.slow`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from engine.market import View
from engine.moves import slow
from engine.moves.base import Movables, Placed
from engine.moves.listing import rolled
from engine.moves.money import Closed, accruals_of
from engine.moves.path import Ends, Entered, chosen, ends_of
from engine.moves.span import Payments, Span, payments_of, span_of
from engine.params import Params
from engine.records import BoolArray, IntArray
from engine.signals.base import LegQuote, Mark
from engine.signals.expiry import Delivery, delivered
from engine.units import BPS, NEVER_NS

AT_ONCE: Final = 4_000
"""Moves in one batch: bounds the memory of their paths."""

NONE: Final = np.zeros(0, dtype=np.int64)


@dataclass(frozen=True, slots=True)
class _Part:
    """What one batch brought: rows of the moves, days, money; and the moves without a fill."""

    row: IntArray
    day: IntArray
    usd_micro: IntArray
    missing: IntArray


def place_all(
    views: Iterable[View],
    movables: Movables,
    signal: IntArray,
    t_ns: IntArray,
    params: Params,
    end_ns: int,
    delay_ns: IntArray | None = None,
) -> Placed:
    """Return what ``movables`` earn where they are moved: ``signal[m]`` is decided at the first grid time from
    ``t_ns[m]`` on, and filled ``delay_ns[m]`` later than the registered latency asks.

    ``views`` are the consecutive blocks from the first move on, ending with the window at ``end_ns``, where what is
    open is closed at its last mark.  No more of them are read than the moves need.
    """
    order = np.argsort(t_ns, kind="stable")
    parts: list[_Part] = []
    latency_ns = params.latency_ns + (np.zeros(len(t_ns), dtype=np.int64) if delay_ns is None else delay_ns)
    reach_ns = int(movables.life_ns.max(initial=0)) + int(latency_ns.max(initial=0))
    done = 0
    for window in _windows(views, reach_ns):
        until = int(np.searchsorted(t_ns[order], int(window[0].panel.times_ns[-1]), side="right"))
        for start in range(done, until, AT_ONCE):
            move = order[start : min(start + AT_ONCE, until)]
            parts.append(_batch(window, movables, move, signal[move], t_ns[move], latency_ns[move], params, end_ns))
        done = until
        if done == len(order):
            break
    return Placed(
        row=np.concatenate([NONE, *(part.row for part in parts)]),
        day=np.concatenate([NONE, *(part.day for part in parts)]),
        usd_micro=np.concatenate([NONE, *(part.usd_micro for part in parts)]),
        missing=np.sort(np.concatenate([NONE, order[done:], *(part.missing for part in parts)])),
    )


def _windows(views: Iterable[View], reach_ns: int) -> Iterator[tuple[View, ...]]:
    """Yield each block with those after it, up to the first that ends ``reach_ns`` after it or later."""
    held: deque[View] = deque()
    source = (view for view in views if len(view.panel.times_ns))
    for view in source:
        held.append(view)
        while held and int(held[-1].panel.times_ns[-1]) >= int(held[0].panel.times_ns[-1]) + reach_ns:
            yield tuple(held)
            held.popleft()
    while held:
        yield tuple(held)
        held.popleft()


def _batch(
    views: tuple[View, ...],
    movables: Movables,
    move: IntArray,
    signal: IntArray,
    t_ns: IntArray,
    latency_ns: IntArray,
    params: Params,
    end_ns: int,
) -> _Part:
    first = views[0]
    decision = np.searchsorted(first.panel.times_ns, t_ns)
    column = rolled(movables, first, signal, decision)
    listed = (column != -2).all(axis=1)
    codes = np.where(column >= 0, first.panel.code[np.maximum(column, 0)], -1)
    if not listed.any():
        return _Part(NONE, NONE, NONE, move)
    span = span_of(views, np.unique(codes[listed][codes[listed] >= 0]).astype(np.int32))
    entered, quoted = _fill(span, movables, latency_ns, decision, codes, listed, signal, t_ns)
    missing = move[~quoted]
    asked = entered.move
    entered = replace(entered, move=move[asked])
    if not len(entered.move):
        return _Part(NONE, NONE, NONE, missing)
    paid = {c: payments_of(span, c) for c in range(len(span.code))}
    ends = ends_of(span, entered, movables, params, paid)
    closed, odd = _close(span, entered, ends, end_ns)
    odd |= _unpriced(entered, closed, paid)
    told, left, last = chosen(entered, ~odd), chosen(closed, ~odd), chosen(ends, ~odd)
    units = movables.size_usd[told.signal] / told.spot_usd
    day, money = accruals_of(span, told, last, left, units, params, paid)
    at, d = np.nonzero(money)
    parts = [(told.move[at], day[at] + d, money[at, d])]
    for m in np.flatnonzero(odd).tolist():
        leg = entered.leg[m][entered.leg[m] >= 0]
        source = movables.signals[int(entered.signal[m])]
        late = replace(params, latency_ns=int(latency_ns[asked[m]]))
        position = slow.place(source, int(entered.t_ns[m]), span.code[leg].tolist(), views, late, end_ns)
        for when, usd in slow.earned(position, first.panel.instruments, params).items():
            parts.append((entered.move[m : m + 1], np.array([when]), np.array([usd])))
    row, when_, usd_ = (np.concatenate(each).astype(np.int64) for each in zip(*parts, strict=True))
    return _Part(row, when_, usd_, missing)


def _fill(
    span: Span,
    movables: Movables,
    latency_ns: IntArray,
    decision: IntArray,
    codes: IntArray,
    listed: BoolArray,
    signal: IntArray,
    t_ns: IntArray,
) -> tuple[Entered, BoolArray]:
    """Return the positions that were filled, as `engine.signals.resolve` fills, and which moves were quoted at all.

    ``move`` of the positions is their row in the batch.  A move that was quoted and could not be filled is `void`, as a
    signal is where it stands: it earns zero.
    """
    table, rows = span.views[0].panel.instruments, len(span.times_ns)
    leg = np.where(codes >= 0, np.searchsorted(span.code, codes), -1)
    leg[~listed] = -1
    present, at = leg >= 0, np.maximum(leg, 0)
    entry = np.searchsorted(span.times_ns, t_ns + latency_ns)
    inside = np.minimum(entry, rows - 1)
    expiry = np.where(present, table.expiry_ns[np.maximum(codes, 0)], NEVER_NS).min(axis=1)
    over = np.minimum(t_ns + movables.life_ns[signal], expiry)
    spot = span.views[0].spot_usd[decision]
    before, price = span.mid[at, decision[:, None]], span.mid[at, inside[:, None]]
    conversion = span.conversion[at, inside[:, None]]
    quoted = listed & (spot > 0.0) & (np.isfinite(before) | ~present).all(axis=1)
    filled = quoted & (entry < rows) & (span.times_ns[inside] < over) & (np.isfinite(price) | ~present).all(axis=1)
    wanted = movables.quantity[signal]
    inverse = span.inverse[at] & present
    with np.errstate(divide="ignore", invalid="ignore"):
        gained = np.where(inverse, wanted * (1.0 - before / price), wanted * (price - before)) * conversion
        quantity = np.where(inverse, wanted * before / price, wanted)
    total = np.zeros(len(signal))
    for number in range(leg.shape[1]):
        total = total + np.where(present[:, number], gained[:, number], 0.0)
    open_bps = movables.gross_bps[signal] - BPS * total / spot
    which = np.flatnonzero(filled)
    placed = Entered(
        move=which,
        signal=signal[which],
        t_ns=t_ns[which],
        row=entry[which],
        spot_usd=spot[which],
        leg=leg[which],
        quantity=quantity[which],
        price=price[which],
        open_bps=open_bps[which],
    )
    return placed, quoted


def _close(span: Span, entered: Entered, ends: Ends, end_ns: int) -> tuple[Closed, BoolArray]:
    """Return how each leg was left, and the positions whose delivery price is not known to the venue's data."""
    table = span.views[0].panel.instruments
    final = np.minimum(ends.row, len(span.times_ns) - 1)
    ns = np.where(ends.forced, end_ns - 1, span.times_ns[final])
    present, leg = entered.leg >= 0, np.maximum(entered.leg, 0)
    quote, mark = span.last_quote[leg, final[:, None]], span.last_mark[leg, final[:, None]]
    forced, gap = ends.forced[:, None], np.isnan(span.mid[leg, final[:, None]])
    price = np.where(forced, span.mark[leg, mark], span.mid[leg, quote])
    usd = np.where(forced | gap, span.conversion[leg, mark], span.conversion[leg, quote])
    expired = present & ends.expired[:, None] & (table.expiry_ns[span.code[leg]] <= ns[:, None])
    fee_bps, fee_usd = np.full(leg.shape, np.nan), np.full(leg.shape, np.nan)
    odd = np.zeros(len(leg), dtype=np.bool_)
    known: dict[tuple[int, int], Delivery] = {}
    for m, at in np.argwhere(expired).tolist():
        key = int(leg[m, at]), int(final[m])
        if key not in known:
            known[key] = _delivery(span, *key)
        found = known[key]
        price[m, at], usd[m, at] = found.price, found.usd
        fee_bps[m, at], fee_usd[m, at] = found.quote.fee_bps, found.quote.usd
        odd[m] |= found.flag == "settlement_from_mark"
    gap = gap & present & ~forced & ~expired
    return Closed(ns, quote, price, usd, expired, gap, fee_bps, fee_usd), odd


def _delivery(span: Span, c: int, row: int) -> Delivery:
    nan = float("nan")
    none = LegQuote(int(span.code[c]), 1.0, 0, nan, nan, 1.0, nan, nan, nan, nan, nan, nan, nan, nan, nan)
    mark = int(span.last_mark[c, row])
    seen = Mark(float(span.mark[c, mark]), float(span.conversion[c, mark]), int(span.known_ns[c, mark]))
    v = int(span.view_of(np.array([row]))[0])
    return delivered(span.views[v], none, seen, row - int(span.start[v]))


def _unpriced(entered: Entered, closed: Closed, paid: Mapping[int, Payments]) -> BoolArray:
    """Return the positions with a settlement whose price only the engine's walk can tell."""
    odd = np.zeros(len(entered.move), dtype=np.bool_)
    for c, payments in paid.items():
        if payments.unknown.any():
            mine = (entered.leg == c).any(axis=1)
            when = payments.t_ns[payments.unknown]
            start = np.searchsorted(payments.row[payments.unknown], entered.row, side="right")
            odd |= mine & (np.searchsorted(when, closed.ns) > start)
    return odd
