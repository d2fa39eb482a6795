"""Many signals moved to many times, in one pass over the blocks of their underlying.  [statistics 3.3]

The moves decided in one block, or in some short ones, are placed together; the blocks after them are read as far as
these moves live.  Legs are rolled, filled, ended and settled on whole arrays; the few positions whose money only the
engine's own walk can tell go through it.  Row for row the result is that of `engine.repricing.reference`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from engine.market.view import PreparedPanel
from engine.params import Params
from engine.records import LEGS, IntArray
from engine.repricing import reference
from engine.repricing.base import PlaceboEarnings, PlaceboEntries, SourceSignals
from engine.repricing.closing import close, needs_own_price
from engine.repricing.contract_mapping import UNLISTED, map_legs
from engine.repricing.entry import fill
from engine.repricing.exits import FilledEntries, find_exits, select_rows
from engine.repricing.funding_payments import Payments, all_payments
from engine.repricing.settlement import accruals_of
from engine.repricing.window import PriceWindow, price_window

AT_ONCE: Final = 4_000
"""Moves in one batch: bounds the memory of their money."""

ROWS: Final = 1_440
"""Most grid times of blocks whose moves are placed together: those of one day on the registered grid."""

NONE: Final = np.zeros(0, dtype=np.int64)


@dataclass(frozen=True, slots=True)
class _Part:
    """What one batch brought: rows of the moves, days, money; and the moves without a fill."""

    row: IntArray
    day: IntArray
    usd_micro: IntArray
    missing: IntArray


def reprice_all(
    views: Iterable[PreparedPanel],
    movables: SourceSignals,
    signal: IntArray,
    t_ns: IntArray,
    params: Params,
    end_ns: int,
    delay_ns: IntArray | None = None,
) -> PlaceboEarnings:
    """Return what ``movables`` earn where they are moved: ``signal[m]`` is decided at the first grid time from
    ``t_ns[m]`` on, and filled ``delay_ns[m]`` later than the registered latency asks.

    ``views`` are the consecutive blocks from the first move on, ending with the window at ``end_ns``, where what is
    open is closed at its last mark.  No more of them are read than the moves need.
    """
    latency_ns = params.latency_ns + (np.zeros(len(t_ns), dtype=np.int64) if delay_ns is None else delay_ns)
    order = np.argsort(t_ns, kind="stable")
    moves = PlaceboEntries(order, signal[order], t_ns[order], latency_ns[order])
    over_ns = np.maximum.accumulate(moves.t_ns + movables.life_ns[moves.signal] + moves.latency_ns)
    parts: list[_Part] = []
    done = 0
    for own, window in _windows(views, moves.t_ns, over_ns):
        until = _decided(moves.t_ns, window[own - 1])
        if until > done:
            parts += _placed(window, movables, moves.rows(slice(done, until)), params, end_ns)
        done = until
        if done == len(moves):
            break
    return PlaceboEarnings(
        row=np.concatenate([NONE, *(part.row for part in parts)]),
        day=np.concatenate([NONE, *(part.day for part in parts)]),
        usd_micro=np.concatenate([NONE, *(part.usd_micro for part in parts)]),
        missing=np.sort(np.concatenate([NONE, order[done:], *(part.missing for part in parts)])),
    )


def _decided(t_ns: IntArray, view: PreparedPanel) -> int:
    """Return how many of the ascending ``t_ns`` are decided by the end of ``view``."""
    return int(np.searchsorted(t_ns, view.panel.times_ns[-1], side="right"))


def _windows(
    views: Iterable[PreparedPanel], t_ns: IntArray, over_ns: IntArray
) -> Iterator[tuple[int, tuple[PreparedPanel, ...]]]:
    """Yield blocks whose moves are placed together, and how many they are, with those after them as far as these moves
    live: ``over_ns[m]`` is when all that is decided up to ``t_ns[m]`` is over.
    """
    held: deque[PreparedPanel] = deque()
    for view in (view for view in views if len(view.panel.times_ns)):
        held.append(view)
        while held:
            own = _together(held)
            decided = _decided(t_ns, held[own - 1])
            if decided and held[-1].panel.times_ns[-1] < over_ns[decided - 1]:
                break
            yield own, tuple(held)
            _drop(held, own)
    while held:
        own = _together(held)
        yield own, tuple(held)
        _drop(held, own)


def _together(held: Iterable[PreparedPanel]) -> int:
    """Return how many of the first blocks have no more than `ROWS` grid times, at least one."""
    rows = np.cumsum([len(view.panel.times_ns) for view in held])
    return max(1, int(np.searchsorted(rows, ROWS, side="right")))


def _drop(held: deque[PreparedPanel], count: int) -> None:
    for _ in range(count):
        held.popleft()


def _placed(
    views: tuple[PreparedPanel, ...], movables: SourceSignals, moves: PlaceboEntries, params: Params, end_ns: int
) -> Iterator[_Part]:
    """Yield what ``moves``, decided in the first of ``views``, bring: `AT_ONCE` a part."""
    decision, codes = _contracts(views, movables, moves)
    listed = (codes != UNLISTED).all(axis=1)
    if not listed.all():
        yield _Part(NONE, NONE, NONE, moves.move[~listed])
        moves, decision, codes = moves.rows(listed), decision[listed], codes[listed]
    if not len(moves):
        return
    span = price_window(views, np.unique(codes[codes >= 0]).astype(np.int32))
    paid = all_payments(span)
    for start in range(0, len(moves), AT_ONCE):
        some = slice(start, start + AT_ONCE)
        entered, quoted = fill(span, movables, moves.rows(some), decision[some], codes[some])
        yield _Part(NONE, NONE, NONE, moves.move[some][~quoted])
        if len(entered.move):
            yield _earned(span, movables, entered, params, end_ns, paid)


def _contracts(
    views: tuple[PreparedPanel, ...], movables: SourceSignals, moves: PlaceboEntries
) -> tuple[IntArray, IntArray]:
    """Return the row of ``views``, laid end to end, at which each move is decided, and the codes of its legs there."""
    times_ns = np.concatenate([view.panel.times_ns for view in views])
    start = np.cumsum([0, *(len(view.panel.times_ns) for view in views)], dtype=np.int64)
    decision = np.searchsorted(times_ns, moves.t_ns)
    of_view = np.searchsorted(start, decision, side="right") - 1
    codes = np.empty((len(moves), LEGS), dtype=np.int64)
    for v in np.unique(of_view).tolist():
        mine, code = np.flatnonzero(of_view == v), views[v].panel.code
        column = map_legs(movables, views[v], moves.signal[mine], decision[mine] - start[v])
        codes[mine] = np.where(column >= 0, np.append(code, UNLISTED)[column], column)
    return decision, codes


def _earned(
    span: PriceWindow,
    movables: SourceSignals,
    entered: FilledEntries,
    params: Params,
    end_ns: int,
    paid: dict[int, Payments],
) -> _Part:
    """Return what positions earn, each from its entry to its end."""
    ends = find_exits(span, entered, movables, params, paid)
    closed, odd = close(span, entered, ends, end_ns)
    odd |= needs_own_price(entered, closed, paid)
    told, left, last = select_rows(entered, ~odd), select_rows(closed, ~odd), select_rows(ends, ~odd)
    units = movables.size_usd[told.signal] / told.spot_usd
    day, money = accruals_of(span, told, last, left, units, params, paid)
    at, d = np.nonzero(money)
    parts = [(told.move[at], day[at] + d, money[at, d])]
    for m in np.flatnonzero(odd).tolist():
        for when, usd in _one_by_one(span, movables, entered, m, params, end_ns).items():
            parts.append((entered.move[m : m + 1], np.array([when]), np.array([usd])))
    row, when_, usd_ = (np.concatenate(each).astype(np.int64) for each in zip(*parts, strict=True))
    return _Part(row, when_, usd_, NONE)


def _one_by_one(
    span: PriceWindow, movables: SourceSignals, entered: FilledEntries, m: int, params: Params, end_ns: int
) -> Mapping[int, int]:
    """Return the micro-USD of position ``m`` by day, as the engine's own walk tells it."""
    t_ns, leg = int(entered.t_ns[m]), entered.leg[m][entered.leg[m] >= 0]
    views = span.views[int(span.view_of(np.searchsorted(span.times_ns, entered.t_ns[m : m + 1]))[0]) :]
    late = replace(params, latency_ns=int(entered.latency_ns[m]))
    source = movables.signals[int(entered.signal[m])]
    position = reference.reprice_one(source, t_ns, span.code[leg].tolist(), views, late, end_ns)
    return reference.earnings_by_day(position, views[0].panel.instruments, params)
