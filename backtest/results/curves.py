"""The daily curves of a run as a table: `curves.parquet`, what the score of C5 is read from.  [R9.1, S8.6]

One row a (underlying, day, tenor): ``annual_rate`` of the curve at 00:00 UTC, over history and window, complete curves
only.  Twenty kilobytes hold what no later reader could get without the market.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa

from backtest.results.tables import read_table
from engine.params import Params
from engine.records import CurveHistory

NAME: Final = "curves.parquet"
SCHEMA: Final = pa.schema(
    [("underlying", pa.string()), ("day", pa.int32()), ("tenor_d", pa.float64()), ("annual_rate", pa.float64())]
)


def curves_table(curves: Mapping[str, CurveHistory], params: Params) -> pa.Table:
    """Return the table of the curves of each underlying, by (underlying as registered, day, tenor)."""
    rows = [
        {"underlying": name, "day": day, "tenor_d": tenor, "annual_rate": rate}
        for name, history in curves.items()
        if (registered := params.underlyings[name].curve) is not None
        for day, curve in zip(history.day.tolist(), history.curve.tolist(), strict=True)
        for tenor, rate in zip(registered.tenor_days, curve, strict=True)
    ]
    return pa.Table.from_pylist(rows, schema=SCHEMA)


def read_curves(folder: Path) -> dict[str, CurveHistory] | None:
    """Return the curves of a run directory, equal to the last bit; None where it keeps none."""
    if not (folder / NAME).exists():
        return None
    histories = {}
    for name, rows in read_table(folder / NAME).groupby("underlying", sort=False):
        wide = rows.pivot(index="day", columns="tenor_d", values="annual_rate")
        histories[str(name)] = CurveHistory(wide.index.to_numpy(np.int64), wide.to_numpy(np.float64))
    return histories
