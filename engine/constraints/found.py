"""What a scan hands on: the cells that reach a floor, and where there was anything to judge.  [S2.0]

A cell is a grid time and a key.  Scans work on pieces of a block and keep only what somebody will read: with the
floor that emission needs that is next to nothing, with -inf everything.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from engine.records import BoolArray, CodeArray, FloatArray, IntArray, Keys, Scan


class Cells:
    """Gathers a scan's cells from pieces of a block, instruments (or keys) first, in any order."""

    def __init__(self, rows: int, keys: int, wings: int, floor: float) -> None:
        self.evaluated: BoolArray = np.zeros((keys, rows), dtype=np.bool_)
        self.best_bps = float("nan")
        self.floor = floor
        self._row: list[IntArray] = []
        self._key: list[IntArray] = []
        self._score: list[FloatArray] = []
        self._wing: list[CodeArray] = []
        self._wings = wings

    def promising(self, at_most_bps: FloatArray, at_least_bps: FloatArray) -> IntArray:
        """Return the rows worth looking at: they may reach the floor, or hold the best score of the block.

        Bounds ``[T]`` of each row's largest score, -inf or NaN where there is none.
        """
        top = np.fmax.reduce(at_least_bps, initial=-np.inf)
        level = min(self.floor, max(float(top), self.best_bps if self.best_bps == self.best_bps else -np.inf))
        return np.flatnonzero((at_most_bps >= level) & (at_most_bps > -np.inf))

    def add(self, first_key: int, rows: IntArray, score_bps: FloatArray, wings: Sequence[CodeArray]) -> None:
        """Keep the cells of keys ``first_key ...`` at ``rows`` that reach the floor; ``[m, len(rows)]`` each.

        ``wings`` are the panel columns of the free legs.  NaN and -inf are no cells.
        """
        self.note(score_bps)
        key, at = np.nonzero((score_bps >= self.floor) & (score_bps > -np.inf))
        self._row.append(rows[at])
        self._key.append(first_key + key)
        self._score.append(score_bps[key, at])
        self._wing.append(np.array([wing[key, at] for wing in wings], dtype=np.int32).reshape(self._wings, -1).T)

    def add_each(self, key: IntArray, row: IntArray, score_bps: FloatArray, wings: Sequence[CodeArray]) -> None:
        """Keep the cells of a list that reach the floor, all ``[M]``."""
        self.note(score_bps)
        kept = np.flatnonzero((score_bps >= self.floor) & (score_bps > -np.inf))
        self._row.append(row[kept])
        self._key.append(key[kept])
        self._score.append(score_bps[kept])
        self._wing.append(np.array([wing[kept] for wing in wings], dtype=np.int32).reshape(self._wings, -1).T)

    def note(self, score_bps: FloatArray) -> None:
        """Remember the largest of some scores."""
        real = score_bps[np.isfinite(score_bps)]
        if len(real):
            self.best_bps = float(np.fmax(self.best_bps, real.max()))

    def scan(self, keys: Keys, examined: int, usable: int, violations: int) -> Scan:
        """Return the scan, cells sorted by (row, key)."""
        row, key = (np.concatenate([np.empty(0, dtype=np.int64), *parts]) for parts in (self._row, self._key))
        order = np.argsort(row * len(keys) + key, kind="stable")
        return Scan(
            keys=keys,
            row=row[order].astype(np.int32),
            key=key[order].astype(np.int32),
            score=np.concatenate([np.empty(0), *self._score])[order],
            wings=np.concatenate([np.empty((0, self._wings), dtype=np.int32), *self._wing])[order],
            evaluated=self.evaluated.T,
            best_bps=self.best_bps,
            examined=examined,
            usable=usable,
            violations=violations,
        )


def from_dense(
    keys: Keys,
    score_bps: FloatArray,
    wing: CodeArray,
    floor: float,
    *,
    examined: int,
    usable: int,
    violations: int,
) -> Scan:
    """Return the scan of dense answers: score ``[T, K]``, NaN not evaluated, -inf no package; wing ``[T, K, W]``."""
    row, key = np.nonzero((score_bps >= floor) & (score_bps > -np.inf))
    known = score_bps[np.isfinite(score_bps)]
    return Scan(
        keys=keys,
        row=row.astype(np.int32),
        key=key.astype(np.int32),
        score=score_bps[row, key],
        wings=wing[row, key],
        evaluated=~np.isnan(score_bps),
        best_bps=float(known.max()) if len(known) else float("nan"),
        examined=examined,
        usable=usable,
        violations=violations,
    )
