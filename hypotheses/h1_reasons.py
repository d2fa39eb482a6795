"""Why a value of H1 is undefined, why H1 cannot be evaluated, what keeps it from the grade robust.  [statistics 3.4]"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from backtest.records import Stats
from hypotheses.base import RunData
from hypotheses.records import Interval, PermutationNull, Proportion, Stressed
from hypotheses.statistics.inference import Inference

NOT_RUN: Final = "the signals of this run were not moved: the verdict rests on N1 and is provisional"

SEEN: Final = "a loss of at least half the joint loss was seen"


def not_evaluable(inference: Inference, without: int, second: PermutationNull | None, stats: Stats) -> str | None:
    """Return why H1 cannot be evaluated, or None.  [statistics 3.4, spec README "Tests"]"""
    # First: without a ratio the days and the nulls have nothing to judge.
    if inference.point is None:
        return f"not evaluable: {inference.undefined}; counts as not supported"
    if without > stats.max_days_without_data:
        return (
            f"not evaluable: {without} days without any data, more than {stats.max_days_without_data}; "
            "counts as not supported"
        )
    if second is not None and second.p is None:
        return f"cannot tell: N2 has no p-value ({second.reason})"
    return None


def failed_conditions(
    second: PermutationNull | None, third: PermutationNull | None, p_boot: Proportion | None, stats: Stats
) -> tuple[str, ...]:
    """Return what keeps a supported H1 from the grade robust.  [statistics 3.4]"""
    failed = []
    for name, null in (("N2", second), ("N3", third)):
        if null is None:
            failed.append(f"{name} not run")
        elif null.p is None:
            # The reason's first words are its kind; what follows are the counts.
            failed.append(f"{name} {null.reason.split(':')[0]}")
        elif not null.p.under(stats.alpha):
            failed.append(f"p({name}) not under {stats.alpha}")
    if p_boot is None or not p_boot.under(stats.alpha):
        failed.append("studentised bootstrap p-value")
    return tuple(failed)


def null_reasons(
    run: RunData, second: PermutationNull | None, third: PermutationNull | None, undefined: bool
) -> dict[str, str]:
    """Return, by field, why a null or the deflated ratio has no value."""
    reasons: dict[str, str] = {}
    for name, fields, null in (("n2", ("p_n2", "p_n2_ratio", "p_n2_mean"), second), ("n3", ("p_n3",), third)):
        why = NOT_RUN if run.placements is None else "there was no signal to move"
        if null is None:
            reasons |= dict.fromkeys((*fields, name), why)
        elif null.p is None:
            reasons |= dict.fromkeys(fields, null.reason)
    if run.trials is not None and undefined:
        reasons["trials"] = "it counts evaluated ratios, and this one is undefined"
    if run.trials is None:
        reasons["dsr"] = reasons["trials"] = "no record of runs tells how many configurations were ever evaluated"
    return reasons


def stress_reasons(stressed: Stressed | None, active_days: int | None, losses: int | None) -> dict[str, str]:
    """Return, by field, why H1 has no value after a joint loss, and no bound on losses that were not seen."""
    if active_days is None:
        unknown = "the positions of this run are not known"
        return dict.fromkeys(["stressed", "active_days", "loss_days", "rule_of_three"], unknown)
    idle = {} if active_days else dict.fromkeys(["stressed", "rule_of_three"], "no position was open on any day")
    if stressed is None and active_days:
        return {"stressed": "the Sharpe ratio is undefined"} | ({"rule_of_three": SEEN} if losses else {})
    return idle | ({"rule_of_three": SEEN} if losses else {})


def reasons_of(
    inference: Inference, ci: Interval | None, formulas: Mapping[str, float | None], registered: bool
) -> dict[str, str]:
    """Return, by field, why a value is undefined; ``formulas`` are the probabilistic ratios by field."""
    reasons: dict[str, str] = {}
    why = inference.undefined or "the variance in its formula is not positive"
    reasons |= {name: why for name, value in formulas.items() if value is None}
    if inference.point is not None and "days_needed" in reasons:
        reasons["days_needed"] = "the ratio is not above the claim, so that no number of such days would do"
    if not registered:
        reasons["grade"] = "only a supported H1 is graded"
    if inference.undefined is not None:
        names = ["ci", "ci_equal_tailed", "lower_95", "p_boot"]
        names += ["sharpe", "p_n1"] if inference.point is None else []
        names += ["block_length"] if inference.block_length is None else []
        reasons |= dict.fromkeys(names, inference.undefined)
    elif ci is None:
        reasons |= dict.fromkeys(["ci", "ci_equal_tailed", "lower_95"], "too few bootstrap draws for the level")
    return reasons
