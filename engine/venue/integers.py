"""Exact integer arithmetic: the roundings of risk.md 0.3, on Python integers and on int64 arrays.

Python integers never overflow.  An int64 array does so silently in numpy, so each array function here splits its
products (``a*b/d = (a//d)*b + (a%d)*b/d``) and checks the bound of what is left before it multiplies.
"""

from __future__ import annotations

from math import isqrt
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engine.errors import DataError

Ints = NDArray[np.int64]

PPM: Final = 1_000_000
"""Parts in a million: the unit of rates whose venue counts them so."""
PPB: Final = 1_000_000_000
"""Parts in a thousand million: the unit of funding rates inside `engine.venue.step`."""
LIMIT: Final = 2**63 - 1


def div_trunc(numerator: int, denominator: int) -> int:
    """Return the quotient rounded toward zero.  Raises ZeroDivisionError for a zero denominator.

    >>> div_trunc(-7, 2), div_trunc(7, 2)
    (-3, 3)
    """
    quotient = abs(numerator) // abs(denominator)
    return quotient if (numerator < 0) == (denominator < 0) else -quotient


def div_ceil(numerator: int, denominator: int) -> int:
    """Return the quotient rounded toward plus infinity: what a user owes.

    >>> div_ceil(7, 2), div_ceil(-7, 2)
    (4, -3)
    """
    return -(-numerator // denominator)


def div_half_away(numerator: int, denominator: int) -> int:
    """Return the nearest quotient, halves away from zero (dYdX medians); ``denominator`` is positive.

    >>> div_half_away(17, 2), div_half_away(-17, 2)
    (9, -9)
    """
    quotient = (2 * abs(numerator) + denominator) // (2 * denominator)
    return quotient if numerator >= 0 else -quotient


def div_half_even(numerator: int, denominator: int) -> int:
    """Return the nearest quotient, halves to the even one; ``denominator`` is positive.

    >>> div_half_even(5, 2), div_half_even(7, 2)
    (2, 4)
    """
    quotient, rest = divmod(numerator, denominator)
    return quotient + (2 * rest > denominator or (2 * rest == denominator and quotient % 2 == 1))


def clamp(value: int, low: int, high: int) -> int:
    """Return ``value`` moved into ``[low, high]``.  Raises `DataError` if the interval is empty."""
    if low > high:
        raise DataError(f"expected low <= high for a clamp, was low {low}, high {high}: correct the bounds")
    return min(max(value, low), high)


def max_abs(values: Ints) -> int:
    """Return the largest absolute value as a Python integer; 0 for an empty array."""
    # Not np.abs, which overflows at -2^63.
    return max(int(values.max()), -int(values.min())) if values.size else 0


def product(values: Ints, factor: int, what: str) -> Ints:
    """Return ``values * factor``; raises `DataError` naming ``what`` where a product would pass 2^63."""
    # Python integers: the bound is tested without an overflow of its own.
    if max_abs(values) * abs(factor) > LIMIT:
        raise DataError(
            f"{what}: expected products below 2^63, was up to {max_abs(values)} x {factor}: use a larger lot, tick or "
            "quantum"
        )
    return values * np.int64(factor)


def split(values: Ints, divisor: int) -> tuple[Ints, Ints]:
    """Return floored quotients and the rests in ``[0, divisor)``; ``divisor`` is positive."""
    whole: Ints = values // np.int64(divisor)
    return whole, values - whole * np.int64(divisor)


def mul_div_floor(values: Ints, factor: int, divisor: int, what: str) -> Ints:
    """Return ``floor(values * factor / divisor)`` exactly, for a positive divisor.

    ``|factor| * divisor`` must stay below 2^63; the full product may pass it.  Raises `DataError` naming ``what``.
    """
    if divisor <= 0 or abs(factor) * divisor > LIMIT:
        raise DataError(f"{what}: expected a divisor in 1..2^63/|factor|, was {divisor} with factor {factor}")
    whole, rest = split(values, divisor)
    part: Ints = (rest * np.int64(factor)) // np.int64(divisor)
    return product(whole, factor, what) + part


def mul_div_ceil(values: Ints, factor: int, divisor: int, what: str) -> Ints:
    """Return ``ceil(values * factor / divisor)`` exactly; bounds and errors as `mul_div_floor`."""
    return -mul_div_floor(values, -factor, divisor, what)


def exact_sum(values: Ints) -> int:
    """Return the sum as a Python integer: upper and lower halves are added apart, so no partial sum overflows.

    >>> exact_sum(np.array([2**62, 2**62, 2**62]))
    13835058055282163712
    """
    high, low = values >> 32, values & 0xFFFFFFFF
    return (int(high.sum()) << 32) + int(low.sum())


def integer_roots(values: Ints) -> Ints:
    """Return ``floor(sqrt(v))`` of each non-negative value.  Raises `DataError` for a negative one.

    The double root is off by at most one for values below 2^63, which one exact comparison each way repairs; values
    whose next square could pass 2^63 go through `math.isqrt`.
    """
    if values.size and int(values.min()) < 0:
        raise DataError(f"expected values >= 0 under a root, was {int(values.min())}")
    if max_abs(values) >= 2**62:
        return np.array([isqrt(v) for v in values.tolist()], dtype=np.int64)
    roots = np.sqrt(values.astype(np.float64)).astype(np.int64)
    roots -= roots * roots > values
    return roots + ((roots + 1) * (roots + 1) <= values)


def shares_floor(amount: int, parts: Ints, whole: int, what: str) -> Ints:
    """Return ``floor(amount x parts / whole)`` of parts in ``0..whole``, exactly; ``whole`` is positive.

    The amount is split in ``a x whole + b``, so that only ``b x part < whole^2`` must stay below 2^63; beyond that, and
    for larger amounts, Python integers compute it.
    """
    if whole >= 2**31 or abs(amount) > LIMIT:
        return np.array([amount * p // whole for p in parts.tolist()], dtype=np.int64)
    quotient, rest = divmod(amount, whole)
    return product(parts, quotient, what) + product(parts, rest, what) // np.int64(whole)


def shares_half_even(amounts: Ints, parts: Ints, wholes: Ints) -> Ints:
    """Return ``amounts x parts / wholes`` half-even, element by element, for ``0 <= parts <= wholes``."""
    if max_abs(wholes) >= 2**30:
        rows = zip(amounts.tolist(), parts.tolist(), wholes.tolist(), strict=True)
        return np.array([div_half_even(a * p, w) for a, p, w in rows], dtype=np.int64)
    quotient = amounts // wholes
    scaled = (amounts - quotient * wholes) * parts
    down = scaled // wholes
    twice = 2 * (scaled - down * wholes)
    result: Ints = quotient * parts + down
    # a tie goes to the even one, which depends on the whole result
    up: Ints = ((twice > wholes) | ((twice == wholes) & (result % 2 == 1))).astype(np.int64)
    return result + up
