"""Equity, drawdown, and the null distribution with the observed value in it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from reports.base import Block, Figure, Section, Text
from reports.citation import Cited, SourcedInt
from reports.figures import equity, null
from reports.load import Run
from reports.rows import RETURNS, Rows
from reports.sections import nulls
from reports.words import count, plural, usd, usd_micro


def build(run: Run) -> Sequence[Block]:
    """Return the equity curve and the enumerated null of H1."""
    returns = run.returns
    x = returns["x"].to_numpy(np.int64)
    day = returns["day"].to_numpy(np.int64)
    path = np.cumsum(x)
    # From zero too: a window that only loses has fallen from its start.
    fall = int((path - np.maximum.accumulate(np.maximum(path, 0))).min())
    starts = [fold["start_ns"] // (86_400 * 10**9) for fold in run.folds["folds"]]
    rows = Rows(returns, RETURNS)
    summary = Cited(
        "Net profit of the window {} USD after all costs and capital, on {} committed; deepest fall {} USD; {} with "
        "trading profit or loss."
    ).format(
        usd_micro(rows.total("x")),
        usd(run.manifest["capital_usd"]),
        usd_micro(SourcedInt(fall, rows.key("fall(x)"))),
        plural(rows.beyond("pnl", "!=").count(), "day"),
    )
    h1 = run.verdicts["H1"]
    blocks, sums = h1["block_profit_micro"], h1["null_ordered_micro"]
    observed = SourcedInt(sum(blocks), "verdicts.json: sum(H1.block_profit_micro)")
    return [
        Figure(
            "equity",
            "Net profit, cumulative.",
            equity.draw(day, x, returns["pnl"].to_numpy(np.int64), starts),
            summary,
            f"{RETURNS}: day, x, pnl; folds.json: folds.start_ns",
        ),
        Figure(
            "null",
            "The registered null N1: every sign flip of the block profits, enumerated.",
            null.draw(sums, observed),
            Cited("{} flips of {} blocks; observed {} USD. Ties count, so p is never zero.").format(
                count(SourcedInt(len(sums), "verdicts.json: count(H1.null_ordered_micro)")),
                count(SourcedInt(len(blocks), "verdicts.json: count(H1.block_profit_micro)")),
                usd_micro(observed),
            ),
            "verdicts.json: H1.null_ordered_micro, H1.block_profit_micro",
        ),
        *nulls.figures(h1),
        Text("Net profit of each block, in USD: " + Cited("; ").join(usd_micro(value) for value in blocks) + "."),
    ]


SECTION = Section("equity", "Equity, drawdown and the null", "R1.4, R1.6, S9.H1", build)
