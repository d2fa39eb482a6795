"""Are days correlated with the days before them: the studentised permutation test of Romano and Tirlea (2022).

[statistics 1.5].  Float tier, it decides nothing.  Shuffling days makes them independent and keeps their law; but the
error of an autocorrelation depends on more than that law, so the statistic is divided by its own standard error,

    T_k = sqrt(n) rho_k / g_k,     rho_k = sum Y_i / sum Z_i,   Y_i = c_i c_{i+k},   Z_i = c_i^2,   c = x - mean
    g_k^2 = the long-run variance of (Y_i - rho_k Z_i) / s^2, truncated at lag n^(1/3)

before it is compared.  Then the test holds its size for uncorrelated days that depend on each other, as under changing
volatility, where a plain permutation does not.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.records import FloatArray, IntArray
from hypotheses.statistics.bootstrap import Bits

STREAM = "h1/dependence"
DRAWS = 1_999


@dataclass(frozen=True, slots=True)
class Autocorrelation:
    """The autocorrelation of one lag and the two-sided p-value (b + 1) / (m + 1) of its being zero."""

    lag: int
    rho: float
    p: float


def day_permutations(n: int, bits: Bits, draws: int = DRAWS) -> IntArray:
    """Return permutations of n days, shape (draws, n): the stable argsort of n raw words of each replicate."""
    words = np.stack([bits(r).random_raw(n) for r in range(draws)])
    return np.argsort(words, axis=1, kind="stable").astype(np.int64)


def autocorrelation_test(values: FloatArray, lag: int, shuffles: IntArray) -> Autocorrelation:
    """Return the test of one lag >= 1 of a series that varies; ``shuffles`` are those of `day_permutations`."""
    rho, t = studentised_autocorrelation(values[None, :], lag)
    _, drawn = studentised_autocorrelation(values[shuffles], lag)
    reached = int(np.count_nonzero(np.abs(drawn) >= abs(t[0]) * (1.0 - 1e-12)))
    return Autocorrelation(lag, float(rho[0]), (1 + reached) / (1 + len(shuffles)))


def studentised_autocorrelation(rows: FloatArray, lag: int) -> tuple[FloatArray, FloatArray]:
    """Return (rho_k, T_k) of each row; where the truncated variance is not positive, that of independent terms."""
    n = rows.shape[1]
    centred = rows - rows.mean(axis=1, keepdims=True)
    square = (centred**2).sum(axis=1)
    ahead = np.zeros_like(centred)
    ahead[:, :-lag] = centred[:, :-lag] * centred[:, lag:]
    rho = ahead.sum(axis=1) / square
    term = (ahead - rho[:, None] * centred**2) * (n / square)[:, None]
    plain = (term**2).mean(axis=1)
    whole = plain.copy()
    for j in range(1, int(n ** (1 / 3) + 1e-9) + 1):
        whole += 2.0 * (term[:, j:] * term[:, :-j]).sum(axis=1) / n
    spread = np.where(whole > 0.0, whole, plain)
    return rho, np.sqrt(n) * rho / np.sqrt(spread)
