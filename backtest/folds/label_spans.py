"""Gives each signal of a run its label: the closed span from emission to resolution.  [statistics 2.1]"""

from __future__ import annotations

import numpy as np
import pandas as pd

from backtest.folds.walk_forward import UNRESOLVED_NS
from engine.errors import DataError
from engine.records import IntArray


def label_spans(signals: pd.DataFrame, trades: pd.DataFrame, known_ns: int) -> tuple[IntArray, IntArray]:
    """Return ``(t0, t1)`` of every signal, in the order of ``signals``, as known at ``known_ns``.

    Parameters
    ----------
    signals : frame with ``signal_id`` and ``t_ns``
        One row a signal.
    trades : frame with ``signal_id`` and ``exit_ns``
        At most one row a signal, whatever its status: a rejected signal and a void one are labels too, because their
        path was looked at.
    known_ns : int
        Nanoseconds UTC; a later resolution is not known yet.

    Returns
    -------
    t0, t1 : int64 arrays of shape (signals,)
        Emission and exit in nanoseconds UTC.  ``t1`` is `UNRESOLVED_NS` for a signal without a resolution, or with one
        after ``known_ns`` [statistics R2.2].

    Raises
    ------
    DataError
        If a trade is listed twice or belongs to no signal.

    Examples
    --------
    >>> signals = pd.DataFrame({"signal_id": ["a", "b"], "t_ns": [1, 2]})
    >>> trades = pd.DataFrame({"signal_id": ["b", "a"], "exit_ns": [9, 4]})
    >>> t0, t1 = label_spans(signals, trades, known_ns=5)
    >>> t0.tolist(), t1.tolist() == [4, UNRESOLVED_NS]
    ([1, 2], True)
    """
    exits = trades.set_index("signal_id")["exit_ns"]
    if not exits.index.is_unique:
        raise DataError(f"trades: expected one row a signal, was {exits.index[exits.index.duplicated()][0]} twice")
    unknown = exits.index.difference(pd.Index(signals["signal_id"]))
    if len(unknown):
        raise DataError(f"trades: expected the ids of signals, was {unknown[0]}, which was never emitted")
    t0 = signals["t_ns"].to_numpy(dtype=np.int64)
    t1 = exits.reindex(signals["signal_id"], fill_value=UNRESOLVED_NS).to_numpy(dtype=np.int64)
    return t0, np.where(t1 > known_ns, UNRESOLVED_NS, t1)
