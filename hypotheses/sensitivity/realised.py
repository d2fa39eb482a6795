"""Modelled and realised profit by constraint, with the terms of the difference.  [statistics 7.3]"""

from __future__ import annotations

from collections.abc import Mapping
from math import fsum
from typing import Any

import pandas as pd

from engine.units import BPS, MICRO
from hypotheses.sensitivity.base import Column, JudgedRun, Part, SensitivityTable
from hypotheses.sensitivity.extra_costs import traded_by_code

TERMS = ("gross", "fees", "slippage", "funding", "borrow")

COLUMNS = (
    Column("series", "series", "text"),
    Column("trades", "trades", "count"),
    Column("modelled", "modelled net", "usd"),
    Column("realised", "realised net", "usd"),
    Column("ratio", "realised / modelled", "ratio"),
    Column("gained", "trades that gained", "share"),
    *(Column(term, term, "usd") for term in TERMS),
    Column("capture", "capture of the folds", "interval"),
)


BY_VENUE = (
    Column("venue", "venue of the signal", "text"),
    Column("trades", "trades with a carry", "count"),
    Column("modelled", "expected funding over the planned life, USD", "usd"),
    Column("held", "the same for the time held, USD", "usd"),
    Column("paid", "funding received, USD", "usd"),
    Column("ratio", "received / expected for the time held", "ratio"),
)


def build(judged: JudgedRun) -> Part:
    """Return one row a constraint, and one a venue of expected and received funding.

    ``capture`` is the range of the fitted factors of its traded signals.
    """
    by_code = traded_by_code(judged.run)
    rows = tuple(_row(code, trades) for code, trades in by_code)
    lives_ns = {code: rule.life_ns for code, rule in judged.registration.params.rules.items()}
    of_all = next(trades for code, trades in by_code if code == "all")
    return Part(
        (
            SensitivityTable(
                "Modelled and realised net profit of the trades taken, before capital, USD", COLUMNS, rows
            ),
            SensitivityTable("Expected and received funding by venue", BY_VENUE, _by_venue(of_all, lives_ns)),
        ),
        ("Carry of C5 holds the roll-down of its futures too, and the four corners have theirs in the gross.",),
    )


def _by_venue(trades: pd.DataFrame, lives_ns: Mapping[str, int]) -> tuple[dict[str, Any], ...]:
    """Return a row a venue: of the trades whose expected funding is not 0, C5's left out."""
    trades = trades[(trades["carry_bps"] != 0.0) & (trades["constraint"] != "C5")]
    rows = []
    for venue, own in trades.groupby("venue", sort=True):
        modelled = own["carry_bps"] * own["notional_usd"] / BPS
        held = modelled * (own["exit_ns"] - own["entry_ns"]) / own["constraint"].map(lives_ns)
        paid, expected = int(own["funding_usd_micro"].sum()) / MICRO, fsum(held.tolist())
        rows.append(
            {
                "venue": str(venue),
                "trades": len(own),
                "modelled": fsum(modelled.tolist()),
                "held": expected,
                "paid": paid,
                # where expectations of both signs cancel, their sum is small and the quotient says nothing
                "ratio": paid / expected if 2 * abs(expected) > fsum(held.abs().tolist()) else None,
            }
        )
    return tuple(rows)


def _row(code: str, trades: pd.DataFrame) -> dict[str, Any]:
    modelled, realised = (int(trades[f"{name}_usd_micro"].sum()) for name in ("modelled", "net"))
    capture = trades["capture"]
    return {
        "series": code,
        "trades": len(trades),
        "modelled": modelled / MICRO,
        "realised": realised / MICRO,
        "ratio": realised / modelled if modelled else None,
        "gained": float((trades["net_usd_micro"] > 0).mean()) if len(trades) else None,
        **{term: int(trades[f"{term}_usd_micro"].sum()) / MICRO for term in TERMS},
        # Captures are fitted by constraint: a range over all of them would compare unlike things.
        "capture": (float(capture.min()), float(capture.max())) if len(trades) and code != "all" else None,
    }
