"""The break-even of worse fills: extra slippage and stranded legs, in closed form.

Extra slippage of e bps a leg is paid on the leg's notional at entry and at exit, whatever the reason of the exit, so

    net(e) = net - 2e-4 e sum_i N_i sum_l w_il        break-even  e* = net / (2e-4 sum_i N_i W_i)

A stranded package has one leg that is never filled: the others are unwound at once.  It earns no gross, funding or
borrow and pays what the whole round trip cost, so with a share q of such packages

    net(q) = sum_i [(1 - q) net_i - q (fees_i + slippage_i)]      break-even  q* = net / sum_i (net_i + fees_i + slip_i)

The market risk of the seconds before the unwinding is in no table: it is taken to be zero on average.
"""

from __future__ import annotations

from fractions import Fraction
from math import fsum
from typing import Any

import pandas as pd

from engine.constraints.codes import CODES
from engine.exact.decimals import of_float
from engine.units import MICRO
from hypotheses.base import RunData
from hypotheses.sensitivity.base import Column, JudgedRun, Part, SensitivityTable

SLIPPAGE_BPS = (1, 2, 5, 10, 20)
STRANDED = (Fraction(1, 100), Fraction(5, 100), Fraction(10, 100), Fraction(25, 100))
BPS = Fraction(1, 10_000)


def build(judged: JudgedRun) -> Part:
    """Return the net profit under extra costs and the break-even of each, by constraint and for the whole."""
    slippage, stranded = [], []
    for code, trades in traded_by_code(judged.run):
        net, exposed = Fraction(int(trades["net_usd_micro"].sum())), crossed_micro(trades)
        slippage.append(
            {
                "series": code,
                "break_even": _float(break_even_bps(net, exposed)),
                "after_capital": _float(break_even_bps(Fraction(_after_capital(judged.run, code)), exposed)),
                "net": _usd(net),
                **{f"net_{e}": _usd(net - 2 * e * BPS * exposed) for e in SLIPPAGE_BPS},
            }
        )
        paid = Fraction(int(trades["fees_usd_micro"].sum()) + int(trades["slippage_usd_micro"].sum()))
        stranded.append(
            {
                "series": code,
                "break_even": _float(break_even_share(net, paid)),
                "net": _usd(net),
                **{f"net_{_percent(q)}": _usd((1 - q) * net - q * paid) for q in STRANDED},
            }
        )
    return Part(
        (
            SensitivityTable(
                "Extra slippage in bps a leg and crossing: break-even, and net before capital in USD",
                (
                    Column("series", "series", "text"),
                    Column("break_even", "break-even before capital, bps", "bps"),
                    Column("after_capital", "break-even after capital, bps", "bps"),
                    Column("net", "net", "usd"),
                    *(Column(f"net_{e}", f"at {e} bps", "usd") for e in SLIPPAGE_BPS),
                ),
                tuple(slippage),
            ),
            SensitivityTable(
                "Share of packages stranded on one leg: break-even, and net before capital in USD",
                (
                    Column("series", "series", "text"),
                    Column("break_even", "break-even share", "share"),
                    Column("net", "net", "usd"),
                    *(Column(f"net_{_percent(q)}", f"at {_percent(q)}%", "usd") for q in STRANDED),
                ),
                tuple(stranded),
            ),
        ),
        (
            "A negative break-even slippage: the window loses before anything is added; then no stranded share is "
            "given.",
            "Later fills are priced again on the real path: they have a table of their own.",
        ),
    )


def break_even_bps(net_micro: Fraction, exposed_micro: Fraction) -> Fraction | None:
    """Return the bps a leg and crossing at which ``net_micro`` becomes zero; None if nothing was traded."""
    return net_micro / (2 * BPS * exposed_micro) if exposed_micro else None


def break_even_share(net_micro: Fraction, paid_micro: Fraction) -> Fraction | None:
    """Return the share of stranded packages at which the net is zero; None where it is not positive to begin with."""
    # A window that loses already has no share at which it begins to lose.
    return net_micro / (net_micro + paid_micro) if net_micro > 0 and paid_micro >= 0 else None


def traded_by_code(run: RunData) -> list[tuple[str, pd.DataFrame]]:
    """Return the traded signals with their legs: all of them, then those of each constraint in the registered order."""
    traded = run.trades[run.trades["status"] == "traded"]
    # One to one: a signal that occurred twice would be charged twice.
    joined = traded.merge(
        run.signals[["signal_id", "legs", "capture", "carry_bps", "net_bps", "threshold_bps"]],
        on="signal_id",
        how="left",
        validate="1:1",
    )
    return [("all", joined), *((code, joined[joined["constraint"] == code]) for code in CODES)]


def crossed_micro(trades: pd.DataFrame) -> Fraction:
    """Return sum_i N_i W_i in micro-USD: the notional of all legs, crossed once."""
    total = Fraction(0)
    for notional, legs in zip(trades["notional_usd"], trades["legs"], strict=True):
        # Exactly rounded, so that the order of legs does not matter.
        weight = fsum(leg["weight"] for leg in legs)
        total += Fraction(of_float(notional)) * Fraction(of_float(weight)) * MICRO
    return total


def _after_capital(run: RunData, code: str) -> int:
    sleeve = run.portfolio if code == "all" else next(candidate for candidate in run.sleeves if candidate.code == code)
    return int(sleeve.x.sum())


def _percent(share: Fraction) -> int:
    return int(share * 100)


def _usd(micro: Fraction) -> float:
    return float(micro / MICRO)


def _float(value: Any) -> float | None:
    return None if value is None else float(value)
