"""Offers the walk-forward split to scikit-learn, wherever it takes ``cv=``.  [statistics 2.1]

splitter = WalkForwardPurged(plan, t0="t0_ns", t1="t1_ns")
cross_val_score(model, X, y, cv=splitter)
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
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
    t0, t1 : str or int64 array of shape (n_samples,)
        Emission and resolution of each sample in nanoseconds: a column of the frame ``X``, or the array itself.

    Raises
    ------
    UsageError
        By ``split``, if there is not one label time a sample.
    DataError
        By ``split``, if a label ends before it begins.

    Notes
    -----
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

    def __init__(self, plan: Plan, t0: str | IntArray, t1: str | IntArray) -> None:
        self.plan = plan
        self.t0 = t0
        self.t1 = t1

    def split(self, X: Any, y: Any = None, groups: Any = None) -> Iterator[tuple[IntArray, IntArray]]:
        """Yield ``(train, test)``, int64 row numbers of shape (n,), fold after fold; ``y`` and ``groups`` are ignored.

        Raises ``UsageError`` if there is not one label time a sample.
        """
        del y, groups
        t0, t1 = self._column(X, self.t0), self._column(X, self.t1)
        for fold in walk_forward(t0, t1, self.plan):
            if len(fold.train) and len(fold.test):
                yield fold.train, fold.test

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """Return how many splits ``split`` yields for ``X``; without ``X`` the folds of the plan."""
        return self.plan.folds if X is None else sum(1 for _ in self.split(X, y, groups))

    def _column(self, X: Any, label: str | IntArray) -> IntArray:
        column = X[label] if isinstance(label, str) else label
        values = np.asarray(column, dtype=np.int64)
        if len(values) != len(X):
            raise UsageError(f"expected one label time a sample, was {len(values)} for {len(X)} samples")
        return values
