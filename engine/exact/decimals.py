"""Decimal arithmetic at precision 50, half-even: roots, logs and sines.  [audit 2.2, 10.2]

``exp``, ``ln``, ``log10`` and ``sqrt`` of the decimal module are correctly rounded on every machine; sine and cosine
are summed here with thirty spare digits and rounded once.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from decimal import ROUND_HALF_EVEN, Context, Decimal, DivisionByZero, InvalidOperation, Overflow, localcontext
from fractions import Fraction
from typing import Final

PRECISION: Final = 50
PLACES: Final = 9
"""Decimal places of a statistic in the results.  [audit 2.2]"""

_GUARD: Final = 30


def _context(precision: int) -> Context:
    return Context(
        prec=precision,
        rounding=ROUND_HALF_EVEN,
        Emin=-999_999,
        Emax=999_999,
        capitals=1,
        clamp=0,
        flags=[],
        traps=[InvalidOperation, DivisionByZero, Overflow],
    )


def exact() -> AbstractContextManager[Context]:
    """Return a context manager under which decimals have 50 digits and half-even rounding, whatever was set before.

    Inside it invalid operations, divisions by zero and overflows raise the errors of the decimal module.
    """
    return localcontext(_context(PRECISION))


def ratio(numerator: int, denominator: int) -> Decimal:
    """Return ``numerator / denominator``, rounded once to 50 digits.

    Raises ``DivisionByZero`` or, for 0 / 0, ``InvalidOperation``.
    """
    with exact():
        return Decimal(numerator) / Decimal(denominator)


def of_float(value: float) -> Decimal:
    """Return the shortest decimal that reads back as ``value``; identical on every platform.  [audit 2.2]

    Raises ``ValueError`` for NaN and infinities, which are no quantities.
    """
    number = Decimal(repr(float(value)))
    if not number.is_finite():
        raise ValueError(f"expected a finite number, was {value!r}")
    return number


def of_fraction(value: Fraction) -> Decimal:
    """Return a fraction as a decimal, rounded once."""
    return ratio(value.numerator, value.denominator)


def sqrt(value: Decimal) -> Decimal:
    """Return the square root of ``value >= 0``, 50 digits.  Raises ``InvalidOperation`` for a negative value."""
    with exact():
        return value.sqrt()


def root(value: Decimal, degree: int) -> Decimal:
    """Return ``value ** (1 / degree)`` for ``value >= 0``, by ``exp(ln(value) / degree)`` with spare digits.

    Raises ``InvalidOperation`` for a negative value.
    """
    # 0 has no logarithm.
    if value == 0:
        return Decimal(0)
    with localcontext(_context(PRECISION + _GUARD)):
        unrounded = (value.ln() / degree).exp()
    with exact():
        # Unary plus rounds to the 50 digits of this context.
        return +unrounded


def log10(value: Decimal) -> Decimal:
    """Return the decimal logarithm of ``value > 0``.; minus infinity for 0.

    Raises ``InvalidOperation`` for a negative value.
    """
    with exact():
        return value.log10()


def cos_sin(angle: Decimal) -> tuple[Decimal, Decimal]:
    """Return cosine and sine of ``angle`` in radians; |angle| up to 1e20 keeps all 50 digits.

    The angle is brought into (-pi, pi], halved three times, summed as a Taylor series and doubled back.
    """
    with localcontext(_context(PRECISION + _GUARD)):
        turns = (angle / (2 * PI)).to_integral_value(rounding=ROUND_HALF_EVEN)
        small = (angle - 2 * PI * turns) / 8
        cosine, sine = _taylor(small)
        for _ in range(3):
            cosine, sine = cosine * cosine - sine * sine, 2 * sine * cosine
    with exact():
        return +cosine, +sine


def _taylor(angle: Decimal) -> tuple[Decimal, Decimal]:
    """Return cosine and sine of a small angle in radians: terms are added until they are below the last digit."""
    sums = [Decimal(1), angle]
    term, power = angle, 1
    least = Decimal(10) ** -(PRECISION + _GUARD + 2)
    while abs(term) > least:
        power += 1
        term = term * angle / power
        sums[power % 2] += term if power % 4 in (0, 1) else -term
    return sums[0], sums[1]


def _arctan_inverse(whole: int, scale: int) -> int:
    """Return ``scale * arctan(1 / whole)`` to within a few units, in integers."""
    power = total = scale // whole
    step = 1
    while power:
        power //= whole * whole
        step += 2
        total += -(power // step) if step % 4 == 3 else power // step
    return total


def _pi() -> Decimal:
    """Return pi by Machin's formula, 4 (4 arctan 1/5 - arctan 1/239), to 105 places."""
    # Ten digits beyond the 105 that are kept absorb the truncations of the integer series.
    scale = 10**115
    machin = 4 * (4 * _arctan_inverse(5, scale) - _arctan_inverse(239, scale))
    return Decimal(machin // 10**10).scaleb(-105, _context(PRECISION + 2 * _GUARD))


PI: Final = _pi()


def quantise(value: Decimal, places: int = PLACES) -> Decimal:
    """Return ``value`` rounded half-even to ``places`` decimals; negative zero becomes zero.

    NaN stays NaN.  Raises ``InvalidOperation`` if the result needs more than 50 digits.
    """
    with exact():
        # "+ 0" turns -0 into 0: the two print differently and would give two digests of one result.
        return value.quantize(Decimal(1).scaleb(-places)) + 0
