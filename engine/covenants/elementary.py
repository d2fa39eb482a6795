"""Natural logarithm and exponential made of +, -, *, / alone, so that every machine returns the same bits.

The engine may not call a library's ``log`` or ``exp``: their last bit differs between machines.  The two algorithms are
those of FreeBSD's msun (`e_log.c`, `e_exp.c`: Sun Microsystems 1993, error below one unit in the last place).
"""

from __future__ import annotations

from typing import Final

import numpy as np

from engine.exact.rounded import Floats

# ln 2 in two parts: the high one ends in zero bits, so that k times it is exact for every exponent k.
_LN2_HIGH: Final = 6.93147180369123816490e-01
_LN2_LOW: Final = 1.90821492927058770002e-10
_LOG_EVEN: Final = (3.999999999940941908e-01, 2.222219843214978396e-01, 1.531383769920937332e-01)
_LOG_ODD: Final = (
    6.666666666666735130e-01,
    2.857142874366239149e-01,
    1.818357216161805012e-01,
    1.479819860511658591e-01,
)
_EXP: Final = (
    1.66666666666666019037e-01, -2.77777777770155933842e-03, 6.61375632143793436117e-05, -1.65339022054652515390e-06,
    4.13813679705723846039e-08,
)  # fmt: skip
_SQRT_HALF: Final = 0.70710678118654757


def ln(x: Floats | float) -> Floats:
    """Return the natural logarithm of ``x``, same shape; NaN where ``x`` is NaN, zero, negative or infinite."""
    x = np.asarray(x, dtype=np.float64)
    usable = np.isfinite(x) & (x > 0)
    mantissa, power = np.frexp(np.where(usable, x, 1.0))
    # The argument is kept within [sqrt(1/2), sqrt(2)), where the series is accurate.
    low = mantissa < _SQRT_HALF
    f = np.where(low, 2.0 * mantissa, mantissa) - 1.0
    k = (power - low).astype(np.float64)
    s = f / (2.0 + f)
    z = s * s
    w = z * z
    even = w * (_LOG_EVEN[0] + w * (_LOG_EVEN[1] + w * _LOG_EVEN[2]))
    odd = z * (_LOG_ODD[0] + w * (_LOG_ODD[1] + w * (_LOG_ODD[2] + w * _LOG_ODD[3])))
    half = 0.5 * f * f
    value = k * _LN2_HIGH - ((half - (s * (half + (even + odd)) + k * _LN2_LOW)) - f)
    return np.where(usable, value, np.nan)


def exp(x: Floats | float) -> Floats:
    """Return e to the power ``x``, same shape, for |x| <= 700; NaN where ``x`` is NaN or larger."""
    x = np.asarray(x, dtype=np.float64)
    # A double overflows just above 709.
    usable = np.abs(x) <= 700.0
    x = np.where(usable, x, 0.0)
    k = np.rint(x * (1.0 / (_LN2_HIGH + _LN2_LOW)))
    high = x - k * _LN2_HIGH
    low = k * _LN2_LOW
    r = high - low
    t = r * r
    c = r - t * (_EXP[0] + t * (_EXP[1] + t * (_EXP[2] + t * (_EXP[3] + t * _EXP[4]))))
    value = 1.0 - ((low - r * c / (2.0 - c)) - high)
    return np.where(usable, np.ldexp(value, k.astype(np.int64)), np.nan)


def decay(half_life: float) -> float:
    """Return the factor a step, ``2 ** (-1 / half_life)``, ``half_life`` in steps."""
    return float(exp(-(_LN2_HIGH + _LN2_LOW) / half_life))


def power(base: float, exponent: float) -> float:
    """Return ``base ** exponent`` of a positive base; exact where the exponent is 1."""
    return base if exponent == 1.0 else float(exp(exponent * float(ln(base))))
