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
from hypotheses.records import PowerRow, PowerTable
from hypotheses.statistics.bootstrap import Bits

SHARPE: Final = (1.0, 2.0, 3.0, 5.0, 8.0)
REPLICATES: Final = 2000
"""Simulated windows behind the row of the joint rule: standard error at most 1.1 points."""

STUDY_DAYS: Final = 90
STUDY_BLOCKS: Final = 10
STUDY_JOINT: Final = (0.116, 0.226, 0.379, 0.746, 0.975)
"""The protocol's study of the joint rule with N1, 90 iid normal days in ten folds.  [statistics 1.4]"""


def t_test_power(sharpe: float, benchmark: float, days: float, alpha: float, *, a_year: float = DAYS_A_YEAR) -> float:
    """Return the power of rejecting SR <= ``benchmark`` one-sided at ``alpha``; ratios of a year of ``a_year`` iid
    normal days.

    The statistic is noncentral t: its critical value comes from the benchmark's own noncentrality.
    """
    scale, degrees = sqrt(days / a_year), days - 1
    critical = t.ppf(1 - alpha, degrees) if benchmark == 0 else nct.ppf(1 - alpha, degrees, benchmark * scale)
    return float(nct.sf(critical, degrees, sharpe * scale))


def days_needed(sharpe: float, alpha: float, power: float) -> float:
    """Return the days after which the t-test of SR <= 0 has ``power``; ``sharpe`` > 0."""
    return float(brentq(lambda days: t_test_power(sharpe, 0.0, days, alpha) - power, 3.0, 1e6, xtol=1e-6))


def detectable_sharpe(days: int, alpha: float, power: float) -> float | None:
    """Return the true annual Sharpe ratio that the t-test detects with ``power``; None where not even 500 would do."""
    if t_test_power(500.0, 0.0, days, alpha) < power:
        return None
    return float(brentq(lambda sharpe: t_test_power(sharpe, 0.0, days, alpha) - power, 0.0, 500.0, xtol=1e-9))


def joint_power(
    days: int, blocks: int, alpha: float, bits: Bits, claim: float = 1.0, ratios: Sequence[float] = SHARPE
) -> tuple[float, ...]:
    """Return the simulated share of windows with SR > claim and p(N1) < alpha, one a true ratio of ``ratios``.

    Replicate r draws its days from raw words of its own generator: normal quantiles of (word >> 11 + 1/2) 2^-53.
    """
    length = np.bincount(np.arange(days) * blocks // days)
    noise = np.empty((REPLICATES, days))
    for r in range(REPLICATES):
        noise[r] = norm.ppf(((bits(r).random_raw(days) >> np.uint64(11)) + 0.5) * 2.0**-53)
    sums = np.add.reduceat(noise, np.concatenate([[0], np.cumsum(length)[:-1]]), axis=1)
    spread = noise.std(axis=1, ddof=1)
    found = []
    for sharpe in ratios:
        drift = sharpe / sqrt(DAYS_A_YEAR)
        moved = sums + drift * length
        flips = np.zeros((REPLICATES, 1))
        for block in range(blocks):
            column = moved[:, block : block + 1]
            flips = np.concatenate([flips + column, flips - column], axis=1)
        p = (flips >= flips[:, :1] - 1e-9).mean(axis=1)
        point = (noise.mean(axis=1) + drift) / spread * sqrt(DAYS_A_YEAR)
        found.append(float(((point > claim) & (p < alpha)).mean()))
    return tuple(found)


@lru_cache(maxsize=4)  # the certificate asks for the same table ten thousand times
def power_table(days: int, blocks: int, bits: Bits, *, alpha: float, level: float, claim: float) -> PowerTable:
    """Return the table of statistics 1.4 for a window of ``days`` >= 3 cut into ``blocks``, at registered numbers."""
    tail, at = (1.0 - level) / 2.0, f"{100 * alpha:g}%"
    rows = [
        _row(f"SR <= 0 rejected at {at}, t-test", "exact", [t_test_power(s, 0.0, days, alpha) for s in SHARPE]),
        _row("registered joint rule with N1", "simulated", joint_power(days, blocks, alpha, bits, claim)),
        _row(f"SR <= {claim:g} rejected at {at}", "exact", [t_test_power(s, claim, days, alpha) for s in SHARPE]),
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
