"""A judged window small enough to count by hand: trades, the tables that hold them, and what was judged."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd

from backtest.folds.walk_forward import UNRESOLVED_NS, walk_forward
from backtest.records import Plan
from engine.constraints.codes import CODES
from engine.units import MICRO, NS_PER_DAY
from hypotheses.sensitivity.base import JudgedRun
from tests.helpers import builders
from tests.hypotheses import cases

T0 = cases.DAY0 * NS_PER_DAY
PLAN = Plan(T0, T0 + 90 * NS_PER_DAY, T0 - 90 * NS_PER_DAY, 10, 9 * NS_PER_DAY, NS_PER_DAY, NS_PER_DAY)
TERMS = ("gross", "fees", "slippage", "funding", "borrow", "net", "modelled")


def trade(ident: str, code: str, day: float, net_usd: float, *, days: float = 0.5, **changed: Any) -> dict[str, Any]:
    """Return one row of trades.parquet, begun ``day`` days after the window's start and resolved ``days`` later.

    Its gross is the net plus 30 USD of fees and 10 of slippage; 120 USD were modelled.
    """
    t_ns = T0 + int(day * NS_PER_DAY)
    row = {
        "signal_id": ident,
        "fold": int(day // 9),
        "constraint": code,
        "underlying": "BTC",
        "venue": "binance",
        "expiry_ns": None,
        "status": "traded",
        "t_ns": t_ns,
        "entry_ns": t_ns,
        "exit_ns": t_ns + int(days * NS_PER_DAY),
        "exit_reason": "horizon",
        "trigger": "",
        "trigger_ns": None,
        "wait_s": None,
        "forced": False,
        "notional_usd": 25_000.0,
    }
    money = dict.fromkeys(TERMS, 0.0) | {
        "gross": net_usd + 40, "fees": 30.0, "slippage": 10.0, "net": net_usd, "modelled": 120.0
    }  # fmt: skip
    return {**row, **{f"{term}_usd_micro": round(usd * MICRO) for term, usd in money.items()}, **changed}


def busy(seed: int = 3, *, start: int = -90, mean: dict[str, float] | None = None) -> list[dict[str, Any]]:
    """Return one trade a day of each constraint from ``start`` on, its net normal around the constraint's mean."""
    rng = np.random.default_rng(seed)
    means = dict.fromkeys(CODES, 100.0) | (mean or {})
    return [
        trade(f"{code}/{day}", code, day + 0.25, float(rng.normal(means[code], 60)))
        for day in range(start, 90)
        for code in CODES
    ]


def judged(folder: Path, trades: list[dict[str, Any]], *, lacking: tuple[int, ...] = (), **changed: Any) -> JudgedRun:
    """Write the tables of a run that made ``trades`` (history: begun before the window) and return it as judged."""
    frame = pd.DataFrame(trades)
    inside = frame["t_ns"] >= T0
    history, window = frame[~inside], frame[inside].sort_values(["t_ns", "signal_id"]).reset_index(drop=True)
    accruals = pd.DataFrame(
        {
            "signal_id": window["signal_id"],
            "constraint": window["constraint"],
            "day": np.minimum(window["exit_ns"] // NS_PER_DAY, cases.DAY0 + 89).astype(np.int32),
            "usd_micro": window["net_usd_micro"],
        }
    )
    profit = np.zeros((90, 7))
    for code, day, micro in zip(accruals["constraint"], accruals["day"], accruals["usd_micro"], strict=True):
        profit[day - cases.DAY0, CODES.index(code)] += micro / MICRO
    signals = [
        cases.signal(
            row["t_ns"],
            row["signal_id"],
            [cases.leg(f"{row['signal_id']}/ask", instrument=f"X:{row['signal_id']}")],
            constraint=row["constraint"],
        )
        for row in window.to_dict("records")
    ]
    has_data = ~np.isin(np.arange(90), lacking)
    run = cases.run(profit, signals=signals, has_data=has_data)
    (folder / "folds" / "history").mkdir(parents=True, exist_ok=True)
    history.to_parquet(folder / "folds" / "history" / "trades.parquet")
    accruals.to_parquet(folder / "accruals.parquet")
    pd.DataFrame({"day": run.day, "stale_leg_days": 0}).to_parquet(folder / "returns.parquet")
    (folder / "folds.json").write_text(json.dumps({"folds": told(frame)}))
    verdicts = SimpleNamespace(h1=SimpleNamespace(p_n2=None), h2=SimpleNamespace(daily_micro=tuple([50 * MICRO] * 90)))
    registration = SimpleNamespace(
        stats=cases.stats(), params=builders.params(), plan=PLAN, windows=(PLAN,), content={"statistics": {}}
    )
    found = JudgedRun(
        folder=folder,
        run=replace(run, trades=window),
        registration=registration,  # type: ignore[arg-type]
        plan=PLAN,
        streams=cases.streams,
        verdicts=verdicts,  # type: ignore[arg-type]
        draws=199,
    )
    return replace(found, **changed)


def told(trades: pd.DataFrame) -> list[dict[str, Any]]:
    """Return folds.json's counts, from the split itself."""
    ends = np.where(trades["forced"], UNRESOLVED_NS, trades["exit_ns"])
    folds = walk_forward(trades["t_ns"].to_numpy(), ends, PLAN)
    return [{"fold": fold.index, "train": len(fold.train), "test": len(fold.test), "curve": {}} for fold in folds]
