"""The result of a scan: the cells that reach a floor, and which cells could be evaluated.  [S2.0]

A cell is a grid time and a key.  Scans work on pieces of a block and keep only the cells that reach the floor: few with
the floor of emission, all of them with -inf.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from engine.arguments import require_columns
from engine.kernels.option_scans import CellArrays, FoundCells
from engine.market.view import PreparedPanel
from engine.records import BoolArray, CodeArray, FloatArray, IntArray, Keys
from engine.units import above_zero


@dataclass(frozen=True, slots=True)
class Scan:
    """The scan of one constraint on one block: for each (grid time, key) that reaches a floor the best package of it.

    ``score`` is gross + carry - the round-trip cost *without* impact, hence an upper bound of the net.  ``wings``
    holds, for ``build``, the panel columns of the chosen free legs (-1 none).  ``evaluated`` is True where a package of
    the key can be evaluated, whether it reaches the floor or not.  By day of the view: ``best_bps`` is the largest
    score, under the floor or not, NaN where there is none; ``examined`` and ``usable`` count packages for the funnel,
    not keys, ``violations`` the cells whose best package has a gross.  ``missing`` names the input for lack of which
    there is no answer.  ``gate`` is a rule's condition beside its net (C5: |z|), ``gate_reason`` the reason where it
    does not hold.
    """

    keys: Keys
    row: CodeArray  # [M] cells sorted by (row, key)
    key: CodeArray
    score: FloatArray  # [M]
    wings: CodeArray  # [M, W]
    evaluated: BoolArray  # [T, K]
    best_bps: FloatArray  # [D], D = 1 but for a view of several days
    examined: IntArray
    usable: IntArray
    violations: IntArray
    missing: str | None = None
    gate: BoolArray | None = None  # [T, K]; None: no further condition
    gate_reason: str = "threshold"

    def __post_init__(self) -> None:
        cells, days = (np.size(self.row),), (np.size(self.best_bps),)
        dense = (*np.shape(self.evaluated)[:1], len(self.keys))
        by_day = dict.fromkeys(("best_bps", "examined", "usable", "violations"), days)
        wings = (*cells, *np.shape(self.wings)[1:2])
        require_columns(self, cells, {"wings": wings, "evaluated": dense, "gate": dense, **by_day})

    @property
    def score_bps(self) -> FloatArray:
        """The scores as ``[T, K]``: NaN where not evaluated, -inf where no package of the key reaches the floor."""
        dense = np.where(self.evaluated, -np.inf, np.nan)
        dense[self.row, self.key] = self.score
        return dense

    @property
    def wing(self) -> CodeArray:
        """The wings as ``[T, K, W]``, -1 where there is no cell."""
        dense = np.full((*self.evaluated.shape, self.wings.shape[1]), -1, dtype=np.int32)
        dense[self.row, self.key] = self.wings
        return dense

    def wings_at(self, row: CodeArray, key: CodeArray) -> CodeArray:
        """Return the wings of chosen cells, ``[M, W]``; all must be cells of the scan."""
        width = self.evaluated.shape[1]
        # int64: rows times keys of a block of many days exceed int32.
        cell_number = self.row.astype(np.int64) * width + self.key
        return np.asarray(self.wings[np.searchsorted(cell_number, np.asarray(row, dtype=np.int64) * width + key)])


class CandidateCells:
    """Gathers a scan's cells from pieces of a block, instruments (or keys) first, in any order."""

    def __init__(self, view: PreparedPanel, keys: int, wings: int, floor: float) -> None:
        rows = len(view.panel.times_ns)
        self.first = np.zeros(1, dtype=np.int64) if view.days is None else view.days.first[:-1]
        self.day: IntArray = np.repeat(np.arange(len(self.first)), np.diff(self.first, append=rows))
        self.evaluated: BoolArray = np.zeros((keys, rows), dtype=np.bool_)
        self.best = np.full(len(self.first), -np.inf)  # bps, by day
        self.violations = np.zeros(len(self.first), dtype=np.int64)  # by day
        self.floor = floor
        self._row: list[IntArray] = []
        self._key: list[IntArray] = []
        self._score: list[FloatArray] = []
        self._wing: list[CodeArray] = []
        self._wings = wings

    def promising(self, at_most_bps: FloatArray, at_least_bps: FloatArray) -> IntArray:
        """Return the rows worth looking at: they may reach the floor, or hold the best score of their day.

        Bounds ``[T]`` of each row's largest score, -inf or NaN where there is none.
        """
        top = np.fmax(np.fmax.reduceat(at_least_bps, self.first), self.best)
        level = np.minimum(self.floor, top)[self.day]
        return np.flatnonzero((at_most_bps >= level) & (at_most_bps > -np.inf))

    def add(self, first_key: int, rows: IntArray, score_bps: FloatArray, wings: Sequence[CodeArray]) -> None:
        """Keep the cells of keys ``first_key ...`` at ``rows`` that reach the floor; ``[m, len(rows)]`` each.

        ``wings`` are the panel columns of the free legs.  NaN and -inf are no cells.
        """
        self.note(rows, score_bps)
        key, at = np.nonzero((score_bps >= self.floor) & (score_bps > -np.inf))
        self._row.append(rows[at])
        self._key.append(first_key + key)
        self._score.append(score_bps[key, at])
        self._wing.append(np.array([wing[key, at] for wing in wings], dtype=np.int32).reshape(self._wings, len(key)).T)

    def add_each(self, key: IntArray, row: IntArray, score_bps: FloatArray, wings: Sequence[CodeArray]) -> None:
        """Keep the cells of a list that reach the floor, all ``[M]``."""
        self.note(row, score_bps[None])
        kept = np.flatnonzero((score_bps >= self.floor) & (score_bps > -np.inf))
        self._row.append(row[kept])
        self._key.append(key[kept])
        self._score.append(score_bps[kept])
        self._wing.append(np.array([wing[kept] for wing in wings], dtype=np.int32).reshape(self._wings, len(kept)).T)

    def arrays(self, first_key: int, keys: int) -> CellArrays:
        """Return what a compiled scan of some keys adds to; what it finds goes to `add_found`."""
        return CellArrays(self.floor, self.best, self.violations, self.evaluated[first_key : first_key + keys])

    def add_found(self, first_key: int, found: FoundCells) -> None:
        """Keep the cells of a compiled scan, which has noted their scores already."""
        self._row.append(found.row)
        self._key.append(first_key + found.key)
        self._score.append(found.score)
        self._wing.append(found.wing[:, : self._wings])

    def note(self, rows: IntArray, score_bps: FloatArray) -> None:
        """Keep the largest of some scores, ``[m, len(rows)]``, by the day of its row."""
        # -inf says that a key has no package here; it is no score.
        top = np.where(np.isfinite(score_bps), score_bps, -np.inf).max(axis=0, initial=-np.inf)
        np.maximum.at(self.best, self.day[rows], top)

    def violated(self, rows: IntArray, gross_bps: FloatArray) -> None:
        """Count the packages with a gross above 0 in whole micro-bps, ``[m, len(rows)]``, by the day of their row."""
        hits = np.flatnonzero(above_zero(gross_bps)) % max(len(rows), 1)
        self.violations += np.bincount(self.day[rows[hits]], minlength=len(self.violations))

    def by_day(self, count: IntArray | BoolArray) -> IntArray:
        """Return the sums of the rows of each day, ``[D]``, of counts ``[T]``."""
        total: IntArray = np.add.reduceat(count, self.first, dtype=np.int64)
        return total

    def scan(self, keys: Keys, examined: IntArray | BoolArray, usable: IntArray | BoolArray) -> Scan:
        """Return the scan, cells sorted by (row, key); ``examined`` and ``usable`` are packages a row, ``[T]``."""
        row, key = (np.concatenate([np.empty(0, dtype=np.int64), *parts]) for parts in (self._row, self._key))
        # Sorted, because `wings_at` looks cells up by bisection.
        order = np.argsort(row * len(keys) + key, kind="stable")
        return Scan(
            keys=keys,
            row=row[order].astype(np.int32),
            key=key[order].astype(np.int32),
            score=np.concatenate([np.empty(0), *self._score])[order],
            wings=np.concatenate([np.empty((0, self._wings), dtype=np.int32), *self._wing])[order],
            evaluated=self.evaluated.T,
            best_bps=np.where(np.isfinite(self.best), self.best, np.nan),
            examined=self.by_day(examined),
            usable=self.by_day(usable),
            violations=self.violations,
        )


def from_dense(
    view: PreparedPanel,
    keys: Keys,
    score_bps: FloatArray,
    wing: CodeArray,
    floor: float,
    *,
    examined: IntArray | BoolArray,
    usable: BoolArray | IntArray,
    violations: BoolArray | IntArray,
) -> Scan:
    """Return the scan of dense arrays.

    Parameters
    ----------
    view : PreparedPanel
        The block, with T rows.
    keys : Keys
        The K keys that the constraint watches.
    score_bps : FloatArray, shape (T, K)
        Upper bounds of the net, bps of S; NaN where a key cannot be evaluated, -inf where it has no package.
    wing : CodeArray, shape (T, K, W)
        Panel columns of the chosen free legs.
    floor : float
        Bps of S; cells under it are left out.
    examined, usable, violations : IntArray or BoolArray, shape (T,)
        Packages at each grid time, for the funnel.

    Returns
    -------
    Scan
        Its cells sorted by (row, key).

    Examples
    --------
    >>> from engine.constraints.package_legs import two_sided_keys
    >>> from engine.market.view import prepare
    >>> from tests.helpers.builders import params
    >>> from tests.helpers.markets import Market, flat_history
    >>> view = prepare(Market().block(2), params(), flat_history())
    >>> ones = np.ones(2, dtype=np.int64)
    >>> score, wing = np.array([[60.0, -np.inf], [np.nan, np.nan]]), np.empty((2, 2, 0), dtype=np.int32)
    >>> keys = two_sided_keys(view, [(0, 1)])
    >>> scan = from_dense(view, keys, score, wing, 50.0, examined=ones, usable=ones, violations=ones)
    >>> scan.row.tolist(), scan.key.tolist(), scan.score.tolist(), scan.evaluated.tolist()
    ([0], [0], [60.0], [[True, True], [False, False]])
    """
    cells = CandidateCells(view, len(keys), wing.shape[2], floor)
    cells.evaluated[:] = ~np.isnan(score_bps.T)
    cells.add(0, np.arange(len(score_bps)), score_bps.T, list(wing.transpose(2, 1, 0)))
    cells.violations = cells.by_day(violations)
    return cells.scan(keys, examined, usable)
