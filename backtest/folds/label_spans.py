"""Labels of the signals of a run: the closed span from emission to resolution.  [statistics 2.1]"""

from __future__ import annotations

import numpy as np
import pandas as pd

from backtest.folds.walk_forward import UNRESOLVED_NS
from engine.errors import DataError
from engine.records import IntArray


def label_spans(signals: pd.DataFrame, trades: pd.DataFrame, known_ns: int) -> tuple[IntArray, IntArray]:
    """Return ``(t0, t1)`` of every signal, in the order of ``signals``, as they stood at ``known_ns``.

    ``t0`` is the emission ``t_ns`` and ``t1`` the exit ``exit_ns`` of its trade, whatever its status: a rejected signal
    and a void one are labels too, because their path was looked at.  A resolution after ``known_ns``, or none at all,
    is `UNRESOLVED_NS` [statistics R2.2].  Raises ``DataError`` where a trade is listed twice or belongs to no signal.
    """
    exits = trades.set_index("signal_id")["exit_ns"]
    if not exits.index.is_unique:
        raise DataError(f"trades: expected one row a signal, was {exits.index[exits.index.duplicated()][0]} twice")
    strangers = exits.index.difference(pd.Index(signals["signal_id"]))
    if len(strangers):
        raise DataError(f"trades: expected the ids of signals, was {strangers[0]}, which was never emitted")
    t0 = signals["t_ns"].to_numpy(dtype=np.int64)
    t1 = exits.reindex(signals["signal_id"], fill_value=UNRESOLVED_NS).to_numpy(dtype=np.int64)
    return t0, np.where(t1 > known_ns, UNRESOLVED_NS, t1)
