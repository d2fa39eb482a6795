"""Tests of a margin model out of sample: coverage, independence, shortfall, scores, paired outcomes.  [risk.md 12.4]

References: Kupiec (1995); Christoffersen (1998); Acerbi and Szekely (2014), test 2; Fissler and Ziegel (2016), the
zero-homogeneous score of Patton, Ziegel and Chen (2019); Diebold and Mariano (1995); McNemar (1947).
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from backtest.simulation.covenant_streams import uniforms
from engine.errors import DataError
from engine.exact.rounded import Floats

Outcomes = np.ndarray
"""Booleans [n]."""


def kupiec(exceeded: Outcomes, rate: float) -> tuple[float, float]:
    """Return (LR, p) of the hypothesis that exceedances have probability ``rate``; chi-square of 1 degree.

    Raises `DataError` without an observation.
    """
    if not len(exceeded):
        raise DataError("expected at least one observation for a test of coverage, was none")
    hits, n = int(np.count_nonzero(exceeded)), len(exceeded)
    ratio = -2.0 * (_bernoulli(hits, n, rate) - _bernoulli(hits, n, hits / n))
    return ratio, chi_square_beyond(ratio, 1)


def christoffersen(exceeded: Outcomes, rate: float) -> tuple[float, float, float]:
    """Return (LR of independence, its p, p of coverage and independence together; 1 and 2 degrees).

    Independence: an exceedance is as likely after one as after none (Markov of the first order).
    """
    before, after = exceeded[:-1], exceeded[1:]
    calm, hit = after[~before], after[before]
    a, b = int(np.count_nonzero(calm)), int(np.count_nonzero(hit))
    alone = _bernoulli(a, len(calm), _ratio(a, len(calm))) + _bernoulli(b, len(hit), _ratio(b, len(hit)))
    ratio = 2.0 * (alone - _bernoulli(a + b, len(after), _ratio(a + b, len(after))))
    return ratio, chi_square_beyond(ratio, 1), chi_square_beyond(ratio + kupiec(exceeded, rate)[0], 2)


def shortfall_z2(losses: Floats, var: Floats, es: Floats, rate: float) -> float:
    """Return ``1 - sum L 1[L > VaR] / (n rate ES)``: 0 under the model, negative where losses are under-estimated."""
    beyond = np.where(losses > var, losses / es, 0.0)
    return 1.0 - float(beyond.sum()) / (len(losses) * rate)


def simulated_z2(var: Floats, es: Floats, shape: Floats, rate: float, draws: int, seed: str) -> Floats:
    """Return ``draws`` values of Z2, sorted, under the model's own tail: a Pareto law of ``shape`` [n] beyond VaR [n].

    Beyond VaR the excess has the scale that gives the model's ES, ``(ES - VaR)(1 - shape)``.
    """
    scale = (es - var) * (1.0 - shape)
    values = np.empty(draws)
    for r in range(draws):
        u = uniforms(seed, "venue/margin/shortfall", len(var), r)
        hit = np.flatnonzero(u < rate)
        # Given a hit, u / rate is uniform again.
        left, xi = 1.0 - u[hit] / rate, shape[hit]
        flat = np.abs(xi) < 1e-9
        excess = scale[hit] * np.where(flat, -np.log(left), (np.power(left, -xi) - 1.0) / np.where(flat, 1.0, xi))
        values[r] = 1.0 - float(((var[hit] + excess) / es[hit]).sum()) / (len(var) * rate)
    return np.sort(values)


def fz0(losses: Floats, var: Floats, es: Floats, rate: float) -> Floats:
    """Return the joint score of VaR and ES [n]: ``1[L > VaR](L - VaR) / (rate ES) + VaR / ES + ln ES - 1``.

    Lower is better.
    Raises `DataError` unless every ES is positive: the score has no value there.
    """
    if (es <= 0).any():
        raise DataError(f"expected an expected shortfall > 0, was {float(es.min())}")
    return np.asarray(np.maximum(losses - var, 0.0) / (rate * es) + var / es + np.log(es) - 1.0, dtype=np.float64)


def diebold_mariano(difference: Floats) -> tuple[float, float]:
    """Return (statistic, two-sided p) of a mean of zero, by the Bartlett variance with ``4 (n/100)^(2/9)`` lags.

    (0, 1) where all differences are equal to zero.
    """
    n = len(difference)
    mean = float(difference.sum()) / n
    centred = difference - mean
    lags = int(4.0 * float(np.power(n / 100.0, 2.0 / 9.0)))
    variance = float((centred * centred).sum()) / n
    for k in range(1, min(lags, n - 1) + 1):
        variance += 2.0 * (1.0 - k / (lags + 1.0)) * float((centred[k:] * centred[:-k]).sum()) / n
    if variance <= 0.0:
        return 0.0, 1.0
    statistic = mean / math.sqrt(variance / n)
    return statistic, math.erfc(abs(statistic) / math.sqrt(2.0))


def mcnemar(first: Outcomes, second: Outcomes) -> tuple[int, int, float]:
    """Return (only the first, only the second, exact two-sided p) of paired outcomes [n].

    Of the pairs that differ each is as likely either way.
    """
    only_first, only_second = int(np.count_nonzero(first & ~second)), int(np.count_nonzero(second & ~first))
    n, least = only_first + only_second, min(only_first, only_second)
    term = total = 1
    for k in range(1, least + 1):
        term = term * (n - k + 1) // k
        total += term
    # Integers: n may be thousands, beyond what a float's power holds.
    return only_first, only_second, min(1.0, 2 * total / 2**n) if n else 1.0


def chi_square_beyond(value: float, degrees: int) -> float:
    """Return the probability that a chi-square of 1 or 2 degrees exceeds ``value``."""
    at_least = max(value, 0.0)
    return math.erfc(math.sqrt(at_least / 2.0)) if degrees == 1 else math.exp(-at_least / 2.0)


def merged(flags: Outcomes, bars: int) -> Iterator[int]:
    """Yield the places of ``flags`` [n] that no flag of the ``bars`` before them, itself yielded, covers."""
    last = -bars - 1
    for place in np.flatnonzero(flags).tolist():
        if place - last > bars:
            last = place
            yield place


def _bernoulli(hits: int, n: int, rate: float) -> float:
    """Return the log-likelihood of ``hits`` in ``n``, with 0 ln 0 = 0."""
    return (hits * math.log(rate) if hits else 0.0) + ((n - hits) * math.log1p(-rate) if n > hits else 0.0)


def _ratio(hits: int, n: int) -> float:
    return hits / n if n else 0.0
