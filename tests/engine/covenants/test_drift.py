"""The drift monitors; the binomial interval against scipy.  [covenants 8]"""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom

from engine.covenants import drift_monitor as drift


@pytest.mark.parametrize("n", [1, 16, 96, 672, 3000])
@pytest.mark.parametrize("p", [0.0, 0.001, 0.05, 0.3, 0.97, 1.0])
def test_binomial_interval(n: int, p: float) -> None:
    low, high = drift.binomial_interval(n, p)

    assert binom.cdf(low - 1, n, p) <= 0.005 + 1e-12
    assert binom.sf(high, n, p) <= 0.005 + 1e-12
    assert binom.cdf(low, n, p) > 0.005 - 1e-12
    assert binom.sf(high - 1, n, p) > 0.005 - 1e-12


def test_the_calibrated_monitor_needs_both() -> None:
    rng = np.random.Generator(np.random.PCG64(1))
    highest = rng.exponential(size=400)
    highest[300:] *= 3
    good = np.full(400, drift.quantile(highest[:300], 0.99))
    alarms = drift.calibrated_alarm(good, highest, 0.01, 96, 0.5)
    assert not alarms[:300].any()
    assert alarms[395:].all()
    assert not drift.calibrated_alarm(good, highest, 0.01, 96, 50.0).any()


def test_quiet_markets_alarm_the_literal_monitor_only() -> None:
    band, spread = np.full(300, 2.5), np.full(300, 0.4)
    assert drift.literal_alarm(band, spread, 0.5).all()
    assert not drift.calibrated_alarm(band, spread, 0.0, 96, 0.5).any()


def test_blocks_side_by_side() -> None:
    assert drift.windows_max(np.array([1.0, 3.0, np.nan, 2.0, 9.0]), 2).tolist() == [3.0, 2.0]
    assert np.isnan(drift.windows_max(np.array([np.nan, np.nan]), 2)).all()


def test_persistence_and_cool_down() -> None:
    on = np.ones(20, dtype=bool)
    on[3] = False
    assert np.flatnonzero(drift.persistent(on, 5, 6)).tolist() == [8, 15]
