"""Computes exponential, logarithm, sine and cosine by + - * / alone: the same bits on every processor.  [audit 10.3]

A library chooses its own by the processor it finds, and they differ in the last bit: a market drawn with them is
another market on another machine.  These are within two units in the last place of the true value.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Final

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

# ln 2 and pi/2 in two parts, the first short enough that small multiples of it are exact.
_LN2_HIGH: Final = float.fromhex("0x1.62e42fee00000p-1")
_LN2_LOW: Final = float.fromhex("0x1.a39ef35793c76p-33")
LN2: Final = float.fromhex("0x1.62e42fefa39efp-1")
_PER_LN2: Final = float.fromhex("0x1.71547652b82fep+0")
_QUARTER_HIGH: Final = float.fromhex("0x1.921fb54400000p+0")
_QUARTER_LOW: Final = float.fromhex("0x1.0b4611a626331p-34")
# Exponents of e: what is smaller gives 0; above the second, 2^k of the result is a normal number; and the largest.
_LEAST, _NORMAL, _MOST = -800.0, -707.0, 709.0
_FRACTION_BITS: Final = 52
# The bits of 1.0 and of sqrt(1/2): 12 of sign and exponent above 52 of the fraction.
_ONE: Final = 0x3FF0_0000_0000_0000
_ROOT_HALF: Final = 0x3FE6_A09E_667F_3BCD
_LEAST_NORMAL: Final = 2.0**-1022
# Added to a number it leaves no bits below 1: the sum is rounded to a whole number, which its low bits hold.
_WHOLE: Final = 1.5 * 2.0**52
# Taylor series: after the reduction |r| <= ln(2)/2 and the angle |r| <= pi/4, so these terms reach the last place.
_EXP: Final = tuple(float(Fraction(1, math.factorial(n))) for n in range(13, -1, -1))
_LOG: Final = tuple(2.0 / (2 * n + 1) for n in range(11, 0, -1))
_SIN: Final = tuple(float(Fraction((-1) ** n, math.factorial(2 * n + 1))) for n in range(8, -1, -1))
_COS: Final = tuple(float(Fraction((-1) ** n, math.factorial(2 * n))) for n in range(9, -1, -1))


class OutOfRangeError(ValueError):
    """An argument that has no finite result: the numbers of a market lead to no prices."""


def exp(x: FloatArray | float) -> FloatArray:
    """Return e^x of every element, same shape; 0 below -745, NaN for NaN.  Raises ``OutOfRangeError`` above 709."""
    exponent = np.asarray(x, dtype=np.float64)
    if np.any(exponent > _MOST):
        raise OutOfRangeError(f"exp: expected exponents up to {_MOST}, was {np.nanmax(exponent)}")
    # keeps 2^k within the integers below; e^-800 is 0 in a double anyway
    known = np.maximum(exponent, _LEAST)
    whole = known * _PER_LN2 + _WHOLE
    k = whole - _WHOLE
    r = (known - k * _LN2_HIGH) - k * _LN2_LOW
    result: FloatArray = _horner(_EXP, r)
    # 2^k is too small a number to be one factor
    if np.any(known < _NORMAL):
        power = np.where(k == k, k, 0.0).astype(np.int32)
        return np.asarray(np.ldexp(result, power))
    result *= ((whole.view(np.int64) << _FRACTION_BITS) + _ONE).view(np.float64)
    return result


def log(x: FloatArray | float) -> FloatArray:
    """Return the natural logarithm of every element, same shape; NaN for NaN, infinity for infinity.

    Raises ``OutOfRangeError`` if an element is zero or negative.
    """
    argument = np.asarray(x, dtype=np.float64)
    if np.any(argument <= 0.0):
        raise OutOfRangeError(f"log: expected positive numbers, was {np.nanmin(argument)}")
    part, power = _parts(argument)
    f = part - 1.0
    s = f / (2.0 + f)
    square = s * s
    # log(1 + f) = 2s + s R(s^2) = f - s (f - R): the large part, f, is exact
    rest = square * _horner(_LOG, square)
    value = power * _LN2_HIGH - ((s * (f - rest) - power * _LN2_LOW) - f)
    # infinity has no fraction to read, NaN fails every comparison: both are returned as they are
    result: FloatArray = np.where(argument < np.inf, value, argument)
    return result


def _parts(x: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return m and k of x = m 2^k with sqrt(1/2) <= m < sqrt(2), read from the bits of x; anything for NaN."""
    small = x < _LEAST_NORMAL
    if np.any(small):
        # subnormal numbers have no exponent of their own: scaled up first
        m, k = _parts(x * np.where(small, 2.0**_FRACTION_BITS, 1.0))
        return m, k - np.where(small, _FRACTION_BITS, 0)
    above = x.view(np.int64) + (_ONE - _ROOT_HALF)
    fraction = above & (2**_FRACTION_BITS - 1)
    fraction += _ROOT_HALF
    above >>= _FRACTION_BITS
    above -= _ONE >> _FRACTION_BITS
    return fraction.view(np.float64), above.astype(np.float64)


def sine_and_cosine(angle: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return sin and cos, each of the shape of ``angle``, for angles in [-100, 100] radians."""
    turns = np.rint(angle / _QUARTER_HIGH)
    r = (angle - turns * _QUARTER_HIGH) - turns * _QUARTER_LOW
    square = r * r
    sine, cosine = r * _horner(_SIN, square), _horner(_COS, square)
    quarter = turns.astype(np.int64) % 4
    odd, negative_sine, negative_cosine = quarter % 2 == 1, quarter >= 2, (quarter == 1) | (quarter == 2)
    first, second = np.where(odd, cosine, sine), np.where(odd, sine, cosine)
    return np.where(negative_sine, -first, first), np.where(negative_cosine, -second, second)


def _horner(coefficients: tuple[float, ...], x: FloatArray) -> FloatArray:
    """Return the polynomial with these coefficients, highest power first."""
    value = np.full_like(x, coefficients[0])
    for coefficient in coefficients[1:]:
        value *= x
        value += coefficient
    return value
