"""A pair replayed through its covenants without claims: standard, covenanted and constant-leverage accounts.  [15.2]"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from backtest.simulation import covenant_metrics as metrics
from backtest.simulation.covenant_accounts import run_accounts
from backtest.simulation.covenant_config import Study
from backtest.simulation.covenant_data import PairBars
from backtest.simulation.covenant_placebo import matched
from backtest.simulation.covenant_records import AccountRuns, Orders, Track
from backtest.simulation.covenant_signals import Signals, signals
from backtest.simulation.covenant_variants import SIDES, Variant, orders_of, plain_orders


@dataclass(frozen=True)
class Replayed:
    """Daily equity by account (from 1), facts by account, and the signals behind them."""

    equity: pd.DataFrame
    facts: pd.DataFrame
    main: Signals


def replay_pair(study: Study, bars: PairBars, first: int) -> Replayed:
    """Return accounts a, b and p1 in both orientations over the bars from ``first``."""
    terms, p = study.accounts, study.parameters
    main = signals(bars, p, first)
    track = Track.of(bars, main.measures.spread, first, bars.t_ns.size)
    days = track.days
    sides = np.array(list(SIDES.values()))

    def run(orders: Orders) -> AccountRuns:
        return run_accounts(track, orders, terms, p)

    covenanted = run(orders_of([(Variant("b", p, terms.leverage), main)], track, first))
    ones = np.ones((days, 2))
    _, placebo = matched(ones, covenanted.leverage, plain_orders(ones, sides), run)
    runs = {"a": run(plain_orders(ones * terms.leverage, sides)), "b": covenanted, "p1_of_b": placebo}
    equity: dict[str, np.ndarray] = {"t_ns": bars.t_ns[first:][track.opens]}
    facts = []
    for name, result in runs.items():
        for k, side in enumerate(SIDES):
            path = result.equity[:, k] / terms.capital_usd
            equity[f"{name}_{side}"] = path
            facts.append({
                "account": f"{name}_{side}", **metrics.summary(path), "leverage": float(result.leverage[k]),
                "bar_mdd": float(result.bar_drawdown[k]), "liquidations": int(result.liquidations[k]),
                "reallocations": int(result.reallocations[k]), "fees": float(result.fees_usd[k] / terms.capital_usd),
                "funding": float(result.funding_usd[k] / terms.capital_usd),
            })  # fmt: skip
    return Replayed(pd.DataFrame(equity), pd.DataFrame(facts), main)
