"""Describes a return series and its trades; no verdict reads the description.  [statistics 1.2, 1.5]

The exception is `sharpe`, the point estimate of R1.9 in exact arithmetic, which the choice of C5's threshold uses.
A value that is not defined is None: a skewness of two days, a hit rate of no trades.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd

from backtest.results.returns import DAYS_A_YEAR, portfolio_returns, sleeve_returns
from engine.exact.decimals import exact, quantise
from engine.exact.sums import RETURN_UNIT, spread, total
from engine.params import Params
from engine.records import IntArray
from engine.units import MICRO, NS_PER_HOUR

BEST_DAYS = 5
"""How many best days the concentration of profit is measured on.  [statistics 1.5]"""


def sharpe(values: IntArray) -> Decimal | None:
    """Return ``sqrt(365) mean / sd`` (divisor n - 1) to 9 places, or None where sd is 0 or n < 2.

    ``values`` are daily returns in units of 1e-9, int64 of shape (days,).

    From the integer sums S and Q, ``S sqrt(365 (n-1) / (n (n Q - S^2)))``, so no order of summation exists.
    [statistics R1.9, audit 10.2]
    """
    n, variance = len(values), spread(values)
    if n < 2 or variance == 0:
        return None
    with exact():
        return quantise(total(values) * (Decimal(DAYS_A_YEAR * (n - 1)) / (Decimal(n) * variance)).sqrt())


def describe_series(values: IntArray) -> dict[str, Any]:
    """Return moments, drawdown and concentration of daily returns, int64 of shape (days,) in units of 1e-9.

    ``max_drawdown`` is the deepest fall of the running sum under its peak (start 0 included) as a share of capital:
    capital is constant and profits are not reinvested, so returns add.  ``days_under_water`` is the longest stretch
    of days that end under an earlier peak.
    """
    r = values / RETURN_UNIT
    ratio = sharpe(values)
    wealth = np.concatenate(([0.0], np.cumsum(r)))
    under = np.maximum.accumulate(wealth) - wealth
    gains = int(values[values > 0].sum())
    # Clipped: with fewer than five days of profit a loss is no part of the gains.
    best = int(np.sort(values)[::-1][:BEST_DAYS].clip(min=0).sum())
    return {
        "days": len(values),
        "sharpe": None if ratio is None else float(ratio),
        "mean": float(r.mean()) if len(r) else None,
        "sd": float(r.std(ddof=1)) if len(r) > 1 else None,
        "skewness": _moment(r, 3),
        "kurtosis": _moment(r, 4),
        "best_day": float(r.max()) if len(r) else None,
        "worst_day": float(r.min()) if len(r) else None,
        "positive_days": int((values > 0).sum()),
        "max_drawdown": float(under.max()),
        "days_under_water": _longest(under[1:] > 0),
        "best_days_share": best / gains if gains else None,
    }


def describe_trades(trades: pd.DataFrame) -> dict[str, Any]:
    """Return counts, hit rate, holding time and money by term of the traded rows of ``trades``.

    ``forced`` and ``forced_net_share`` are the positions closed because the window ended, and their part of the net
    profit.  [statistics R1.8]
    """
    traded = trades[trades["status"] == "traded"]
    net = traded["net_usd_micro"].to_numpy(np.int64)
    forced = traded["forced"].to_numpy(np.bool_)
    hours = (traded["exit_ns"] - traded["entry_ns"]).to_numpy(np.int64) / NS_PER_HOUR
    modelled = int(traded["modelled_usd_micro"].sum())
    terms = ("gross", "fees", "slippage", "funding", "borrow", "net")
    return {
        "signals": len(trades),
        "traded": len(traded),
        "rejected": int((trades["status"] == "rejected").sum()),
        "void": int((trades["status"] == "void").sum()),
        "hit_rate": float((net > 0).mean()) if len(net) else None,
        "mean_hours": float(hours.mean()) if len(hours) else None,
        "exit_reasons": {str(k): int(v) for k, v in traded["exit_reason"].value_counts().sort_index().items()},
        "forced": int(forced.sum()),
        "forced_net_share": int(net[forced].sum()) / int(net.sum()) if net.sum() else None,
        "realised_over_modelled": int(net.sum()) / modelled if modelled else None,
        **{f"{term}_usd": int(traded[f"{term}_usd_micro"].sum()) / MICRO for term in terms},
    }


def describe(table: pd.DataFrame, trades: pd.DataFrame, params: Params) -> dict[str, dict[str, Any]]:
    """Return the description of the portfolio and of every sleeve, under ``portfolio`` and ``C1 .. C7``."""
    described = {"portfolio": describe_series(portfolio_returns(table, params)) | describe_trades(trades)}
    for code in params.sleeve_shares:
        of_sleeve = trades[trades["constraint"] == code]
        active = {"active_days": int((table[f"pnl_{code}"] != 0).sum())}
        described[code] = describe_series(sleeve_returns(table, params, code)) | describe_trades(of_sleeve) | active
    return described


def _moment(r: np.ndarray[Any, np.dtype[np.float64]], order: int) -> float | None:
    """Return the standardised central moment of ``order``, divisor n; None where the series is constant."""
    # Not by the spread: the mean of equal numbers may be a bit off, and their spread then is not 0.
    if len(r) < order or r.min() == r.max():
        return None
    centred = r - r.mean()
    return float((centred**order).mean() / (centred**2).mean() ** (order / 2))


def _longest(flags: np.ndarray[Any, np.dtype[np.bool_]]) -> int:
    """Return the length of the longest run of True."""
    best = run = 0
    for flag in flags:
        run = run + 1 if flag else 0
        best = max(best, run)
    return best
