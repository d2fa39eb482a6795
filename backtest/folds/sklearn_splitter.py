"""Offers the walk-forward split to scikit-learn, wherever it takes ``cv=``.  [statistics 2.1]

splitter = WalkForwardPurged(plan, t0="t0_ns", t1="t1_ns")
cross_val_score(model, X, y, cv=splitter)
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from sklearn.model_selection import BaseCrossValidator

from backtest.folds.walk_forward import walk_forward
from backtest.records import Plan
from engine.errors import UsageError
from engine.records import IntArray


class WalkForwardPurged(BaseCrossValidator):  # type: ignore[misc]  # the library has no types
    """Walk-forward folds with purge and gap, for anything that takes ``cv=``.  [statistics 2.1]

    Parameters
    ----------
    plan : Plan
        Window, folds, gap and start of history.
    t0, t1 : str or array of shape (n_samples,)
        Emission and resolution of each sample: a column of the frame ``X``, or the array itself.  Integers are
        nanoseconds since 1970 UTC; datetimes of any resolution and zone are converted, those without a zone are UTC.

    Raises
    ------
    UsageError
        By ``split``, if there is not one label time a sample, if ``t0`` or ``t1`` holds something that is no time
        (floats, text, NaT), or if no fold has both a training and a test sample.
    DataError
        By ``split``, if a label ends before it begins.

    Notes
    -----
    pandas 3 stores datetimes in microseconds by default and pandas 2 in nanoseconds: the unit is read off the dtype.
    Folds that have no training or no test sample are left out, because an estimator cannot be fitted on nothing;
    ``get_n_splits(X)`` counts those that remain, and without ``X`` the folds of the plan.  The train set of a fold is
    strictly before its test set, so a random shuffle of the rows changes no score.

    Examples
    --------
    >>> import numpy as np
    >>> from backtest.records import Plan
    >>> plan = Plan(t0_ns=0, t1_ns=20, history_ns=-10, folds=2, fold_ns=10, gap_ns=1, embargo_ns=0)
    >>> times = np.arange(-5, 20, 5)
    >>> splitter = WalkForwardPurged(plan, t0=times, t1=times)
    >>> [(train.tolist(), test.tolist()) for train, test in splitter.split(times)]
    [([0], [1, 2]), ([0, 1, 2], [3, 4])]
    """

    def __init__(self, plan: Plan, t0: str | ArrayLike, t1: str | ArrayLike) -> None:
        self.plan = plan
        self.t0 = t0
        self.t1 = t1

    def split(self, X: Any, y: Any = None, groups: Any = None) -> Iterator[tuple[IntArray, IntArray]]:
        """Yield ``(train, test)``, int64 row numbers of shape (n,), fold after fold; ``y`` and ``groups`` are ignored.

        Raises ``UsageError`` if there is not one label time a sample, or no fold that can be fitted and tested.
        """
        del y, groups
        t0, t1 = _column("t0", X, self.t0), _column("t1", X, self.t1)
        folds = [fold for fold in walk_forward(t0, t1, self.plan) if len(fold.train) and len(fold.test)]
        # without this an estimator is scored on nothing, and times of another unit look like a study without samples
        if not folds:
            raise UsageError(
                f"t0: expected samples before and inside the window {_span(self.plan.t0_ns, self.plan.t1_ns)}, was "
                f"{len(t0)} samples{f' {_span(int(t0.min()), int(t0.max()))}' if len(t0) else ''}: no fold has both a "
                "training and a test sample; integers are read as nanoseconds since 1970 UTC"
            )
        for fold in folds:
            yield fold.train, fold.test

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """Return how many splits ``split`` yields for ``X``; without ``X`` the folds of the plan."""
        return self.plan.folds if X is None else sum(1 for _ in self.split(X, y, groups))


def _column(name: str, X: Any, label: str | ArrayLike) -> IntArray:
    """Return the label times of ``X`` in nanoseconds since 1970 UTC, int64 of shape (n,)."""
    values = _time_ns(name, X[label] if isinstance(label, str) else label)
    if len(values) != len(X):
        raise UsageError(f"{name}: expected one label time a sample, was {len(values)} for {len(X)} samples")
    return values


def _time_ns(name: str, column: Any) -> IntArray:
    """Return integers as they are and datetimes as nanoseconds since 1970 UTC; refuse everything else."""
    times: pd.Index[Any] = pd.Index(column)
    # a column of Python datetimes or of Timestamps with a zone has dtype object
    if times.dtype == object and len(times) and all(isinstance(value, datetime | np.datetime64) for value in times):
        times = pd.DatetimeIndex(pd.to_datetime(times, utc=True))
    if isinstance(times, pd.DatetimeIndex):
        if times.hasnans:
            row = int(np.flatnonzero(times.isna())[0])
            raise UsageError(
                f"{name}: expected a time for each sample, was NaT in row {row}; a label that is not resolved yet has "
                "the integer `UNRESOLVED_NS` of backtest.folds.walk_forward"
            )
        utc = times if times.tz is None else times.tz_convert("UTC").tz_localize(None)
        try:
            return np.asarray(utc.as_unit("ns"), dtype="datetime64[ns]").astype(np.int64)
        except pd.errors.OutOfBoundsDatetime as problem:
            raise UsageError(
                f"{name}: expected times from 1678 to 2262, was {times.min()} to {times.max()}"
            ) from problem
    if times.dtype.kind == "i" and isinstance(times.dtype, np.dtype):
        return np.asarray(times, dtype=np.int64)
    raise UsageError(
        f"{name}: expected datetimes, or integers in nanoseconds since 1970 UTC, was {times.dtype}"
        f"{f', for example {times[0]!s:.60}' if len(times) else ''}; convert with pandas.to_datetime(column, utc=True)"
    )


def _span(first_ns: int, last_ns: int) -> str:
    """Return two times as text in UTC."""
    first, last = (np.datetime64(t_ns, "ns").astype("datetime64[s]") for t_ns in (first_ns, last_ns))
    return f"from {first} to {last} UTC"
