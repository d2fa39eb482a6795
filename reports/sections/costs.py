"""The trades' gains and costs, by term."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from reports.base import Block, Figure, Section, Table
from reports.figures import costs as figure
from reports.load import Run
from reports.words import CODES, NAMES, count, usd_micro

TERMS = ("gross", "funding", "fees", "slippage", "borrow", "net")


def build(run: Run) -> Sequence[Block]:
    """Return the terms by constraint: of trades, and of the capital committed to them."""
    terms = {code: _terms(run, code) for code in CODES}
    rows = tuple(
        (
            code,
            NAMES[code],
            count(terms[code]["trades"]),
            *(usd_micro(terms[code][term]) for term in TERMS),
            usd_micro(terms[code]["capital"]),
            usd_micro(terms[code]["net"] - terms[code]["capital"]),
        )
        for code in CODES
    )
    return [
        Figure(
            "costs",
            "Where the money came from and where it went, by constraint.",
            figure.draw(CODES, terms),
            "Upwards: earned. Downwards: paid. Capital is charged on the whole sleeve every day, traded or not.",
        ),
        Table(
            "Terms by constraint over the window, USD",
            (
                "code",
                "constraint",
                "trades",
                "gross",
                "funding received",
                "fees",
                "slippage",
                "borrow",
                "trading net",
                "capital",
                "net",
            ),
            rows,
            right=tuple(range(2, 11)),
        ),
    ]


def _terms(run: Run, code: str) -> Mapping[str, int]:
    trades = run.trades[(run.trades["constraint"] == code) & (run.trades["status"] == "traded")]
    sums = {term: int(trades[f"{term}_usd_micro"].sum()) for term in TERMS}
    # From the returns: capital is charged on the sleeve every day, not on its trades.  [R1.6]
    charged = int(run.returns[f"pnl_{code}"].sum() - run.returns[f"x_{code}"].sum())
    return {**sums, "capital": charged, "trades": len(trades)}


SECTION = Section("costs", "Costs by term", "S3, S4.6", build)
