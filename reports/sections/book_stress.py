"""Stress on the book of the window, exploratory: outage of a venue, a dollar off its peg, collateral by venue."""

from __future__ import annotations

from collections.abc import Sequence

from reports.base import Block, Section
from reports.load import Run
from reports.tables import parts


def build(run: Run) -> Sequence[Block]:
    """Return the tables of the sensitivity of that name; nothing for a run that was judged before there was one."""
    return parts(run, ("book_stress",))


SECTION = Section("book_stress", "Stress on the book", "risk 14.4", build)
