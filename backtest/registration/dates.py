"""Whether a plan has dates yet: the window of a recorded study is set by the record, not by hand.  [live L0.1]"""

from __future__ import annotations

from backtest.records import Registration
from engine.errors import GateError
from engine.units import NS_PER_DAY


def undated(registration: Registration) -> str | None:
    """Return why nothing of ``registration`` can be run, built or frozen; None where its windows have dates."""
    if registration.dated:
        return None
    plan = registration.plan
    return (
        f"expected dates in split.windows, was a window from day {plan.t0_ns // NS_PER_DAY} to day "
        f"{plan.t1_ns // NS_PER_DAY} of the recording: the record sets the dates, and an amendment writes them before "
        "the window begins; recording_start is the first whole UTC day with every registered feed up for 95% of its "
        "minutes; until then `cme power` shows what the plan can show"
    )


def require_dates(registration: Registration) -> None:
    """Raise ``GateError`` (26) if the windows of ``registration`` have no dates yet."""
    why = undated(registration)
    if why is not None:
        raise GateError(f"{registration.path}: {why}", exit_code=26)
