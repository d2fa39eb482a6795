"""Records that check themselves: a value that contradicts another is refused where the record is made, by field."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest

from backtest.records import Fold, Plan
from engine.errors import DataError
from tests.helpers.small_run import Tiny
from tests.hypotheses.cases import stats

PLAN = Plan(t0_ns=0, t1_ns=90, history_ns=-90, folds=10, fold_ns=9, gap_ns=2, embargo_ns=3)
FOLD = Fold(0, 0, 9, np.array([0, 1], dtype=np.int64), np.array([2], dtype=np.int64))


@pytest.mark.parametrize(
    ("field", "value", "named"),
    [
        ("t1_ns", 89, "t1_ns"),
        ("t1_ns", 0, "t1_ns"),
        ("folds", 0, "folds"),
        ("folds", 9, "t1_ns"),
        ("fold_ns", 0, "fold_ns"),
        ("fold_ns", -9, "fold_ns"),
        ("history_ns", 1, "history_ns"),
        ("gap_ns", -1, "gap_ns"),
        ("embargo_ns", -1, "embargo_ns"),
    ],
)
def test_a_plan_that_contradicts_itself_names_its_field(field: str, value: int, named: str) -> None:
    """Each condition between the fields of a plan, broken alone."""
    with pytest.raises(DataError, match=rf"^Plan\.{named}: expected .*, was {'0' if value == 0 else ''}"):
        replace(PLAN, **{field: value})


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("index", -1),
        ("end_ns", 0),
        ("train", np.array([1, 0], dtype=np.int64)),
        ("train", np.array([0, 0], dtype=np.int64)),
        ("test", np.array([-1, 0], dtype=np.int64)),
        ("test", np.array([0.0, 1.0])),
        ("train", np.zeros((1, 1), dtype=np.int64)),
    ],
)
def test_a_fold_of_another_order_shape_or_dtype_names_its_field(field: str, value: object) -> None:
    """Row numbers are int64, one dimension, strictly ascending, and a fold is not empty in time."""
    with pytest.raises(DataError, match=rf"^Fold\.{field}: expected"):
        replace(FOLD, **{field: value})


def test_a_fold_may_have_no_rows() -> None:
    """An empty training set is a fold whose fitted parts take their defaults, not an error."""
    empty = np.zeros(0, dtype=np.int64)

    assert len(replace(FOLD, train=empty, test=empty).train) == 0


@pytest.mark.parametrize(
    ("field", "value"),
    [("alpha", Decimal("1.01")), ("level", Decimal(-1)), ("n2_extended", 0), ("n3_max_ns", -1), ("n3_step_ns", 0)],
)
def test_registered_numbers_out_of_range_name_their_field(field: str, value: object) -> None:
    """Shares are between 0 and 1, and ranges are not empty."""
    with pytest.raises(DataError, match=rf"^Stats\.{field}: expected"):
        replace(stats(), **{field: value})


@pytest.mark.parametrize(
    ("field", "value"), [("study", ""), ("windows", ()), ("config_hash", "F" * 64), ("mode_allowed", "live")]
)
def test_a_registration_that_contradicts_itself_names_its_field(tiny: Tiny, field: str, value: object) -> None:
    """The first window is the plan, the hash is hex in lower case, the mode is one of two."""
    named = {"windows": "plan"}.get(field, field)
    with pytest.raises(DataError, match=rf"^Registration\.{named}: expected"):
        replace(tiny.registration, **{field: value})
