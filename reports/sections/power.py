"""The power of a window of this length; the rules require it beside the verdicts."""

from __future__ import annotations

from collections.abc import Sequence

from reports.base import Block, Section, Table, Text
from reports.load import Run
from reports.words import NONE, number, share


def build(run: Run) -> Sequence[Block]:
    """Return the power table of the window."""
    power = run.verdicts["H1"]["power"]
    head = ("true annual Sharpe ratio", "kind", *(number(value, 0) for value in power["sharpe"]))
    rows = [(row["name"], row["kind"], *(share(value) for value in row["power"])) for row in power["rows"]]
    days = [NONE if value is None else number(value, 0) for value in power["days_for_80"]]
    rows.append(("days needed for 80% power (t-test)", "exact", *days))
    return [
        Text(
            f"A window of {power['n_days']} independent normal days detects a true annual Sharpe ratio of "
            f"{number(power['detectable_80'], 1)} with 80% power; the least p-value the sign-flip null can give with "
            f"{power['blocks']} blocks is {number(power['smallest_p'], 4)}."
        ),
        Table("Power of the registered tests", head, tuple(rows), right=tuple(range(2, len(head)))),
        *(Text(note) for note in power["notes"]),
    ]


SECTION = Section("power", "What this window can show", "R1.9", build)
