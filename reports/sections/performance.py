"""Return, fall and exposure in percent beside USD, hit rate, worst day and trade, and the months."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from engine.records import IntArray
from reports.base import Block, Section, Table, Text
from reports.citation import Cited, SourcedInt, derived, ratio, total
from reports.load import Run
from reports.rows import RETURNS, TRADES, Rows
from reports.words import CODES, MICRO, NONE, count, day, plural, share, usd_micro


def build(run: Run) -> Sequence[Block]:
    """Return the figures of the window, who earned them, and one row a month."""
    return [_figures(run), Text(concentration(run)), _months(run)]


def _figures(run: Run) -> Table:
    """Return one row a figure, in USD and as a share of the capital committed."""
    returns, trades = Rows(run.returns, RETURNS), Rows(run.trades, TRADES).where(status="traded")
    x = run.returns["x"].to_numpy(np.int64)
    path = np.concatenate([[0], np.cumsum(x)])
    fall = path - np.maximum.accumulate(path)
    columns = [f"margin_{code}" for code in CODES]
    margin = run.returns[columns].sum(axis=1).to_numpy(np.int64)
    used = "margin_CODE"
    money = [
        ("net profit of the window, after capital", returns.total("x"), ""),
        (
            "deepest fall from the highest point before",
            returns.measure(int(fall.min()), "fall", "x"),
            _day_of(run, int(fall.argmin()) - 1, "fall(x)"),
        ),
        ("worst day", returns.least("x"), _day_of(run, int(x.argmin()), "min(x)")),
        ("best day", returns.most("x"), _day_of(run, int(x.argmax()), "max(x)")),
        ("margin in use, mean of all days", returns.measure(int(margin.mean()), "mean", used), ""),
        (
            "margin in use, largest day",
            returns.measure(int(margin.max()), "max", used),
            _day_of(run, int(margin.argmax()), f"max({used})"),
        ),
    ]
    worst = trades.by("net_usd_micro").records(1)
    money += [("worst trade", row["net_usd_micro"], f"{row['constraint']}, {row['exit_reason']}") for row in worst]
    rows = [(name, usd_micro(value, 0), share(_of_capital(run, value), 2), when) for name, value, when in money]
    rows += [
        (name, count(part.count()), share(ratio(part.count(), of.count())), "of " + count(of.count()))
        for name, part, of in (
            ("trades that earned", trades.beyond("net_usd_micro", ">"), trades),
            ("days with trading profit or loss", returns.beyond("pnl", "!="), returns),
            ("days that earned", returns.beyond("x", ">"), returns),
        )
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
    earned = Cited("; ").join(Cited("{} {}").format(code, share(part, 0)) for code, part in shares.items())
    gains = total(value for value in profit.values() if value > 0)
    lost = [Cited("{} {} USD").format(code, usd_micro(profit[code], 0)) for code in CODES if profit[code] < 0]
    losses = Cited(" Lost before the cost of capital: {}.").format(Cited(", ").join(lost)) if lost else ""
    return Cited("Who earned the gains of {} USD before the cost of capital: {}.{}").format(
        usd_micro(gains, 0), earned, losses
    )


def shares_of_gains(run: Run) -> dict[str, float]:
    """Return the share of each constraint that earned in the gains of those that did, the largest first."""
    gains = {code: value for code, value in profit_of_each(run).items() if value > 0}
    ordered = sorted(gains, key=lambda code: -gains[code])
    return {code: ratio(gains[code], total(gains.values())) for code in ordered}


def profit_of_each(run: Run) -> dict[str, SourcedInt]:
    """Return the trading profit of each constraint over the window, micro-USD, before the cost of capital."""
    return {code: Rows(run.returns, RETURNS).total(f"pnl_{code}") for code in CODES}


def _months(run: Run) -> Table:
    """Return one row a calendar month of the window, UTC."""
    month = run.returns["day"].to_numpy(np.int64).astype("datetime64[D]").astype("datetime64[M]").astype(str)
    returns = Rows(run.returns.assign(month=month), RETURNS)
    rows = []
    for name in dict.fromkeys(month):
        of = returns.where(month=name)
        profit = of.total("x")
        rows.append(
            (
                name,
                plural(of.count(), "day"),
                usd_micro(profit, 0),
                share(_of_capital(run, profit), 2),
                count(of.beyond("pnl", "!=").count()),
                count(of.beyond("x", ">").count()),
                usd_micro(of.least("x"), 0),
                usd_micro(of.most("x"), 0),
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


def _of_capital(run: Run, value: Any) -> Any:
    """Return an amount in micro-USD as a share of the capital committed."""
    capital = run.manifest["capital_usd"]
    return derived(int(value) / (int(capital) * MICRO), "/", value, capital)


def _day_of(run: Run, at: int, event: str) -> str:
    """Return the day of a row of the returns, which is that of ``event``; the dash before the first."""
    days: IntArray = run.returns["day"].to_numpy(np.int64)
    return day(SourcedInt(int(days[at]), Rows(run.returns, RETURNS).key(f"day_of({event})"))) if at >= 0 else NONE


SECTION = Section("performance", "Return, fall and months", "R1.4, R1.6", build)
