"""Versions, machine and data sources of the run."""

from __future__ import annotations

from collections.abc import Sequence

from reports.base import Block, Section, Table
from reports.load import Run


def build(run: Run) -> Sequence[Block]:
    """Return versions, machine and sources of data."""
    facts = run.manifest
    rows = tuple(sorted(facts["versions"].items())) + tuple((k, str(v)) for k, v in sorted(facts["machine"].items()))
    sources = tuple(
        (s["name"], s["adapter"], "yes" if s["verified"] else "no", "; ".join(s["notes"])) for s in facts["sources"]
    )
    return [
        Table("Versions and machine: recorded, never part of a digest", ("what", "value"), rows, folded=True),
        Table("Sources of data", ("source", "adapter", "verified on a real sample", "notes"), sources, folded=True),
    ]


SECTION = Section("environment", "Environment and sources", "S8.6", build)
