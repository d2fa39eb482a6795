"""Return, fall and months: each figure recomputed by a plain loop over the days and trades of the run."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from reports.base import Table, Text
from reports.load import Run
from reports.sections import performance
from reports.words import share, usd_micro


def test_each_figure_is_what_a_loop_finds(run: Run) -> None:
    """Net, fall, days, margin, trades, in USD and as a share of the capital."""
    table = performance.build(run)[0]
    assert isinstance(table, Table)
    found = {row[0]: row[1:] for row in table.rows}
    x, capital = run.returns["x"].tolist(), run.manifest["capital_usd"] * 10**6
    total = highest = deepest = 0
    for value in x:
        total += value
        highest = max(highest, total)
        deepest = min(deepest, total - highest)
    margins = [sum(row[f"margin_C{k}"] for k in range(1, 8)) for row in run.returns.to_dict("records")]
    net = [row["net_usd_micro"] for row in run.trades.to_dict("records") if row["status"] == "traded"]

    assert found["net profit of the window, after capital"][:2] == (usd_micro(total, 0), share(total / capital, 2))
    assert found["deepest fall from the highest point before"][0] == usd_micro(deepest, 0)
    assert found["worst day"][0] == usd_micro(min(x), 0)
    assert found["margin in use, largest day"][:2] == (usd_micro(max(margins), 0), share(max(margins) / capital, 2))
    assert found["worst trade"][0] == usd_micro(min(net), 0)
    assert found["trades that earned"][0] == str(sum(value > 0 for value in net))
    assert found["days that earned"][2] == f"of {len(x)}"


def test_months_add_up_to_the_window(run: Run) -> None:
    """Days and profit of each month by a loop; January and February of the small run."""
    table = performance.build(run)[2]
    assert isinstance(table, Table)
    by_month: dict[str, list[int]] = {}
    for row in run.returns.to_dict("records"):
        month = datetime.fromtimestamp(row["day"] * 86_400, UTC).strftime("%Y-%m")
        by_month.setdefault(month, []).append(row["x"])

    assert [row[0] for row in table.rows] == list(by_month) == ["2026-01", "2026-02"]
    assert [row[2] for row in table.rows] == [usd_micro(sum(values), 0) for values in by_month.values()]
    assert [row[6] for row in table.rows] == [usd_micro(min(values), 0) for values in by_month.values()]


def test_who_earned_is_said_of_gains_alone(run: Run) -> None:
    """Shares of what was gained add up to one; losses stand apart; without a gain there is no share."""
    returns = run.returns.copy()
    for code, value in {"C1": 3, "C2": -5, "C3": 9, "C4": 0, "C5": 0, "C6": 0, "C7": 0}.items():
        returns[f"pnl_{code}"] = 0
        returns.loc[0, f"pnl_{code}"] = value * 10**6
    said = performance.concentration(replace(run, returns=returns))
    assert said == (
        "Who earned the gains of 12 USD before the cost of capital: C3 75%; C1 25%. Lost before the cost of capital: "
        "C2 −5 USD."
    )
    returns[[f"pnl_C{code}" for code in range(1, 8)]] = 0
    assert "No constraint earned" in performance.concentration(replace(run, returns=returns))


def test_a_window_without_a_trade_has_its_figures(run: Run) -> None:
    """No trade: a dash where nothing can be a share, and no worst trade."""
    blocks = performance.build(replace(run, trades=run.trades.iloc[:0]))
    assert isinstance(blocks[0], Table)
    assert isinstance(blocks[1], Text)
    rows = {row[0]: row[1:] for row in blocks[0].rows}

    assert rows["trades that earned"] == ("0", "–", "of 0")
    assert "worst trade" not in rows
