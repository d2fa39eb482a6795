"""The values that a synthetic market's table may hold: decimals are text, as in every registration.  [audit 2.2]"""

from __future__ import annotations

import math
import sys
from decimal import Decimal, InvalidOperation
from typing import Annotated, Final

from pydantic import AfterValidator, BeforeValidator

from backtest.data.synthetic import limits
from backtest.data.synthetic.expiries import day_of


class SpecError(ValueError):
    """A market that cannot be made; the message names the key, what was expected and what was found."""


# Prices are rounded as counts of ticks over the number of ticks a unit, which is whole but for the rounding of 1/tick.
_TICK_TOLERANCE: Final = 1e-12


def _decimal(value: object) -> float:
    if isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool)):
        try:
            number = Decimal(value)
        except InvalidOperation:
            number = Decimal("NaN")
        # "1e999" is a finite decimal and no finite float
        if number.is_finite() and math.isfinite(float(number)):
            return float(number)
    raise ValueError('a decimal written as a string, such as "0.05"')


def _pair(value: object) -> object:
    if not isinstance(value, list | tuple) or len(value) != 2:
        raise ValueError("2 values, from and to")
    return tuple(value)


def _bounded(value: float) -> float:
    if abs(value) > limits.NUMBER:
        raise ValueError(f"a decimal of at most {limits.NUMBER}")
    return value


def _above_zero(value: float) -> float:
    if not value > 0.0:
        raise ValueError("a decimal above 0")
    return value


def _not_below_zero(value: float) -> float:
    if value < 0.0:
        raise ValueError("a decimal of 0 or more")
    return value


def _share(value: float) -> float:
    if not 0.0 <= value <= 1.0:
        raise ValueError("a share in [0, 1]")
    return value


def _share_below_one(value: float) -> float:
    if not 0.0 <= value < 1.0:
        raise ValueError("a share in [0, 1)")
    return value


def _weight(value: float) -> float:
    if not 0.0 < value < 1.0:
        raise ValueError("a weight in (0, 1)")
    return value


def _tick(value: float) -> float:
    # below the normal floats, 1/value is infinite
    if not (value > sys.float_info.min and abs(round(1.0 / value) * value - 1.0) < _TICK_TOLERANCE):
        raise ValueError("one over an integer")
    return value


def _day(text: str) -> str:
    try:
        day_of(text)
    except ValueError:
        raise ValueError("a date YYYY-MM-DD") from None
    return text


def _odd(value: int) -> int:
    if value % 2 != 1:
        raise ValueError("an odd number")
    return value


def at_least(least: int) -> AfterValidator:
    """Return the check that a whole number is ``least`` or more."""

    def check(value: int) -> int:
        if value < least:
            raise ValueError(f"at least {least}")
        return value

    return AfterValidator(check)


Number = Annotated[float, BeforeValidator(_decimal), AfterValidator(_bounded)]
AboveZero = Annotated[Number, AfterValidator(_above_zero)]
NotBelowZero = Annotated[Number, AfterValidator(_not_below_zero)]
ShareUpToOne = Annotated[Number, AfterValidator(_share)]
ShareBelowOne = Annotated[Number, AfterValidator(_share_below_one)]
Weight = Annotated[Number, AfterValidator(_weight)]
Tick = Annotated[Number, AfterValidator(_tick)]
FirstDay = Annotated[str, AfterValidator(_day)]
OddCount = Annotated[int, AfterValidator(_odd)]
NumberPair = Annotated[tuple[Number, Number], BeforeValidator(_pair)]
CountPair = Annotated[tuple[int, int], BeforeValidator(_pair)]
