"""Turns the violations of one block into signals: persistence, episodes, shared depth.  [S4.1-S4.3]

1. Positions left open by earlier blocks are advanced through this block, which gives the time at which each key may
   fire again.
2. Each key's candidate rows and the rows at which it is re-armed are computed on whole arrays.     `episodes`
3. Keys are visited in order of time, at rows at which one can fire.  All keys that may fire at one grid time are sized
   together, in order of net, against the displayed depth that they share.                          `_emit`
4. A new signal is resolved forward at once, because its key may fire again only after that.  Only later rows of the
   same key depend on the resolution, so no earlier row is affected.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from engine.market.view import PreparedPanel
from engine.params import Params
from engine.positions.base import OpenPosition, Position, Signal
from engine.positions.exits import advance, advance_one, unfilled
from engine.records import Violations
from engine.signals.episodes import (
    NEVER_FIRED,
    Candidates,
    Episode,
    KeyId,
    consecutive_rows,
    find_candidates,
    first_rearmed_row,
    is_idle,
    key_of,
)
from engine.signals.sizing import AvailableDepth, sized_signal
from engine.units import NEVER_NS, micro_bps, micro_usd

Identify = Callable[[Signal, PreparedPanel | None], tuple[str, str]]
"""Returns the id of a signal and the hash of its provenance."""


@dataclass(frozen=True, slots=True)
class EmitState:
    """State of one underlying that is carried from block to block: open positions, and keys that have fired."""

    open: tuple[OpenPosition, ...]
    episodes: Mapping[KeyId, Episode]
    last_ns: int  # the last grid time read; -1 before the first


START = EmitState((), {}, -1)


@dataclass(frozen=True, slots=True)
class BlockSignals:
    """The output of one block: signals in order of (time, net descending, key), positions in order of exit.

    ``no_depth_left`` counts, by constraint, firings that were not emitted because other signals had taken the depth.
    """

    signals: tuple[Signal, ...]
    positions: tuple[Position, ...]
    no_depth_left: Mapping[str, int]


def process_block(
    state: EmitState,
    view: PreparedPanel,
    violations: Sequence[Violations],
    params: Params,
    fold: int,
    identify: Identify,
) -> tuple[EmitState, BlockSignals]:
    """Return the state after the block of ``view``, and the signals and positions of the block.

    ``identify`` is called once for each emitted signal.  An empty block returns ``state`` unchanged.
    """
    times = view.panel.times_ns
    if not len(times):
        return state, BlockSignals((), (), {})
    open_before, resolved = advance(state.open, view, params)
    past = _released(state.episodes, resolved)
    follows = consecutive_rows(times, state.last_ns, params.grid_ns)
    all_candidates: list[Candidates] = []
    streaks: dict[KeyId, int] = {}
    for of_constraint in violations:
        keys, at_end = find_candidates(of_constraint, past, follows, params)
        all_candidates += keys
        streaks |= at_end
    block = _Block(view, params, fold, identify, dict(past))
    _visit(block, all_candidates)
    open_ = open_before + tuple(item for item in block.advanced if isinstance(item, OpenPosition))
    positions = resolved + tuple(item for item in block.advanced if isinstance(item, Position))
    after = _episodes_after(past, block, violations, streaks)
    return (
        EmitState(open_, after, int(times[-1])),
        BlockSignals(
            tuple(block.signals),
            tuple(sorted(positions, key=lambda p: (p.exit_ns, p.signal.t_ns, p.signal.signal_id))),
            dict(sorted(block.no_depth_left.items())),
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
    advanced: list[OpenPosition | Position] = field(default_factory=list)
    fired_row: dict[KeyId, int] = field(default_factory=dict)
    no_depth_left: dict[str, int] = field(default_factory=dict)


def _released(episodes: Mapping[KeyId, Episode], resolved: Sequence[Position]) -> dict[KeyId, Episode]:
    """Return ``episodes`` with the resolution times of ``resolved`` entered: their keys may fire again."""
    past = dict(episodes)
    for position in resolved:
        key = key_of(position.signal)
        past[key] = replace(past[key], resolved_ns=position.known_ns)
    return past


def _visit(block: _Block, all_candidates: Sequence[Candidates]) -> None:
    """Visit the rows at which keys may fire, in order of time; keys of one row together."""
    queue: list[tuple[int, int]] = []  # (row, number of the key)
    for number, candidates in enumerate(all_candidates):
        _push(queue, number, candidates, _first_row(block, candidates))
    # Most rows have no candidate: only the rows in the queue are visited.
    while queue:
        row = queue[0][0]
        numbers = []
        while queue and queue[0][0] == row:
            numbers.append(heapq.heappop(queue)[1])
        emitted = _emit(block, [all_candidates[number] for number in numbers], row)
        for number in numbers:
            candidates = all_candidates[number]
            _push(
                queue, number, candidates, _next_row(block, candidates, row) if candidates.key in emitted else row + 1
            )


def _push(queue: list[tuple[int, int]], number: int, candidates: Candidates, from_row: int) -> None:
    first = candidates.first(from_row)
    if first >= 0:
        heapq.heappush(queue, (int(candidates.rows[first]), number))


def _first_row(block: _Block, candidates: Candidates) -> int:
    """Return the first row at which the key is re-armed and its last signal resolved; the block's length if none."""
    past = block.episodes.get(candidates.key, NEVER_FIRED)
    rearmed_row = 0 if past.rearmed else first_rearmed_row(block.view, candidates.violations, candidates.key, -1)
    return max(rearmed_row, int(np.searchsorted(block.view.panel.times_ns, past.resolved_ns)))


def _next_row(block: _Block, candidates: Candidates, fired_row: int) -> int:
    """Return the first row after a signal at ``fired_row`` at which the key is re-armed and the signal resolved."""
    resolved_row = int(np.searchsorted(block.view.panel.times_ns, block.episodes[candidates.key].resolved_ns))
    return max(
        first_rearmed_row(block.view, candidates.violations, candidates.key, fired_row), resolved_row, fired_row + 1
    )


def _emit(block: _Block, group: Sequence[Candidates], row: int) -> set[KeyId]:
    """Emit the keys of ``group`` for which depth is left at ``row``, and return them.

    Order: net descending, then constraint, venue, expiry, side and the name of the short leg: no part of it depends on
    the order of instruments in the panel.
    """
    depth = AvailableDepth(block.view, row)
    emitted: set[KeyId] = set()
    for candidates in sorted(group, key=lambda member: _rank(block.view, member, row)):
        signal = sized_signal(depth, candidates, candidates.first(row), block.fold)
        # Money is settled in whole micro-USD: a smaller size would be a trade of nothing.
        if micro_usd(signal.size_usd) <= 0:
            block.no_depth_left[signal.constraint] = block.no_depth_left.get(signal.constraint, 0) + 1
            continue
        depth.take(signal)
        identity, provenance = block.identify(signal, block.view)
        signal = replace(signal, signal_id=identity, provenance_hash=provenance)
        # Its exit is needed at once: inside the block the key may fire again only after it.
        advanced = advance_one(unfilled(signal), block.view, block.params)
        resolved_ns = advanced.known_ns if isinstance(advanced, Position) else NEVER_NS
        streak = block.episodes.get(candidates.key, NEVER_FIRED).streak
        block.episodes[candidates.key] = Episode(streak, False, resolved_ns)
        block.fired_row[candidates.key] = row
        block.signals.append(signal)
        block.advanced.append(advanced)
        emitted.add(candidates.key)
    return emitted


def _rank(view: PreparedPanel, candidates: Candidates, row: int) -> tuple[int, str, str, int, int, str]:
    constraint, venue, expiry_ns, side, short = candidates.key
    # Compared as micro-bps, as the threshold is [S4.1]: no rounding error decides the order.
    net = int(micro_bps(candidates.violations.net_bps[candidates.package[candidates.first(row)]]))
    return -net, constraint, venue, expiry_ns, side, view.panel.instruments.name[short]


def _episodes_after(
    past: Mapping[KeyId, Episode],
    block: _Block,
    violations: Sequence[Violations],
    streaks: Mapping[KeyId, int],
) -> dict[KeyId, Episode]:
    """Return the episodes to carry into the next block; idle keys are dropped."""
    rows = len(block.view.panel.times_ns)
    by_constraint = {of_constraint.constraint: of_constraint for of_constraint in violations}
    after = {}
    # Sorted: the order of a set of text changes from run to run.
    for key in sorted({*past, *block.episodes, *streaks}):
        episode = block.episodes.get(key, NEVER_FIRED)
        rearmed = episode.rearmed
        # A constraint that was not run on this block says nothing of its keys.
        if not rearmed and key[0] in by_constraint:
            fired_row = block.fired_row.get(key, -1)
            rearmed = first_rearmed_row(block.view, by_constraint[key[0]], key, fired_row) < rows
        episode = Episode(streaks.get(key, 0), rearmed, episode.resolved_ns)
        if not is_idle(episode):
            after[key] = episode
    return after
