"""The capital cost charged on margin in use instead of all committed capital: a sensitivity of R1.6.  [R1.6]

    X'_kd = PnL_kd - M_kd h / 365        r'_kd = X'_kd / C_k        the portfolio is the sum of the sleeves

M is the margin in use, the mean over the day (`backtest.results.margin`); h and the capital that returns are measured
on stay as registered, so what changes is the charge alone.  A day without a position is charged nothing.
"""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np

from backtest.results.margin import COLUMN
from backtest.results.metrics import sharpe
from backtest.results.returns import DAYS_A_YEAR
from backtest.results.tables import read_table
from engine.arguments import require_array, require_number
from engine.exact.decimals import of_float
from engine.exact.sums import half_even, returns
from engine.records import IntArray
from engine.units import MICRO
from hypotheses.base import Sleeve
from hypotheses.sensitivity.base import Column, JudgedRun, Part, SensitivityTable

COLUMNS = (
    Column("series", "series", "text"),
    Column("margin", "margin in use, mean, USD", "usd"),
    Column("highest", "highest day, USD", "usd"),
    Column("share", "mean share of the capital", "share"),
    Column("charged", "charged as registered, USD", "usd"),
    Column("charged_on_margin", "charged on margin, USD", "usd"),
    Column("registered", "Sharpe, all capital charged", "ratio"),
    Column("sharpe", "Sharpe, margin in use charged", "ratio"),
)


def build(judged: JudgedRun) -> Part:
    """Return one row for the portfolio and one a constraint; a sentence where the run kept no margin in use."""
    run, rate = judged.run, judged.registration.params.capital_rate
    table = read_table(judged.folder / "returns.parquet")
    if any(f"{COLUMN}{sleeve.code}" not in table for sleeve in run.sleeves):
        return Part((), ("not computed: this run was made before margin in use was kept; `cme run` keeps it.",))
    # Columns are paired with the window's days by position.
    table = table.sort_values("day", kind="stable")
    margin = {sleeve.code: table[f"{COLUMN}{sleeve.code}"].to_numpy(np.int64) for sleeve in run.sleeves}
    charge = {code: on_margin(in_use, rate) for code, in_use in margin.items()}
    # The sum of the sleeves, so that the portfolio is charged what they are, to the micro-USD.
    margin[""], charge[""] = (np.sum(list(by_code.values()), axis=0) for by_code in (margin, charge))
    rows = [_row(sleeve, margin[sleeve.code], charge[sleeve.code]) for sleeve in (run.portfolio, *run.sleeves)]
    return Part(
        (
            SensitivityTable(
                "Capital cost on margin in use; what returns are measured on stays the committed capital",
                COLUMNS,
                tuple(rows),
            ),
        ),
        (
            f"Charged at {100 * rate:g}% a year on the margin which open positions hold, mean over each day, instead "
            "of on all capital. The registered charge stands: capital has to be at every venue before the signal.",
        ),
    )


def on_margin(margin: IntArray, rate: float) -> IntArray:
    """Return the capital charge of each day on the margin in use: ``M h / 365``, half-even.

    Parameters
    ----------
    margin : IntArray, shape (n,)
        Margin in use, mean of each day, micro-USD.
    rate : float, at least 0
        h, a share a year.

    Returns
    -------
    IntArray, shape (n,)
        Micro-USD a day.

    Raises
    ------
    UsageError
        If ``margin`` is not int64 of shape (n,), or ``rate`` negative.
    """
    require_array("margin", margin, np.int64, ("n",))
    require_number("rate", rate, float, at_least=0)
    daily = Fraction(of_float(rate)) / DAYS_A_YEAR
    # In integers, half-even, as the registered charge is rounded.
    return np.array([half_even(m * daily.numerator, daily.denominator) for m in margin.tolist()], dtype=np.int64)


def _row(sleeve: Sleeve, margin: IntArray, charge: IntArray) -> dict[str, Any]:
    mean = Fraction(int(margin.sum()), max(len(margin), 1))
    return {
        "series": sleeve.code or "all",
        "margin": float(mean / MICRO),
        "highest": float(margin.max()) / MICRO,
        "share": float(mean / sleeve.capital_micro),
        "charged": float((sleeve.profit - sleeve.x).sum()) / MICRO,
        "charged_on_margin": float(charge.sum()) / MICRO,
        "registered": _float(_ratio(sleeve.x, sleeve)),
        "sharpe": _float(_ratio(sleeve.profit - charge, sleeve)),
    }


def _ratio(x: IntArray, sleeve: Sleeve) -> Decimal | None:
    """Return the annual ratio of R1.9; None for a sleeve that earns the same every day, whose charge alone varies."""
    if len(set(sleeve.profit.tolist())) <= 1:
        return None
    return sharpe(returns(x, Fraction(sleeve.capital_micro)))


def _float(value: Decimal | None) -> float | None:
    return None if value is None else float(value)
