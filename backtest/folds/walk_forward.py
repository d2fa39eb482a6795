"""Folds: walk-forward with labels purged by their own end, and the combinatorial extension.  [statistics 2]

    folds = walk_forward(t0_ns, t1_ns, plan)      ten folds; row numbers of train and test labels
    splits = combinatorial(t0_ns, t1_ns, plan)    45 splits, 9 paths; trains on the future, exploratory only

A label is the closed span ``[t0, t1]`` from emission to resolution.  All functions see only these two columns, so they
cannot look at an outcome; shuffling the rows permutes the answer and changes nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from math import comb

import numpy as np

from backtest.records import Fold, Plan
from engine.errors import DataError
from engine.records import BoolArray, IntArray
from engine.units import NEVER_NS

UNRESOLVED_NS = NEVER_NS
"""``t1`` of a label that is not resolved yet: it trains nothing.  [statistics R2.2]"""


def walk_forward(t0_ns: IntArray, t1_ns: IntArray, plan: Plan) -> tuple[Fold, ...]:
    """Return the folds of ``plan``; fold j tests ``t0 in [start, end)`` and trains on ``t1 < start - gap``.

    The training set expands, lies strictly in the past and begins at ``plan.history_ns``.  ``t1 == start - gap`` is
    purged [statistics R2.1]; `UNRESOLVED_NS` never trains.  A fold whose training set is empty is returned with it: its
    fitted parts take their registered defaults.  Labels outside history and window belong to no fold.  Raises
    ``DataError`` where a label ends before it begins.
    """
    t0, t1 = _labels(t0_ns, t1_ns)
    folds = []
    for index in range(plan.folds):
        start = plan.start_ns(index)
        end = start + plan.fold_ns
        train = (t0 >= plan.history_ns) & (t1 < plan.cut_ns(index))
        test = (t0 >= start) & (t0 < end)
        folds.append(Fold(index, start, end, _rows(train), _rows(test)))
    return tuple(folds)


def purge(t0_ns: IntArray, t1_ns: IntArray, train: BoolArray, test: BoolArray, embargo_ns: int) -> BoolArray:
    """Return ``train`` without the labels that touch one contiguous block of ``test`` or its embargo.  [statistics 2.2]

    With the hull ``H = [min t0, max t1]`` of the test labels, a training label goes where ``t0 <= max t1`` and
    ``t1 >= min t0`` (closed intervals: touching is overlapping), or ``max t1 < t0 <= max t1 + embargo``.  No test
    label: nothing is removed.
    """
    t0, t1 = _labels(t0_ns, t1_ns)
    if not test.any():
        return train.copy()
    first, last = t0[test].min(), t1[test].max()
    overlaps = (t0 <= last) & (t1 >= first)
    # t0 - last cannot overflow where t0 > last >= 0; last may be NEVER_NS
    embargoed = (t0 > last) & (t0 - np.minimum(last, t0) <= embargo_ns)
    kept: BoolArray = train & ~test & ~overlaps & ~embargoed
    return kept


@dataclass(frozen=True, slots=True)
class CombinatorialSplit:
    """One combinatorial split: the groups it tests, and the row numbers of its labels, ascending."""

    groups: tuple[int, ...]
    train: IntArray
    test: IntArray


def combinatorial(t0_ns: IntArray, t1_ns: IntArray, plan: Plan, tested: int = 2) -> tuple[CombinatorialSplit, ...]:
    """Return all ``C(folds, tested)`` splits, in lexicographic order of their tested folds.  [statistics 2.5]

    Adjacent tested folds form one block; each block is purged and embargoed on its own.  Training labels lie inside
    the window.  Every label is tested in ``C(folds, tested) * tested / folds`` splits, one for each path.
    """
    t0, t1 = _labels(t0_ns, t1_ns)
    group = np.floor_divide(t0 - plan.t0_ns, plan.fold_ns)
    inside = (t0 >= plan.t0_ns) & (t0 < plan.t1_ns)
    splits = []
    for chosen in combinations(range(plan.folds), tested):
        test = inside & np.isin(group, chosen)
        train = inside & ~test
        for block in blocks(chosen):
            train = purge(t0, t1, train, inside & np.isin(group, block), plan.embargo_ns)
        splits.append(CombinatorialSplit(chosen, _rows(train), _rows(test)))
    return tuple(splits)


def blocks(groups: tuple[int, ...]) -> tuple[tuple[int, ...], ...]:
    """Return ascending ``groups`` cut into runs of neighbours: ``(0, 1, 4)`` is ``((0, 1), (4,))``."""
    runs: list[list[int]] = []
    for group in groups:
        if runs and runs[-1][-1] == group - 1:
            runs[-1].append(group)
        else:
            runs.append([group])
    return tuple(tuple(run) for run in runs)


def path_count(groups: int, tested: int) -> int:
    """Return ``phi = C(N, k) k / N``, the number of whole paths through the window.  [statistics 2.5]"""
    return comb(groups, tested) * tested // groups


def paths(splits: tuple[CombinatorialSplit, ...], groups: int) -> tuple[tuple[int, ...], ...]:
    """Return, for each path, which split tests each group: path p takes the p-th split that tests the group."""
    testing = [[at for at, split in enumerate(splits) if group in split.groups] for group in range(groups)]
    return tuple(zip(*testing, strict=True))


def _labels(t0_ns: IntArray, t1_ns: IntArray) -> tuple[IntArray, IntArray]:
    t0, t1 = np.asarray(t0_ns, dtype=np.int64), np.asarray(t1_ns, dtype=np.int64)
    if t0.shape != t1.shape or t0.ndim != 1:
        raise DataError(f"expected one t0 and one t1 a label, was {t0.shape} and {t1.shape}")
    bad = np.flatnonzero(t1 < t0)
    if len(bad):
        raise DataError(f"expected t1 >= t0 in every label, was {t1[bad[0]]} < {t0[bad[0]]} in row {bad[0]}")
    return t0, t1


def _rows(mask: BoolArray) -> IntArray:
    return np.flatnonzero(mask).astype(np.int64)
