"""What the calibration certificate measured, beside each verdict and in a section of its own.  [S9.1]"""

from __future__ import annotations

from collections.abc import Sequence

from reports.base import Block, Section
from reports.load import Run
from reports.tables import part_of, parts
from reports.words import count, share

NAME = "calibration"


def build(run: Run) -> Sequence[Block]:
    """Return the cited rows, how many limits were met, and whose certificate it is."""
    return parts(run, (NAME,))


def said(run: Run, hypothesis: str) -> str:
    """Return the sentence beside a verdict, with a space before it; empty where no certificate measured it."""
    part = part_of(run, NAME)
    rows = [] if part is None else [row for table in part["tables"] for row in table["rows"]]
    cited = [row for row in rows if row["hypothesis"] == hypothesis]
    if not cited:
        return ""
    row = cited[0]
    return (
        f" Measured {row['says']}: {share(row['share'])} {row['interval']}, {count(row['of'])} drawn markets through "
        f"the whole engine; the certificate is {row['seal']}."
    )


SECTION = Section(NAME, "Measured error rates", "S9.1", build)
