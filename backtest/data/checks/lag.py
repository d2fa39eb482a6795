"""Measures lead or lag between two price series, to a fraction of a step.  [S1.1, S1.5]

Two sources of one underlying, one of them stamped late by d (0 <= d <= step), share of each step's return only the
part that overlaps: corr(0) = 1 - d/step and corr(1) = d/step, all others 0.  How two neighbouring correlations share
the whole is therefore the lag, also if it is half a bar and no whole lag has a peak.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from engine.records import FloatArray
from engine.units import NS_PER_SECOND

CLIP: Final = 10.0
"""Returns beyond so many robust deviations are cut: one bad print must not make a correlation."""

LEAST_SAMPLES: Final = 60
LEAST_SHARE: Final = 0.1
"""A lag under a tenth of a step is not reported: real leads between venues are of that size."""


@dataclass(frozen=True, slots=True)
class Lag:
    """How the stamps of ``second`` differ from those of ``first``.

    ``lag_ns`` is what must be added to the stamps of ``second`` (so it is the ``label_shift_ns`` to declare): negative
    where they are late.  ``best_ns`` is the whole lag with the largest correlation.  ``level_bps`` is the median of
    second/first - 1.  ``warning`` is empty if the two agree or too few samples decide.
    """

    first: str
    second: str
    step_ns: int
    samples: int
    corr_zero: float
    corr_best: float
    best_ns: int
    lag_ns: int
    error_ns: int
    level_bps: float
    warning: str


def lag_between(
    first: str, second: str, a: FloatArray, b: FloatArray, step_ns: int, most_steps: int, older_ns: float = 0.0
) -> Lag | None:
    """Return the lag between prices ``a`` and ``b``, shape (T,), at the same regular times.

    Returns None with too few common samples.  NaN: a series has no price of that step.  ``older_ns`` is by how much
    the prices of ``b`` were older than those of ``a`` when they were sampled: bars that close at other hours are no
    fault of their labels.  Lags up to ``most_steps`` on either side are scanned.  The guard: the peak must be
    3 + sqrt(2 ln(number of lags)) standard errors (1/sqrt(samples)) above zero, and the lag five of its own errors
    and a tenth of a step away from zero.
    """
    both = ~(np.isnan(a) | np.isnan(b))
    if both.sum() <= LEAST_SAMPLES:
        return None
    x, y = _returns(a), _returns(b)
    # a price that did not move holds no information about time
    samples = int(((x != 0) & (y != 0)).sum())
    # beyond a quarter of the series too few pairs overlap
    most = min(most_steps, len(x) // 4)
    corr = _correlations(x, y, most)
    if samples < LEAST_SAMPLES or most < 1 or not np.isfinite(corr).all():
        return None
    peak = int(np.argmax(corr))
    steps, shared = _interpolated(corr, peak)
    error = float(np.sqrt(2.0 / samples) / shared)
    noise = (3.0 + np.sqrt(2.0 * np.log(len(corr)))) / np.sqrt(samples)
    steps += older_ns / step_ns
    real = corr[peak] > noise and abs(steps) > max(LEAST_SHARE, 5.0 * error)
    lag = Lag(
        first=first,
        second=second,
        step_ns=step_ns,
        samples=samples,
        corr_zero=float(corr[most]),
        corr_best=float(corr[peak]),
        best_ns=(peak - most) * step_ns,
        lag_ns=round(steps * step_ns),
        error_ns=round(error * step_ns),
        level_bps=float(np.median(b[both] / a[both] - 1.0) * 1e4),
        warning="",
    )
    return _warned(lag, shared) if real else lag


def _interpolated(corr: FloatArray, peak: int) -> tuple[float, float]:
    """Return the lag in steps and the correlation shared by the peak and its larger neighbour.

    Over the floor m, the smaller neighbour (what the series' own autocorrelation leaves on both sides):
    lag = peak +- (big - m) / ((big - m) + (top - m)).
    """
    before, top, after = (float(corr[at]) if 0 <= at < len(corr) else 0.0 for at in (peak - 1, peak, peak + 1))
    floor, big = sorted((before, after))
    fraction = (big - floor) / ((big - floor) + (top - floor))
    whole = peak - (len(corr) - 1) // 2
    return whole + (fraction if after > before else -fraction), top + big


def duration(ns: int) -> str:
    """Return a signed duration for a person: hours, minutes under two hours, seconds under two minutes.

    >>> duration(-14_400_000_000_000), duration(30_000_000_000)
    ('-4.00 h', '+30.0 s')
    """
    seconds = ns / NS_PER_SECOND
    if abs(seconds) < 7200:
        return f"{seconds:+.1f} s" if abs(seconds) < 120 else f"{seconds / 60:+.1f} min"
    return f"{seconds / 3600:+.2f} h"


def _warned(lag: Lag, shared: float) -> Lag:
    side = "late" if lag.lag_ns < 0 else "early"
    text = (
        f"{lag.second} is stamped about {duration(abs(lag.lag_ns))[1:]} {side} against {lag.first}: correlation of "
        f"returns {lag.corr_zero:.2f} at lag 0, {lag.corr_best:.2f} at {duration(lag.best_ns)}, {shared:.2f} around "
        f"the peak ({lag.samples} steps of {duration(lag.step_ns)[1:]}); check the labels, or declare label_shift_ns = "
        f"{lag.lag_ns} +- {lag.error_ns}"
    )
    return Lag(**{**{name: getattr(lag, name) for name in Lag.__slots__}, "warning": text})


def _returns(price: FloatArray) -> FloatArray:
    """Return relative changes, clipped at ``CLIP`` robust deviations and centred; 0 where a price is missing."""
    change = np.diff(price) / price[:-1]
    known = np.isfinite(change)
    if not known.any():
        return np.zeros(len(change))
    middle = float(np.median(change[known]))
    # the median absolute deviation times 1.4826 is the standard deviation of a normal law
    spread = 1.4826 * float(np.median(np.abs(change[known] - middle)))
    limit = CLIP * spread if spread > 0 else np.inf
    return np.where(known, np.clip(change - middle, -limit, limit), 0.0)


def _correlations(x: FloatArray, y: FloatArray, most: int) -> FloatArray:
    """Return corr(x[k], y[k - l]) for l = -most .. most, by FFT.

    If a lag l < 0 correlates, y shows later what x showed before: the stamps of y are late by |l|.
    """
    # twice the length, so that the circular correlation does not wrap
    size = 1 << int(np.ceil(np.log2(2 * len(x))))
    product = np.fft.irfft(np.fft.rfft(x, size) * np.conj(np.fft.rfft(y, size)), size)
    scale = np.sqrt((x * x).sum() * (y * y).sum())
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.concatenate([product[-most:], product[: most + 1]]) / scale)
