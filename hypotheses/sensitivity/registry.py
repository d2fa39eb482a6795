"""The sensitivities in the order in which they are written and shown; a literal tuple, nothing is discovered."""

from __future__ import annotations

from hypotheses.sensitivity import (
    anchor_health,
    book_stress,
    certificate,
    combinatorial,
    conversion_fee,
    delay,
    deliveries,
    exit_waits,
    extra_costs,
    frozen_score,
    highest_ev,
    hindsight,
    leg_by_leg,
    margin_charge,
    missing_days,
    other_intervals,
    panel,
    pruned,
    realised,
    split_audit,
    tiers,
)
from hypotheses.sensitivity.base import Sensitivity

SENSITIVITIES: tuple[Sensitivity, ...] = (
    Sensitivity(
        "calibration", "Measured error rates of this pipeline", "sensitivity", "statistics 10", certificate.build
    ),
    Sensitivity("intervals", "Other intervals and other tests", "sensitivity", "statistics 8.5", other_intervals.build),
    Sensitivity("panel", "Other block lengths, forms and draws", "exploratory", "statistics 8.5", panel.build),
    Sensitivity(
        "missing_days",
        "Other rules for lacking days and quarantine",
        "exploratory",
        "statistics R1.7",
        missing_days.build,
    ),
    Sensitivity("extra_costs", "Worse fills", "exploratory", "S3", extra_costs.build),
    Sensitivity("conversion_fee", "The dollar pair at its old fee", "sensitivity", "venues V5", conversion_fee.build),
    Sensitivity("delay", "Later fills", "exploratory", "S4.4", delay.build),
    Sensitivity("exit_waits", "Waits of fills, exits at their trigger", "sensitivity", "S4.5", exit_waits.build),
    Sensitivity("deliveries", "Expiries without a settlement price", "sensitivity", "venues V2", deliveries.build),
    Sensitivity("tiers", "Other notionals a signal", "exploratory", "statistics 7.1", tiers.build),
    Sensitivity(
        "margin_charge", "Capital cost on margin in use", "sensitivity", "statistics R1.6", margin_charge.build
    ),
    Sensitivity("book_stress", "Outage, depeg, collateral by venue", "exploratory", "risk 14.4", book_stress.build),
    Sensitivity("highest_ev", "The claim that C6 has the highest EV", "exploratory", "S9", highest_ev.build),
    Sensitivity("hindsight", "What one bit of hindsight is worth", "exploratory", "S8.8", hindsight.build),
    Sensitivity("realised", "Modelled against realised", "sensitivity", "statistics 7.3", realised.build),
    Sensitivity(
        "frozen_score", "C5's score with frozen constants", "sensitivity", "statistics R9.5", frozen_score.build
    ),
    Sensitivity("split_audit", "The folds, audited", "sensitivity", "statistics 2.6", split_audit.build),
    Sensitivity("pruned", "Dropping nested in training", "exploratory", "statistics 2.3", pruned.build),
    Sensitivity(
        "combinatorial",
        "Combinatorial purged cross-validation",
        "exploratory",
        "statistics 2.5",
        combinatorial.build,
        market=True,
    ),
    Sensitivity("leg_by_leg", "Legs filled one by one", "exploratory", "S4.4", leg_by_leg.build, market=True),
    Sensitivity(
        "anchor_health", "Health of the anchors", "exploratory", "spec README", anchor_health.build, market=True
    ),
)
