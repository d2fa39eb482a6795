"""Versions, machine and data sources of the run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from reports.base import Block, Section, Table
from reports.citation import Cited
from reports.load import Run
from reports.words import text


def build(run: Run) -> Sequence[Block]:
    """Return versions, machine and sources of data."""
    facts = run.manifest
    rows = tuple((k, text(v)) for group in ("versions", "machine") for k, v in sorted(facts[group].items()))
    sources = tuple((s["name"], s["adapter"], _verified(s), Cited("; ").join(s["notes"])) for s in facts["sources"])
    return [
        Table("Versions and machine: recorded, never part of a digest", ("what", "value"), rows, folded=True),
        Table("Sources of data", ("source", "adapter", "verified on a real sample", "notes"), sources, folded=True),
    ]


def _verified(source: dict[str, Any]) -> str:
    """Return whether the adapter passed on a real sample, and which of its formats met none."""
    if not source["verified"]:
        return "no" if source["adapter"] == "synthetic" else "UNVERIFIED: it has met no real sample"
    mark = "; unverified: "
    at = source["verified"].find(mark)
    return "yes" if at < 0 else Cited("yes; UNVERIFIED: {}").format(source["verified"][at + len(mark) :])


SECTION = Section("environment", "Environment and sources", "S8.6", build)
