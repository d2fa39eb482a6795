"""Funding on the grid: means of what was published, sums of what was settled, NaN where a payment is missing."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backtest.data.format.schema import Channel
from backtest.data.panels import reader
from backtest.data.panels.funding import funding_mean, settled_mean
from engine.units import NS_PER_DAY, NS_PER_HOUR
from tests.backtest.data.markets import START, instrument, instruments, quote, store

HOUR = NS_PER_HOUR
LISTED = instruments(instrument("binance:A"))


def settle(t_ns: int, rate: float) -> dict[str, object]:
    return {"channel": Channel.SETTLE, "t_ns": t_ns, "code": 0, "rate": rate}


@settings(deadline=None, max_examples=80)
@given(
    st.dictionaries(st.integers(0, 47), st.floats(-0.01, 0.01), min_size=1, max_size=12),
    st.integers(1, 30),
)
def test_the_mean_is_the_integral_of_the_step_function(published: dict[int, float], span: int) -> None:
    """Compared with a sum over the quarter hours of the span; NaN where the rate was not yet known at its beginning."""
    at = sorted(published)
    t_ns = START + np.array(at) * HOUR
    times = START + np.arange(0, 60) * HOUR
    rates = np.array([published[k] for k in at])
    mean = funding_mean(t_ns, np.zeros(len(at), np.int64), rates, times, 1, span * HOUR)[:, 0]
    for i, t in enumerate(times):
        quarters = np.arange(t - span * HOUR, t, HOUR // 4)
        row = np.searchsorted(t_ns, quarters, side="right") - 1
        expected = np.nan if row[0] < 0 else rates[row].mean()
        np.testing.assert_allclose(mean[i], expected, rtol=0, atol=1e-15)


def test_a_constant_rate_averages_to_itself() -> None:
    """Bit for bit, however the stamps fall."""
    t_ns = START + np.sort(np.random.default_rng(3).integers(0, NS_PER_DAY, 50))
    times = START + np.arange(20, 24) * HOUR
    mean = funding_mean(t_ns, np.zeros(50, np.int64), np.full(50, 1e-4 / 3), times, 1, 8 * HOUR)

    assert (mean == 1e-4 / 3).all()


def test_payments_are_summed_between_grid_times_and_over_midnight(tmp_path: Path) -> None:
    """00:00 belongs to the first row of its day; a row between settlements pays nothing."""
    rows = [quote(START + k * HOUR, 0, 1, 2) for k in range(48)]
    rows += [settle(START + k * 8 * HOUR, 0.001 * (k + 1)) for k in range(6)]
    first, second = reader.panels(store(tmp_path / "d", LISTED, rows), "BTC", START, START + 2 * NS_PER_DAY)
    due = [0, 8, 16]

    np.testing.assert_array_equal([0.001, 0.002, 0.003], first.funding_paid[due, 0])
    np.testing.assert_array_equal([0.004, 0.005, 0.006], second.funding_paid[due, 0])
    assert np.delete(first.funding_paid[:, 0], due).sum() == 0.0


def test_a_missing_payment_is_nan_and_not_zero(tmp_path: Path) -> None:
    """Settlements at 08:00 and at midnight lack: NaN there, once the perp was quoted before; never elsewhere."""
    rows = [quote(START + HOUR + k * HOUR, 0, 1, 2) for k in range(40)]
    rows += [settle(START + 16 * HOUR, 0.001)]
    first, second = reader.panels(store(tmp_path / "d", LISTED, rows), "BTC", START, START + 2 * NS_PER_DAY)

    assert np.flatnonzero(np.isnan(first.funding_paid[:, 0])).tolist() == [8]
    assert np.flatnonzero(np.isnan(second.funding_paid[:, 0])).tolist() == [0, 8, 16]
    assert first.funding_paid[0, 0] == 0.0
    assert first.funding_paid[16, 0] == 0.001


def test_coarse_times_gather_all_payments_of_their_window(tmp_path: Path) -> None:
    """Read at 00:00 only, a day's three payments are one sum; a window that began before the carry is unknown."""
    rows = [quote(START + k * HOUR, 0, 1, 2) for k in range(90)]
    rows += [settle(START + k * 8 * HOUR, 0.001) for k in range(12)]
    dataset = store(tmp_path / "d", LISTED, rows)
    daily = START + np.array([0, 1, 3]) * NS_PER_DAY
    paid = [p.funding_paid[0, 0] for p in reader.panels(dataset, "BTC", START, START + 4 * NS_PER_DAY, times_ns=daily)]

    np.testing.assert_allclose([0.0, 0.003, np.nan], paid, atol=1e-18)


@given(
    st.dictionaries(st.integers(0, 60), st.integers(-(10**6), 10**6), max_size=40),
    st.sampled_from([1, 2, 4]),
    st.integers(0, 60),
)
def test_the_mean_of_settlements_is_that_of_exact_fractions(settled: dict[int, int], every: int, now: int) -> None:
    """Those of the last eight hours, both ends as they should be; NaN unless half of those due came."""
    settled = {hour * every: rate for hour, rate in settled.items()}
    hours = sorted(settled)
    t_ns = np.array(hours, dtype=np.int64) * NS_PER_HOUR
    rate = np.array([settled[h] / 2**20 for h in hours])
    times = np.array([now * NS_PER_HOUR])
    found = float(
        settled_mean(t_ns, np.zeros(len(hours), np.int64), rate, times, np.array([every * NS_PER_HOUR]))[0, 0]
    )
    inside = [Fraction(settled[h], 2**20) for h in hours if now - 8 < h <= now]

    if 2 * len(inside) * every < 8:
        assert np.isnan(found)
    else:
        assert found == pytest.approx(float(sum(inside) / len(inside)), rel=1e-12, abs=1e-12)


@pytest.mark.parametrize("interval", [0, 60 * 10**9, 8 * NS_PER_HOUR])
def test_what_settles_each_eight_hours_or_accrues_has_no_mean_of_settlements(interval: int) -> None:
    """Its rate is another one."""
    t_ns = np.arange(10, dtype=np.int64) * NS_PER_HOUR
    mean = settled_mean(t_ns, np.zeros(10, np.int64), np.ones(10), t_ns, np.array([interval]))
    assert np.isnan(mean).all()
