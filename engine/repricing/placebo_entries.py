"""Reprices many signals at many other times, in one pass over the blocks of their underlying.  [statistics 3.3]

The entries decided in one block, or in a few short ones, are priced together; later blocks are read as long as these
entries live.  Legs are mapped, filled, ended and settled on whole arrays; the few positions that this cannot price go
through `engine.repricing.reference`, which defines the result of every entry.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from engine.market.view import PreparedPanel
from engine.params import Params
from engine.records import LEGS, BoolArray, IntArray
from engine.repricing import reference
from engine.repricing.base import PlaceboEarnings, PlaceboEntries, SourceSignals
from engine.repricing.closing import close, needs_own_price
from engine.repricing.contract_mapping import UNLISTED, map_legs
from engine.repricing.entry import fill
from engine.repricing.exits import FilledEntries, find_exits, select_rows
from engine.repricing.funding_payments import Payments, all_payments
from engine.repricing.settlement import accruals_of
from engine.repricing.undelivered import ended_before_window
from engine.repricing.window import PriceWindow, price_window

AT_ONCE: Final = 4_000
"""Entries in one batch: bounds the memory of their accruals by day."""

ROWS: Final = 1_440
"""Most grid times of blocks whose entries are priced together: those of one day on a grid of a minute."""

NONE: Final = np.zeros(0, dtype=np.int64)


@dataclass(frozen=True, slots=True)
class _Part:
    """The earnings of one batch, as in `PlaceboEarnings`."""

    row: IntArray
    day: IntArray
    usd_micro: IntArray
    missing: IntArray


def reprice_all(
    views: Iterable[PreparedPanel],
    sources: SourceSignals,
    signal: IntArray,
    t_ns: IntArray,
    params: Params,
    end_ns: int,
    delay_ns: IntArray | None = None,
    at_trigger: BoolArray | None = None,
) -> PlaceboEarnings:
    """Return the earnings of the source signals ``signal [M]`` entered at other times ``t_ns [M]``.

    Entry m is decided at the first grid time at or after ``t_ns[m]``; entry and exit are filled ``delay_ns[m]`` later
    than the registered latencies (``[M]``, default 0), the exit where ``at_trigger [M]`` at its trigger, as a
    sensitivity has it.  ``views`` are the consecutive blocks from the first entry to the end of
    the window at ``end_ns``, where open positions are closed at their last mark; only as many are read as the entries
    need.  Entries after the last block are ``missing``.
    """
    late_ns = np.zeros(len(t_ns), dtype=np.int64) if delay_ns is None else delay_ns
    latency_ns, exit_latency_ns = params.latency_ns + late_ns, params.exit_latency_ns + late_ns
    if at_trigger is not None:
        exit_latency_ns = np.where(at_trigger, 0, exit_latency_ns)
    # In order of time, so that each block is read once.
    order = np.argsort(t_ns, kind="stable")
    entries = PlaceboEntries(order, *(column[order] for column in (signal, t_ns, latency_ns, exit_latency_ns)))
    # A later entry may end before an earlier one: the largest end so far bounds them all.
    over_ns = np.maximum.accumulate(entries.t_ns + sources.life_ns[entries.signal] + entries.latency_ns)
    parts: list[_Part] = []
    done = 0
    for count, blocks in _windows(views, entries.t_ns, over_ns):
        until = _decided(entries.t_ns, blocks[count - 1])
        if until > done:
            parts += _priced(blocks, sources, entries.rows(slice(done, until)), params, end_ns)
        done = until
        if done == len(entries):
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
    """Yield the number of first blocks whose entries are priced together, and these blocks with the later ones needed.

    ``over_ns[m]`` is the time by which all entries decided up to ``t_ns[m]`` have ended; blocks are read up to it.
    """
    waiting: deque[PreparedPanel] = deque()
    for view in (view for view in views if len(view.panel.times_ns)):
        waiting.append(view)
        while waiting:
            count = _together(waiting)
            decided = _decided(t_ns, waiting[count - 1])
            # Its entries live beyond the blocks read so far.
            if decided and waiting[-1].panel.times_ns[-1] < over_ns[decided - 1]:
                break
            yield count, tuple(waiting)
            _drop(waiting, count)
    while waiting:
        count = _together(waiting)
        yield count, tuple(waiting)
        _drop(waiting, count)


def _together(waiting: Iterable[PreparedPanel]) -> int:
    """Return how many of the first blocks have at most `ROWS` grid times together; at least 1."""
    rows = np.cumsum([len(view.panel.times_ns) for view in waiting])
    return max(1, int(np.searchsorted(rows, ROWS, side="right")))


def _drop(waiting: deque[PreparedPanel], count: int) -> None:
    for _ in range(count):
        waiting.popleft()


def _priced(
    views: tuple[PreparedPanel, ...], sources: SourceSignals, entries: PlaceboEntries, params: Params, end_ns: int
) -> Iterator[_Part]:
    """Yield the earnings of ``entries``, all decided in the first of ``views``, in batches of `AT_ONCE`."""
    decision, codes = _contracts(views, sources, entries)
    listed = (codes != UNLISTED).all(axis=1)
    if not listed.all():
        yield _Part(NONE, NONE, NONE, entries.request[~listed])
        entries, decision, codes = entries.rows(listed), decision[listed], codes[listed]
    if not len(entries):
        return
    window = price_window(views, np.unique(codes[codes >= 0]).astype(np.int32))
    paid = all_payments(window)
    for start in range(0, len(entries), AT_ONCE):
        some = slice(start, start + AT_ONCE)
        entered, quoted = fill(window, sources, entries.rows(some), decision[some], codes[some])
        yield _Part(NONE, NONE, NONE, entries.request[some][~quoted])
        if len(entered.request):
            yield _earned(window, sources, entered, params, end_ns, paid)


def _contracts(
    views: tuple[PreparedPanel, ...], sources: SourceSignals, entries: PlaceboEntries
) -> tuple[IntArray, IntArray]:
    """Return the row of the concatenated ``views`` at which each entry is decided, ``[M]``, and the codes of its legs
    there, ``[M, LEGS]``: `NO_LEG` and `UNLISTED` as in `map_legs`.
    """
    times_ns = np.concatenate([view.panel.times_ns for view in views])
    start = np.cumsum([0, *(len(view.panel.times_ns) for view in views)], dtype=np.int64)
    decision = np.searchsorted(times_ns, entries.t_ns)
    of_view = np.searchsorted(start, decision, side="right") - 1
    codes = np.empty((len(entries), LEGS), dtype=np.int64)
    for v in np.unique(of_view).tolist():
        in_view, code = np.flatnonzero(of_view == v), views[v].panel.code
        column = map_legs(sources, views[v], entries.signal[in_view], decision[in_view] - start[v])
        # A negative column has no code; `where` puts its meaning back.
        codes[in_view] = np.where(column >= 0, np.append(code, UNLISTED)[np.maximum(column, 0)], column)
    return decision, codes


def _earned(
    window: PriceWindow,
    sources: SourceSignals,
    entered: FilledEntries,
    params: Params,
    end_ns: int,
    paid: dict[int, Payments],
) -> _Part:
    """Return the earnings of filled positions, from entry to exit."""
    ends = ended_before_window(window, entered, find_exits(window, entered, sources, params, paid))
    closed, one_by_one = close(window, entered, ends, end_ns)
    one_by_one |= needs_own_price(entered, closed, paid)
    together = ~one_by_one
    positions = select_rows(entered, together)
    units = sources.size_usd[positions.signal] / positions.spot_usd
    first_day, money = accruals_of(
        window, positions, select_rows(ends, together), select_rows(closed, together), units, params, paid
    )
    m, d = np.nonzero(money)
    parts = [(positions.request[m], first_day[m] + d, money[m, d])]
    for number in np.flatnonzero(one_by_one).tolist():
        for on_day, usd in _one_by_one(window, sources, entered, number, params, end_ns).items():
            parts.append((entered.request[number : number + 1], np.array([on_day]), np.array([usd])))
    row, day, usd_micro = (np.concatenate(column).astype(np.int64) for column in zip(*parts, strict=True))
    return _Part(row, day, usd_micro, NONE)


def _one_by_one(
    window: PriceWindow, sources: SourceSignals, entered: FilledEntries, m: int, params: Params, end_ns: int
) -> Mapping[int, int]:
    """Return day -> micro-USD of position ``m``, resolved and settled by `engine.repricing.reference`."""
    t_ns, leg = int(entered.t_ns[m]), entered.leg[m][entered.leg[m] >= 0]
    views = window.views[int(window.view_of(np.searchsorted(window.times_ns, entered.t_ns[m : m + 1]))[0]) :]
    late = replace(params, latency_ns=int(entered.latency_ns[m]), exit_latency_ns=int(entered.exit_latency_ns[m]))
    source = sources.signals[int(entered.signal[m])]
    position = reference.reprice_one(source, t_ns, window.code[leg].tolist(), views, late, end_ns)
    return reference.earnings_by_day(position, views[0].panel.instruments, params)
