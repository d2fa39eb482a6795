"""What may be known of a window before it is opened, and by how much it may be extended.  [R12.1, R12.6]

Only operational counts are visible: none of them is a profit, a price or an outcome.  On them alone, and before the
look, a window is extended day for day if more days lack data than the plan bears; otherwise it is not moved.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from backtest.gate.looks.rule import Look
from backtest.records import Plan
from engine.arguments import require_number
from engine.errors import GateError
from engine.units import NS_PER_DAY


@dataclass(frozen=True, slots=True)
class OperationalCounts:
    """Everything of a sealed window that anybody may see: counts of records and of days.  [R12.1]

    Raises ``UsageError`` for a count below 0.
    """

    days: int  # of the window that have passed
    days_without_data: int
    gaps: int  # in the recorded feeds
    signals: int  # emitted
    ledger_rows: int
    ledger_intact: bool  # hashes, checkpoints and high-water mark

    def __post_init__(self) -> None:
        for name in ("days", "days_without_data", "gaps", "signals", "ledger_rows"):
            require_number(f"OperationalCounts.{name}", getattr(self, name), int, at_least=0)


def extension_days(counts: OperationalCounts, looks: Sequence[Look], max_days_without_data: int) -> int:
    """Return by how many days the window may end later: as many as lack data if these are too many, else 0.  [R12.6]

    Raises ``GateError`` (25) once outcomes were looked at, whether the look was ended or not.

    >>> counts = OperationalCounts(90, 12, 3, 400, 401, True)
    >>> extension_days(counts, (), 9), extension_days(counts, (), 12)
    (12, 0)
    """
    if looks:
        raise GateError(
            f"window: expected an extension before the first look, was one after {looks[0].look_id} had been opened: "
            "a window whose outcomes were seen is not moved; a new window needs a new preregistration",
            exit_code=25,
        )
    return counts.days_without_data if counts.days_without_data > max_days_without_data else 0


def extended(plan: Plan, days: int) -> Plan:
    """Return the plan of a window that ends ``days`` later, in as many folds of equal whole days.

    The end is rounded up to the next whole number of days a fold, so that no fold is longer than another.  A plan that
    is extended by 0 is the same.

    >>> plan = Plan(0, 90 * NS_PER_DAY, 0, 10, 9 * NS_PER_DAY, NS_PER_DAY, NS_PER_DAY)
    >>> [(extended(plan, k).t1_ns // NS_PER_DAY, extended(plan, k).fold_ns // NS_PER_DAY) for k in (0, 10, 12)]
    [(90, 9), (100, 10), (110, 11)]
    """
    require_number("days", days, int, at_least=0)
    if not days:
        return plan
    length = (plan.t1_ns - plan.t0_ns) // NS_PER_DAY + days
    fold_days = -(-length // plan.folds)
    return replace(plan, t1_ns=plan.t0_ns + plan.folds * fold_days * NS_PER_DAY, fold_ns=fold_days * NS_PER_DAY)
