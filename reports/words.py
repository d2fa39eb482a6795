"""Formats numbers for readers: one form for each unit, and one dash for undefined values.

Each form cites the number where it has a source (`reports.citation`), and names itself and its places.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import numpy as np

from engine.constraints.codes import TITLES
from reports.citation import Cited, cited

NONE = "–"
"""An undefined value, or one that does not apply; the reason is beside the table."""

NAMES = TITLES
CODES = tuple(NAMES)
MICRO = 1_000_000

Number = float | int | Decimal | str | None


def number(value: Number, places: int = 2) -> str:
    """Return ``value`` with thousands separated and a real minus sign; None and NaN give the dash."""
    return NONE if _undefined(value) else cited(_digits(value, places), value, f"number {places}")


def _undefined(value: Number) -> bool:
    return value is None or value != value


def _digits(value: Number, places: int) -> str:
    # a value that rounds to zero prints without a sign: "−0.00" reads as a loss
    text = f"{float(value or 0):,.{places}f}"
    return ("−" + text[1:] if text.startswith("-") else text) if float(text.replace(",", "")) else f"{0:.{places}f}"


def usd(value: Number, places: int = 0) -> str:
    """Return dollars."""
    return NONE if _undefined(value) else number(value, places) + " USD"


def usd_micro(value: int, places: int = 2) -> str:
    """Return integer micro-USD as dollars, without the unit: for columns that name it."""
    return cited(_digits(Decimal(int(value)) / MICRO, places), value, f"usd_micro {places}")


def share(value: Number, places: int = 1) -> str:
    """Return a share as a percentage."""
    if _undefined(value):
        return NONE
    return cited(f"{_digits(float(value or 0) * 100, places)}%", value, f"share {places}")


def p_value(value: Number) -> str:
    """Return a p-value with four places."""
    return number(value, 4)


def general(value: Number) -> str:
    """Return a number without needless zeros, as a claim states it."""
    return NONE if _undefined(value) else cited(f"{float(value or 0):g}", value, "general")


def rounded(value: Any) -> str:
    """Return a cell of a table of many kinds: text as it is, yes or no, a number to four digits; empty if undefined."""
    if isinstance(value, str):
        return value
    if value is None or value != value:
        return ""
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    return cited(f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}", value, "rounded")


def hours(ns: Number, places: int = 1) -> str:
    """Return nanoseconds as hours, without the unit."""
    return NONE if _undefined(ns) else cited(_digits(float(ns or 0) / 3.6e12, places), ns, f"hours {places}")


def minutes(ms: Number, places: int = 1) -> str:
    """Return milliseconds as minutes, without the unit."""
    return NONE if _undefined(ms) else cited(_digits(float(ms or 0) / 60_000, places), ms, f"minutes {places}")


def interval(pair: Iterable[Number] | None, places: int = 2) -> str:
    """Return an interval in brackets, or the dash."""
    ends = list(pair or ())
    # Half an interval is none: an open end would read as a bound.
    if len(ends) != 2 or any(end is None for end in ends):
        return NONE
    return Cited("[{}, {}]").format(number(ends[0], places), number(ends[1], places))


def count(value: Number) -> str:
    """Return a count with thousands separated."""
    # None is undefined; 0 is a count, and is shown.
    return NONE if value is None else cited(f"{int(value):,}", value, "count")


def text(value: object) -> str:
    """Return a value of a file as it is there."""
    return value if isinstance(value, str) else cited(str(value), value, "text")


def day(days: int) -> str:
    """Return days since 1970-01-01 as an ISO date."""
    return cited(datetime.fromtimestamp(int(days) * 86_400, UTC).date().isoformat(), days, "day")


def moment(t_ns: int) -> str:
    """Return nanoseconds UTC as ``YYYY-MM-DD HH:MM``."""
    return cited(datetime.fromtimestamp(int(t_ns) // 1_000_000_000, UTC).strftime("%Y-%m-%d %H:%M"), t_ns, "moment")


def sentence(text: str) -> str:
    """Return ``text`` with a capital letter and a full stop, as it stands in a paragraph."""
    first = text[:1]
    # upper() is text of no source: a first digit stays as it is
    return Cited("{}{}.").format(first.upper() if first.islower() else first, text[1 : len(text.rstrip("."))])


def plural(n: int, noun: str) -> str:
    """Return ``n`` and its noun."""
    return count(n) + (f" {noun}" if n == 1 else f" {noun}s")
