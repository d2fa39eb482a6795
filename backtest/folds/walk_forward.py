"""Cuts labels into walk-forward folds, purged by their own end, and into combinatorial splits.  [statistics 2]

    folds = walk_forward(t0_ns, t1_ns, plan)      ten folds; row numbers of train and test labels
    splits = combinatorial(t0_ns, t1_ns, plan)    45 splits, 9 paths; trains on the future, exploratory only

A label is the closed span ``[t0, t1]`` from emission to resolution.  All functions read only these two columns, so they
cannot look at an outcome; shuffling the rows permutes the answer and changes nothing else.  Source: Lopez de Prado
(2018), "Advances in Financial Machine Learning", chapters 7 and 12.
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

    Parameters
    ----------
    t0_ns, t1_ns : IntArray, shape (labels,)
        Emission and resolution of each label in nanoseconds UTC, in any order; `UNRESOLVED_NS` if not resolved.
    plan : Plan
        Window, folds, gap and start of history.

    Returns
    -------
    tuple of Fold, one for each fold of the plan
        ``train`` and ``test`` are row numbers of the labels.  The training set expands, lies strictly in the past and
        begins at ``plan.history_ns``.  It may be empty: what is fitted on it takes its registered default.  A label
        outside history and window is in no fold.

    Raises
    ------
    DataError
        If ``t0_ns`` or ``t1_ns`` is not int64 of shape (labels,), or a label ends before it begins.

    Notes
    -----
    ``t1 == start - gap`` is purged [statistics R2.1]; an unresolved label never trains [statistics R2.2].

    Examples
    --------
    >>> plan = Plan(t0_ns=0, t1_ns=20, history_ns=-10, folds=2, fold_ns=10, gap_ns=1, embargo_ns=0)
    >>> folds = walk_forward(np.array([-5, 3, 12]), np.array([-2, 9, 14]), plan)
    >>> [(fold.train.tolist(), fold.test.tolist()) for fold in folds]  # the label that ends at 9 = 10 - gap is purged
    [([0], [1]), ([0], [2])]
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

    With the hull ``H = [min t0, max t1]`` of the test labels, a training label is removed if ``t0 <= max t1`` and
    ``t1 >= min t0`` (closed intervals: touching is overlapping), or ``max t1 < t0 <= max t1 + embargo``.

    Parameters
    ----------
    t0_ns, t1_ns : IntArray, shape (labels,)
        Emission and resolution of each label in nanoseconds UTC.
    train, test : BoolArray, shape (labels,)
        Which labels train, and which are tested.
    embargo_ns : int
        Nanoseconds after the block in which no training label may begin.

    Returns
    -------
    BoolArray, shape (labels,)
        A new array; a copy of ``train`` if no label is tested.

    Raises
    ------
    DataError
        If ``t0_ns`` or ``t1_ns`` is not int64, or ``train`` or ``test`` not bool, of shape (labels,), or a label ends
        before it begins.

    Examples
    --------
    >>> t0, t1 = np.array([0, 4, 6, 9]), np.array([3, 5, 8, 11])
    >>> test = np.array([False, True, False, False])
    >>> purge(t0, t1, ~test, test, 1).tolist()  # the label that begins at 6 lies in the embargo (5, 6]
    [True, False, False, True]
    """
    t0, t1 = _labels(t0_ns, t1_ns)
    _require("train", train, np.bool_, t0.shape)
    _require("test", test, np.bool_, t0.shape)
    # No label has no hull: there is nothing to purge around.
    if not test.any():
        return train.copy()
    first, last = t0[test].min(), t1[test].max()
    overlaps = (t0 <= last) & (t1 >= first)
    # last may be NEVER_NS, so last + embargo_ns could overflow; t0 - min(last, t0) is never negative and cannot.
    embargoed = (t0 > last) & (t0 - np.minimum(last, t0) <= embargo_ns)
    kept: BoolArray = train & ~test & ~overlaps & ~embargoed
    return kept


@dataclass(frozen=True, slots=True)
class CombinatorialSplit:
    """One combinatorial split: the folds it tests, and the int64 row numbers of its labels, shape (n,), ascending."""

    groups: tuple[int, ...]
    train: IntArray
    test: IntArray


def combinatorial(t0_ns: IntArray, t1_ns: IntArray, plan: Plan, tested: int = 2) -> tuple[CombinatorialSplit, ...]:
    """Return all ``C(folds, tested)`` splits, in lexicographic order of their tested folds.  [statistics 2.5]

    Adjacent tested folds form one block; each block is purged and embargoed on its own.  Training labels lie inside
    the window.  Every label is tested in ``C(folds, tested) * tested / folds`` splits, one for each path.

    Parameters
    ----------
    t0_ns, t1_ns : IntArray, shape (labels,)
        Emission and resolution of each label in nanoseconds UTC.
    plan : Plan
        Window, folds and embargo; gap and history are not used.
    tested : int
        How many folds each split tests.

    Returns
    -------
    tuple of CombinatorialSplit
        Training sets may lie after their test sets: exploratory studies only.

    Raises
    ------
    DataError
        If ``t0_ns`` or ``t1_ns`` is not int64 of shape (labels,), or a label ends before it begins.

    Examples
    --------
    >>> plan = Plan(t0_ns=0, t1_ns=9, history_ns=0, folds=3, fold_ns=3, gap_ns=0, embargo_ns=0)
    >>> times = np.array([1, 4, 7])
    >>> [(s.groups, s.train.tolist(), s.test.tolist()) for s in combinatorial(times, times, plan)]
    [((0, 1), [2], [0, 1]), ((0, 2), [1], [0, 2]), ((1, 2), [0], [1, 2])]
    """
    t0, t1 = _labels(t0_ns, t1_ns)
    group = np.floor_divide(t0 - plan.t0_ns, plan.fold_ns)
    inside = (t0 >= plan.t0_ns) & (t0 < plan.t1_ns)
    splits = []
    for chosen in combinations(range(plan.folds), tested):
        test = inside & np.isin(group, chosen)
        train = inside & ~test
        for block in blocks(chosen):
            # Block by block: between two blocks labels may train, which one hull around both would purge.
            train = purge(t0, t1, train, inside & np.isin(group, block), plan.embargo_ns)
        splits.append(CombinatorialSplit(chosen, _rows(train), _rows(test)))
    return tuple(splits)


def blocks(groups: tuple[int, ...]) -> tuple[tuple[int, ...], ...]:
    """Return ascending ``groups`` cut into runs of neighbours.

    >>> blocks((0, 1, 4))
    ((0, 1), (4,))
    """
    runs: list[list[int]] = []
    for group in groups:
        if runs and runs[-1][-1] == group - 1:
            runs[-1].append(group)
        else:
            runs.append([group])
    return tuple(tuple(run) for run in runs)


def path_count(groups: int, tested: int) -> int:
    """Return ``phi = C(N, k) k / N``, the number of whole paths through the window.  [statistics 2.5]

    >>> path_count(10, 2)
    9
    """
    return comb(groups, tested) * tested // groups


def paths(splits: tuple[CombinatorialSplit, ...], groups: int) -> tuple[tuple[int, ...], ...]:
    """Return, for each path, the number of the split that tests each group: path p takes the p-th split that does.

    Raises ``ValueError`` if the groups are not tested equally often.
    """
    testing = [[n for n, split in enumerate(splits) if group in split.groups] for group in range(groups)]
    return tuple(zip(*testing, strict=True))


def _labels(t0_ns: IntArray, t1_ns: IntArray) -> tuple[IntArray, IntArray]:
    _require("t0_ns", t0_ns, np.int64, np.shape(t0_ns)[:1])
    _require("t1_ns", t1_ns, np.int64, np.shape(t0_ns)[:1])
    # A label that ends before it begins would pass every comparison of the purge.
    bad = np.flatnonzero(t1_ns < t0_ns)
    if len(bad):
        raise DataError(f"expected t1 >= t0 in every label, was {t1_ns[bad[0]]} < {t0_ns[bad[0]]} in row {bad[0]}")
    return t0_ns, t1_ns


def _require(name: str, value: object, dtype: type, shape: tuple[int, ...]) -> None:
    """Refuse anything but an array of ``dtype`` with one entry a label; a cast would move times silently."""
    if not isinstance(value, np.ndarray) or value.dtype != dtype or value.ndim != 1 or value.shape != shape:
        was = f"{value.dtype} of shape {value.shape}" if isinstance(value, np.ndarray) else type(value).__name__
        raise DataError(f"{name}: expected {np.dtype(dtype)} of shape {shape}, one entry a label, was {was}")


def _rows(mask: BoolArray) -> IntArray:
    return np.flatnonzero(mask).astype(np.int64)
