"""The covered call of the comparison: spot, weekly calls sold at a model's price.  [covenants 9.2 (c), 15.4]

No option chains cover 2022 to 2024, so every figure that uses this account is a *model* figure: Black-76, zero rate,
volatility 1.10 times the realised of 30 days, bid 5% of premium below the model.
"""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from engine.exact.rounded import Floats

NORMAL = NormalDist()
DELTA, MARKUP, BID_CUT = 0.25, 1.10, 0.05
OPTION_FEE, OPTION_CAP, DELIVERY_FEE = 0.0003, 0.125, 0.00015
"""Deribit: of the underlying, at most a share of the premium; delivery.  [risk 5]"""
DAYS = 7.0


def call_price(forward: float, strike: float, volatility: float, years: float) -> float:
    """Return Black-76 at zero rate in USD."""
    spread = volatility * years**0.5
    d1 = np.log(forward / strike) / spread + 0.5 * spread
    return float(forward * NORMAL.cdf(d1) - strike * NORMAL.cdf(d1 - spread))


def strike_of(forward: float, volatility: float, years: float, delta: float = DELTA) -> float:
    """Return the strike whose call delta is ``delta``."""
    spread = volatility * years**0.5
    return float(forward * np.exp(0.5 * spread * spread - NORMAL.inv_cdf(delta) * spread))


def covered_calls(
    closes: tuple[Floats, Floats], hour_of_week: NDArray[np.int64], new_day: NDArray[np.bool_], first: int,
    markup: float = MARKUP,
) -> Floats:  # fmt: skip
    """Return daily equity from 1: half in each coin, a call on each sold every Friday 08:00 UTC, cash settled.

    ``closes`` hourly spot in USD [T] of each coin, with 30 days before ``first``; ``hour_of_week`` [T] 0 is Monday
    00:00 UTC.  Between rolls the calls are marked at the model's price.  Halves are restored at each roll; spot trades
    cost 10 bps.
    """
    # Friday 08:00 in hours that begin on Monday 00:00 UTC.
    roll = 4 * 24 + 8
    hours_30 = 30 * 24
    units, strikes, vols, expiry = [0.0, 0.0], [0.0, 0.0], [0.0, 0.0], first
    cash = 0.0
    equity: list[float] = []
    for leg in (0, 1):
        units[leg] = 0.5 / float(closes[leg][first])
    logs = [np.diff(np.log(leg), prepend=np.nan) for leg in closes]
    for t in range(first, closes[0].size):
        price = [float(closes[leg][t]) for leg in (0, 1)]
        if hour_of_week[t] == roll:
            for leg in (0, 1):
                if strikes[leg] > 0:
                    paid = max(price[leg] - strikes[leg], 0.0)
                    cash -= units[leg] * (paid + min(DELIVERY_FEE * price[leg], OPTION_CAP * paid))
            total = cash + units[0] * price[0] + units[1] * price[1]
            near, far = (abs(0.5 * total / price[leg] - units[leg]) * price[leg] for leg in (0, 1))
            traded = near + far
            total, cash, expiry = total - 0.001 * traded, 0.0, t + 168
            for leg in (0, 1):
                units[leg] = 0.5 * total / price[leg]
                # From 1: the first bar has no return.
                past = logs[leg][max(1, t - hours_30) : t]
                vols[leg] = markup * float(np.sqrt(np.mean(past * past) * 8760.0))
                strikes[leg] = strike_of(price[leg], vols[leg], DAYS / 365.0)
                premium = (1.0 - BID_CUT) * call_price(price[leg], strikes[leg], vols[leg], DAYS / 365.0)
                cash += units[leg] * (premium - min(OPTION_FEE * price[leg], OPTION_CAP * premium))
        if new_day[t] or t == first:
            value = cash + units[0] * price[0] + units[1] * price[1]
            left = (expiry - t) / 8760.0
            for leg in (0, 1):
                if strikes[leg] > 0 and left > 0:
                    value -= units[leg] * call_price(price[leg], strikes[leg], vols[leg], left)
            equity.append(value)
    return np.array(equity)
