"""A run directory read as the hypotheses need it.  [S8.6, house "A run directory"]"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from backtest.pipeline.placements import read_placements
from backtest.pipeline.touch_depths import read_touch
from backtest.records import Plan, Registration
from backtest.results.returns import days_of, sleeve_capital
from backtest.results.tables import read_table
from backtest.tracking.trials import trials_of
from engine.constraints.codes import CODES
from engine.errors import DataError, MissingError
from engine.params import Params
from engine.records import IntArray
from engine.units import MICRO, NS_PER_DAY
from hypotheses.base import RunData, Sleeve


def load(run: Path, registration: Registration, plan: Plan | None = None) -> RunData:
    """Return the test window of a finished run: ``plan``, or the one its manifest names.

    Raises ``MissingError`` for a file that is not there and ``DataError`` for days that are not the window's, or
    sleeves that do not add up to the portfolio.
    """
    window = plan or window_of(run, registration)
    expected = days_of(window)
    returns = read_table(run / "returns.parquet").sort_values("day", kind="stable")
    day = _integers(returns, "day")
    # every series below is cut by position: a missing day would shift all days after it
    if not np.array_equal(day, expected):
        raise DataError(
            f"{run / 'returns.parquet'}: expected one row for each of the days {expected[0]} to {expected[-1]}, was "
            f"{len(day)} rows: run the window again"
        )
    portfolio, sleeves = _sleeves(run, returns, registration.params)
    funnel = read_json(run / "funnel.json")
    return RunData(
        day=day,
        has_data=returns["has_data"].to_numpy(dtype=np.bool_),
        block=(day * NS_PER_DAY - window.t0_ns) // window.fold_ns,
        portfolio=portfolio,
        sleeves=sleeves,
        signals=_table(run, "signals.parquet", window),
        trades=_table(run, "trades.parquet", window),
        missing={code: row["missing"] for code, row in funnel.items() if row.get("missing")},
        untradable={code: row["untradable"] for code, row in funnel.items() if "untradable" in row},
        touch=read_touch(run),
        placements=read_placements(run),
        trials=trials_of(run),
    )


def window_of(run: Path, registration: Registration) -> Plan:
    """Return the registered window whose first day the run's manifest names.

    Raises ``DataError`` if no registered window begins on that day.
    """
    start = read_json(run / "manifest.json")["window"]["start"]
    for plan in registration.windows:
        if str(np.datetime64(plan.t0_ns, "ns").astype("datetime64[D]")) == start:
            return plan
    raise DataError(
        f"{run / 'manifest.json'}: expected the start of one of the {len(registration.windows)} registered windows, "
        f"was {start}: the run belongs to another registration"
    )


def read_json(path: Path) -> Any:
    """Return the content of a JSON file; raise ``MissingError`` where it cannot be read."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as problem:
        raise MissingError(f"expected a JSON file at {path}, was: {problem}") from problem


def _sleeves(run: Path, returns: pd.DataFrame, params: Params) -> tuple[Sleeve, tuple[Sleeve, ...]]:
    """Return the portfolio and its seven sleeves, checked to add up day by day.  [statistics 8.1]"""
    portfolio = Sleeve("", _integers(returns, "x"), _integers(returns, "pnl"), params.capital_usd * MICRO)
    capital = sleeve_capital(params)
    sleeves = tuple(
        Sleeve(code, _integers(returns, f"x_{code}"), _integers(returns, f"pnl_{code}"), capital[code])
        for code in CODES
    )
    # In integers, so that the sum of the sleeves must be the portfolio to the micro-USD.  [statistics 8.1]
    for name in ("x", "profit"):
        parts = sum(getattr(sleeve, name) for sleeve in sleeves)
        if not np.array_equal(parts, getattr(portfolio, name)):
            raise DataError(f"{run / 'returns.parquet'}: expected the sleeves to add up to the portfolio's {name}")
    return portfolio, sleeves


def _table(run: Path, name: str, window: Plan) -> pd.DataFrame:
    """Return the rows of all test folds whose decision lies in the window, in the order (t0, id)."""
    files = sorted((run / "folds").glob(f"[0-9]*/{name}"))
    if not files:
        raise MissingError(f"expected {name} in the folds of {run}, was none: finish the run first")
    frame = pd.concat([read_table(file) for file in files], ignore_index=True)
    # Half-open: the first instant after the window belongs to the next.
    inside = (frame["t_ns"] >= window.t0_ns) & (frame["t_ns"] < window.t1_ns)
    # The order in which signals compete, whatever order the folds wrote.  [R1.3]
    return frame[inside].sort_values(["t_ns", "signal_id"], kind="stable").reset_index(drop=True)


def _integers(frame: pd.DataFrame, column: str) -> IntArray:
    return frame[column].to_numpy(dtype=np.int64)
