"""Functions of + - * / alone, against fifty decimal places."""

from __future__ import annotations

import math
from decimal import Decimal, localcontext

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backtest.data.synthetic.elementary import _parts, exp, log, sine_and_cosine

PLACES = 50


def units(found: float, true: Decimal) -> Decimal:
    return abs(Decimal(found) - true) / Decimal(math.ulp(found))


@settings(deadline=None, max_examples=300)
@given(st.floats(-700, 700))
def test_exp_is_within_two_units_in_the_last_place(x: float) -> None:
    """Against Decimal.exp."""
    with localcontext(prec=PLACES):
        assert units(float(exp(x)), Decimal(x).exp()) < 2


@settings(deadline=None, max_examples=300)
@given(st.floats(1e-300, 1e300))
def test_log_is_within_two_units_in_the_last_place(x: float) -> None:
    """Against Decimal.ln; log 1 is exactly 0."""
    with localcontext(prec=PLACES):
        assert units(float(log(x)), Decimal(x).ln()) < 2 or x == 1.0


def test_sine_and_cosine_are_those_of_the_library_to_the_last_place() -> None:
    """Absolute error of at most one unit at 1, over 30 turns."""
    angle = np.linspace(-95.0, 95.0, 100_001)
    sine, cosine = sine_and_cosine(angle)

    assert float(np.max(np.abs(sine - np.sin(angle)))) <= 2.3e-16
    assert float(np.max(np.abs(cosine - np.cos(angle)))) <= 2.3e-16


def test_the_edges() -> None:
    """Nothing below the least number, NaN through, and a refusal where there is no value."""
    assert exp(np.array([-1e9, -np.inf, 0.0])).tolist() == [0.0, 0.0, 1.0]
    assert np.isnan(exp(math.nan))
    assert np.isnan(log(math.nan))
    assert float(log(math.inf)) == math.inf
    assert float(log(1.0)) == 0.0
    with pytest.raises(ValueError, match="709"):
        exp(710.0)
    with pytest.raises(ValueError, match="positive"):
        log(np.array([1.0, 0.0]))


def test_exp_is_the_same_beside_any_neighbour() -> None:
    """A number so small that it is scaled otherwise changes no bit of the others, and its own are right."""
    x = np.concatenate([np.linspace(-800.0, 709.0, 4_001), np.linspace(-709.0, -705.0, 401), [0.0, -0.0, math.nan]])

    together = exp(x)

    assert together.tobytes() == np.array([float(exp(float(value))) for value in x]).tobytes()
    with localcontext(prec=PLACES):
        for value, found in zip(x[:-1:7].tolist(), together[:-1:7].tolist(), strict=True):
            assert abs(Decimal(found) - Decimal(value).exp()) <= 2 * Decimal(math.ulp(found))


def test_a_number_is_taken_apart_as_the_library_does() -> None:
    """Into m 2^k with m from sqrt(1/2) to sqrt(2), from the bits, against frexp: down to the least double."""
    draw = np.random.Generator(np.random.PCG64(3))
    half = math.sqrt(0.5)
    x = np.concatenate(
        [np.exp(draw.uniform(-745.0, 709.0, 50_000)), [half, math.nextafter(half, 0.0), 1.0, 2.0, 5e-324, 2.0**-1022]]
    )
    part, power = np.frexp(x)
    low = part < half

    m, k = _parts(x)

    assert m.tobytes() == np.where(low, 2.0 * part, part).tobytes()
    assert k.tolist() == (power - low).tolist()
