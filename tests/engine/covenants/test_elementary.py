"""Our logarithm and exponential against the library's, over the whole range that prices and ratios can have."""

from __future__ import annotations

import math

import numpy as np

from engine.covenants.elementary import exp, ln, power


def test_ln_is_within_one_unit_in_the_last_place() -> None:
    x = np.concatenate((np.geomspace(1e-12, 1e12, 20001), 1 + np.linspace(-1e-3, 1e-3, 4001)))

    found, expected = ln(x), np.array([math.log(v) for v in x])

    assert np.all(np.abs(found - expected) <= np.spacing(np.abs(expected)))
    assert np.isnan(ln(np.array([0.0, -1.0, np.nan, np.inf]))).all()


def test_exp_is_within_one_unit_in_the_last_place() -> None:
    x = np.concatenate((np.linspace(-50, 50, 20001), np.linspace(-1e-4, 1e-4, 4001)))

    found, expected = exp(x), np.array([math.exp(v) for v in x])

    assert np.all(np.abs(found - expected) <= np.spacing(expected))
    assert np.isnan(exp(np.array([np.nan, 701.0]))).all()


def test_one_number_and_an_array_have_the_same_bits() -> None:
    x = np.geomspace(1e-3, 1e6, 999)

    assert [float(ln(v)) for v in x] == ln(x).tolist()
    assert [float(exp(v)) for v in ln(x)] == exp(ln(x)).tolist()


def test_a_power_of_one_is_exact() -> None:
    assert power(0.1, 1.0) == 0.1
    assert math.isclose(power(2.0, 0.5), math.sqrt(2.0), rel_tol=1e-15)
