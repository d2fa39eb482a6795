"""What a window of so many days can show: printed beside every verdict.  [statistics 1.4]

For independent normal days the t-test's power is exact, through the noncentral t distribution.  The joint rule with
N1 has no closed form: for the registered window its row holds the protocol's published study, and for every window a
simulated row is computed from a named stream.  Float tier: nothing here decides.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from math import sqrt
from typing import Final

import numpy as np
from scipy.optimize import brentq
from scipy.stats import nct, norm, t

from backtest.results.returns import DAYS_A_YEAR
from engine.arguments import require_number, require_numbers
from hypotheses.records import PowerRow, PowerTable
from hypotheses.statistics.bootstrap import Bits, require_bits
from hypotheses.statistics.sign_flips import MOST_BLOCKS

SHARPE: Final = (1.0, 2.0, 3.0, 5.0, 8.0)
REPLICATES: Final = 2000
"""Simulated windows behind the row of the joint rule: standard error at most 1.1 points."""

STUDY_DAYS: Final = 90
STUDY_BLOCKS: Final = 10
STUDY_JOINT: Final = (0.116, 0.226, 0.379, 0.746, 0.975)
"""The protocol's study of the joint rule with N1, 90 iid normal days in ten folds.  [statistics 1.4]"""


def t_test_power(sharpe: float, benchmark: float, days: float, alpha: float, *, a_year: float = DAYS_A_YEAR) -> float:
    """Return the power of the one-sided t-test of SR <= benchmark for independent normal days.

    The statistic is noncentral t (Johnson and Welch 1940); its critical value comes from the noncentrality of the
    benchmark.

    Parameters
    ----------
    sharpe : float
        The true annual Sharpe ratio.
    benchmark : float
        The annual ratio that is tested.
    days : float, above 1
        Days of the window.
    alpha : float, in (0, 1)
        The level of the test.
    a_year : float, above 0
        Days a year.

    Returns
    -------
    float
        The probability of rejecting, between 0 and 1.

    Raises
    ------
    UsageError
        If ``sharpe`` or ``benchmark`` is no finite number, ``days`` not above 1, ``alpha`` not in (0, 1), or
        ``a_year`` not above 0.

    Examples
    --------
    >>> round(t_test_power(3.0, 0.0, 90, 0.05), 3)
    0.434
    """
    require_number("sharpe", sharpe, float)
    require_number("benchmark", benchmark, float)
    require_number("days", days, float, above=1)
    require_number("alpha", alpha, float, above=0, below=1)
    require_number("a_year", a_year, float, above=0)
    scale, degrees = sqrt(days / a_year), days - 1
    # scipy's noncentral t is less accurate than the central one where both apply
    critical = t.ppf(1 - alpha, degrees) if benchmark == 0 else nct.ppf(1 - alpha, degrees, benchmark * scale)
    return float(nct.sf(critical, degrees, sharpe * scale))


def days_needed(sharpe: float, alpha: float, power: float) -> float:
    """Return the days after which the t-test of SR <= 0 has a power.

    Parameters
    ----------
    sharpe : float, above 0
        The true annual Sharpe ratio.
    alpha : float, in (0, 1)
        The level of the test.
    power : float, in (0, 1)
        The power to be reached; above the power of 3 days.

    Returns
    -------
    float
        Days, from 3 to 1e6.

    Raises
    ------
    UsageError
        If ``sharpe`` is not above 0, or ``alpha`` or ``power`` not in (0, 1).

    Examples
    --------
    >>> round(days_needed(3.0, 0.05, 0.8))
    252
    """
    require_number("sharpe", sharpe, float, above=0)
    require_number("alpha", alpha, float, above=0, below=1)
    require_number("power", power, float, above=0, below=1)
    return float(brentq(lambda days: t_test_power(sharpe, 0.0, days, alpha) - power, 3.0, 1e6, xtol=1e-6))


def detectable_sharpe(days: int, alpha: float, power: float) -> float | None:
    """Return the true annual Sharpe ratio that the t-test of SR <= 0 detects with a power.

    Parameters
    ----------
    days : int, at least 2
        Days of the window.
    alpha : float, in (0, 1)
        The level of the test.
    power : float, in (0, 1)
        The power to be reached; above ``alpha``.

    Returns
    -------
    float or None
        The ratio a year; None where even 500 is not detected.

    Raises
    ------
    UsageError
        If ``days`` is under 2, or ``alpha`` or ``power`` not in (0, 1), or ``power`` not above ``alpha``.

    Examples
    --------
    >>> round(detectable_sharpe(90, 0.05, 0.8), 2)
    5.05
    """
    require_number("days", days, int, at_least=2)
    require_number("alpha", alpha, float, above=0, below=1)
    require_number("power", power, float, above=alpha, below=1)
    # The search needs an end at which the power is reached.
    if t_test_power(500.0, 0.0, days, alpha) < power:
        return None
    return float(brentq(lambda sharpe: t_test_power(sharpe, 0.0, days, alpha) - power, 0.0, 500.0, xtol=1e-9))


def joint_power(
    days: int, blocks: int, alpha: float, bits: Bits, claim: float = 1.0, ratios: Sequence[float] = SHARPE
) -> tuple[float, ...]:
    """Return the simulated power of the joint rule: the share of windows with SR > claim and p(N1) < alpha.

    Parameters
    ----------
    days : int, at least 2
        Days of the window; independent and normal.
    blocks : int, at least 1
        Blocks whose signs N1 changes; at most 20, and at most ``days``.
    alpha : float, in (0, 1)
        The level of N1.
    bits : Bits
        The bit generator of replicate r of one named stream.
    claim : float
        The annual ratio that the window's ratio has to exceed.
    ratios : Sequence[float], shape (k,)
        True annual ratios.

    Returns
    -------
    tuple[float, ...], shape (k,)
        One share a true ratio.

    Raises
    ------
    UsageError
        If ``days`` is under 2, ``blocks`` not from 1 to 20 and ``days``, ``alpha`` not in (0, 1), ``bits`` no function,
        or ``claim`` or an entry of ``ratios`` no finite number.

    Notes
    -----
    Replicate r draws its days from raw words of its own generator: normal quantiles of (word >> 11 + 1/2) 2^-53.

    Examples
    --------
    >>> none, large = joint_power(40, 4, 0.2, lambda r: np.random.PCG64(r), 1.0, (-100.0, 100.0))
    >>> none, large
    (0.0, 1.0)
    """
    require_number("days", days, int, at_least=2)
    require_number("blocks", blocks, int, at_least=1, at_most=min(days, MOST_BLOCKS))
    require_number("alpha", alpha, float, above=0, below=1)
    require_bits(bits)
    require_number("claim", claim, float)
    require_numbers("ratios", ratios, float)
    # folds of n days differ by one day at most; a drift moves a block sum by its own length
    length = np.bincount(np.arange(days) * blocks // days)
    noise = np.empty((REPLICATES, days))
    for r in range(REPLICATES):
        noise[r] = norm.ppf(((bits(r).random_raw(days) >> np.uint64(11)) + 0.5) * 2.0**-53)
    sums = np.add.reduceat(noise, np.concatenate([[0], np.cumsum(length)[:-1]]), axis=1)
    spread = noise.std(axis=1, ddof=1)
    shares = []
    for sharpe in ratios:
        drift = sharpe / sqrt(DAYS_A_YEAR)
        drifted = sums + drift * length
        flips = np.zeros((REPLICATES, 1))
        for block in range(blocks):
            column = drifted[:, block : block + 1]
            flips = np.concatenate([flips + column, flips - column], axis=1)
        # a tie within the rounding of the sums reaches the observed one, as it does in integers
        p = (flips >= flips[:, :1] - 1e-9).mean(axis=1)
        point = (noise.mean(axis=1) + drift) / spread * sqrt(DAYS_A_YEAR)
        shares.append(float(((point > claim) & (p < alpha)).mean()))
    return tuple(shares)


# the certificate asks for the same table ten thousand times
@lru_cache(maxsize=4)
def power_table(days: int, blocks: int, bits: Bits, *, alpha: float, level: float, claim: float) -> PowerTable:
    """Return the table of what a window can show.  [statistics 1.4]

    Parameters
    ----------
    days : int, at least 3
        Days of the window.
    blocks : int, at least 1
        Blocks whose signs N1 changes; at most 20, and at most ``days``.
    bits : Bits
        The bit generator of replicate r of one named stream.
    alpha : float, in (0, 0.8)
        The level of the nulls; under the power of 80% that the table looks for.
    level : float, in (0, 1)
        The coverage of the intervals.
    claim : float
        The annual ratio of H1's claim.

    Returns
    -------
    PowerTable
        One row a rule, one column a true annual ratio of `SHARPE`.

    Raises
    ------
    UsageError
        If ``days`` is under 3, ``blocks`` not from 1 to 20 and ``days``, ``alpha`` not in (0, 0.8), ``level`` not in
        (0, 1), ``bits`` no function, or ``claim`` no finite number.

    Examples
    --------
    >>> table = power_table(90, 10, lambda r: np.random.PCG64(r), alpha=0.05, level=0.95, claim=1.0)
    >>> round(table.detectable_80, 2), table.smallest_p
    (5.05, 0.0009765625)
    """
    require_number("days", days, int, at_least=3)
    require_number("alpha", alpha, float, above=0, below=0.8)
    require_number("level", level, float, above=0, below=1)
    tail, percent = (1.0 - level) / 2.0, f"{100 * alpha:g}%"
    rows = [
        _row(f"SR <= 0 rejected at {percent}, t-test", "exact", [t_test_power(s, 0.0, days, alpha) for s in SHARPE]),
        _row("registered joint rule with N1", "simulated", joint_power(days, blocks, alpha, bits, claim)),
        _row(f"SR <= {claim:g} rejected at {percent}", "exact", [t_test_power(s, claim, days, alpha) for s in SHARPE]),
        _row(
            f"one constraint: lower {100 * (1 - tail):g}% bound above 0",
            "exact",
            [t_test_power(s, 0.0, days, tail) for s in SHARPE],
        ),
    ]
    if (days, blocks, alpha, claim) == (STUDY_DAYS, STUDY_BLOCKS, 0.05, 1.0):
        rows.insert(2, _row("registered joint rule with N1, protocol's study", "study", STUDY_JOINT))
    return PowerTable(
        n_days=days,
        blocks=blocks,
        sharpe=SHARPE,
        rows=tuple(rows),
        detectable_80=detectable_sharpe(days, alpha, 0.8),
        days_for_80=tuple(days_needed(s, alpha, 0.8) for s in SHARPE),
        smallest_p=2.0**-blocks,
        notes=(
            f"For {days} independent normal days; dependence and skewness lower all of it.",
            f"N1 with {blocks} blocks cannot give a p-value under 2^-{blocks}.",
            "A failure to reject is not evidence of absence.",
        ),
    )


def _row(name: str, kind: str, power: list[float] | tuple[float, ...]) -> PowerRow:
    return PowerRow(name, kind, tuple(power))
