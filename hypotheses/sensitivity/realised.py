"""Modelled and realised profit by constraint, with the terms of the difference.  [statistics 7.3]"""

from __future__ import annotations

from typing import Any

import pandas as pd

from engine.units import MICRO
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


def build(judged: JudgedRun) -> Part:
    """Return one row a constraint; ``capture`` is the range of the fitted factors of its traded signals."""
    rows = tuple(_row(code, trades) for code, trades in traded_by_code(judged.run))
    return Part(
        (SensitivityTable("Modelled and realised net profit of the trades taken, before capital, USD", COLUMNS, rows),)
    )


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
