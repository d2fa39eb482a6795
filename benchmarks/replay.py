"""What a day of replay costs, from file to signals, against decoding the Parquet columns it reads."""

from __future__ import annotations

import sys
from pathlib import Path

from backtest.data.panels import reader

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from backtest.data.panels.rows import load_day
from backtest.folds.curve_study import empty_history
from benchmarks.market import UNDERLYING, day, demo
from benchmarks.measure import Row, against, machine, table
from engine.ledger.identify import identify_by_provenance
from engine.replay import replay, start
from engine.units import NS_PER_DAY


def rows() -> list[Row]:
    """Return the row of one underlying's day; the day before is read by both, for its last quotes are carried in."""
    registration, dataset = demo()
    params = registration.params
    before = start(empty_history(params, UNDERLYING))
    identify = identify_by_provenance(dataset.instruments, params, registration.config_hash)
    number = day()[0] // NS_PER_DAY
    files = [number - 1, number]
    count = sum(
        len(rows) for one in files for part in load_day(dataset, UNDERLYING, one, None) for rows in part.values()
    )

    def ours() -> None:
        panels = reader.panels(dataset, UNDERLYING, *day(), funding_average_ns=None)
        replay(panels, params, before, lambda _: None, lambda _: 0, identify, lambda _: None, end_ns=day()[1])

    def decode() -> None:
        for one in files:
            load_day(dataset, UNDERLYING, one, None)

    return [against("replay, a day of BTC", ours, "decode its Parquet columns", decode, count, "rows")]


if __name__ == "__main__":
    print(table(rows()))
    print(machine())
