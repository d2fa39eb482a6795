"""How and how often each instrument pays funding on a day, by the venue's rows.  [venues V3]"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from engine.arguments import require_columns
from engine.convention_rows import FundingRule
from engine.market.dated_rows import fitting_rows, row_in_force
from engine.market.view import PreparedPanel, cached_on_panel
from engine.records import ACCRUAL_NS, BoolArray, Instruments, IntArray, Kind
from engine.units import NS_PER_DAY, NS_PER_HOUR, NS_PER_YEAR

RATE_NS: Final = 8 * NS_PER_HOUR
"""The span that the rate of an accruing instrument is stated for.  A venue that pays more often is expected to pay the
mean of its settlements of this span.
"""


@dataclass(frozen=True, slots=True)
class FundingTerms:
    """How the columns of a panel pay funding, each ``[N]``."""

    accrues: BoolArray  # continuously; else it settles
    averages: BoolArray  # expected by the mean of the settlements of the last eight hours
    interval_ns: IntArray  # between settlements; 0 where none is paid

    def __post_init__(self) -> None:
        require_columns(self, (np.size(self.interval_ns),))


def rates_a_year(interval_ns: int) -> float:
    """Return how many published rates a perp of that interval pays in a year of 365 days; NaN where it pays none.

    Where funding accrues the published rate is for eight hours.

    >>> rates_a_year(8 * 3_600 * 10**9), rates_a_year(ACCRUAL_NS)
    (1095.0, 1095.0)
    """
    span_ns = RATE_NS if interval_ns == ACCRUAL_NS else interval_ns
    return NS_PER_YEAR / span_ns if span_ns > 0 else float("nan")


def funding_rule(rules: Sequence[FundingRule], instruments: Instruments, code: int, day: str) -> FundingRule | None:
    """Return the row of instrument ``code`` in force on the UTC ``day`` (``YYYY-MM-DD``); None where there is none."""
    return row_in_force(fitting_rows(rules, instruments, code), day)


@cached_on_panel
def funding_terms(view: PreparedPanel) -> FundingTerms:
    """Return how each column pays funding on the day of the block.

    Without a row the instruments table alone says it, and what settles is expected to pay the rate in force.
    """
    panel, table = view.panel, view.panel.instruments
    day = str(np.datetime64((int(panel.times_ns[0]) if len(panel.times_ns) else 0) // NS_PER_DAY, "D"))
    interval = table.funding_interval_ns[panel.code].copy()
    accrues, averages = table.accrues[panel.code].copy(), np.zeros(len(interval), dtype=np.bool_)
    for column in np.flatnonzero((interval > 0) & (table.kind[panel.code] == Kind.PERP)).tolist():
        rule = funding_rule(view.params.funding, table, int(panel.code[column]), day)
        if rule is not None:
            accrues[column] = rule.accrues
            averages[column] = not rule.accrues and rule.interval_ns < RATE_NS
            interval[column] = interval[column] if rule.accrues else rule.interval_ns
    return FundingTerms(accrues, averages, interval)
