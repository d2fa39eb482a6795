"""What a value of a registration may look like: quantities are decimal text, times RFC 3339 text in UTC.  [audit 2.2]

The times of a window may instead be days from the start of the recording, ``recording_start + 90 d``.  [live L0.1]

A float never appears, so the document that is hashed is the document that was written, and ``25_000``, ``25000.0`` and
``2.5e4`` cannot be three spellings of one plan.  The unit of a quantity ends its key: ``life_h``, ``threshold_bps``.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any

from pydantic import AfterValidator, Field, StringConstraints

from backtest import limits
from engine.units import NS_PER_DAY, NS_PER_HOUR, NS_PER_SECOND, NS_PER_US

_QUANTITY = re.compile(r"0|-?[1-9][0-9]*|-?(0|[1-9][0-9]*)\.[0-9]*[1-9]")
_KEY = re.compile(r"[a-z][a-z0-9_]{0,63}")
_TIME = "%Y-%m-%dT%H:%M:%SZ"
_RELATIVE = re.compile(r"recording_start(?: \+ ([1-9][0-9]{0,3}) d)?")
_LONGEST = 40


def _quantity(text: str) -> str:
    # The length first: Decimal takes long for millions of digits.
    if len(text) > _LONGEST or not _QUANTITY.fullmatch(text):
        raise ValueError('a decimal in quotes, shortest form: no exponent, no "+", no leading or trailing zeros')
    if abs(Decimal(text)) > limits.PLAN_QUANTITY:
        raise ValueError(f"a decimal in quotes of at most {limits.PLAN_QUANTITY}")
    return text


def _not_negative(text: str) -> str:
    if Decimal(_quantity(text)) < 0:
        raise ValueError("a decimal in quotes, zero or more")
    return text


def _positive(text: str) -> str:
    if Decimal(_quantity(text)) <= 0:
        raise ValueError("a decimal in quotes, more than zero")
    return text


def _share(text: str) -> str:
    if not 0 <= Decimal(_quantity(text)) <= 1:
        raise ValueError("a decimal in quotes between 0 and 1")
    return text


def _open_share(text: str) -> str:
    if not 0 < Decimal(_quantity(text)) < 1:
        raise ValueError("a decimal in quotes between 0 and 1, neither of them")
    return text


def _time(text: str) -> str:
    try:
        # Written again and compared, because `strptime` takes other spellings of the same time.
        again = datetime.strptime(text, _TIME).replace(tzinfo=UTC).strftime(_TIME)
    except ValueError:
        again = ""
    # no market of this kind is older, and int64 ns end in 2262
    if again != text or not "2009" <= text[:4] < "2100":
        raise ValueError("a time in UTC such as 2026-12-01T00:00:00Z, from 2009 to 2099")
    return text


def _window_time(text: str) -> str:
    if _RELATIVE.fullmatch(text):
        return text
    try:
        return _time(text)
    except ValueError as problem:
        raise ValueError(f"{problem}, or one in days of the record such as recording_start + 90 d") from None


def _day(text: str) -> str:
    try:
        datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        raise ValueError("a date such as 2026-04-27") from None
    return text


Quantity = Annotated[str, AfterValidator(_quantity)]
NotNegative = Annotated[str, AfterValidator(_not_negative)]
Positive = Annotated[str, AfterValidator(_positive)]
OpenShare = Annotated[str, AfterValidator(_open_share)]
Share = Annotated[str, AfterValidator(_share)]
Time = Annotated[str, AfterValidator(_time)]
WindowTime = Annotated[str, AfterValidator(_window_time)]
Day = Annotated[str, AfterValidator(_day)]
Count = Annotated[int, Field(strict=True, ge=0, le=limits.PLAN_DRAWS)]
Draws = Annotated[int, Field(strict=True, ge=1, le=limits.PLAN_DRAWS)]
Dollars = Annotated[int, Field(strict=True, ge=1, le=limits.PLAN_QUANTITY)]
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:/+-]{0,63}$")]
PathName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.+-]{0,63}$")]
"""A name that becomes one component of a path: no slash, no leading dot."""
Coin = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Z0-9]{1,9}$")]
Text = Annotated[str, StringConstraints(min_length=1, max_length=1024, pattern=r"^[^\x00-\x1f\x7f-\x9f]*$")]


def is_relative(text: str) -> bool:
    """Return whether a validated time counts from the start of the recording, and so is no date yet.  [live L0.1]"""
    return _RELATIVE.fullmatch(text) is not None


def time_ns(text: str) -> int:
    """Return the nanoseconds of a validated time: since 1970-01-01T00:00:00Z for a date.

    A relative time gives nanoseconds since the start of the recording: ``recording_start`` is 0.
    """
    relative = _RELATIVE.fullmatch(text)
    if relative:
        return int(relative[1] or 0) * NS_PER_DAY
    moment = datetime.strptime(text, _TIME).replace(tzinfo=UTC)
    return int(moment.timestamp()) * NS_PER_SECOND


def _span(text: str, unit_ns: int) -> int:
    span = Decimal(text) * unit_ns
    if span != span.to_integral_value():
        raise ValueError(f"expected a span of whole nanoseconds, was {text} x {unit_ns} ns")
    return int(span)


def seconds(text: str) -> int:
    """Return a quantity of seconds as nanoseconds."""
    return _span(text, NS_PER_SECOND)


def hours(text: str) -> int:
    """Return a quantity of hours as nanoseconds."""
    return _span(text, NS_PER_HOUR)


def days(text: str) -> int:
    """Return a quantity of days as nanoseconds."""
    return _span(text, NS_PER_DAY)


def milliseconds(text: str) -> int:
    """Return a quantity of milliseconds as nanoseconds."""
    return _span(text, 1_000 * NS_PER_US)


def hashable(value: Any) -> Any:
    """Return ``value`` with every key in the domain of CJ1: a table of other keys (coins, codes, instrument names)
    becomes the list of its ``{key, value}``, sorted by key.  [audit 2.1]
    """
    if isinstance(value, list):
        return [hashable(entry) for entry in value]
    if not isinstance(value, dict):
        return value
    if all(_KEY.fullmatch(key) for key in value):
        return {key: hashable(entry) for key, entry in value.items()}
    return [{"key": key, "value": hashable(value[key])} for key in sorted(value)]
