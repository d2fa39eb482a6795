"""One revision in sixty seconds at most, measured from the last accepted one.  [covenants 4]"""

from __future__ import annotations

from typing import Final

from engine.covenants.base import Covenant
from engine.units import NS_PER_DAY, NS_PER_SECOND

COVENANT: Final = Covenant("revision", "Revision schedule", "accepted iff t - t_last >= 60 s; parameters expire", "4")
INTERVAL_NS: Final = 60 * NS_PER_SECOND
PUBLISH_NS: Final = 2 * NS_PER_SECOND
"""Delay from the close that a revision is computed from to the time it is in force."""
EXPIRY_NS: Final = 90 * NS_PER_DAY
"""Age at which fitted parameters are replaced by the initial values, with an alarm."""


def accepts(t_ns: int, last_ns: int | None) -> bool:
    """Return whether a revision at ``t_ns`` is accepted after the last accepted one (None: there was none)."""
    return last_ns is None or t_ns - last_ns >= INTERVAL_NS


def accepted(attempts_ns: list[int]) -> list[bool]:
    """Return for each attempt, in the order of arrival, whether it is accepted; an earlier time never is."""
    last: int | None = None
    answers = []
    for t_ns in attempts_ns:
        answers.append(accepts(t_ns, last))
        # From the last accepted one: a rejected attempt must not push the next one back.  [covenants 4]
        last = t_ns if answers[-1] else last
    return answers


def in_force_ns(computed_ns: int) -> int:
    """Return when a revision computed at ``computed_ns`` comes into force."""
    return computed_ns + PUBLISH_NS


def expired(fitted_ns: int, t_ns: int) -> bool:
    """Return whether parameters fitted at ``fitted_ns`` are older than 90 days at ``t_ns``."""
    return t_ns - fitted_ns > EXPIRY_NS
