"""What 9,999 studentised draws of a Sharpe ratio cost, against arch's percentile and studentised at equal draws."""

from __future__ import annotations

import sys
from dataclasses import replace
from decimal import Decimal
from functools import partial
from pathlib import Path

import numpy as np
from arch.bootstrap import StationaryBootstrap

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from backtest.seeds import streams
from benchmarks.market import ROOT
from benchmarks.measure import Row, against, machine, table
from hypotheses.statistics.inference import infer_sharpe
from hypotheses.statistics.intervals import symmetric

DAYS, DRAWS, BLOCK = 90, 9999, 4
FEW = 20
"""Draws of arch's own studentised interval, which bootstraps each draw a thousand times: measured and scaled."""


def rows() -> list[Row]:
    """Return one row a method of arch; the same series, draws and mean block length."""
    series = np.random.Generator(np.random.PCG64(1)).normal(0.001, 0.01, DAYS)
    units = np.rint(series * 1e9).astype(np.int64)
    bits = partial(streams.load(ROOT / "seeds.lock").generator, "h1/bootstrap")

    def ours() -> object:
        return symmetric(infer_sharpe(units, DRAWS, bits, Decimal("0.01")), Decimal("0.95"))

    def sharpe(x: np.ndarray) -> np.ndarray:
        return np.array([x.mean() / x.std(ddof=1)])

    def error(parameters: np.ndarray, x: np.ndarray) -> np.ndarray:
        z = (x - x.mean()) / x.std(ddof=1)
        influence = z - parameters[0] / 2 * (z * z - 1)
        return np.array([influence.std() / np.sqrt(len(x))])

    def percentile() -> object:
        return StationaryBootstrap(BLOCK, series, seed=1).conf_int(sharpe, DRAWS, method="percentile")

    def studentised() -> object:
        return StationaryBootstrap(BLOCK, series, seed=1).conf_int(
            sharpe, DRAWS, method="studentized", std_err_func=error
        )

    def nested() -> object:
        return StationaryBootstrap(BLOCK, series, seed=1).conf_int(sharpe, FEW, method="studentized")

    name = f"studentised interval, {DAYS} days"
    slow = against(name, ours, f"arch, studentised ({FEW} draws, scaled)", nested, DRAWS, "draws", turns=3,
                   yardstick_amount=FEW, aim="0.01 at most")  # fmt: skip
    share = FEW / DRAWS
    return [
        against(name, ours, "arch, percentile", percentile, DRAWS, "draws", turns=5, aim="2 at most"),
        replace(slow, ratio=slow.ratio * share, low=slow.low * share, high=slow.high * share),
        against(name, ours, "arch, studentised by our formula", studentised, DRAWS, "draws", turns=5),
    ]


if __name__ == "__main__":
    print(table(rows()))
    print(machine())
