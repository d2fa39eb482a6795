"""H1 after one joint loss, in words.  [spec README "Joint losses"]"""

from __future__ import annotations

from typing import Any

from reports.citation import Cited
from reports.words import interval, number, p_value, plural, share, usd


def stress_sentences(h1: dict[str, Any], level: Any) -> str:
    """Return what one loss on everything that stood open at once leaves of H1, and what a window cannot see of it.

    ``level`` is that of the interval.
    """
    found = h1.get("stressed")
    # Runs of before this rule have no such entry.
    if found is None:
        why = h1.get("stressed_reason")
        return Cited("After one joint loss: not computed ({}).").format(why) if why else ""
    unseen = (
        plural(h1["loss_days"], "day") + " lost half of it or more."
        if h1["rule_of_three"] is None
        else Cited(
            "No day lost half of it or more: such a day may still come {} of the time and cost {} a day (by the rule "
            "of three)."
        ).format(share(h1["rule_of_three"]), usd(found["least_mean_day_usd"], 2))
    )
    return Cited(
        "After one joint loss of {}, each constraint's registered loss on all that stood open at once on one "
        "underlying, venue and expiry: Sharpe ratio {}, largest p(N1) over the blocks {}, {} interval {}, which "
        "decides nothing. Mean of {} with an open position: {}, against three joint losses over these days: {}. {}"
    ).format(
        usd(found["loss_usd"], 2),
        number(found["sharpe"]),
        p_value(found["p_n1"]),
        share(level, 0),
        interval(found["ci"]),
        plural(h1["active_days"], "day"),
        usd(found["mean_day_usd"], 2),
        usd(found["least_mean_day_usd"], 2),
        unseen,
    )
