"""Twin of engine/exact/decimals.py: functions against mpmath-free closed forms and the machine's own library."""

from __future__ import annotations

import decimal
import math
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.exact import decimals


@settings(max_examples=60, deadline=None)
@given(st.floats(-1e6, 1e6))
def test_cosine_and_sine_agree_with_the_library(angle: float) -> None:
    """Both functions are those of the library to its own precision, at any angle of a kernel."""
    cosine, sine = decimals.cos_sin(Decimal(angle))

    assert math.isclose(math.cos(angle), float(cosine), abs_tol=1e-14, rel_tol=1e-9)
    assert math.isclose(math.sin(angle), float(sine), abs_tol=1e-14, rel_tol=1e-9)


@settings(max_examples=30, deadline=None)
@given(st.decimals(-50, 50, places=12))
def test_the_circle_holds_to_forty_eight_digits(angle: Decimal) -> None:
    """cos^2 + sin^2 = 1 to nearly all of fifty digits: no step of the reduction loses precision."""
    cosine, sine = decimals.cos_sin(angle)
    with decimals.exact():
        miss = abs(cosine * cosine + sine * sine - 1)

    assert miss < Decimal("1e-48")


def test_pi_and_known_sines_are_right_to_forty_nine_digits() -> None:
    """sin(pi/6) = 1/2 and cos(pi/3) = 1/2: an error in pi or in the series would show here."""
    with decimals.exact():
        sixth, third = +(decimals.PI / 6), +(decimals.PI / 3)

    assert abs(decimals.cos_sin(sixth)[1] - Decimal("0.5")) < Decimal("1e-49")
    assert abs(decimals.cos_sin(third)[0] - Decimal("0.5")) < Decimal("1e-49")
    assert str(decimals.PI).startswith(
        "3.14159265358979323846264338327950288419716939937510582097494459230781640628620"
    )


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 10**9), st.sampled_from([2, 3, 5]))
def test_a_root_of_a_perfect_power_is_exact(base: int, degree: int) -> None:
    """root(b^k, k) is b: the spare digits absorb the error of exp and ln."""
    assert base == decimals.root(Decimal(base**degree), degree)


def test_the_caller_s_context_does_not_reach_inside() -> None:
    """A caller who works at three digits gets fifty."""
    with decimal.localcontext() as context:
        context.prec = 3
        found = decimals.ratio(1, 3)

    assert len(found.as_tuple().digits) == 50


def test_rounding_is_half_even_and_knows_no_negative_zero() -> None:
    """Ties go to the even neighbour; what rounds to nothing is plain zero."""
    assert decimals.quantise(Decimal("0.0000000025")) == Decimal("0.000000002")
    assert decimals.quantise(Decimal("0.0000000035")) == Decimal("0.000000004")
    assert str(decimals.quantise(Decimal("-1e-12"))) == "0E-9"


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_is_no_quantity_is_refused(value: float) -> None:
    """NaN and infinity are not turned into numbers."""
    with pytest.raises(ValueError, match="finite"):
        decimals.of_float(value)
