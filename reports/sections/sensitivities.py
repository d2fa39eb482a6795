"""Results with worse fills, other sizes and other folds; they decide nothing."""

from __future__ import annotations

from collections.abc import Sequence

from reports.base import Block, Section
from reports.load import Run
from reports.tables import not_asked, parts


def build(run: Run) -> Sequence[Block]:
    """Return worse and later fills, unknown deliveries, sizes, modelled against realised, folds audited and crossed."""
    names = (
        "extra_costs",
        "delay",
        "deliveries",
        "conversion_fee",
        "tiers",
        "margin_charge",
        "highest_ev",
        "hindsight",
        "realised",
        "frozen_score",
        "split_audit",
        "pruned",
        "combinatorial",
        "leg_by_leg",
        "anchor_health",
    )
    return [*parts(run, names), *not_asked(run)]


SECTION = Section("sensitivities", "Sensitivities", "S9, S8.3", build)
