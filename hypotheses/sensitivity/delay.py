"""The profit of the signals if they had been filled later, each priced again on the real path.  [S4.4]

A delayed signal keeps its decision, contracts, notional and life; it enters at the first grid time at or after
t + latency + delay, at what is then left of its gap, and is resolved and charged from there at an untouched book.  The
exit waits as much longer from its trigger on.  The first row is the registered latency, priced in the same way: only
the delay differs.  [docs/decisions/0240, docs/decisions/0600]
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd

from backtest.results.metrics import sharpe
from engine.constraints.codes import CODES
from engine.exact.sums import returns
from engine.records import IntArray
from engine.units import MICRO, NS_PER_SECOND
from hypotheses.base import RunData, Sleeve
from hypotheses.sensitivity.base import Column, JudgedRun, Part, SensitivityTable

MINUTE_NS = 60 * NS_PER_SECOND

COLUMNS = (
    Column("delay", "delay, minutes", "count"),
    Column("signals", "signals that earn or lose", "count"),
    Column("net", "net before capital, USD", "usd"),
    Column("kept", "share of the undelayed net", "share"),
    Column("sharpe", "Sharpe of the portfolio, after capital", "ratio"),
    *(Column(code, f"{code}, USD", "usd") for code in CODES),
)


def build(judged: JudgedRun) -> Part:
    """Return one row a delay, the registered latency first."""
    run = judged.run
    if run.placements is None:
        return Part((), ("not computed: the signals of this run were not moved.",))
    here, late = run.placements.placed, run.placements.delayed
    late = late[~late["at_trigger"]]
    delays = [0, *np.unique(late["delay_ns"].to_numpy(np.int64)).tolist()]
    tables = [(ns, late[late["delay_ns"] == ns] if ns else here[here["shift_ns"] == 0]) for ns in delays]
    code = run.trades.set_index("signal_id")["constraint"]
    base = int(tables[0][1]["usd_micro"].sum())
    step_ns = judged.registration.params.grid_ns
    rows = tuple(_row(run, delay, table, code, base) for delay, table in tables)
    notes = ["Fees, impact, funding and borrow are those of the later time; the capital charge is in the ratio alone."]
    if step_ns and any(0 < delay < step_ns for delay, _ in tables):
        notes.append(
            f"The grid has a step of {step_ns // MINUTE_NS} minutes: a shorter delay may fall on the same grid time."
        )
    return Part(
        (SensitivityTable("Net profit by delay of both fills, beyond the registered latency", COLUMNS, rows),),
        tuple(notes),
    )


def _row(run: RunData, delay_ns: int, table: pd.DataFrame, code: pd.Series, base: int) -> dict[str, Any]:
    net, by_code = int(table["usd_micro"].sum()), table.groupby(table["signal_id"].map(code))["usd_micro"].sum()
    x = daily_after_capital(run, run.portfolio, table)
    ratio = sharpe(returns(x, Fraction(run.portfolio.capital_micro))) if len(table) else None
    return {
        "delay": delay_ns // MINUTE_NS,
        "signals": int(table["signal_id"].nunique()),
        "net": net / MICRO,
        # A share of a loss has no meaning.
        "kept": net / base if base > 0 else None,
        "sharpe": None if ratio is None else float(ratio),
        **{sleeve: int(by_code.get(sleeve, 0)) / MICRO for sleeve in CODES},
    }


def daily_after_capital(run: RunData, sleeve: Sleeve, table: pd.DataFrame) -> IntArray:
    """Return the profits ``table`` (day, usd_micro) of each day less the capital charge of ``sleeve``, micro-USD."""
    # What is left is the capital charge: the profits of the table are added to it.
    x = sleeve.x - sleeve.profit
    np.add.at(x, table["day"].to_numpy(np.int64) - run.day[0], table["usd_micro"].to_numpy(np.int64))
    return x
