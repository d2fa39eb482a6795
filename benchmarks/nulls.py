"""What N2 with 9,999 draws and N3 with 247 shifts cost, against the placements of all signals that exist: 9 + 247 each.

The demonstration's window is run once; both sides read its market again.  [statistics 3.3]
"""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from backtest.pipeline import placements
from backtest.pipeline.placements import n2_shifts, n3_shifts, place_window
from backtest.pipeline.window import run_window
from backtest.results.returns import daily_charge, days_of
from backtest.results.tables import frame, trades_table
from backtest.seeds import streams
from benchmarks.market import ROOT, demo
from benchmarks.measure import Row, against, machine, table
from engine.records import IntArray
from engine.repricing.base import SourceSignals
from engine.units import MICRO
from hypotheses.base import RunData, Sleeve
from hypotheses.permutation_nulls import n2, n3, placed_signals


def rows() -> list[Row]:
    """Return the row of both nulls, draws and shifts included, beside the bare placements."""
    registration, dataset = demo()
    plan, stats = registration.plan, registration.stats
    run = run_window(dataset, registration, plan, workers=1, report=None)
    bits = partial(streams.load(ROOT / "seeds.lock").generator, "h1/n2")
    day = days_of(plan)
    charge = np.asarray(sum(daily_charge(registration.params).values()))
    none = np.zeros(len(day), dtype=np.int64)
    trades = frame(trades_table(run.trades))
    whole = Sleeve("", none, none, registration.params.capital_usd * MICRO)

    def nulls() -> object:
        found = place_window(dataset, run, 1, None)
        block = (day - day[0]) * plan.folds // len(day)
        data = RunData(day, none == 0, block, whole, (), pd.DataFrame(), trades, {}, found)
        moves = placed_signals(data, stats)
        assert moves is not None
        return n2(moves, charge, block, stats, bits), n3(moves, charge, stats)

    def every(movables: SourceSignals, *_: object) -> tuple[IntArray, IntArray, IntArray]:
        """Return 9 + 247 placements of each signal, those that coincide counted twice, none delayed."""
        each = [np.concatenate([n2_shifts(t, plan), n3_shifts(stats, plan)]) for t in movables.t_ns.tolist()]
        signal = np.repeat(np.arange(len(movables)), [len(shifts) for shifts in each])
        return signal, np.concatenate([np.zeros(0, dtype=np.int64), *each]), np.zeros(len(signal), dtype=np.int64)

    def bare() -> object:
        with patch.object(placements, "_moves", every):
            return place_window(dataset, run, 1, None)

    count = len(placements.admitted_signals(run))
    return [
        against(f"N2, N3 of {count} signals", nulls, "their 9 + 247 placements", bare, 256 * count, "placements",
                turns=3, aim="1.5 at most"),
    ]  # fmt: skip


if __name__ == "__main__":
    print(table(rows()))
    print(machine())
