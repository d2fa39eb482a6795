"""Daily returns in integer micro-USD: what is accrued, less the cost of the committed capital.  [statistics 1]

Rules: [R2.4].

    table = daily_table(accruals, days_of(plan), params, days_with_data, open_positions, stale_legs)
    x = portfolio_returns(table, params)          int64, units of 1e-9 of the capital, one a day
    x = sleeve_returns(table, params, "C3")

Every calendar day of the window has a row.  The portfolio is the sum of the sleeves, exactly: the capital and each
day's charge ``C h / 365`` are split over the sleeves by largest remainder.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd

from backtest.records import Plan
from engine.errors import DataError
from engine.exact.decimals import of_float
from engine.exact.sums import RETURN_UNIT, half_even, returns
from engine.params import Params
from engine.records import IntArray
from engine.units import MICRO, NS_PER_DAY

DAYS_A_YEAR = 365
"""The market is open every day.  [statistics 0]"""


def largest_remainder(total: int, parts: Mapping[str, int]) -> dict[str, int]:
    """Return ``total`` split in proportion to ``parts`` into integers that sum to it.

    Each share is rounded down; what is left goes one by one to the largest remainders, the first key on ties.  A
    negative total is split like its opposite.  Raises ``ValueError`` where no part is positive or one is negative.

    >>> largest_remainder(10, {"a": 1, "b": 1, "c": 1})
    {'a': 4, 'b': 3, 'c': 3}
    """
    whole = sum(parts.values())
    if whole <= 0 or min(parts.values()) < 0:
        raise ValueError(f"expected parts that are not negative and not all zero, was {dict(parts)}")
    # divmod rounds down: a loss would be split otherwise than the equal profit.
    sign = -1 if total < 0 else 1
    floors = {key: divmod(abs(total) * part, whole) for key, part in parts.items()}
    left = abs(total) - sum(share for share, _ in floors.values())
    # Stable: the first key on ties.
    order = sorted(floors, key=lambda key: -floors[key][1])
    extra = set(order[:left])
    return {key: sign * (share + (key in extra)) for key, (share, _) in floors.items()}


def sleeve_capital(params: Params) -> dict[str, int]:
    """Return the committed capital of each sleeve in micro-USD; they sum to the capital.  [statistics R1.2]"""
    return largest_remainder(params.capital_usd * MICRO, params.sleeve_shares)


def daily_charge(params: Params) -> dict[str, int]:
    """Return a day's opportunity cost ``C h / 365`` of each sleeve in micro-USD.  [statistics R1.6]"""
    yearly = of_float(params.capital_rate) * Decimal(params.capital_usd * MICRO)
    # Exact up to the one rounding, whose error would be charged every day.
    share = Fraction(yearly) / DAYS_A_YEAR
    return largest_remainder(half_even(share.numerator, share.denominator), params.sleeve_shares)


def days_of(plan: Plan) -> IntArray:
    """Return the UTC days that the window touches, days since 1970-01-01, int64 of shape (days,).  [statistics R1.4]"""
    return utc_days(plan.t0_ns, plan.t1_ns)


def utc_days(from_ns: int, to_ns: int) -> IntArray:
    """Return the UTC days that ``[from_ns, to_ns)`` touches, days since 1970-01-01, ascending, int64 of shape (days,).

    >>> utc_days(0, 2 * NS_PER_DAY + 1).tolist()
    [0, 1, 2]
    """
    # Rounded up: a window that ends within a day touches that day.
    return np.arange(from_ns // NS_PER_DAY, -(-to_ns // NS_PER_DAY), dtype=np.int64)


def daily_table(
    accruals: pd.DataFrame,
    days: IntArray,
    params: Params,
    days_with_data: Collection[int],
    open_positions: Mapping[int, int],
    stale_legs: Mapping[int, int],
) -> pd.DataFrame:
    """Return one row a day of ``days``, int64 of shape (days,), ascending (`days_of` a plan): ``returns.parquet``.

    ``accruals`` has ``constraint, day, usd_micro``.  Columns: ``day``; ``has_data``; ``pnl_C1 .. pnl_C7, pnl`` trading
    profit; ``x_C1 .. x_C7, x`` after the charge, also on idle days [statistics R1.7]; ``open_positions`` at the end of
    the day; ``stale_leg_days``.  Amounts are int64 micro-USD, ``pnl`` and ``x`` the sums of their sleeves.  Raises
    ``DataError`` for an accrual outside the window or of no registered constraint.
    """
    codes = list(params.sleeve_shares)
    # The reindexing below would drop them without a word.
    outside = accruals[~accruals["day"].isin(days) | ~accruals["constraint"].isin(codes)]
    if len(outside):
        row = outside.iloc[0]
        raise DataError(
            f"accruals: expected days {days[0]} to {days[-1]} and constraints {', '.join(codes)}, "
            f"was day {row['day']} of {row['constraint']}"
        )
    # Days without an accrual have a row too: they bear the capital charge.  [R1.7]
    profit = (
        accruals.groupby(["day", "constraint"], observed=True)["usd_micro"]
        .sum()
        .unstack("constraint", fill_value=0)
        .reindex(index=days, columns=codes, fill_value=0)
        .astype(np.int64)
    )
    charged = profit - pd.Series(daily_charge(params), dtype=np.int64)[codes]
    return pd.DataFrame(
        {
            "day": days.astype(np.int32),
            "has_data": np.isin(days, list(days_with_data)),
            **{f"pnl_{code}": profit[code].to_numpy() for code in codes},
            "pnl": profit.sum(axis=1).to_numpy(),
            **{f"x_{code}": charged[code].to_numpy() for code in codes},
            "x": charged.sum(axis=1).to_numpy(),
            "open_positions": np.array([open_positions.get(int(day), 0) for day in days], dtype=np.int64),
            "stale_leg_days": np.array([stale_legs.get(int(day), 0) for day in days], dtype=np.int64),
        }
    )


def open_at_day_ends(trades: pd.DataFrame, plan: Plan) -> dict[int, int]:
    """Return how many traded positions are open at 24:00 UTC of each day of the window."""
    traded = trades[trades["status"] == "traded"]
    entry, exit_ = traded["entry_ns"].to_numpy(np.int64), traded["exit_ns"].to_numpy(np.int64)
    ends = ((day, (day + 1) * NS_PER_DAY) for day in days_of(plan).tolist())
    # Strictly: a position that ends at 24:00 is closed by then.
    return {day: int(((entry < end) & (exit_ > end)).sum()) for day, end in ends}


def portfolio_returns(table: pd.DataFrame, params: Params) -> IntArray:
    """Return ``X_d / C`` in units of 1e-9, half-even, shape (days,).  [statistics R1.6, audit 10.2]"""
    return returns(table["x"].to_numpy(np.int64), Fraction(params.capital_usd * MICRO))


def sleeve_returns(table: pd.DataFrame, params: Params, code: str) -> IntArray:
    """Return ``X_{k,d} / C_k`` in units of 1e-9, half-even, shape (days,).  [statistics 8.1]"""
    return returns(table[f"x_{code}"].to_numpy(np.int64), Fraction(sleeve_capital(params)[code]))


def units_as_series(table: pd.DataFrame, values: IntArray, name: str) -> pd.Series:
    """Return the returns as floats on a UTC ``DatetimeIndex``, for notebooks and other libraries.

    ``values`` are in units of 1e-9, int64 of shape (days,), one for each row of ``table``.
    """
    index = pd.DatetimeIndex(pd.to_datetime(table["day"].to_numpy(np.int64), unit="D", utc=True), name="day")
    return pd.Series(values / RETURN_UNIT, index=index, name=name)
