"""What departs from the registered plan, and every choice of ours that the registered page leaves open."""

from __future__ import annotations

from collections.abc import Sequence

from reports.base import Block, Section, Table, Text
from reports.load import Run


def build(run: Run) -> Sequence[Block]:
    """Return deviations, amendments and choices."""
    deviations = run.verdicts["run"]["deviations"]
    choices = run.registration.get("choices", [])
    blocks: list[Block] = [
        Table("Departures from the registration", ("departure",), tuple((text,) for text in deviations))
        if deviations
        else Text("No departure from the registration was found.")
    ]
    amendments = run.manifest["amendments"]
    blocks.append(Text("Amendments: " + (", ".join(amendments) if amendments else "none") + "."))
    rows = tuple((str(c["item"]), str(c["value"]), str(c["reason"])) for c in choices)
    blocks.append(
        Table("What the registered page leaves open and we settled", ("item", "choice", "reason"), rows, folded=True)
    )
    return blocks


SECTION = Section("deviations", "Deviations, amendments, choices", "S8.1", build)
