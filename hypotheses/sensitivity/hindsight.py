"""What one bit of hindsight would be worth: the window if each signal were accepted with its own outcome known.

Only the trades with a positive realised net are kept; capital and its charge stay.  No rule can do that.  The row is a
ceiling: a leak of the outcome into the acceptance of signals ends between the two rows, and a result near the second
one is a reason to look for it.  N2 and N3 are not asked, for a moved signal has an outcome of its own.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

import numpy as np
import pandas as pd

from backtest.results.tables import read_table
from engine.records import IntArray
from engine.units import MICRO
from hypotheses import h1, h3
from hypotheses.base import RunData, Sleeve
from hypotheses.exposure import exposure_of
from hypotheses.sensitivity.base import Column, JudgedRun, Part, SensitivityTable

ROWS: Final = ("as accepted", "own outcome known")

COLUMNS: Final = (
    Column("series", "signals", "text"),
    Column("trades", "trades", "count"),
    Column("net", "net before capital, USD", "usd"),
    Column("sharpe", "Sharpe after capital", "ratio"),
    Column("p_n1", "p of N1", "p"),
    Column("h1", "H1 by N1 alone", "text"),
    Column("retained", "constraints retained by H3", "text"),
    Column("h3", "H3", "text"),
)


def build(judged: JudgedRun) -> Part:
    """Return the window as it was judged, and with its losing trades refused; a note where nothing was traded."""
    if not (judged.run.trades["status"] == "traded").any():
        return Part((), ("not computed: no signal of this window was traded.",))
    runs = (judged.run, with_winners_alone(judged))
    rows = tuple(_row(judged, name, run) for name, run in zip(ROWS, runs, strict=True))
    note = "H2 is a statement on modelled EV and knows no outcome: hindsight does not change it."
    return Part((SensitivityTable("The ceiling that a leak of outcomes would reach", COLUMNS, rows),), (note,))


def with_winners_alone(judged: JudgedRun) -> RunData:
    """Return the window without the accruals of trades whose realised net is not positive; they count as refused."""
    run = judged.run
    lost = (run.trades["status"] == "traded") & (run.trades["net_usd_micro"] <= 0)
    gone = set(run.trades.loc[lost, "signal_id"])
    accruals = read_table(judged.folder / "accruals.parquet")
    accruals = accruals[accruals["signal_id"].isin(gone)]
    sleeves = tuple(
        _without(sleeve, _daily(run, accruals[accruals["constraint"] == sleeve.code])) for sleeve in run.sleeves
    )
    trades = run.trades.assign(status=run.trades["status"].mask(lost, "rejected"))
    portfolio = _without(run.portfolio, _daily(run, accruals))
    return replace(run, portfolio=portfolio, sleeves=sleeves, trades=trades, placements=None)


def _daily(run: RunData, accruals: pd.DataFrame) -> IntArray:
    profit = np.zeros(run.n, dtype=np.int64)
    np.add.at(profit, accruals["day"].to_numpy(np.int64) - run.day[0], accruals["usd_micro"].to_numpy(np.int64))
    return profit


def _without(sleeve: Sleeve, profit: IntArray) -> Sleeve:
    return replace(sleeve, profit=sleeve.profit - profit, x=sleeve.x - profit)


def _row(judged: JudgedRun, name: str, run: RunData) -> dict[str, Any]:
    stats = replace(judged.registration.stats, bootstrap_draws=judged.draws)
    exposure = exposure_of(run, judged.registration.params)
    first = h1.evaluate_placed(run, stats, judged.streams, None, exposure)
    third = h3.evaluate(run, stats, judged.streams, exposure)
    return {
        "series": name,
        "trades": int((run.trades["status"] == "traded").sum()),
        "net": int(run.portfolio.profit.sum()) / MICRO,
        "sharpe": None if first.sharpe is None else float(first.sharpe),
        "p_n1": None if first.p_n1 is None else first.p_n1.count / first.p_n1.of,
        "h1": first.answer.value,
        "retained": ", ".join(third.retained) or "none",
        "h3": third.answer.value,
    }
