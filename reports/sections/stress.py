"""H1 after one joint loss, in words.  [spec README "Joint losses"]"""

from __future__ import annotations

from typing import Any

from reports.words import interval, number, p_value, plural, share, usd


def stress_sentences(h1: dict[str, Any]) -> str:
    """Return what one loss on everything that stood open at once leaves of H1, and what a window cannot see of it."""
    found = h1.get("stressed")
    # Runs of before this rule have no such entry.
    if found is None:
        why = h1.get("stressed_reason")
        return f"After one joint loss: not computed ({why})." if why else ""
    days = plural(h1["active_days"], "day")
    unseen = (
        f"{plural(h1['loss_days'], 'day')} lost half of it or more."
        if h1["rule_of_three"] is None
        else f"No day lost half of it or more: such a day may still come {share(h1['rule_of_three'])} of the time and "
        f"cost {usd(found['least_mean_day_usd'], 2)} a day (95%, rule of three)."
    )
    return (
        f"After one joint loss of {usd(found['loss_usd'], 2)}, each constraint's registered loss on all that stood "
        f"open at once on one underlying, venue and expiry: Sharpe ratio {number(found['sharpe'])}, largest p(N1) "
        f"over the blocks {p_value(found['p_n1'])}, 95% interval {interval(found['ci'])}, which decides nothing. Mean "
        f"of {days} with an open position: {usd(found['mean_day_usd'], 2)}, against three joint losses over these "
        f"days: {usd(found['least_mean_day_usd'], 2)}. {unseen}"
    )
