"""Reprices many signals at many other times, in one pass over the blocks of their underlying.  [statistics 3.3]

The entries decided in one block, or in a few short ones, are priced together; later blocks are read as long as these
entries live.  Legs are mapped as soon as a block is read, and of each block that waits only the columns of legs stay in
memory.  Legs are filled, ended and settled on whole arrays; the few positions that this cannot price go
through `engine.repricing.reference`, which defines the result of every entry.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from engine.market.narrow import with_columns
from engine.market.view import PreparedPanel
from engine.params import Params
from engine.records import BoolArray, IntArray
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
class _Block:
    """A block that waits for later ones, with the entries decided in it.

    ``view`` has the columns of all open entries' legs so far, and of what pays funding: its payments are summed from
    the first block that waits on.
    """

    view: PreparedPanel
    decided: slice  # of the entries in order of time
    row: IntArray  # [M] grid time of each decision, in the block
    codes: IntArray  # [M, LEGS] instruments of the legs: `NO_LEG` and `UNLISTED` as in `map_legs`


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
    for count, blocks in _windows(views, sources, entries, over_ns):
        until = blocks[count - 1].decided.stop
        if until > done:
            parts += _priced(blocks, count, sources, entries.rows(slice(done, until)), params, end_ns)
        done = until
        if done == len(entries):
            break
    return PlaceboEarnings(
        row=np.concatenate([NONE, *(part.row for part in parts)]),
        day=np.concatenate([NONE, *(part.day for part in parts)]),
        usd_micro=np.concatenate([NONE, *(part.usd_micro for part in parts)]),
        missing=np.sort(np.concatenate([NONE, order[done:], *(part.missing for part in parts)])),
    )


def _windows(
    views: Iterable[PreparedPanel], sources: SourceSignals, entries: PlaceboEntries, over_ns: IntArray
) -> Iterator[tuple[int, tuple[_Block, ...]]]:
    """Yield the number of first blocks whose entries are priced together, and these blocks with the later ones needed.

    ``over_ns[m]`` is the time by which all entries up to the m-th have ended; blocks are read up to it.
    """
    waiting: deque[_Block] = deque()
    decided = 0
    for view in views:
        if not len(view.panel.times_ns):
            continue
        waiting.append(_block(view, sources, entries, decided, waiting))
        decided = waiting[-1].decided.stop
        # the next block is read while this one waits, of which only some columns are needed
        del view
        while waiting:
            count = _together(waiting)
            until = waiting[count - 1].decided.stop
            # Its entries live beyond the blocks read so far.
            if until and waiting[-1].view.panel.times_ns[-1] < over_ns[until - 1]:
                break
            yield count, tuple(waiting)
            _drop(waiting, count)
    while waiting:
        count = _together(waiting)
        yield count, tuple(waiting)
        _drop(waiting, count)


def _block(
    view: PreparedPanel, sources: SourceSignals, entries: PlaceboEntries, first: int, waiting: Iterable[_Block]
) -> _Block:
    """Return the block of ``view``, of whose entries the first is ``first``; ``waiting`` are the blocks before it."""
    panel = view.panel
    decided = slice(first, int(np.searchsorted(entries.t_ns, panel.times_ns[-1], side="right")))
    row = np.searchsorted(panel.times_ns, entries.t_ns[decided])
    column = map_legs(sources, view, entries.signal[decided], row)
    # A negative column has no code; `where` puts its meaning back.
    codes = np.where(column >= 0, np.append(panel.code, UNLISTED)[np.maximum(column, 0)], column).astype(np.int64)
    needed = panel.instruments.funding_interval_ns > 0
    for of_block in (codes, *(block.codes for block in waiting)):
        needed[of_block[of_block >= 0]] = True
    return _Block(with_columns(view, np.flatnonzero(needed[panel.code])), decided, row, codes)


def _together(waiting: Iterable[_Block]) -> int:
    """Return how many of the first blocks have at most `ROWS` grid times together; at least 1."""
    rows = np.cumsum([len(block.view.panel.times_ns) for block in waiting])
    return max(1, int(np.searchsorted(rows, ROWS, side="right")))


def _drop(waiting: deque[_Block], count: int) -> None:
    for _ in range(count):
        waiting.popleft()


def _priced(
    blocks: tuple[_Block, ...], count: int, sources: SourceSignals, entries: PlaceboEntries, params: Params, end_ns: int
) -> Iterator[_Part]:
    """Yield the earnings of ``entries``, all decided in the first ``count`` blocks, in batches of `AT_ONCE`."""
    views = tuple(block.view for block in blocks)
    first_row = np.cumsum([0, *(len(view.panel.times_ns) for view in views[: count - 1])], dtype=np.int64)
    decision = np.concatenate([block.row + first for block, first in zip(blocks, first_row, strict=False)])
    codes = np.concatenate([block.codes for block in blocks[:count]])
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
