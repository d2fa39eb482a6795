"""The calibration certificate's rows: a sentence for each verdict, and a section of its own.  [S9.1]"""

from __future__ import annotations

from collections.abc import Sequence

from reports.base import Block, Section
from reports.citation import Cited
from reports.load import Run
from reports.tables import part_of, parts
from reports.words import count, share

NAME = "calibration"


def build(run: Run) -> Sequence[Block]:
    """Return the cited rows, the number of limits met, and the code that was certified."""
    return parts(run, (NAME,))


def certificate_sentence(run: Run, hypothesis: str) -> str:
    """Return the sentence beside a verdict, with a space before it; empty if the certificate has no row for it."""
    part = part_of(run, NAME)
    rows = [] if part is None else [row for table in part["tables"] for row in table["rows"]]
    # The table of power has no hypothesis: it is cited by the section of power.
    cited = [row for row in rows if row.get("hypothesis") == hypothesis]
    # H2 has no engine row to cite.  [decision 0234]
    if not cited:
        return ""
    row = cited[0]
    return Cited(" Measured {}: {} {}, {} drawn markets through the whole engine; the certificate is {}.").format(
        row["says"], share(row["share"]), row["interval"], count(row["of"]), row["seal"]
    )


SECTION = Section(NAME, "Measured error rates", "S9.1", build)
