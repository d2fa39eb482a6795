"""The smile against scipy and against every static arbitrage, by brute force."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import ndtr
from scipy.stats import norm

from backtest.data.synthetic.smile import SmileSpec, normal_cdf, normalised_call

SMILE = SmileSpec(low_weight="0.5", skew="0.3", low_vol="1.15", high_vol="0.9")
STRIKES = np.linspace(0.4, 2.2, 181)


def call(k, vol, years):
    return normalised_call(np.asarray(k, dtype=float), np.asarray(vol), np.asarray(years), SMILE)


def test_the_normal_distribution_function_agrees_with_scipy():
    """To 1e-12, in the tails and in the middle."""
    x = np.concatenate((np.linspace(-9, 9, 20_001), [0.0, 7.07, -7.07, 40.0, -40.0]))
    assert np.abs(normal_cdf(x) - ndtr(x)).max() < 1e-12


def test_one_lognormal_is_black():
    """Equal components without skew are Black (1976)."""
    plain = SmileSpec(low_weight="0.5", skew="0", low_vol="1", high_vol="1")
    s = 0.6 * np.sqrt(0.2)
    d1 = -np.log(STRIKES) / s + s / 2
    expected = norm.cdf(d1) - STRIKES * norm.cdf(d1 - s)
    found = normalised_call(STRIKES, np.asarray(0.6), np.asarray(0.2), plain)
    assert np.abs(found - expected).max() < 1e-12


@pytest.mark.parametrize("vol", [0.3, 0.6, 1.2])
@pytest.mark.parametrize("days", [0.01, 1, 7, 40, 300])
def test_calls_fall_and_are_convex_in_strike(vol, days):
    """Slopes in [-1, 0] and rising: no vertical and no butterfly pays for nothing."""
    value = call(STRIKES, vol, days / 365)
    slope = np.diff(value) / np.diff(STRIKES)
    assert slope.min() >= -1 - 1e-9
    assert slope.max() <= 1e-9
    assert np.diff(slope).min() >= -1e-9
    assert (value >= np.maximum(1 - STRIKES, 0)).all()


@pytest.mark.parametrize("vol", [0.3, 0.6, 1.2])
def test_calls_rise_with_time_at_equal_moneyness(vol):
    """Total variance is monotone: no calendar pays for nothing."""
    years = np.array([0.02, 0.5, 1, 3, 7, 14, 30, 60, 120, 365]) / 365
    value = call(STRIKES[None, :], vol, years[:, None])
    assert np.diff(value, axis=0).min() >= -1e-12


def test_the_smile_slopes():
    """The lower wing is dearer than the upper one: puts carry the skew."""
    low, high = call([0.8], 0.6, 0.1)[0] - 0.2, call([1.25], 0.6, 0.1)[0]
    assert low > high / 1.25
