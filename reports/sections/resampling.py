"""Intervals under other ways of drawing, and under other rules for days without data."""

from __future__ import annotations

from collections.abc import Sequence

from reports.base import Block, Section
from reports.load import Run
from reports.tables import parts


def build(run: Run) -> Sequence[Block]:
    """Return the other intervals, the panel of resampling, and the bounds under other rules for lacking days."""
    return parts(run, ("intervals", "panel", "missing_days"))


SECTION = Section("resampling", "Other draws, other days", "S9.H3", build)
