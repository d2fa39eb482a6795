"""From violations to signals: persistence, episodes, shared depth; one block in, what was emitted out.  [S4.1-S4.3]

1. What earlier blocks left open is carried through this one, so that it is known when each key is free again.
2. Each key's candidate rows and falls are found on whole arrays.                                  `episodes`
3. Keys are then visited in order of time: only rows at which something can fire are touched.  All keys that may fire at
   one grid time are sized together, in order of net, against the quantities they lean on.         `_emit`
4. A signal is resolved forward at once, since its key may fire again only when it has been.  What it does after its
   grid time cannot reach back: only its key's later rows depend on it.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from engine.market.view import PreparedPanel
from engine.params import Params
from engine.positions.base import OpenPosition, Position, Signal
from engine.positions.exits import advance, advance_one, hold
from engine.records import Violations
from engine.signals.episodes import (
    FRESH,
    Candidates,
    Episode,
    KeyId,
    candidates,
    falls,
    key_of,
    neighbours,
    settled,
)
from engine.signals.sizing import AvailableDepth, propose
from engine.units import NEVER_NS, micro_bps, micro_usd

Identify = Callable[[Signal, PreparedPanel | None], tuple[str, str]]
"""Gives a signal its id and the hash of its provenance."""


@dataclass(frozen=True, slots=True)
class EmitState:
    """What one underlying carries from block to block: unresolved positions, and keys with a past."""

    open: tuple[OpenPosition, ...]
    episodes: Mapping[KeyId, Episode]
    last_ns: int  # the last grid time read; -1 before the first


START = EmitState((), {}, -1)


@dataclass(frozen=True, slots=True)
class BlockSignals:
    """What one block added: signals in order of (time, net descending, key), and positions in order of exit.

    ``crowded`` counts, by constraint, firings that were not emitted because others had taken the quantity.
    """

    signals: tuple[Signal, ...]
    positions: tuple[Position, ...]
    crowded: Mapping[str, int]


def process_block(
    state: EmitState,
    view: PreparedPanel,
    violations: Sequence[Violations],
    params: Params,
    fold: int,
    identify: Identify,
) -> tuple[EmitState, BlockSignals]:
    """Return the state after the block of ``view``, and what was emitted and resolved in it."""
    times = view.panel.times_ns
    if not len(times):
        return state, BlockSignals((), (), {})
    still, done = advance(state.open, view, params)
    past = _released(state.episodes, done)
    follows = neighbours(times, state.last_ns, params.grid_ns)
    watched: list[Candidates] = []
    runs: dict[KeyId, int] = {}
    for seen in violations:
        found, ends = candidates(seen, past, follows, params)
        watched += found
        runs |= ends
    block = _Block(view, params, fold, identify, dict(past))
    _visit(block, watched)
    open_ = still + tuple(item for item in block.moved if isinstance(item, OpenPosition))
    positions = done + tuple(item for item in block.moved if isinstance(item, Position))
    after = _after(past, block, violations, runs)
    return (
        EmitState(open_, after, int(times[-1])),
        BlockSignals(
            tuple(block.signals),
            tuple(sorted(positions, key=lambda p: (p.exit_ns, p.signal.t_ns, p.signal.signal_id))),
            dict(sorted(block.crowded.items())),
        ),
    )


@dataclass(slots=True)
class _Block:
    """One block's working state, local to `process_block`."""

    view: PreparedPanel
    params: Params
    fold: int
    identify: Identify
    episodes: dict[KeyId, Episode]
    signals: list[Signal] = field(default_factory=list)
    moved: list[OpenPosition | Position] = field(default_factory=list)
    fired_row: dict[KeyId, int] = field(default_factory=dict)
    crowded: dict[str, int] = field(default_factory=dict)


def _released(episodes: Mapping[KeyId, Episode], done: Sequence[Position]) -> dict[KeyId, Episode]:
    """Return ``episodes`` with the keys of resolved positions set free."""
    past = dict(episodes)
    for position in done:
        key = key_of(position.signal)
        past[key] = replace(past[key], resolved_ns=position.exit_ns)
    return past


def _visit(block: _Block, watched: Sequence[Candidates]) -> None:
    """Visit the rows at which keys may fire, in order of time; keys of one row together."""
    queue: list[tuple[int, int]] = []
    for number, each in enumerate(watched):
        _push(queue, number, each, _first_row(block, each))
    while queue:
        row = queue[0][0]
        numbers = []
        while queue and queue[0][0] == row:
            numbers.append(heapq.heappop(queue)[1])
        emitted = _emit(block, [watched[number] for number in numbers], row)
        for number in numbers:
            each = watched[number]
            _push(queue, number, each, _next_row(block, each, row) if each.key in emitted else row + 1)


def _push(queue: list[tuple[int, int]], number: int, each: Candidates, from_row: int) -> None:
    at = each.first(from_row)
    if at >= 0:
        heapq.heappush(queue, (int(each.rows[at]), number))


def _first_row(block: _Block, each: Candidates) -> int:
    """Return the first row at which the key is armed and free, from its past; the block's length where never."""
    past = block.episodes.get(each.key, FRESH)
    fallen = 0 if past.fallen else falls(block.view, each.violations, each.key, -1)
    return max(fallen, int(np.searchsorted(block.view.panel.times_ns, past.resolved_ns)))


def _next_row(block: _Block, each: Candidates, fired_row: int) -> int:
    """Return the first row after a signal at ``fired_row`` at which the key is armed and free again."""
    free = int(np.searchsorted(block.view.panel.times_ns, block.episodes[each.key].resolved_ns))
    return max(falls(block.view, each.violations, each.key, fired_row), free, fired_row + 1)


def _emit(block: _Block, group: Sequence[Candidates], row: int) -> set[KeyId]:
    """Size the keys that may fire at ``row`` together, emit those that find room, and return their keys.

    Order: net descending, then constraint, venue, expiry, side and the short leg's name, none of which depends on the
    order of instruments.
    """
    room = AvailableDepth(block.view, row)
    emitted: set[KeyId] = set()
    for each in sorted(group, key=lambda e: _rank(block.view, e, row)):
        signal = propose(room, each, each.first(row), block.fold)
        if micro_usd(signal.size_usd) <= 0:
            block.crowded[signal.constraint] = block.crowded.get(signal.constraint, 0) + 1
            continue
        room.take(signal)
        identity, provenance = block.identify(signal, block.view)
        signal = replace(signal, signal_id=identity, provenance_hash=provenance)
        moved = advance_one(hold(signal), block.view, block.params)
        resolved_ns = moved.exit_ns if isinstance(moved, Position) else NEVER_NS
        run = block.episodes.get(each.key, FRESH).run
        block.episodes[each.key] = Episode(run, False, resolved_ns)
        block.fired_row[each.key] = row
        block.signals.append(signal)
        block.moved.append(moved)
        emitted.add(each.key)
    return emitted


def _rank(view: PreparedPanel, each: Candidates, row: int) -> tuple[int, str, str, int, int, str]:
    constraint, venue, expiry_ns, side, short = each.key
    net = int(micro_bps(each.violations.net_bps[each.at[each.first(row)]]))
    return -net, constraint, venue, expiry_ns, side, view.panel.instruments.name[short]


def _after(
    past: Mapping[KeyId, Episode],
    block: _Block,
    violations: Sequence[Violations],
    runs: Mapping[KeyId, int],
) -> dict[KeyId, Episode]:
    """Return the episodes to carry: runs at the last row, falls since the last signal; what says nothing is dropped."""
    rows = len(block.view.panel.times_ns)
    seen = {each.constraint: each for each in violations}
    after = {}
    for key in sorted({*past, *block.episodes, *runs}):
        episode = block.episodes.get(key, FRESH)
        fallen = episode.fallen
        if not fallen and key[0] in seen:
            fallen = falls(block.view, seen[key[0]], key, block.fired_row.get(key, -1)) < rows
        episode = Episode(runs.get(key, 0), fallen, episode.resolved_ns)
        if not settled(episode):
            after[key] = episode
    return after
