"""A run directory read as the hypotheses need it.  [S8.6, house "A run directory"]"""

from __future__ import annotations

import json
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from backtest.records import Plan, Registration
from engine.errors import DataError, MissingError
from engine.params import Params
from engine.records import IntArray
from engine.units import MICRO, NS_PER_DAY
from hypotheses.base import CODES, RunData, Sleeve, sleeve_capital


def load(run: Path, registration: Registration, plan: Plan | None = None) -> RunData:
    """Return one test window of a finished run: the registration's first unless ``plan`` names another.

    Raises ``MissingError`` for a file that is not there and ``DataError`` for days that are not the window's, or
    sleeves that do not add up to the portfolio.
    """
    window = plan or registration.plan
    first, last = window.t0_ns // NS_PER_DAY, window.t1_ns // NS_PER_DAY
    returns = _parquet(run / "returns.parquet")
    returns = returns[(returns["day"] >= first) & (returns["day"] < last)].sort_values("day", kind="stable")
    day = _integers(returns, "day")
    if not np.array_equal(day, np.arange(first, last)):
        raise DataError(
            f"{run / 'returns.parquet'}: expected one row for each of the days {first} to {last - 1}, was {len(day)} "
            "rows: run the folds that are missing"
        )
    portfolio, sleeves = _sleeves(run, returns, registration.params)
    return RunData(
        day=day,
        has_data=returns["has_data"].to_numpy(dtype=np.bool_),
        block=(day * NS_PER_DAY - window.t0_ns) // window.fold_ns,
        portfolio=portfolio,
        sleeves=sleeves,
        signals=_table(run, "signals.parquet", window),
        trades=_table(run, "trades.parquet", window),
        missing={code: row["missing"] for code, row in read_json(run / "funnel.json").items() if row.get("missing")},
    )


def read_json(path: Path) -> Any:
    """Return the content of a JSON file; raise ``MissingError`` where it cannot be read."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as problem:
        raise MissingError(f"expected a JSON file at {path}, was: {problem}") from problem


def _sleeves(run: Path, returns: pd.DataFrame, params: Params) -> tuple[Sleeve, tuple[Sleeve, ...]]:
    """Return the portfolio and its seven sleeves, checked to add up day by day.  [statistics 8.1]"""
    portfolio = Sleeve("", _integers(returns, "x"), _integers(returns, "pnl"), Fraction(params.capital_usd * MICRO))
    shares: Mapping[str, int] = params.sleeve_shares
    sleeves = tuple(
        Sleeve(
            code,
            _integers(returns, f"x_{code}"),
            _integers(returns, f"pnl_{code}"),
            sleeve_capital(params.capital_usd, shares, code),
        )
        for code in CODES
    )
    for name in ("x", "profit"):
        parts = sum(getattr(sleeve, name) for sleeve in sleeves)
        if not np.array_equal(parts, getattr(portfolio, name)):
            raise DataError(
                f"{run / 'returns.parquet'}: expected the seven sleeves to add up to the portfolio's {name}"
            )
    return portfolio, sleeves


def _table(run: Path, name: str, window: Plan) -> pd.DataFrame:
    """Return the rows of all test folds whose decision lies in the window, in the order (t0, id)."""
    files = sorted((run / "folds").glob(f"[0-9]*/{name}"))
    if not files:
        raise MissingError(f"expected {name} in the folds of {run}, was none: finish the run first")
    frame = pd.concat([_parquet(file) for file in files], ignore_index=True)
    inside = (frame["t_ns"] >= window.t0_ns) & (frame["t_ns"] < window.t1_ns)
    return frame[inside].sort_values(["t_ns", "signal_id"], kind="stable").reset_index(drop=True)


def _parquet(path: Path) -> pd.DataFrame:
    try:
        return pd.read_parquet(path)
    except OSError as problem:
        raise MissingError(f"expected a table at {path}, was: {problem}") from problem


def _integers(frame: pd.DataFrame, column: str) -> IntArray:
    return frame[column].to_numpy(dtype=np.int64)
