"""August 2024: liquidations at equal initial leverage, entered on each of thirty days before.  [covenants 9.8]"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np
import pandas as pd

from backtest.simulation.covenant_accounts import run_accounts
from backtest.simulation.covenant_config import Study
from backtest.simulation.covenant_data import PairBars
from backtest.simulation.covenant_placebo import matched
from backtest.simulation.covenant_records import AccountRuns, Orders, Track
from backtest.simulation.covenant_signals import Signals
from backtest.simulation.covenant_variants import SIDES, Variant, orders_of, plain_orders
from engine.units import NS_PER_DAY

START_NS: Final = 1_722_729_600 * 1_000_000_000
"""2024-08-04 00:00 UTC; the event ends with 2024-08-06."""
DAYS: Final = 3
ENTRIES: Final = 30
LEVERAGES: Final = (3.0, 5.0, 10.0, 20.0)
"""Initial leverage of a leg on its own margin: its notional is half of that times the account's equity."""


def august_2024(study: Study, bars: PairBars, s: Signals) -> pd.DataFrame:
    """Return a row an account, leverage and orientation: over thirty entry days, liquidated accounts, loss, exposure.

    lm is the standard account under the cap alone; p1 carries the covenanted account's average leverage from the same
    entry, p2 the same in proportion to calm.  Empty where the bars do not hold the event and the days before it.
    """
    end = bars.index_at(START_NS + DAYS * NS_PER_DAY)
    if bars.t_ns[0] > START_NS - ENTRIES * NS_PER_DAY or end >= bars.t_ns.size:
        return pd.DataFrame()
    rows = []
    for entry in range(1, ENTRIES + 1):
        begin = bars.index_at(START_NS - entry * NS_PER_DAY)
        track = Track.of(bars, s.measures.spread, begin, end + 1)
        cut = replace(s, first=begin)
        rows += _one_entry(study, cut, track, end + 1, entry)
    table = pd.DataFrame(rows)
    grouped = table.groupby(["account", "leverage", "side"], sort=False)
    return grouped.agg(
        entries=("entry", "size"), liquidated=("liquidated", "sum"), loss_mean=("loss", "mean"),
        loss_worst=("loss", "max"), exposure_left=("exposure", "mean"),
    ).reset_index()  # fmt: skip


def _one_entry(study: Study, s: Signals, track: Track, end: int, entry: int) -> list[dict[str, float | str]]:
    days = track.days
    p, terms = s.p, study.accounts
    variants = [(Variant(f"{k:g}", p, 0.5 * k), s) for k in LEVERAGES]
    cut = _until(orders_of(variants, track, s.first), track.new_day.size)

    def run(orders: Orders) -> AccountRuns:
        return run_accounts(track, orders, terms, p)

    covenanted = run(cut)
    sides = np.repeat(list(SIDES.values()), len(LEVERAGES))
    ones = np.ones((days, sides.size))
    target = ones * np.tile(0.5 * np.array(LEVERAGES), 2)
    calm = 1.0 / s.measures.volatility[s.first : end][track.opens]
    steady = np.repeat((calm / np.mean(calm))[:, None], sides.size, axis=1)
    runs = {
        "a": run(plain_orders(target, sides)),
        "b": covenanted,
        "lm": run(plain_orders(target, sides, s.caps[s.first : end])),
        "p1": matched(ones, covenanted.leverage, plain_orders(ones, sides), run)[1],
        "p2": matched(steady, covenanted.leverage, plain_orders(steady, sides), run)[1],
    }
    return [
        {
            "account": name, "leverage": LEVERAGES[k % len(LEVERAGES)], "side": list(SIDES)[k // len(LEVERAGES)],
            # An account counts once, however many of its legs are liquidated.
            "entry": float(entry), "liquidated": float(result.liquidations[k] > 0),
            "loss": float(1.0 - result.equity[-1, k] / terms.capital_usd), "exposure": float(result.leverage[k]),
        }
        for name, result in runs.items()
        for k in range(sides.size)
    ]  # fmt: skip


def _until(orders: Orders, bars: int) -> Orders:
    """Return orders cut to ``bars`` bars: signals reach to the end of the study."""
    cut = {name: getattr(orders, name)[:bars] for name in ("executes", "reduces", "closes", "caps", "share")}
    return replace(orders, **cut)
