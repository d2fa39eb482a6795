"""When a key may fire: persistence, re-arming, and what is carried from block to block.  [S4.1, S4.2]

A key may fire at a grid time if three conditions hold: its violation has fired at m consecutive grid times (its
streak); it is re-armed, i.e. its net has been below ``rearm_share x threshold`` since its last signal; and its last
signal has been resolved.

* Consecutive means one registered grid step apart; on an irregular grid, adjacent rows.
* Re-armed requires a grid time at which the key was evaluated with its short leg quoted and no package of it had a net
  at or above that floor.  A constraint that lists only the keys it met in a block has evaluated all other keys with
  them.  A key that is not evaluated is not re-armed.
* A lower net, a quarantine or a missing input ends the streak.
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
    """One key's past: the length of its streak, and the state of its last signal."""

    streak: int  # consecutive firing grid times up to the last one read
    rearmed: bool  # whether the net has been below the re-arm level since the last signal
    resolved_ns: int  # when the last signal was resolved; NEVER_NS while it is open, -1 before the first


NEVER_FIRED = Episode(0, True, -1)
"""A key that has never fired."""


@dataclass(frozen=True, slots=True)
class Candidates:
    """The rows of a block at which one key has persisted, ascending, and the package that fires at each."""

    key: KeyId
    violations: Violations
    rows: IntArray  # [N] rows of the block
    package: IntArray  # [N] rows in ``violations.packages``

    def first(self, from_row: int) -> int:
        """Return the position in ``rows`` of the first candidate at or after ``from_row``; -1 if there is none."""
        position = int(np.searchsorted(self.rows, from_row))
        return position if position < len(self.rows) else -1


def key_of(signal: Signal) -> KeyId:
    """Return the key that ``signal`` fired."""
    return signal.constraint, signal.venue, signal.expiry_ns, signal.side, signal.short


def consecutive_rows(times_ns: IntArray, last_ns: int, grid_ns: int) -> BoolArray:
    """Return which rows follow the previous grid time without a gap, ``[T]`` for ``times_ns [T]``.

    ``last_ns`` is the last grid time of the previous block, -1 if there is none.  On an irregular grid
    (``grid_ns`` 0) every later row counts as consecutive.
    """
    before = np.concatenate(([last_ns], times_ns[:-1]))
    follows: BoolArray = (times_ns - before == grid_ns) if grid_ns > 0 else times_ns > before
    if last_ns < 0 and len(follows):
        follows[0] = False
    return follows


def find_candidates(
    violations: Violations, past: Mapping[KeyId, Episode], follows: BoolArray, params: Params
) -> tuple[tuple[Candidates, ...], dict[KeyId, int]]:
    """Return the keys of one constraint that persist somewhere in the block, and each key's streak at its last row.

    ``follows [T]`` is the result of `consecutive_rows`.  A key that does not fire at the last row is absent from the
    second result: its streak is 0.
    """
    packages = violations.packages
    fires = np.flatnonzero(violations.fires)
    fires = fires[np.lexsort((packages.row[fires], packages.key[fires]))]
    row, key = packages.row[fires].astype(np.int64), packages.key[fires].astype(np.int64)
    streak = _streaks(row, key, _carried(violations, past, key), follows)
    persisting = np.flatnonzero(streak >= params.persistence)
    persistent_keys = tuple(
        Candidates(key_id(violations, int(key[firing[0]])), violations, row[firing], fires[firing])
        for firing in np.split(persisting, np.flatnonzero(np.diff(key[persisting])) + 1)
        if len(firing)
    )
    last = row == len(follows) - 1
    at_end = zip(key[last].tolist(), streak[last].tolist(), strict=True)
    return persistent_keys, {key_id(violations, k): length for k, length in at_end}


def first_rearmed_row(view: PreparedPanel, violations: Violations, key: KeyId, after_row: int) -> int:
    """Return the first row after ``after_row`` at which ``key`` is re-armed; the block's length if there is none."""
    rows = np.flatnonzero(_below_floor(view, violations, key)[after_row + 1 :])
    return after_row + 1 + int(rows[0]) if len(rows) else len(violations.evaluated)


def key_id(violations: Violations, row: int) -> KeyId:
    """Return the key in ``row`` of the block's keys."""
    keys = violations.keys
    return violations.constraint, keys.venue[row], int(keys.expiry_ns[row]), int(keys.side[row]), int(keys.short[row])


def is_idle(episode: Episode) -> bool:
    """Return whether a key's past has no effect on later blocks, so that it need not be carried."""
    return episode.streak == 0 and episode.rearmed and episode.resolved_ns != NEVER_NS


def _row_of(violations: Violations, key: KeyId) -> int:
    keys, (_, venue, expiry_ns, side, short) = violations.keys, key
    same = np.flatnonzero((keys.expiry_ns == expiry_ns) & (keys.side == side) & (keys.short == short))
    return next((int(row) for row in same if keys.venue[int(row)] == venue), -1)


def _carried(violations: Violations, past: Mapping[KeyId, Episode], key: IntArray) -> IntArray:
    """Return the streak with which each firing row's key entered the block."""
    streaks = {k: past.get(key_id(violations, k), NEVER_FIRED).streak for k in np.unique(key).tolist()}
    return np.array([streaks[k] for k in key.tolist()], dtype=np.int64)


def _streaks(row: IntArray, key: IntArray, carried: IntArray, follows: BoolArray) -> IntArray:
    """Return the length of the streak that ends at each firing row, itself included; rows sorted by (key, row)."""
    if not len(row):
        return np.zeros(0, dtype=np.int64)
    # A streak begins where the key changes, a row is skipped, or the grid has a gap.
    starts = np.ones(len(row), dtype=np.bool_)
    starts[1:] = (key[1:] != key[:-1]) | (row[1:] != row[:-1] + 1) | ~follows[row[1:]]
    place = np.arange(len(row), dtype=np.int64)
    began = np.maximum.accumulate(np.where(starts, place, 0))
    continued = (row[began] == 0) & follows[0]
    return place - began + 1 + np.where(continued, carried, 0)


def _below_floor(view: PreparedPanel, violations: Violations, key: KeyId) -> BoolArray:
    """Return the rows at which ``key`` was evaluated with its short leg quoted and its net below the floor, ``[T]``."""
    row, column = _row_of(violations, key), view.panel.column(key[-1])
    if column < 0:
        return np.zeros(len(violations.evaluated), dtype=np.bool_)
    if row < 0:
        # The constraint did not meet this key in the block: it was evaluated wherever the listed keys were.
        any_key: BoolArray = np.logical_or.reduce(violations.evaluated, axis=1)
        return any_key & view.usable[:, column]
    of_key = violations.packages.key == row
    floor = view.params.rearm_share * view.params.rules[violations.constraint].threshold_bps
    net = violations.net_bps[of_key]
    known = np.isfinite(net)
    above = known & (micro_bps(np.where(known, net, 0.0)) >= micro_bps(np.array([floor])))
    below = violations.evaluated[:, row] & view.usable[:, column]
    # An unknown net is not known to be below the floor, so the key stays disarmed there.
    below[violations.packages.row[of_key][above | ~known]] = False
    return below
