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

from engine.arguments import require_array, require_finite, require_number
from engine.errors import UsageError
from engine.records import FloatArray, IntArray
from hypotheses.statistics.bootstrap import Bits, require_bits

STREAM = "h1/dependence"
DRAWS = 1_999
"""So that p-values are multiples of 1/2000."""

TIE = 1e-12
"""Relative: rotations of the same shuffle reach the observed statistic up to rounding, and count as reaching it."""


@dataclass(frozen=True, slots=True)
class Autocorrelation:
    """The autocorrelation of one lag and the two-sided p-value (b + 1) / (m + 1) of its being zero."""

    lag: int
    rho: float
    p: float


def day_permutations(n: int, bits: Bits, draws: int = DRAWS) -> IntArray:
    """Return random permutations of days: the stable argsort of n raw words of each replicate.

    Parameters
    ----------
    n : int, at least 1
        Days.
    bits : Bits
        The bit generator of replicate r of one named stream.
    draws : int, at least 1
        Permutations.

    Returns
    -------
    IntArray, shape (draws, n)
        Each row holds 0 to n - 1 once.

    Raises
    ------
    UsageError
        If ``n`` or ``draws`` is under 1, or ``bits`` no function.

    Examples
    --------
    >>> rows = day_permutations(5, lambda r: np.random.PCG64(r), 3)
    >>> np.sort(rows, axis=1).tolist() == [[0, 1, 2, 3, 4]] * 3
    True
    """
    require_number("n", n, int, at_least=1)
    require_number("draws", draws, int, at_least=1)
    require_bits(bits)
    words = np.stack([bits(r).random_raw(n) for r in range(draws)])
    return np.argsort(words, axis=1, kind="stable").astype(np.int64)


def autocorrelation_test(values: FloatArray, lag: int, shuffles: IntArray) -> Autocorrelation:
    """Return the autocorrelation of one lag with the p-value of its being zero (Romano and Tirlea 2022).

    Parameters
    ----------
    values : FloatArray, shape (n,)
        A daily series that varies; any unit.
    lag : int, at least 1
        Days between the two days that are compared; under n.
    shuffles : IntArray, shape (draws, n)
        Permutations of the days, see `day_permutations`.

    Returns
    -------
    Autocorrelation
        The lag, its autocorrelation and the two-sided p-value (b + 1) / (draws + 1).

    Raises
    ------
    UsageError
        If ``values`` is not float64 of shape (n,), not finite or constant, ``shuffles`` not int64 of shape (draws, n)
        or without a draw, or ``lag`` not from 1 to n - 1.

    Examples
    --------
    >>> shuffles = day_permutations(40, lambda r: np.random.PCG64(r), 99)
    >>> test = autocorrelation_test(np.sin(np.arange(40.0) / 3), 1, shuffles)
    >>> round(test.rho, 3), test.p
    (0.938, 0.01)
    """
    require_array("values", values, np.float64, ("n",))
    require_finite("values", values)
    if np.ptp(values) == 0:
        raise UsageError("values: expected a series that varies, was constant: it has no autocorrelation")
    require_array("shuffles", shuffles, np.int64, ("draws", len(values)))
    if not len(shuffles):
        raise UsageError("shuffles: expected at least 1 draw, was none")
    rho, t = studentised_autocorrelation(values[None, :], lag)
    _, drawn = studentised_autocorrelation(values[shuffles], lag)
    reached = int(np.count_nonzero(np.abs(drawn) >= abs(t[0]) * (1.0 - TIE)))
    return Autocorrelation(lag, float(rho[0]), (1 + reached) / (1 + len(shuffles)))


def studentised_autocorrelation(rows: FloatArray, lag: int) -> tuple[FloatArray, FloatArray]:
    """Return the autocorrelation of each row and its studentised form, rho_k and T_k of the module's docstring.

    Parameters
    ----------
    rows : FloatArray, shape (draws, n)
        Series that vary, one a row.
    lag : int, at least 1
        Days between the two days that are compared; under n.

    Returns
    -------
    tuple[FloatArray, FloatArray], shape (draws,)
        rho and T; where the truncated variance is not positive T uses that of independent terms.

    Raises
    ------
    UsageError
        If ``rows`` is not float64 of shape (draws, n) or not finite, or ``lag`` not from 1 to n - 1.

    Examples
    --------
    >>> rho, t = studentised_autocorrelation(np.array([[1.0, -1.0, 1.0, -1.0]]), 1)
    >>> rho.tolist()
    [-0.75]
    """
    require_array("rows", rows, np.float64, ("draws", "n"))
    require_finite("rows", rows)
    n = rows.shape[1]
    require_number("lag", lag, int, at_least=1)
    if lag >= n:
        raise UsageError(f"lag: expected under {n}, the days of a row, was {lag}")
    centred = rows - rows.mean(axis=1, keepdims=True)
    square = (centred**2).sum(axis=1)
    ahead = np.zeros_like(centred)
    ahead[:, :-lag] = centred[:, :-lag] * centred[:, lag:]
    rho = ahead.sum(axis=1) / square
    term = (ahead - rho[:, None] * centred**2) * (n / square)[:, None]
    plain = (term**2).mean(axis=1)
    whole = plain.copy()
    # The root of a cube may come out a digit short: 1e-9 keeps its last lag.
    for j in range(1, int(n ** (1 / 3) + 1e-9) + 1):
        whole += 2.0 * (term[:, j:] * term[:, :-j]).sum(axis=1) / n
    # the truncated sum may be negative in a short sample; independent terms are then the fallback
    spread = np.where(whole > 0.0, whole, plain)
    return rho, np.sqrt(n) * rho / np.sqrt(spread)
