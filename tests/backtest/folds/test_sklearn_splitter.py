"""The splitter works where scikit-learn takes a `cv`."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn import config_context
from sklearn.dummy import DummyRegressor
from sklearn.model_selection import (
    BaseCrossValidator,
    GridSearchCV,
    check_cv,
    cross_val_predict,
    cross_val_score,
    cross_validate,
)

from backtest.folds.sklearn_splitter import WalkForwardPurged
from backtest.folds.walk_forward import walk_forward
from backtest.records import Plan
from engine.errors import UsageError
from engine.units import NS_PER_DAY as DAY

PLAN = Plan(t0_ns=0, t1_ns=100, history_ns=-100, folds=10, fold_ns=10, gap_ns=2, embargo_ns=2)
T0 = np.arange(-50, 100, 5)
FRAME = pd.DataFrame({"t0_ns": T0, "t1_ns": T0 + 3, "x": np.arange(len(T0), dtype=float)})


def test_cross_val_score_gives_one_score_a_fold():
    """The mean of the training rows predicts each test fold; the errors are those of a hand-made loop."""
    splitter = WalkForwardPurged(PLAN, t0="t0_ns", t1="t1_ns")
    y = FRAME["x"].to_numpy()
    found = cross_val_score(DummyRegressor(), FRAME, y, cv=splitter, scoring="neg_mean_absolute_error")
    by_hand = [-np.abs(y[f.test] - y[f.train].mean()).mean() for f in walk_forward(T0, T0 + 3, PLAN)]
    np.testing.assert_allclose(found, by_hand)
    assert splitter.get_n_splits(FRAME) == splitter.get_n_splits() == 10


def test_times_may_be_given_apart_from_the_features():
    """Arrays and columns give the same splits, so X may be a plain matrix."""
    named = WalkForwardPurged(PLAN, t0="t0_ns", t1="t1_ns").split(FRAME)
    given = WalkForwardPurged(PLAN, t0=T0, t1=T0 + 3).split(FRAME[["x"]].to_numpy())
    for (train_a, test_a), (train_b, test_b) in zip(named, given, strict=True):
        assert train_a.tolist() == train_b.tolist()
        assert test_a.tolist() == test_b.tolist()


def test_a_fold_that_cannot_be_fitted_is_left_out_and_counted_out():
    """Without history the first fold trains on nothing: nine splits, and get_n_splits says nine."""
    late = FRAME[FRAME["t0_ns"] >= 0]
    splitter = WalkForwardPurged(PLAN, t0="t0_ns", t1="t1_ns")
    scores = cross_validate(DummyRegressor(), late, late["x"], cv=splitter)["test_score"]
    assert len(scores) == splitter.get_n_splits(late) == 9


def test_it_keeps_the_library_s_conventions() -> None:
    """A cross-validator by type, told by its parameters, accepted as it is, copied by pickle, routed no metadata."""
    splitter = WalkForwardPurged(PLAN, t0="t0_ns", t1="t1_ns")

    assert check_cv(splitter) is splitter
    assert isinstance(splitter, BaseCrossValidator)
    assert " ".join(repr(splitter).split()) == f"WalkForwardPurged(plan={PLAN!r}, t0='t0_ns', t1='t1_ns')"
    again = pickle.loads(pickle.dumps(splitter))  # our own bytes: joblib copies a cv in this way
    for (train, test), (one, two) in zip(splitter.split(FRAME), again.split(FRAME), strict=True):
        assert train.dtype.kind == test.dtype.kind == "i"
        assert not set(train) & set(test)
        assert (train.tolist(), test.tolist()) == (one.tolist(), two.tolist())
    with config_context(enable_metadata_routing=True):
        assert len(cross_val_score(DummyRegressor(), FRAME, FRAME["x"], cv=splitter)) == 10


def test_a_search_and_a_prediction_behave_as_with_any_time_split() -> None:
    """A grid search fits on every fold; a prediction of all rows is refused, for history is never tested."""
    splitter = WalkForwardPurged(PLAN, t0="t0_ns", t1="t1_ns")
    grid = {"strategy": ["mean", "median"]}
    search = GridSearchCV(DummyRegressor(), grid, cv=splitter, scoring="neg_mean_absolute_error", n_jobs=1)

    search.fit(FRAME, FRAME["x"])

    assert search.n_splits_ == 10
    with pytest.raises(ValueError, match="partitions"):
        cross_val_predict(DummyRegressor(), FRAME, FRAME["x"], cv=splitter)


def test_times_of_another_length_are_refused():
    """One label time a sample, or the split would be of other rows."""
    with pytest.raises(UsageError, match=r"^t0: .*30 for 3"):
        list(WalkForwardPurged(PLAN, t0=T0, t1=T0).split(np.zeros(3)))


DAYS = Plan(t0_ns=19_000 * DAY, t1_ns=19_010 * DAY, history_ns=18_990 * DAY, folds=5, fold_ns=2 * DAY, gap_ns=DAY,
            embargo_ns=0)  # fmt: skip
BEGIN = 18_990 * DAY + np.arange(20) * DAY
END = BEGIN + 3 * DAY // 24


def columns(form: str) -> tuple[object, object]:
    """The same label times in another form, t1 three hours after t0."""
    first, last = (pd.Series(pd.to_datetime(t, unit="ns")) for t in (BEGIN, END))
    match form:
        case "s" | "ms" | "us" | "ns":
            return first.astype(f"datetime64[{form}]"), last.astype(f"datetime64[{form}]")
        case "numpy":
            return first.to_numpy(), last.to_numpy()
        case "python":
            return first.dt.to_pydatetime().tolist(), last.dt.to_pydatetime().tolist()
        case zone:
            return tuple(t.dt.tz_localize("UTC").dt.tz_convert(zone).dt.as_unit("us") for t in (first, last))


@pytest.mark.parametrize("form", ["s", "ms", "us", "ns", "numpy", "python", "UTC", "Asia/Tokyo", "America/New_York"])
def test_datetimes_of_any_resolution_and_zone_give_the_splits_of_their_nanoseconds(form: str) -> None:
    """Pandas 3 stores microseconds by default; read as nanoseconds they lie in 1970 and give no split."""
    t0, t1 = columns(form)
    by_integer = list(WalkForwardPurged(DAYS, BEGIN, END).split(BEGIN))
    found = list(WalkForwardPurged(DAYS, t0, t1).split(BEGIN))
    named = list(WalkForwardPurged(DAYS, "a", "b").split(pd.DataFrame({"a": t0, "b": t1})))

    assert len(by_integer) == 5
    for other in (found, named):
        assert [(a.tolist(), b.tolist()) for a, b in other] == [(a.tolist(), b.tolist()) for a, b in by_integer]


NO_TIMES = {
    "float64": (BEGIN.astype(float), END.astype(float)),
    "str": (["2022-01-08"] * 20, END),
    "NaT in row 4": (pd.Series(pd.to_datetime(BEGIN, unit="ns")).where(np.arange(20) != 4), END),
    "bool": (BEGIN > 0, END),
    "timedelta": (pd.to_timedelta(BEGIN, unit="ns"), END),
    "Int64": (pd.Series([*BEGIN[:19].tolist(), None], dtype="Int64"), END),
    "no fold has both": (BEGIN // 10**6, END // 10**6),
}


@pytest.mark.parametrize("said", NO_TIMES)
def test_what_is_no_time_is_refused(said: str) -> None:
    """Floats, text, gaps, lengths of time, flags, and integers of another unit: by the argument's name."""
    t0, t1 = NO_TIMES[said]
    with pytest.raises(UsageError, match=rf"^t0: expected .*{said}"):
        list(WalkForwardPurged(DAYS, t0, t1).split(BEGIN))
    if said != "no fold has both":
        with pytest.raises(UsageError, match=rf"^t1: expected .*{said}"):
            list(WalkForwardPurged(DAYS, BEGIN, t0).split(BEGIN))
