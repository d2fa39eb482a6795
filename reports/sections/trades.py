"""Trades, one row each, with their ledger ids."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

from reports.base import Block, Section, Table, Text
from reports.load import Run
from reports.tables import parts
from reports.words import moment, number, plural, usd_micro

SHOWN = 200
"""Rows on the page, which a browser opens at once; the run directory has all."""


def build(run: Run) -> Sequence[Block]:
    """Return exits by reason, how long fills waited, and the first trades of the window."""
    trades = run.trades
    reasons = trades.groupby(["status", "exit_reason"]).size().reset_index(name="n").to_dict("records")
    rows = tuple((str(row["status"]), str(row["exit_reason"]), f"{row['n']:,}") for row in reasons)
    # The rules ask for their number and their share of the profit.  [R1.8]
    forced = trades[trades["forced"]]
    # By time and id: the page must not depend on the order in which folds were computed.
    shown = trades.sort_values(["t_ns", "signal_id"]).head(SHOWN)
    listed = tuple(_row(row) for row in shown.to_dict("records"))
    return [
        Table("How trades ended", ("status", "reason", "trades"), rows, right=(2,)),
        Text(
            f"{plural(len(forced), 'position')} still open at the end of the window were closed at the last mark with "
            f"full exit cost; they account for {usd_micro(int(forced['net_usd_micro'].sum()))} USD of a trading net of "
            f"{usd_micro(int(trades['net_usd_micro'].sum()))} USD."
        ),
        *parts(run, ("exit_waits",)),
        Table(
            f"The first {min(SHOWN, len(trades)):,} of {len(trades):,} signals; all are in folds/NN/trades.parquet",
            (
                "decided (UTC)",
                "code",
                "coin",
                "status",
                "exit",
                "hours",
                "notional",
                "entry gross bps",
                "net USD",
                "ledger id",
            ),
            listed,
            right=(5, 6, 7, 8),
            folded=True,
        ),
    ]


def _row(row: dict[Hashable, Any]) -> tuple[str, ...]:
    return (
        moment(row["t_ns"]),
        row["constraint"],
        row["underlying"],
        row["status"],
        row["exit_reason"],
        number((row["exit_ns"] - row["entry_ns"]) / 3.6e12, 1),
        number(row["notional_usd"], 0),
        number(row["entry_gross_bps"], 1),
        usd_micro(row["net_usd_micro"]),
        row["signal_id"],
    )


SECTION = Section("trades", "Trades", "S4.5", build)
