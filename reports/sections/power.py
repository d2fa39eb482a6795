"""The power of a window of this length; the rules require it beside the verdicts."""

from __future__ import annotations

from collections.abc import Sequence

from reports.base import Block, Section, Table, Text
from reports.citation import Cited, sourced
from reports.load import Run
from reports.sections import calibration
from reports.tables import part_of, table_of
from reports.words import NONE, count, number, share

POWER = sourced("80%", "name(verdicts.json: H1.power.detectable_80)")
"""The power for which the days are given."""
RULE = "Power of the rule that decides"
"""How the title of the certificate's table of power begins."""


def build(run: Run) -> Sequence[Block]:
    """Return the power of the rule that decides, as the certificate measured it; below it that of N1 alone."""
    power = run.verdicts["H1"]["power"]
    head = ("true annual Sharpe ratio", "kind", *(number(value, 0) for value in power["sharpe"]))
    rows = [(row["name"], row["kind"], *(share(value) for value in row["power"])) for row in power["rows"]]
    days = [NONE if value is None else number(value, 0) for value in power["days_for_80"]]
    rows.append((Cited("days needed for {} power (t-test)").format(POWER), "exact", *days))
    return [
        *_deciding(run),
        Text(
            Cited(
                "A window of {} independent normal days detects a true annual Sharpe ratio of {} with {} power; the "
                "least p-value the sign-flip null can give with {} blocks is {}."
            ).format(
                count(power["n_days"]),
                number(power["detectable_80"], 1),
                POWER,
                count(power["blocks"]),
                number(power["smallest_p"], 4),
            )
        ),
        Table(
            "N1 alone and the t-test, without N2, on series of normal days",
            head,
            tuple(rows),
            right=tuple(range(2, len(head))),
        ),
        *(Text(note) for note in power["notes"]),
    ]


def _deciding(run: Run) -> Sequence[Block]:
    """Return the certificate's table of power; a sentence where it has none."""
    part = part_of(run, calibration.NAME)
    tables = [] if part is None else [table for table in part["tables"] if table["caption"].startswith(RULE)]
    if not tables or not tables[0]["rows"]:
        return [Text("The power of the rule that decides, N1 and N2 together, is not measured for this checkout.")]
    rows = tables[0]["rows"]
    return [
        # the seal is in the sentence below
        table_of({**tables[0], "columns": [column for column in tables[0]["columns"] if column["key"] != "seal"]}),
        Text(
            Cited(
                "Measured on drawn markets of one pair, whose size bounds it at high ratios; the certificate is {}. "
                "Below is the power of N1 alone on series: the registered rule asks for N2 too."
            ).format(rows[0]["seal"])
        ),
    ]


SECTION = Section("power", "What this window can show", "R1.9", build)
