"""The sections in reading order: verdicts first."""

from __future__ import annotations

from reports.sections import (
    book_stress,
    calibration,
    capacity,
    costs,
    coverage,
    curve,
    deviations,
    diagnostics,
    environment,
    equity,
    folds,
    funnel,
    glossary,
    integrity,
    intervals,
    lead,
    methods,
    performance,
    power,
    references,
    resampling,
    sensitivities,
    trades,
    verdicts,
)

LEAD = lead.build
"""The first screen, before the list of contents."""

SECTIONS = (
    verdicts.SECTION,
    # The rules require the power of the window beside its verdicts.  [statistics 1.4]
    power.SECTION,
    methods.SECTION,
    calibration.SECTION,
    deviations.SECTION,
    integrity.SECTION,
    coverage.SECTION,
    funnel.SECTION,
    folds.SECTION,
    curve.SECTION,
    performance.SECTION,
    equity.SECTION,
    intervals.SECTION,
    resampling.SECTION,
    capacity.SECTION,
    costs.SECTION,
    sensitivities.SECTION,
    book_stress.SECTION,
    trades.SECTION,
    diagnostics.SECTION,
    environment.SECTION,
    glossary.SECTION,
    references.SECTION,
)
