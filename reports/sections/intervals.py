"""The seven constraints, each with its own Sharpe ratio and interval."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from backtest.results.vocabulary import WORD_OF_STATUS
from engine.constraints.codes import COUNT_IN_WORDS
from reports.base import Block, Figure, Section, Table, Text
from reports.citation import Cited
from reports.figures import forest
from reports.load import Run
from reports.words import NAMES, NONE, count, interval, number, p_value, share


def build(run: Run) -> Sequence[Block]:
    """Return the forest plot and the table of H3."""
    rows, level = run.verdicts["H3"]["constraints"], share(run.level, 0)
    drawn = [tuple(float(end) for end in row["ci"]) if row["ci"] else None for row in rows]
    figure = forest.draw(
        [f"{row['code']} {NAMES[row['code']]}" for row in rows],
        [None if row["sharpe"] is None else float(row["sharpe"]) for row in rows],
        drawn,  # type: ignore[arg-type]  # pairs by construction
        [WORD_OF_STATUS[row["status"]] for row in rows],
        0.0,
    )
    return [
        Figure(
            "forest",
            Cited("Annualised Sharpe ratio of each constraint's sleeve with its studentised {} interval.").format(
                level
            ),
            figure,
            "Circle: retained. Cross: dropped. Open square: not enough data: no decision is drawn from its interval.",
            "verdicts.json: H3.constraints.sharpe, H3.constraints.ci, H3.constraints.status",
        ),
        Table(
            "H3, one row a constraint in the registered order",
            (
                "code",
                "constraint",
                "status",
                "Sharpe",
                level + " interval",
                "equal-tailed",
                "block",
                "active days",
                "trades",
                "dislocations",
                "blocks",
                "p",
                "p (Holm)",
                "p (StepM)",
                "stress loss, USD",
                "interval after it",
                "tail-fragile",
            ),
            tuple(_row(row) for row in rows),
            right=tuple(range(3, 16)),
        ),
        Table(
            "Why a constraint was not decided, or a quantity is undefined",
            ("reason", "constraints", "fields"),
            _reasons(rows),
            folded=True,
        ),
        Text(
            "Individual intervals decide, as registered; the adjusted p-values stand beside them because selecting "
            f"survivors among {COUNT_IN_WORDS} is a selection. A dislocation takes every traded signal of one "
            "constraint, underlying, venue and expiry within an hour of the signal that opened it; the floor counts "
            "dislocations. The stress loss is the registered loss on the most that a constraint had open at once on "
            "one underlying, venue and expiry, and at least on one target notional; a retained constraint is "
            "tail-fragile where its interval after that loss is not above zero."
        ),
    ]


def _reasons(rows: Sequence[dict[str, Any]]) -> tuple[tuple[str, str, str], ...]:
    """Return each reason once, with its constraints and fields."""
    fields: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        for key in sorted(row):
            if key.endswith("_reason") and row[key]:
                name = key.removesuffix("_reason").replace("_", " ")
                fields.setdefault((row[key], row["code"]), []).append(name)
    codes: dict[tuple[str, str], list[str]] = {}
    for (reason, code), names in fields.items():
        # Grouped twice: most reasons are the same for several constraints and fields.
        codes.setdefault((reason, ", ".join(names)), []).append(code)
    return tuple((reason, ", ".join(of), names) for (reason, names), of in codes.items())


def _row(row: dict[str, Any]) -> tuple[str, ...]:
    fragile = row.get("tail_fragile")
    return (
        row["code"],
        NAMES[row["code"]],
        WORD_OF_STATUS[row["status"]],
        number(row["sharpe"]),
        interval(row["ci"]),
        interval(row["ci_equal_tailed"]),
        number(row["block_length"], 1),
        count(row["active_days"]),
        count(row["trades"]),
        count(row.get("dislocations")),
        count(row["active_blocks"]),
        p_value(row["p"]),
        p_value(row["p_holm"]),
        p_value(row["p_stepm"]),
        number(row.get("stress_usd"), 0),
        interval(row.get("stressed_ci")),
        NONE if fragile is None else "yes" if fragile else "no",
    )


SECTION = Section("constraints", f"The {COUNT_IN_WORDS} constraints", "S9.H3", build)
