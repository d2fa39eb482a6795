"""When contracts expire: Fridays, last Fridays of months and of quarters, 08:00 UTC."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Final

NS_PER_SECOND: Final = 1_000_000_000
NS_PER_HOUR: Final = 3_600 * NS_PER_SECOND
NS_PER_DAY: Final = 24 * NS_PER_HOUR
NS_PER_YEAR: Final = 365 * NS_PER_DAY
NEVER_NS: Final = 2**63 - 1

EXPIRY_HOUR: Final = 8
FRIDAY: Final = 4
MONTHS: Final = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")


def day_of(text: str) -> int:
    """Return days since 1970-01-01 of a date ``YYYY-MM-DD``; ``ValueError`` for any other text."""
    return (date.fromisoformat(text) - date(1970, 1, 1)).days


ACCRUAL_NS: Final = 60 * NS_PER_SECOND
"""The interval that stands for funding that accrues: its settled rates are the shares of minutes.  [venues V3]"""


@cache
@cache
def label(expiry_ns: int) -> str:
    """Return a contract's date as venues write it: ``27MAR26``."""
    when = datetime.fromtimestamp(expiry_ns // NS_PER_SECOND, UTC)
    return f"{when.day}{MONTHS[when.month - 1]}{when.year % 100:02d}"


def _expiry(day: date) -> int:
    return (day - date(1970, 1, 1)).days * NS_PER_DAY + EXPIRY_HOUR * NS_PER_HOUR


def _is_last_of_month(friday: date) -> bool:
    return (friday + timedelta(days=7)).month != friday.month


def live(day: int, weekly: int, monthly: int, quarterly: int) -> tuple[int, ...]:
    """Return the expiries after 00:00 of ``day``, ascending: the nearest Fridays, month ends and quarter ends.

    An expiry once listed stays listed until it has passed, since each list holds the nearest ones.
    """
    start = date(1970, 1, 1) + timedelta(days=day)
    friday = start + timedelta(days=(FRIDAY - start.weekday()) % 7)
    expiries: set[int] = set()
    weeks = months = quarters = 0
    while weeks < weekly or months < monthly or quarters < quarterly:
        last = _is_last_of_month(friday)
        quarter = last and friday.month % 3 == 0
        if weeks < weekly or (last and months < monthly) or (quarter and quarters < quarterly):
            expiries.add(_expiry(friday))
        weeks += 1
        months += last
        quarters += quarter
        friday += timedelta(days=7)
    return tuple(sorted(expiries))
