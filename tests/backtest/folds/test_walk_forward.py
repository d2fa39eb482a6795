"""Folds keep the future out: the vectors, and the invariants of statistics 2.6 on random label sets.

Rules: [R2.1, R2.2].
"""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from backtest.folds.walk_forward import UNRESOLVED_NS, blocks, combinatorial, path_count, paths, purge, walk_forward
from backtest.records import Plan
from engine.errors import DataError

VECTORS = {
    vector["id"]: vector
    for vector in json.loads((Path(__file__).parents[2] / "vectors/stats/purged_cv.json").read_text())["vectors"]
}
PLAN = Plan(t0_ns=0, t1_ns=90, history_ns=-90, folds=10, fold_ns=9, gap_ns=2, embargo_ns=3)

starts = hnp.arrays(np.int64, st.integers(0, 40), elements=st.integers(-100, 100))
quick = settings(deadline=None, max_examples=60)


@st.composite
def labels(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    t0 = draw(starts)
    length = draw(hnp.arrays(np.int64, len(t0), elements=st.integers(0, 30)))
    return t0, t0 + length


def test_ten_folds_of_nine_days_give_the_protocol_s_train_and_test_sets():
    """The protocol's own example: strict inequality at start - gap, test by emission."""
    vector = VECTORS["walkforward-10x9d-a"]["inputs"]
    t0, t1 = np.array(vector["labels_t0_t1_hours"]).T
    plan = Plan(
        t0_ns=vector["start"],
        t1_ns=vector["start"] + vector["folds"] * vector["fold_hours"],
        history_ns=vector["history_start"],
        folds=vector["folds"],
        fold_ns=vector["fold_hours"],
        gap_ns=vector["gap_hours"],
        embargo_ns=vector["gap_hours"],
    )
    found = [{"train": f.train.tolist(), "test": f.test.tolist()} for f in walk_forward(t0, t1, plan)]
    assert found == VECTORS["walkforward-10x9d-a"]["expected"]["folds"]


@pytest.mark.parametrize("name", ["purge-119m", "purge-120m", "embargo-119m-120m"])
def test_purge_and_embargo_agree_with_the_published_suite(name: str):
    """Closed intervals: a label that ends where the test begins is purged."""
    vector = VECTORS[name]["inputs"]
    t0 = np.array(vector["t0_minutes"])
    rows = np.arange(len(t0))
    train, test = np.isin(rows, vector["train"]), np.isin(rows, vector["test"])
    kept = purge(t0, t0 + vector["label_minutes"], train, test, vector["embargo_minutes"])
    assert np.flatnonzero(kept).tolist() == VECTORS[name]["expected"]["train_kept"]


def test_a_purge_by_rows_is_a_label_of_that_many_rows():
    """There the purge counts rows, on both sides; labels of one row say the same in time."""
    vector = VECTORS["skfolio-cpcv-3-2-purge1"]
    t0 = np.arange(12)
    plan = Plan(t0_ns=0, t1_ns=12, history_ns=0, folds=3, fold_ns=4, gap_ns=0, embargo_ns=0)
    splits = combinatorial(t0, t0 + 1, plan)
    ends = [split.train for split in splits]
    assert [rows.tolist() for rows in ends] == vector["expected"]["train"]
    assert path_count(3, 2) == vector["expected"]["n_paths"]


def test_a_gap_of_one_row_is_the_walk_forward_of_skfolio():
    """With labels of no length, test sets of two rows and history of four, row indices agree fold by fold."""
    expected = VECTORS["skfolio-walkforward-rolling"]["expected"]["splits"]
    t0 = np.arange(12)
    for train, test in expected:
        start = test[0]
        plan = Plan(t0_ns=start, t1_ns=start + 2, history_ns=train[0], folds=1, fold_ns=2, gap_ns=1, embargo_ns=0)
        (fold,) = walk_forward(t0, t0, plan)
        assert (fold.train.tolist(), fold.test.tolist()) == (train, test)


@pytest.mark.parametrize("name", ["cpcv-paths-6-2", "cpcv-paths-10-2"])
def test_numbers_of_splits_and_paths_follow_the_formula(name: str):
    """C(N, k) splits and C(N, k) k / N paths."""
    groups, tested = VECTORS[name]["inputs"]["N"], VECTORS[name]["inputs"]["k"]
    t0 = np.arange(groups)
    plan = Plan(t0_ns=0, t1_ns=groups, history_ns=0, folds=groups, fold_ns=1, gap_ns=0, embargo_ns=0)
    splits = combinatorial(t0, t0, plan, tested)
    assert len(splits) == VECTORS[name]["expected"]["splits"]
    assert len(paths(splits, groups)) == path_count(groups, tested) == VECTORS[name]["expected"]["paths"]


SKFOLIO = {
    vector["id"]: vector
    for vector in json.loads((Path(__file__).parents[2] / "vectors/stats/skfolio_splits.json").read_text())["vectors"]
}


@pytest.mark.parametrize("name", SKFOLIO)
def test_every_combinatorial_split_is_skfolio_s(name: str):
    """Train and test rows of all splits, in its order: a purge of p rows is a label of p rows, an embargo is one."""
    given, expected = SKFOLIO[name]["inputs"], SKFOLIO[name]["expected"]
    n, folds = given["n"], given["n_folds"]
    t0 = np.arange(n)
    plan = Plan(0, n, 0, folds, n // folds, 0, given["embargo_size"])

    splits = combinatorial(t0, t0 + given["purged_size"], plan, given["n_test_folds"])

    def rows(runs: list[list[int]]) -> list[int]:
        return [row for first, last in runs for row in range(first, last + 1)]

    assert len(splits) == expected["n_splits"]
    assert [split.train.tolist() for split in splits] == [rows(runs) for runs in expected["train_runs"]]
    assert [split.test.tolist() for split in splits] == [rows(runs) for runs in expected["test_runs"]]
    assert path_count(folds, given["n_test_folds"]) == len(paths(splits, folds)) == expected["n_paths"]


@quick
@given(labels())
def test_train_and_test_are_disjoint_and_every_label_of_the_window_is_tested_once(spans):
    """Invariant 1, walk-forward."""
    t0, t1 = spans
    folds = walk_forward(t0, t1, PLAN)
    for fold in folds:
        assert not set(fold.train) & set(fold.test)
    tested = np.concatenate([fold.test for fold in folds])
    inside = np.flatnonzero((t0 >= PLAN.t0_ns) & (t0 < PLAN.t1_ns))
    assert sorted(tested.tolist()) == inside.tolist()


@quick
@given(labels())
def test_training_ends_more_than_a_gap_before_testing_begins(spans):
    """Invariant 2."""
    t0, t1 = spans
    for fold in walk_forward(t0, t1, PLAN):
        if len(fold.train) and len(fold.test):
            assert t1[fold.train].max() + PLAN.gap_ns < t0[fold.test].min()


@quick
@given(labels())
def test_no_combinatorial_training_label_meets_a_hull_or_its_embargo(spans):
    """Invariants 1 and 3, by a slow loop over every pair of label and block."""
    t0, t1 = spans
    splits = combinatorial(t0, t1, PLAN)
    for split in splits:
        assert not set(split.train) & set(split.test)
        for block in blocks(split.groups):
            members = [row for row in split.test if (t0[row] // PLAN.fold_ns) in block]
            if not members:
                continue
            first, last = min(t0[row] for row in members), max(t1[row] for row in members)
            for row in split.train:
                assert t1[row] < first or t0[row] > last + PLAN.embargo_ns
    inside = np.flatnonzero((t0 >= PLAN.t0_ns) & (t0 < PLAN.t1_ns))
    times = np.bincount(np.concatenate([split.test for split in splits]), minlength=len(t0))
    assert set(times[inside].tolist()) <= {9}


@quick
@given(labels(), st.randoms(use_true_random=False))
def test_shuffling_the_rows_permutes_the_answer(spans, random):
    """Invariant 4."""
    t0, t1 = spans
    order = list(range(len(t0)))
    random.shuffle(order)
    for plain, mixed in zip(walk_forward(t0, t1, PLAN), walk_forward(t0[order], t1[order], PLAN), strict=True):
        assert sorted(order[row] for row in mixed.train) == plain.train.tolist()
        assert sorted(order[row] for row in mixed.test) == plain.test.tolist()


@quick
@given(labels(), st.integers(-(10**15), 10**15))
def test_shifting_all_times_changes_nothing(spans, shift):
    """Invariant 5."""
    t0, t1 = spans
    moved = replace(PLAN, t0_ns=shift, t1_ns=shift + 90, history_ns=shift - 90)
    for plain, late in zip(walk_forward(t0, t1, PLAN), walk_forward(t0 + shift, t1 + shift, moved), strict=True):
        assert plain.train.tolist() == late.train.tolist()
        assert plain.test.tolist() == late.test.tolist()


@quick
@given(labels(), st.integers(0, 20), st.integers(0, 20))
def test_a_wider_gap_embargo_or_label_never_adds_a_training_label(spans, wider, longer):
    """Invariant 6, both splits; g = 0 with labels of no length is the plain split."""
    t0, t1 = spans
    plan = replace(PLAN, gap_ns=PLAN.gap_ns + wider, embargo_ns=PLAN.embargo_ns + wider)
    for split in (walk_forward, combinatorial):
        for plain, strict in zip(split(t0, t1, PLAN), split(t0, t1 + longer, plan), strict=True):
            assert set(strict.train) <= set(plain.train)
    for fold in walk_forward(t0, t0, replace(PLAN, gap_ns=0)):
        assert fold.train.tolist() == np.flatnonzero((t0 >= -90) & (t0 < fold.start_ns)).tolist()


@quick
@given(labels())
def test_training_sets_only_grow(spans):
    """Invariant 7."""
    for early, late in pairwise(walk_forward(*spans, PLAN)):
        assert set(early.train) <= set(late.train)


def test_no_label_at_all_gives_ten_empty_folds():
    """Invariant 10: an empty training set is an answer, not an error."""
    none = np.array([], dtype=np.int64)
    folds = walk_forward(none, none, PLAN)
    assert [len(fold.train) + len(fold.test) for fold in folds] == [0] * 10
    assert folds[9].end_ns == PLAN.t1_ns


def test_what_is_not_resolved_trains_nothing():
    """R2.2: t1 is infinite until the resolution is known; it is tested all the same."""
    folds = walk_forward(np.array([3]), np.array([UNRESOLVED_NS]), PLAN)
    assert folds[0].test.tolist() == [0]
    assert all(len(fold.train) == 0 for fold in folds)
    splits = combinatorial(np.array([3, 80]), np.array([UNRESOLVED_NS, 80]), PLAN)
    assert all(len(split.train) == 0 for split in splits if 0 in split.groups)


def test_a_label_that_ends_before_it_begins_is_refused():
    """The message names the row."""
    with pytest.raises(DataError, match="row 1"):
        walk_forward(np.array([1, 5]), np.array([1, 4]), PLAN)


def test_the_embargo_includes_its_last_instant():
    """A label with max t1 < t0 <= max t1 + e goes: with e = 3 and an end at 10, 13 goes and 14 stays."""
    t0 = np.array([5, 13, 14])
    t1 = np.array([10, 20, 20])
    test = np.array([True, False, False])
    assert purge(t0, t1, ~test, test, 3).tolist() == [False, False, True]


@pytest.mark.parametrize("which", ["train", "test"])
def test_a_mask_of_another_shape_is_refused(which):
    """A mask that numpy would broadcast over the labels is an error with both shapes, not another purge."""
    times = np.arange(3)
    masks = {"train": np.ones(3, dtype=bool), "test": np.zeros(3, dtype=bool), which: np.ones(1, dtype=bool)}

    with pytest.raises(DataError, match=rf"{which}: expected bool of shape \(3,\)"):
        purge(times, times, masks["train"], masks["test"], 0)
