"""How fast are seven relations judged: quotes a second, against merely reading the arrays they are judged on."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from backtest.curves import empty_history
from benchmarks.market import UNDERLYING, day, demo
from benchmarks.measure import Row, against, machine, table
from engine.constraints.detect import detect
from engine.market import prepare


def rows() -> list[Row]:
    """Return the rows of `detect`, and of `prepare` and `detect` together."""
    registration, dataset = demo()
    params = registration.params
    (panel,) = dataset.panels(UNDERLYING, *day(), funding_average_ns=None)
    view = prepare(panel, params, empty_history(params, UNDERLYING))
    arrays = [panel.bid, panel.ask, panel.bid_size, panel.ask_size, panel.mark, panel.index, panel.age_ns]
    count, size = panel.bid.size, sum(array.nbytes for array in arrays)

    def read() -> None:
        for array in arrays:
            np.max(array)

    return [
        against(
            "detect, a day of BTC", lambda: detect(view, None), "read bid, ask, sizes, mark, index, age", read, count,
            "quotes", yardstick_amount=size, yardstick_unit="bytes", repeat_yardstick=50,
        ),
        against(
            "prepare and detect", lambda: detect(prepare(panel, params, view.curves), None), "the same arrays", read,
            count, "quotes", yardstick_amount=size, yardstick_unit="bytes", repeat_yardstick=50,
        ),
    ]  # fmt: skip


if __name__ == "__main__":
    print(table(rows()))
    print(machine())
