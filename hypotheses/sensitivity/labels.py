"""The labels of a run, read back from its tables; `pipeline.window.folds_of` cuts them into folds.  [statistics 2.1]"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from backtest.folds.walk_forward import UNRESOLVED_NS
from backtest.results.tables import read_table
from engine.records import IntArray


def all_labels(folder: Path, window: pd.DataFrame) -> pd.DataFrame:
    """Return history's trades and the window's, with ``t0`` and ``t1`` (int64 ns); unresolved ones never end."""
    history = read_table(folder / "folds" / "history" / "trades.parquet")
    parts = [part for part in (history, window) if len(part)]
    both = pd.concat(parts, ignore_index=True) if parts else window.copy()
    return both.assign(t0=both["t_ns"].astype(np.int64), t1=ends_of(both))


def ends_of(trades: pd.DataFrame) -> IntArray:
    """Return the end of each label, int64 ns, shape ``[trades]``.  [statistics R2.2]

    A trade that only the end of the data closed has no end of its own: its label never ends.
    """
    forced = trades["forced"].to_numpy(dtype=np.bool_) if len(trades) else np.empty(0, dtype=np.bool_)
    return np.asarray(np.where(forced, UNRESOLVED_NS, trades["exit_ns"].to_numpy(dtype=np.int64)))
