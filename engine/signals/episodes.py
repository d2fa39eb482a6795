"""When a key may fire: persistence, re-arming, and what is carried from block to block.  [S4.1, S4.2]

A key fires at a grid time at which three things hold: its violation has fired at m consecutive grid times; its net has
fallen under ``rearm_share x threshold`` since its last signal; and that signal has been resolved by then.

* Consecutive means one registered grid step apart; on an irregular grid, neighbours.
* Fallen: the key was evaluated with its short leg quoted, and no package of it stood at or above that floor.  A rule
  that names only the keys it met in a block has evaluated the others with them.  Not evaluated is not fallen.
* Anything but a fire ends the run: a lower net, a quarantine, an input that is missing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from engine.market.view import PreparedPanel
from engine.params import Params
from engine.positions.base import Signal
from engine.records import BoolArray, IntArray, Violations
from engine.units import NEVER_NS, micro_bps

KeyId = tuple[str, str, int, int, int]
"""Constraint, venue, expiry, side, short leg: with the underlying of the replay, an episode's key."""


@dataclass(frozen=True, slots=True)
class Episode:
    """One key's past: length of its present run, and what became of its last signal."""

    run: int  # consecutive firing grid times up to the last one read
    fallen: bool  # since the last signal
    resolved_ns: int  # when the last signal was resolved; NEVER_NS while it is open, -1 before the first


FRESH = Episode(0, True, -1)
"""A key that has never fired."""


@dataclass(frozen=True, slots=True)
class Candidates:
    """One key's rows on a block at which it has persisted, ascending; ``at`` are their rows in the packages."""

    key: KeyId
    violations: Violations
    rows: IntArray
    at: IntArray

    def first(self, from_row: int) -> int:
        """Return the position in ``rows`` of the first candidate at or after ``from_row``; -1 where there is none."""
        found = int(np.searchsorted(self.rows, from_row))
        return found if found < len(self.rows) else -1


def key_of(signal: Signal) -> KeyId:
    """Return the key that ``signal`` fired."""
    return signal.constraint, signal.venue, signal.expiry_ns, signal.side, signal.short


def neighbours(times_ns: IntArray, last_ns: int, grid_ns: int) -> BoolArray:
    """Return where a row follows the grid time before it without a hole, ``[T]``; ``last_ns`` -1 before the first."""
    before = np.concatenate(([last_ns], times_ns[:-1]))
    follows: BoolArray = (times_ns - before == grid_ns) if grid_ns > 0 else times_ns > before
    if last_ns < 0 and len(follows):
        follows[0] = False
    return follows


def candidates(
    violations: Violations, past: Mapping[KeyId, Episode], follows: BoolArray, params: Params
) -> tuple[tuple[Candidates, ...], dict[KeyId, int]]:
    """Return the keys of one constraint that persist somewhere in the block, and every key's run at its last row.

    Keys that do not fire at the last row are absent from the second: their run is 0.
    """
    packages = violations.packages
    fires = np.flatnonzero(violations.fires)
    fires = fires[np.lexsort((packages.row[fires], packages.key[fires]))]
    row, key = packages.row[fires].astype(np.int64), packages.key[fires].astype(np.int64)
    run = _runs(row, key, _carried(violations, past, key), follows)
    persisting = np.flatnonzero(run >= params.persistence)
    found = tuple(
        Candidates(key_id(violations, int(key[at[0]])), violations, row[at], fires[at])
        for at in np.split(persisting, np.flatnonzero(np.diff(key[persisting])) + 1)
        if len(at)
    )
    last = row == len(follows) - 1
    return found, {key_id(violations, int(k)): int(n) for k, n in zip(key[last], run[last], strict=True)}


def falls(view: PreparedPanel, violations: Violations, key: KeyId, after_row: int) -> int:
    """Return the first row after ``after_row`` at which ``key`` has fallen; the block's length where there is none."""
    found = np.flatnonzero(_fallen(view, violations, key)[after_row + 1 :])
    return after_row + 1 + int(found[0]) if len(found) else len(violations.evaluated)


def key_id(violations: Violations, row: int) -> KeyId:
    """Return the key in ``row`` of the block's keys."""
    keys = violations.keys
    return violations.constraint, keys.venue[row], int(keys.expiry_ns[row]), int(keys.side[row]), int(keys.short[row])


def settled(episode: Episode) -> bool:
    """Return whether nothing about the key needs carrying."""
    return episode.run == 0 and episode.fallen and episode.resolved_ns != NEVER_NS


def _row_of(violations: Violations, key: KeyId) -> int:
    keys, (_, venue, expiry_ns, side, short) = violations.keys, key
    same = np.flatnonzero((keys.expiry_ns == expiry_ns) & (keys.side == side) & (keys.short == short))
    return next((int(row) for row in same if keys.venue[int(row)] == venue), -1)


def _carried(violations: Violations, past: Mapping[KeyId, Episode], key: IntArray) -> IntArray:
    """Return the run with which each firing row's key entered the block."""
    runs = {int(k): past.get(key_id(violations, int(k)), FRESH).run for k in np.unique(key)}
    return np.array([runs[int(k)] for k in key], dtype=np.int64)


def _runs(row: IntArray, key: IntArray, carried: IntArray, follows: BoolArray) -> IntArray:
    """Return how many consecutive grid times each firing row has behind it, itself included; sorted by (key, row)."""
    if not len(row):
        return np.zeros(0, dtype=np.int64)
    starts = np.ones(len(row), dtype=np.bool_)
    starts[1:] = (key[1:] != key[:-1]) | (row[1:] != row[:-1] + 1) | ~follows[row[1:]]
    place = np.arange(len(row), dtype=np.int64)
    began = np.maximum.accumulate(np.where(starts, place, 0))
    continued = (row[began] == 0) & follows[0]
    return place - began + 1 + np.where(continued, carried, 0)


def _fallen(view: PreparedPanel, violations: Violations, key: KeyId) -> BoolArray:
    """Return where ``key`` was evaluated, its short leg quoted, and stood under its floor, ``[T]``."""
    row, column = _row_of(violations, key), view.panel.column(key[-1])
    if column < 0:
        return np.zeros(len(violations.evaluated), dtype=np.bool_)
    if row < 0:
        any_key: BoolArray = np.logical_or.reduce(violations.evaluated, axis=1)
        return any_key & view.usable[:, column]
    of_key = violations.packages.key == row
    floor = view.params.rearm_share * view.params.rules[violations.constraint].threshold_bps
    net = violations.net_bps[of_key]
    known = np.isfinite(net)
    stands = known & (micro_bps(np.where(known, net, 0.0)) >= micro_bps(np.array([floor])))
    fallen = violations.evaluated[:, row] & view.usable[:, column]
    fallen[violations.packages.row[of_key][stands | ~known]] = False
    return fallen
