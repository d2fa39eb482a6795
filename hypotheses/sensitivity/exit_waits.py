"""How long fills wait for the grid, and the profit if exits were filled at the very prices that trigger them.  [S4.5]

The wait at entry is from the decision to the fill, at exit from the trigger to the end of the position, whatever ended
it.  Where a grid is coarse, the latency that is registered is not the one that is tested: above a tenth of the longest
life the window says more of the grid than of the exits.  `at trigger` moves the exit alone; noise that met the rule is
then booked as profit, so the figure shows by how much the result rests on it.  [docs/decisions/0600]
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any, Final

import pandas as pd

from backtest.results.metrics import sharpe
from engine.exact.sums import returns
from engine.units import MICRO, NS_PER_HOUR, NS_PER_SECOND
from hypotheses.base import RunData, Sleeve
from hypotheses.sensitivity.base import Column, JudgedRun, Part, SensitivityTable
from hypotheses.sensitivity.delay import daily_after_capital
from hypotheses.sensitivity.extra_costs import traded_by_code

LIMIT: Final = 10
"""A median wait above one part in so many of the longest life is the grid's."""
MINUTE_S: Final = 60

COLUMNS = (
    Column("series", "series", "text"),
    Column("trades", "trades", "count"),
    Column("entry_wait", "median wait at entry, minutes", "ratio"),
    Column("triggered", "exits triggered", "count"),
    Column("filled", "of them filled before horizon and expiry", "count"),
    Column("exit_wait", "median wait at exit, minutes", "ratio"),
    Column("life", "longest life, hours", "hours"),
    Column("limited", "exits are limited by the grid", "flag"),
    Column("net", "net before capital, USD", "usd"),
    Column("at_trigger", "net at trigger, USD", "usd"),
    Column("sharpe", "Sharpe after capital", "ratio"),
    Column("sharpe_at_trigger", "Sharpe at trigger", "ratio"),
)
CAPTION: Final = "Waits of fills, and exits at their trigger; all nets at an untouched book"


def build(judged: JudgedRun) -> Part:
    """Return a row for the portfolio and each constraint with a trade, and which of them the grid limits."""
    run = judged.run
    if "trigger" not in run.trades:
        return Part((), ("not computed: this run does not say what triggered its exits; run the window again.",))
    rules = judged.registration.params.rules
    rows = []
    for code, trades in traded_by_code(run):
        if len(trades):
            life_ns = max(rules[name].life_ns for name in trades["constraint"].unique())
            rows.append({"series": code, **_waits(trades, life_ns), **_money(run, code)})
    limited = [str(row["series"]) for row in rows if row["limited"]]
    notes = [] if run.placements is not None else ["At trigger: not computed, the signals of this run were not moved."]
    if limited:
        notes.append(
            f"Exits are limited by the grid: the median wait of a fill exceeds a tenth of the longest life in "
            f"{', '.join(limited)}; the figure at trigger stands beside the one that counts."
        )
    return Part((SensitivityTable(CAPTION, COLUMNS, tuple(rows)),), tuple(notes))


def _waits(trades: pd.DataFrame, life_ns: int) -> dict[str, Any]:
    entry_s = float((trades["entry_ns"] - trades["t_ns"]).median()) / NS_PER_SECOND
    triggered = trades[trades["trigger"] != ""]
    exit_s = float(triggered["wait_s"].median()) if len(triggered) else None
    return {
        "trades": len(trades),
        "entry_wait": entry_s / MINUTE_S,
        "triggered": len(triggered),
        "filled": int((triggered["trigger"] == triggered["exit_reason"]).sum()),
        "exit_wait": None if exit_s is None else exit_s / MINUTE_S,
        "life": life_ns / NS_PER_HOUR,
        "limited": LIMIT * max(entry_s, exit_s or 0.0) * NS_PER_SECOND > life_ns,
    }


def _money(run: RunData, code: str) -> dict[str, float | None]:
    """Return net and ratio of one series with its exits as registered and at their trigger; None where not placed."""
    if run.placements is None:
        return dict.fromkeys(("net", "at_trigger", "sharpe", "sharpe_at_trigger"))
    placed, late = run.placements.placed, run.placements.delayed
    sleeve = run.portfolio if code == "all" else next(s for s in run.sleeves if s.code == code)
    own = run.trades["signal_id"] if code == "all" else run.trades.loc[run.trades["constraint"] == code, "signal_id"]
    found: dict[str, float | None] = {}
    for net, ratio, table in (
        ("net", "sharpe", placed[placed["shift_ns"] == 0]),
        ("at_trigger", "sharpe_at_trigger", late[late["at_trigger"]]),
    ):
        of_series = table[table["signal_id"].isin(own)]
        found[net] = int(of_series["usd_micro"].sum()) / MICRO
        found[ratio] = _ratio(run, sleeve, of_series)
    return found


def _ratio(run: RunData, sleeve: Sleeve, table: pd.DataFrame) -> float | None:
    ratio = sharpe(returns(daily_after_capital(run, sleeve, table), Fraction(sleeve.capital_micro)))
    return None if ratio is None else float(ratio)
