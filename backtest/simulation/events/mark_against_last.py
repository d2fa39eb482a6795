"""E4: one hour in which the last print fell below the mark: who is liquidated under which.  [risk.md 21, 3]

Longs entered at the mark when the window begins.  Three readings of one path: the low of the last prints, the low of
the mark, and a mark that is read at the close of each five-minute bar only (a delayed mark, which a short dip misses).
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd

from backtest.simulation.populations import leverages, long_liquidation_prices, shares
from backtest.simulation.result import OURS, RECOMPUTED, SimulationResult, SimulationTask
from backtest.simulation.scenario import MarkAgainstLast, table_of
from backtest.simulation.source_files import in_order, of_file
from engine.errors import DataError

CANNOT_SAY = (
    "Accounts are synthetic: isolated longs at the mark of the window's begin, leverage uniform in its inverse.",
    "The last prints are bars of an hour: their low has no minute.",
)


def measure(task: SimulationTask) -> SimulationResult:
    """Return lows and liquidated shares.

    Errors as `SourceFiles.table`; raises `DataError` (4) for bars that go back in time or a window without bars.
    """
    given = table_of(task.plan, MarkAgainstLast)
    marks, mark_name = of_file(task.data_root, given.mark_file)
    lasts, last_name = of_file(task.data_root, given.last_file)
    first, end = (_milliseconds(text) for text in (given.first_utc, given.last_utc))
    mark = marks.table(mark_name, ("open_time", "open", "low", "close"))
    in_order(mark["open_time"], mark_name)
    mark = mark[(mark["open_time"] >= first) & (mark["open_time"] < end)]
    last = lasts.table(last_name, ("low",), ("date",))
    opened = [datetime.fromisoformat(text).timestamp() * 1000 for text in last["date"]]
    in_order(pd.Series(opened), last_name)
    last = last[(np.array(opened) >= first) & (np.array(opened) < end)]
    if mark.empty or last.empty:
        raise DataError(
            f"expected bars in {given.first_utc}..{given.last_utc}, was {len(mark)} marks, {len(last)} lasts"
        )
    lows = {"last": last["low"].min(), "mark": mark["low"].min(), "delayed_mark": mark["close"].min()}
    drawn = leverages(task.plan.seed, "venue/e4/leverage", given.accounts, given.most_leverage)
    prices = long_liquidation_prices(float(mark["open"].iloc[0]), drawn, float(given.maintenance))
    sets = {name: prices >= low for name, low in lows.items()}
    figures: dict[str, Any] = {
        "mark_low_usd": round(float(lows["mark"]), 2), "last_low_usd": round(float(lows["last"]), 2),
        "delayed_mark_low_usd": round(float(lows["delayed_mark"]), 2),
        "mark_over_last_bps": round(1e4 * float(lows["mark"] / lows["last"] - 1), 2),
        **{f"liquidated_under_{name}": shares(flags) for name, flags in sets.items()},
        "spared_by_mark": shares(sets["last"] & ~sets["mark"]),
        "missed_by_delay": shares(sets["mark"] & ~sets["delayed_mark"]),
    }  # fmt: skip
    layers = {name: RECOMPUTED if name.endswith(("_usd", "_bps")) else OURS for name in figures}
    rows = pd.DataFrame([{"price": name, "low_usd": lows[name], "liquidated": shares(sets[name])} for name in sets])
    return SimulationResult(figures, {"liquidations": rows}, layers, marks.digests | lasts.digests, CANNOT_SAY)


def _milliseconds(text: str) -> int:
    try:
        moment = datetime.strptime(text, "%Y-%m-%dT%H:%MZ").replace(tzinfo=UTC)
    except ValueError as problem:
        raise DataError(f"expected a UTC minute, was {text!r}: {problem}") from problem
    return int(moment.timestamp()) * 1000
