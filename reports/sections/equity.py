"""Equity, drawdown, and the null distribution with the observed value in it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from reports.base import Block, Figure, Section, Text
from reports.figures import equity, null
from reports.load import Run
from reports.sections import nulls
from reports.words import plural, usd, usd_micro


def build(run: Run) -> Sequence[Block]:
    """Return the equity curve and the enumerated null of H1."""
    returns = run.returns
    x = returns["x"].to_numpy(np.int64)
    day = returns["day"].to_numpy(np.int64)
    path = np.cumsum(x)
    # From zero too: a window that only loses has fallen from its start.
    fall = int((path - np.maximum.accumulate(np.maximum(path, 0))).min())
    starts = [fold["start_ns"] // (86_400 * 10**9) for fold in run.folds["folds"]]
    summary = (
        f"Net profit of the window {usd_micro(int(x.sum()))} USD after all costs and capital, on "
        f"{usd(run.manifest['capital_usd'])} committed; deepest fall {usd_micro(fall)} USD; "
        f"{plural(int((returns['pnl'] != 0).sum()), 'day')} with trading profit or loss."
    )
    h1 = run.verdicts["H1"]
    blocks, sums = h1["block_profit_micro"], h1["null_ordered_micro"]
    observed = sum(blocks)
    return [
        Figure(
            "equity", "Net profit, cumulative.", equity.draw(day, x, returns["pnl"].to_numpy(np.int64), starts), summary
        ),
        Figure(
            "null",
            "The registered null N1: every sign flip of the block profits, enumerated.",
            null.draw(sums, observed),
            f"{len(sums):,} flips of {len(blocks)} blocks; observed {usd_micro(observed)} USD. "
            "Ties count, so p is never zero.",
        ),
        *nulls.figures(h1),
        Text("Net profit of each block, in USD: " + "; ".join(usd_micro(value) for value in blocks) + "."),
    ]


SECTION = Section("equity", "Equity, drawdown and the null", "R1.4, R1.6, S9.H1", build)
