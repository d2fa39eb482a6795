"""Which statistic, null and rule each verdict uses, by name, and what each null needs.  [S9.1, statistics 3]

A plan may state them in its table ``methods``; then it must state what this code does, word for word, so that neither
can change without the other.  The page shows them.
"""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Final

from backtest.records import Registration
from engine.errors import UsageError

METHODS: Final[Mapping[str, str]] = {
    "n1_statistic": "net_sharpe_ratio",
    "n1_null": "all_sign_flips_of_folds",
    "n1_needs": (
        "the joint law of the folds' net profits stays the same when the sign of any fold is turned: folds symmetric "
        "about zero, or nearly normal sums of nine days"
    ),
    "n2_null": "permutation_of_signal_days_within_folds",
    "n2_needs": (
        "given the fold, the days' batches of signals are exchangeable and independent of the market's path; it does "
        "not test whether the net ratio is above zero"
    ),
    "n3_null": "circular_shifts_of_all_signals",
    "n3_needs": (
        "the signals are as likely at any registered shift as at their own times: signals and market are jointly "
        "stationary over the window; it does not test whether the net ratio is above zero"
    ),
    "h1_rule": "sharpe_above_claim_and_n1_and_n2_under_alpha",
    "h1_refuted": "upper_end_of_the_sharpe_interval_under_the_claim",
    "h2_statistic": "mean_over_all_days_of_the_joint_programme",
    "h2_rule": "mean_under_the_claim_and_its_upper_bound_too",
    "h2_refuted": "lower_bound_of_the_mean_above_the_claim",
    "h3_statistic": "net_sharpe_ratio_of_each_sleeve",
    "h3_interval": "symmetric_studentised_stationary_bootstrap",
    "h3_rule": "every_sleeve_meets_the_floor_and_its_interval_lies_above_zero",
    "h3_refuted": "one_interval_at_or_below_zero",
}
"""Key of the plan's table ``methods`` -> what the code does; ``..._needs`` is the exchangeability a null rests on."""


def require_methods(registration: Registration) -> None:
    """Check that the plan's table ``methods`` states what this code does; a plan without the table states nothing.

    Raises ``UsageError`` (2) naming the first key that is missing, unknown or of another value.
    """
    named: Mapping[str, str] = registration.content.get("methods", {})
    if not named:
        return
    for key in (*METHODS, *named):
        if key not in METHODS:
            near = get_close_matches(key, METHODS, 1)
            meant = f" (did you mean {near[0]}?)" if near else ""
            raise UsageError(
                f"{registration.path}: methods.{key}: expected one of {', '.join(METHODS)}, was another{meant}"
            )
        if key not in named:
            raise UsageError(
                f"{registration.path}: methods.{key}: expected {METHODS[key]!r}, what this code does, was missing: "
                "state it, or leave the whole table out"
            )
        if named[key] != METHODS[key]:
            raise UsageError(
                f"{registration.path}: methods.{key}: expected {METHODS[key]!r}, what this code does, was "
                f"{named[key]!r}: amend the plan, or use the code that it was registered with"
            )
