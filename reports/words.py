"""Formats numbers for readers: one form for each unit, and one dash for undefined values."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal

from engine.constraints.codes import TITLES

NONE = "–"
"""An undefined value, or one that does not apply; the reason is beside the table."""

NAMES = TITLES
CODES = tuple(NAMES)
MICRO = 1_000_000

Number = float | int | Decimal | str | None


def number(value: Number, places: int = 2) -> str:
    """Return ``value`` with thousands separated and a real minus sign; None and NaN give the dash."""
    if value is None or value != value:
        return NONE
    # a value that rounds to zero prints without a sign: "−0.00" reads as a loss
    text = f"{float(value):,.{places}f}"
    return ("−" + text[1:] if text.startswith("-") else text) if float(text.replace(",", "")) else f"{0:.{places}f}"


def usd(value: Number, places: int = 0) -> str:
    """Return dollars."""
    return NONE if value is None or value != value else f"{number(value, places)} USD"


def usd_micro(value: int, places: int = 2) -> str:
    """Return integer micro-USD as dollars, without the unit: for columns that name it."""
    return number(Decimal(int(value)) / MICRO, places)


def share(value: Number, places: int = 1) -> str:
    """Return a share as a percentage."""
    return NONE if value is None or value != value else f"{number(float(value) * 100, places)}%"


def p_value(value: Number) -> str:
    """Return a p-value with four places."""
    return number(value, 4)


def interval(pair: Iterable[Number] | None, places: int = 2) -> str:
    """Return an interval in brackets, or the dash."""
    ends = list(pair or ())
    # Half an interval is none: an open end would read as a bound.
    if len(ends) != 2 or any(end is None for end in ends):
        return NONE
    return f"[{number(ends[0], places)}, {number(ends[1], places)}]"


def count(value: Number) -> str:
    """Return a count with thousands separated."""
    # None is undefined; 0 is a count, and is shown.
    return NONE if value is None else f"{int(value):,}"


def day(days: int) -> str:
    """Return days since 1970-01-01 as an ISO date."""
    return datetime.fromtimestamp(int(days) * 86_400, UTC).date().isoformat()


def moment(t_ns: int) -> str:
    """Return nanoseconds UTC as ``YYYY-MM-DD HH:MM``."""
    return datetime.fromtimestamp(int(t_ns) // 1_000_000_000, UTC).strftime("%Y-%m-%d %H:%M")


def sentence(text: str) -> str:
    """Return ``text`` with a capital letter and a full stop, as it stands in a paragraph."""
    return text[:1].upper() + text[1:].rstrip(".") + "."


def plural(n: int, noun: str) -> str:
    """Return ``n`` and its noun."""
    return f"{n:,} {noun}" if n == 1 else f"{n:,} {noun}s"
