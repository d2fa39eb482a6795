"""Return, fall and exposure in percent beside USD, hit rate, worst day and trade, and the months."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from engine.records import IntArray
from reports.base import Block, Section, Table, Text
from reports.load import Run
from reports.words import CODES, MICRO, NONE, count, day, plural, share, usd_micro


def build(run: Run) -> Sequence[Block]:
    """Return the figures of the window, who earned them, and one row a month."""
    return [_figures(run), Text(concentration(run)), _months(run)]


def _figures(run: Run) -> Table:
    """Return one row a figure, in USD and as a share of the capital committed."""
    x = run.returns["x"].to_numpy(np.int64)
    path = np.concatenate([[0], np.cumsum(x)])
    fall = path - np.maximum.accumulate(path)
    margin = run.returns[[f"margin_{code}" for code in CODES]].sum(axis=1).to_numpy(np.int64)
    active = run.returns["pnl"].to_numpy(np.int64) != 0
    trades = run.trades[run.trades["status"] == "traded"]
    won = int((trades["net_usd_micro"] > 0).sum())
    worst = trades.sort_values("net_usd_micro").head(1)
    money = [
        ("net profit of the window, after capital", int(x.sum()), ""),
        ("deepest fall from the highest point before", int(fall.min()), _day_of(run, int(fall.argmin()) - 1)),
        ("worst day", int(x.min()), _day_of(run, int(x.argmin()))),
        ("best day", int(x.max()), _day_of(run, int(x.argmax()))),
        ("margin in use, mean of all days", int(margin.mean()), ""),
        ("margin in use, largest day", int(margin.max()), _day_of(run, int(margin.argmax()))),
    ]
    rows = [(name, usd_micro(value, 0), share(value / _capital_micro(run), 2), when) for name, value, when in money]
    if len(worst):
        value = int(worst["net_usd_micro"].iloc[0])
        which = f"{worst['constraint'].iloc[0]}, {worst['exit_reason'].iloc[0]}"
        rows.append(("worst trade", usd_micro(value, 0), share(value / _capital_micro(run), 2), which))
    rows += [
        ("trades that earned", count(won), share(won / len(trades)) if len(trades) else NONE, f"of {len(trades):,}"),
        ("days with trading profit or loss", count(int(active.sum())), share(active.mean()), f"of {len(active):,}"),
        ("days that earned", count(int((x > 0).sum())), share((x > 0).mean()), f"of {len(x):,}"),
    ]
    return Table(
        "The window in figures, in USD and as a share of the capital committed or of all trades or days",
        ("figure", "USD or count", "share", "when, or of how many"),
        tuple(rows),
        right=(1, 2),
    )


def concentration(run: Run) -> str:
    """Return in words who earned the trading profit of the window, and who lost."""
    profit, shares = profit_of_each(run), shares_of_gains(run)
    if not shares:
        return "No constraint earned anything before the cost of capital."
    earned = "; ".join(f"{code} {share(part, 0)}" for code, part in shares.items())
    gains = sum(value for value in profit.values() if value > 0)
    lost = [f"{code} {usd_micro(profit[code], 0)} USD" for code in CODES if profit[code] < 0]
    losses = f" Lost before the cost of capital: {', '.join(lost)}." if lost else ""
    return f"Who earned the gains of {usd_micro(gains, 0)} USD before the cost of capital: {earned}.{losses}"


def shares_of_gains(run: Run) -> dict[str, float]:
    """Return the share of each constraint that earned in the gains of those that did, the largest first."""
    gains = {code: value for code, value in profit_of_each(run).items() if value > 0}
    total = sum(gains.values())
    return {code: gains[code] / total for code in sorted(gains, key=lambda code: -gains[code])}


def profit_of_each(run: Run) -> dict[str, int]:
    """Return the trading profit of each constraint over the window, micro-USD, before the cost of capital."""
    return {code: int(run.returns[f"pnl_{code}"].sum()) for code in CODES}


def _months(run: Run) -> Table:
    """Return one row a calendar month of the window, UTC."""
    days, x = (run.returns[name].to_numpy(np.int64) for name in ("day", "x"))
    active = run.returns["pnl"].to_numpy(np.int64) != 0
    month = days.astype("datetime64[D]").astype("datetime64[M]")
    rows = []
    for each in np.unique(month):
        of = month == each
        profit = x[of]
        rows.append(
            (
                str(each),
                plural(int(of.sum()), "day"),
                usd_micro(int(profit.sum()), 0),
                share(int(profit.sum()) / _capital_micro(run), 2),
                count(int(active[of].sum())),
                count(int((profit > 0).sum())),
                usd_micro(int(profit.min()), 0),
                usd_micro(int(profit.max()), 0),
            )
        )
    head = (
        "month",
        "days",
        "net, USD",
        "of capital",
        "days with a position",
        "days that earned",
        "worst day",
        "best day",
    )
    return Table("Net profit by month, after capital", head, tuple(rows), right=(2, 3, 4, 5, 6, 7))


def _capital_micro(run: Run) -> int:
    return int(run.manifest["capital_usd"]) * MICRO


def _day_of(run: Run, at: int) -> str:
    days: IntArray = run.returns["day"].to_numpy(np.int64)
    return day(int(days[at])) if at >= 0 else NONE


SECTION = Section("performance", "Return, fall and months", "R1.4, R1.6", build)
