"""E7: published bracket tables: derived deductions, convexity, and what a raised rate liquidates.  [risk.md 21, 6.3]

A deduction (``cum``) is not published with a change; it is derived so that maintenance is continuous.  A rate that is
raised applies to positions that are open: accounts that were healthy are liquidated by the change alone.
"""

from __future__ import annotations

import re
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from typing import Any

import pandas as pd

from backtest.simulation.covenant_streams import uniforms
from backtest.simulation.result import OURS, RECOMPUTED, SimulationResult, SimulationTask
from backtest.simulation.scenario import BracketTables, table_of
from backtest.simulation.source_files import of_file
from engine.errors import DataError
from engine.venue.margin import bracket_maintenance, deductions

CANNOT_SAY = (
    "The file holds one half of the announcements: 1,383 of the 1,864 rows that the law counts.",
    "Published rates are rounded to 0.01%: a product of 0.5 is taken within half of that rounding times the leverage.",
    "Accounts are synthetic: notionals log-uniform over the old table, equity uniform from 1 to 2 times maintenance.",
)
HALF_ROUNDING = Fraction(5, 100_000)


def measure(task: SimulationTask) -> SimulationResult:
    """Return counts of the tables' properties, and the share of accounts that each raised table liquidates.

    Errors as `SourceFiles.table`; raises `DataError` (4) for a cell that is no rate, bound or leverage.
    """
    given = table_of(task.plan, BracketTables)
    files, name = of_file(task.data_root, given.file)
    texts = ("announced_utc", "symbol", "side", "rank", "leverage", "lower_usdt", "upper_usdt", "mmr_pct", "contiguous")
    rows = files.table(name, (), texts)
    exact = [_row(name, line, row) for line, row in enumerate(rows.itertuples(index=False), 2)]
    products = [rate * leverage for _, _, rate, leverage in exact]
    close = [_is(products[i], Fraction(1, 2), exact[i][3]) for i in range(len(exact))]
    threes = [_is(products[i], Fraction(3, 4), exact[i][3]) and not close[i] for i in range(len(exact))]
    rows = rows.assign(row=range(len(rows)))
    tables: list[dict[str, Any]] = []
    sides: dict[tuple[str, str, str], list[tuple[Fraction, Fraction, Fraction, int]]] = {}
    for key, group in rows.groupby(["announced_utc", "symbol", "side"], sort=True):
        table = [exact[i] for i in group["row"]]
        announced, symbol, side = (str(part) for part in key)
        whole = bool((group["contiguous"] == "1").all()) and all(a[0] < b[0] for a, b in pairwise(table))
        sides[announced, symbol, side] = table if whole else []
        tables.append({"announced_utc": announced, "symbol": symbol, "side": side, **_properties(table, whole)})
    changes = _changes(task, given.accounts, sides)
    frame = pd.DataFrame(tables)
    figures: dict[str, Any] = {
        "rows": len(rows), "rows_product_half": _count(close), "rows_product_three_quarters": _count(threes),
        "tables": len(frame), "tables_contiguous": int(frame["contiguous"].sum()),
        "tables_rising_rates": int(frame["rising"].sum()), "tables_continuous": int(frame["continuous"].sum()),
        "tables_convex": int(frame["convex"].sum()), "changes": len(changes),
        "changes_first_rate_raised": int((changes["first_rate_rise"] > 0).sum()) if len(changes) else 0,
        "liquidated_by_a_raise": float(changes["liquidated"].max()) if len(changes) else 0.0,
    }  # fmt: skip
    layers = dict.fromkeys(figures, RECOMPUTED) | {"liquidated_by_a_raise": OURS}
    return SimulationResult(figures, {"changes": changes, "tables": frame}, layers, files.digests, CANNOT_SAY)


def _row(name: str, line: int, row: Any) -> tuple[Fraction, Fraction, Fraction, int]:
    """Return lower bound, upper bound, maintenance rate, highest leverage."""
    leverage = re.findall(r"\d+", row.leverage)
    try:
        lower, upper, rate = (Fraction(Decimal(text)) for text in (row.lower_usdt, row.upper_usdt, row.mmr_pct))
        return lower, upper, rate / 100, int(leverage[-1])
    except (ArithmeticError, ValueError, IndexError) as problem:
        raise DataError(f"{name}: line {line}: expected bounds, a rate and a leverage, was {tuple(row)}") from problem


def _is(product: Fraction, wanted: Fraction, leverage: int) -> bool:
    return abs(product - wanted) <= HALF_ROUNDING * leverage


def _count(flags: list[bool]) -> int:
    return len([flag for flag in flags if flag])


def _properties(table: list[tuple[Fraction, Fraction, Fraction, int]], whole: bool) -> dict[str, Any]:
    """Return whether rates rise, and, of a contiguous table, whether maintenance is continuous and convex."""
    rates, lower = [row[2] for row in table], [row[0] for row in table]
    rising = all(a < b for a, b in pairwise(rates))
    result = {"brackets": len(table), "contiguous": whole, "rising": rising, "continuous": False, "convex": False}
    if not whole or not rising:
        return result
    cut = deductions(lower, rates)
    # Both formulas at each boundary; slopes that rise make the sum of pieces convex.
    jumps = [rates[j] * lower[j] - cut[j] - (rates[j - 1] * lower[j] - cut[j - 1]) for j in range(1, len(table))]
    return result | {"continuous": not any(jumps), "convex": rising and not any(jumps)}


def _changes(
    task: SimulationTask,
    accounts: int,
    sides: dict[tuple[str, str, str], list[tuple[Fraction, Fraction, Fraction, int]]],
) -> pd.DataFrame:
    """Return a row a change whose both tables can be read: rise of the first rate, share of accounts liquidated."""
    rows = []
    u = uniforms(f"seed {task.plan.seed}", "venue/e7/accounts", 2 * accounts).reshape(2, accounts)
    for (announced, symbol, side), old in sides.items():
        new = sides.get((announced, symbol, "after"), [])
        if side != "before" or not _usable(old) or not _usable(new):
            continue
        top = old[-1][1]
        # Log-uniform over five decades below the top of the old table, to whole USDT.
        notionals = [Fraction(max(1, int(float(top) * 10.0 ** (-5.0 * x)))) for x in u[0].tolist()]
        healths = [1 + Fraction(int(x * 1_000_000), 1_000_000) for x in u[1].tolist()]
        hit = [h * _maintenance(n, old) < _maintenance(n, new) for n, h in zip(notionals, healths, strict=True)]
        rows.append({
            "announced_utc": announced, "symbol": symbol, "first_rate_rise": float(new[0][2] - old[0][2]),
            "liquidated": _count(hit) / accounts,
        })  # fmt: skip
    return pd.DataFrame(rows, columns=["announced_utc", "symbol", "first_rate_rise", "liquidated"])


def _usable(table: list[tuple[Fraction, Fraction, Fraction, int]]) -> bool:
    return bool(table) and table[0][0] == 0 and all(a[2] < b[2] for a, b in pairwise(table))


def _maintenance(notional: Fraction, table: list[tuple[Fraction, Fraction, Fraction, int]]) -> Fraction:
    return bracket_maintenance(notional, [row[0] for row in table], [row[2] for row in table])
