"""Trades, one row each, with their ledger ids."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from reports.base import Block, Section, Table, Text
from reports.citation import Cited, SourcedInt, derived
from reports.load import Run
from reports.rows import TRADES, Rows
from reports.tables import parts
from reports.words import count, hours, moment, number, plural, usd_micro

SHOWN = 200
"""Rows on the page, which a browser opens at once; the run directory has all."""


def build(run: Run) -> Sequence[Block]:
    """Return exits by reason, how long fills waited, and the first trades of the window."""
    trades = Rows(run.trades, TRADES)
    ends = run.trades[["status", "exit_reason"]].drop_duplicates().sort_values(["status", "exit_reason"])
    rows = tuple(
        (status, reason, count(trades.where(status=status, exit_reason=reason).count()))
        for status, reason in ends.itertuples(index=False)
    )
    # The rules ask for their number and their share of the profit.  [R1.8]
    forced = trades.where(forced=True)
    # By time and id: the page must not depend on the order in which folds were computed.
    ordered = trades.by("t_ns", "signal_id")
    listed = tuple(_row(row) for row in ordered.records(SHOWN))
    return [
        Table("How trades ended", ("status", "reason", "trades"), rows, right=(2,)),
        Text(
            Cited(
                "{} still open at the end of the window were closed at the last mark with full exit cost; they account "
                "for {} USD of a trading net of {} USD."
            ).format(
                plural(forced.count(), "position"),
                usd_micro(forced.total("net_usd_micro")),
                usd_micro(trades.total("net_usd_micro")),
            )
        ),
        *parts(run, ("exit_waits",)),
        Table(
            Cited("The first {} of {} signals; all are in {}").format(
                count(SourcedInt(len(listed), ordered.key("count(listed)"))), count(trades.count()), TRADES
            ),
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


def _row(row: dict[str, Any]) -> tuple[str, ...]:
    return (
        moment(row["t_ns"]),
        row["constraint"],
        row["underlying"],
        row["status"],
        row["exit_reason"],
        hours(derived(row["exit_ns"] - row["entry_ns"], "-", row["exit_ns"], row["entry_ns"])),
        number(row["notional_usd"], 0),
        number(row["entry_gross_bps"], 1),
        usd_micro(row["net_usd_micro"]),
        row["signal_id"],
    )


SECTION = Section("trades", "Trades", "S4.5", build)
