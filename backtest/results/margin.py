"""Margin in use by day and constraint: what the capital charge's sensitivity is charged on.  [statistics R1.3, R1.6]

    M_kd = (1 / 24 h) * sum over admitted signals i of k of  margin_i * time of [t0_i, exit_i) within day d

A signal holds its margin from the decision to its exit, as the budget of R1.3 counts it; one that margin refused holds
none, one that could not be filled holds it until it was found void.  Decides nothing: no verdict reads it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from backtest.records import Plan
from backtest.results.returns import days_of
from engine.exact.sums import half_even
from engine.params import Params
from engine.positions.base import Trade
from engine.positions.portfolio import MARGIN, margin_usd
from engine.records import Instruments, IntArray
from engine.units import NS_PER_DAY, micro_usd

COLUMN = "margin_"
"""Of `returns.parquet`: ``margin_C1 .. margin_C7``, int64 micro-USD, the mean over the 24 hours of the day."""


def margin_in_use(trades: Sequence[Trade], instruments: Instruments, params: Params, plan: Plan) -> dict[str, IntArray]:
    """Return the columns ``margin_C1 .. margin_C7``, shape (days,), micro-USD, half-even; zero without a position."""
    days = days_of(plan).tolist()
    # Micro-USD times ns: beyond int64.
    in_use = {code: dict.fromkeys(days, 0) for code in params.sleeve_shares}
    for trade in trades:
        if trade.rejected == MARGIN:
            continue
        position = trade.position
        need, start, end = micro_usd(margin_usd(position, instruments, params)), position.signal.t_ns, position.exit_ns
        # end - 1: a position that ends at 24:00 holds nothing on the next day.
        for day in range(max(start // NS_PER_DAY, days[0]), min((end - 1) // NS_PER_DAY, days[-1]) + 1):
            open_ns = min(end, (day + 1) * NS_PER_DAY) - max(start, day * NS_PER_DAY)
            in_use[position.signal.constraint][day] += need * open_ns
    return {
        f"{COLUMN}{code}": np.array([half_even(total, NS_PER_DAY) for total in of_day.values()], dtype=np.int64)
        for code, of_day in in_use.items()
    }
