"""The folds on a time line, with the numbers that training fitted."""

from __future__ import annotations

from collections.abc import Sequence

from reports.base import Block, Figure, Section, Table
from reports.figures import folds as figure
from reports.load import Run
from reports.words import CODES, count, moment, number, plural, usd_micro


def build(run: Run) -> Sequence[Block]:
    """Return the time line, fold counts, and the fitted numbers: capture factors and the curvature threshold."""
    folds = run.folds["folds"]
    trades = run.trades
    traded = trades[trades["status"] == "traded"]
    rows = []
    for fold in folds:
        # By the fold of the decision: a trade may earn in the next one.  [R2.3]
        trades = traded[traded["fold"] == fold["fold"]]
        rows.append(
            (
                str(fold["fold"]),
                moment(fold["start_ns"]),
                count(fold["train"]),
                count(fold["test"]),
                count(len(trades)),
                usd_micro(int(trades["net_usd_micro"].sum())),
                *(number(fold["capture"][code], 3) for code in CODES),
                _curve(fold),
            )
        )
    labels = [f"{fold['train']:,} train, {fold['test']:,} test" for fold in folds]
    starts, ends = [f["start_ns"] for f in folds], [f["end_ns"] for f in folds]
    return [
        Figure(
            "folds",
            f"{plural(len(folds), 'test fold')}, each trained strictly on what ended "
            f"{number(run.folds['gap_ns'] / 3.6e12, 0)} h before it began.",
            figure.draw(run.folds["history_ns"], starts, ends, run.folds["gap_ns"], labels),
            "Dotted: training labels may end here. Outlined: the purge gap. Solid: the test fold. Right: labels.",
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
            f"{underlying}: |z| >= {number(fit['z_threshold'], 1)}"
            if fit["identified"]
            else f"{underlying}: no signal, {fit['reason']}"
        )
    return "; ".join(parts) or "no curve"


SECTION = Section("folds", "Folds on a time line", "S8.3, S8.4", build)
