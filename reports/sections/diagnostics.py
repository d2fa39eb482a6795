"""Diagnostics of the return series: they describe, they decide nothing."""

from __future__ import annotations

from collections.abc import Sequence

from reports.base import Block, Section, Table, Text
from reports.load import Run
from reports.words import number, p_value


def build(run: Run) -> Sequence[Block]:
    """Return one row a diagnostic."""
    rows = tuple(
        (row["series"] or "portfolio", row["name"], number(row["value"], 4), p_value(row["p"]), row["note"])
        for row in run.verdicts["diagnostics"]
    )
    return [
        Text("Computed in floating point by statsmodels and arch; none of them enters a decision."),
        Table(
            "Autocorrelation, clusters of volatility and shape of the daily returns; corrections for many constraints",
            ("series", "diagnostic", "value", "p", "remark"),
            rows,
            right=(2, 3),
            folded=True,
        ),
    ]


SECTION = Section("diagnostics", "Diagnostics of the return series", "", build)
