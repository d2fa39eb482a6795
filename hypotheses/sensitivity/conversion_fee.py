"""The window if the pair USDC/USDT had its taker fee of 10 bps: the fee of 0 holds "until further notice".  [venues V5]

A leg that converts pays ``max(0, 10 - fee)`` bps more of its notional at entry, and the same with its exit fee::

    net' = net - 1e-4 N w [(10 - fee)+ + (10 - exit fee)+]

The trades stay those of the window: a signal that would no longer fire is counted, not taken away.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any, Final

import pandas as pd

from engine.exact.decimals import of_float
from engine.units import MICRO
from hypotheses.sensitivity.base import Column, JudgedRun, Part, SensitivityTable
from hypotheses.sensitivity.extra_costs import BPS, traded_by_code

FEE_BPS: Final = 10
"""The taker fee of a spot pair at Binance's base tier, which USDC/USDT had until 2023-06-30.  [venues V5]"""

COLUMNS: Final = (
    Column("series", "series", "text"),
    Column("trades", "trades that convert", "count"),
    Column("fewer", "of them, net under the threshold then", "count"),
    Column("net", "net before capital, USD", "usd"),
    Column("other", f"net at {FEE_BPS} bps, USD", "usd"),
)


def build(judged: JudgedRun) -> Part:
    """Return the net of the whole and of each constraint that converts, as charged and at 10 bps; a note if none does.

    ``fewer`` counts trades whose modelled net less the further fee of the round trip is under their threshold.
    """
    pair = judged.registration.params.dollars.usdc_usdt
    rows = []
    for code, trades in traded_by_code(judged.run):
        more = [further_bps(legs, pair) for legs in trades["legs"]]
        converts = [any(leg["instrument"] == pair for leg in legs) for legs in trades["legs"]]
        if not any(converts):
            continue
        paid = sum(
            (
                bps * BPS * Fraction(of_float(usd)) * MICRO
                for bps, usd in zip(more, trades["notional_usd"], strict=True)
            ),
            start=Fraction(0),
        )
        net = Fraction(int(trades["net_usd_micro"].sum()))
        rows.append(
            {
                "series": code,
                "trades": converts.count(True),
                "fewer": _no_longer(trades, more, converts),
                "net": float(net / MICRO),
                "other": float((net - paid) / MICRO),
            }
        )
    if not rows:
        return Part((), (f"No trade of this window converts at {pair}.",))
    caption = f"The conversion at {pair} charged at least {FEE_BPS} bps a side"
    note = "Trades stay those of the window; how many would not fire stands beside."
    return Part((SensitivityTable(caption, COLUMNS, tuple(rows)),), (note,))


def further_bps(legs: list[dict[str, Any]], pair: str) -> Fraction:
    """Return the bps of the package's notional that the round trip of its legs at ``pair`` pays more."""
    more = Fraction(0)
    for leg in legs:
        if leg["instrument"] == pair:
            sides = (max(Fraction(0), FEE_BPS - Fraction(of_float(leg[fee]))) for fee in ("fee_bps", "exit_fee_bps"))
            more += Fraction(of_float(leg["weight"])) * sum(sides, start=Fraction(0))
    return more


def _no_longer(trades: pd.DataFrame, more: list[Fraction], converts: list[bool]) -> int:
    nets, thresholds = trades["net_bps"].tolist(), trades["threshold_bps"].tolist()
    return [
        at and Fraction(of_float(net)) - bps < Fraction(of_float(threshold))
        for net, threshold, bps, at in zip(nets, thresholds, more, converts, strict=True)
    ].count(True)
