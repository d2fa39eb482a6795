"""Which dated row of a table of conventions is in force for an instrument.  [venues V5, docs/decisions/0481]"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, TypeVar

import numpy as np

from engine.convention_rows import ConventionRow
from engine.records import CodeArray, Instruments, Kind
from engine.units import NEVER_NS, NS_PER_DAY

DAYS_A_WEEK: Final = 7
FRIDAY: Final = 1  # 1970-01-01 was a Thursday


Row = TypeVar("Row", bound=ConventionRow)
Term = TypeVar("Term")


def fitting_rows(rows: Sequence[Row], instruments: Instruments, code: int) -> list[Row]:
    """Return the rows whose keys fit instrument ``code``, whatever their day, in the order given."""
    venue, kind = instruments.venue[code], Kind(instruments.kind[code])
    symbol, base, settle = instruments.symbol[code], instruments.base[code], instruments.settle[code]
    period = settlement_period(kind, int(instruments.expiry_ns[code]))
    return [
        row
        for row in rows
        if (row.venue, row.kind) == (venue, kind)
        and row.symbol in ("", symbol)
        and row.base in ("", base)
        and row.settle in ("", settle)
        and row.period in ("", period)
    ]


def row_in_force(rows: Sequence[Row], day: str) -> Row | None:
    """Return which of the ``rows`` that fit one instrument is in force on the UTC ``day``; None if none is yet.

    The row that names its symbol goes first, then its base, then its settlement currency, then its settlement period;
    of rows with the same keys the latest wins.
    """
    # Days as text: YYYY-MM-DD sorts as time does.
    past = [row for row in rows if row.as_of[:10] <= day]
    return max(past, key=_rank, default=None)


def once_a_contract(
    find: Callable[[int], Term], rows: Sequence[ConventionRow], instruments: Instruments, code: CodeArray
) -> list[Term]:
    """Return ``find`` of each instrument of ``code``; those that no row can tell apart share one call.

    A chain has options by the thousand, and rows name no strike.
    """
    named = {row.symbol for row in rows}
    known: dict[tuple[str, int, str, str, str, int], Term] = {}
    results = []
    for c in code.tolist():
        symbol = instruments.symbol[c] if instruments.symbol[c] in named else ""
        keys = (instruments.venue[c], int(instruments.kind[c]), instruments.base[c], instruments.settle[c], symbol)
        # The settlement period follows from the expiry.
        key = (*keys, int(instruments.expiry_ns[c]))
        if key not in known:
            known[key] = find(c)
        results.append(known[key])
    return results


def _rank(row: ConventionRow) -> tuple[bool, bool, bool, bool, str]:
    return row.symbol != "", row.base != "", row.settle != "", row.period != "", row.as_of


def settlement_period(kind: Kind, expiry_ns: int) -> str:
    """Return the settlement period of a contract by its day of expiry: ``month`` on the last Friday of a month,
    ``week`` on another Friday, ``day`` on any other day; empty where nothing expires.  [docs/decisions/0481]

    22, 23 and 30 January 2026:

    >>> [settlement_period(Kind.OPTION, day * 24 * 3_600 * 10**9) for day in (20_475, 20_476, 20_483)]
    ['day', 'week', 'month']
    """
    if kind in (Kind.SPOT, Kind.PERP) or expiry_ns == NEVER_NS:
        return ""
    day = expiry_ns // NS_PER_DAY
    if day % DAYS_A_WEEK != FRIDAY:
        return "day"
    months = np.array([day, day + DAYS_A_WEEK], dtype="datetime64[D]").astype("datetime64[M]")
    return "week" if months[0] == months[1] else "month"
