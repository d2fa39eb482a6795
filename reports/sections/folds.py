"""The folds on a time line, with the numbers that training fitted."""

from __future__ import annotations

from collections.abc import Sequence

from reports.base import Block, Figure, Section, Table
from reports.citation import Cited, SourcedInt
from reports.figures import folds as figure
from reports.load import Run
from reports.rows import TRADES, Rows
from reports.words import CODES, count, hours, moment, number, plural, usd_micro


def build(run: Run) -> Sequence[Block]:
    """Return the time line, fold counts, and the fitted numbers: capture factors and the curvature threshold."""
    folds = run.folds["folds"]
    traded = Rows(run.trades, TRADES).where(status="traded")
    rows = []
    for fold in folds:
        # By the fold of the decision: a trade may earn in the next one.  [R2.3]
        trades = traded.where(fold=int(fold["fold"]))
        rows.append(
            (
                count(fold["fold"]),
                moment(fold["start_ns"]),
                count(fold["train"]),
                count(fold["test"]),
                count(trades.count()),
                usd_micro(trades.total("net_usd_micro")),
                *(number(fold["capture"][code], 3) for code in CODES),
                _curve(fold),
            )
        )
    labels = [f"{fold['train']:,} train, {fold['test']:,} test" for fold in folds]
    starts, ends = [f["start_ns"] for f in folds], [f["end_ns"] for f in folds]
    return [
        Figure(
            "folds",
            Cited("{}, each trained strictly on what ended {} h before it began.").format(
                plural(SourcedInt(len(folds), "folds.json: count(folds)"), "test fold"), hours(run.folds["gap_ns"], 0)
            ),
            figure.draw(run.folds["history_ns"], starts, ends, run.folds["gap_ns"], labels),
            "Pale: training labels may end here. Outlined: the purge gap. Solid: the test fold. Right: labels.",
            "folds.json: history_ns, gap_ns, folds.start_ns, folds.end_ns, folds.train, folds.test",
        ),
        Table(
            "Folds: labels, trades begun in the fold with their net before capital (USD), and what training fitted",
            (
                "fold",
                "starts (UTC)",
                "train labels",
                "test labels",
                "trades",
                "net USD",
                *(f"capture {code}" for code in CODES),
                "curvature",
            ),
            tuple(rows),
            right=tuple(range(2, 6 + len(CODES))),
            folded=True,
        ),
    ]


def _curve(fold: dict[str, object]) -> str:
    parts = []
    for underlying, fit in sorted(dict(fold["curve"]).items()):  # type: ignore[call-overload]
        parts.append(
            Cited("{}: |z| >= {}").format(underlying, number(fit["z_threshold"], 1))
            if fit["identified"]
            else Cited("{}: no signal, {}").format(underlying, fit["reason"])
        )
    return Cited("; ").join(parts) or "no curve"


SECTION = Section("folds", "Folds on a time line", "S8.3, S8.4", build)
