"""Other corrections for many constraints, beside Holm and StepM: they decide nothing.  [statistics 8.4]

Benjamini and Hochberg (1995) bound the share of false ones among the retained, not the chance of any; Hansen's (2005)
test of superior predictive ability asks whether the best of them beats cash.  By statsmodels and arch.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from math import ceil
from statistics import median
from typing import Final

import numpy as np
from arch.bootstrap import SPA
from statsmodels.stats.multitest import multipletests

from engine.records import FloatArray
from hypotheses.base import RunData, Streams
from hypotheses.records import ConstraintRow, Diagnostic, Status

STREAM: Final = "h3/stepm"
DRAWS: Final = 1_999
"""So that p-values are multiples of 1/2000."""
FAMILY: Final = "all constraints"
BENJAMINI_HOCHBERG, SUPERIOR = "Benjamini-Hochberg p of the constraint", "SPA against cash, best constraint"


def of_family(run: RunData, rows: Sequence[ConstraintRow], streams: Streams) -> tuple[Diagnostic, ...]:
    """Return Benjamini and Hochberg's adjusted p-value of each constraint, then the SPA test of all of them.

    The family is always all constraints: one without enough data counts as p = 1 and is left out of the SPA test.
    """
    return (*_benjamini_hochberg(rows), _superior(run, rows, streams))


def _benjamini_hochberg(rows: Sequence[ConstraintRow]) -> list[Diagnostic]:
    enough = [row.status is not Status.INSUFFICIENT and row.p is not None for row in rows]
    raw = [
        row.p.count / row.p.of if row.p is not None and known else 1.0 for row, known in zip(rows, enough, strict=True)
    ]
    adjusted = multipletests(raw, method="fdr_bh")[1].tolist() if rows else []
    return [
        Diagnostic(row.code, BENJAMINI_HOCHBERG, value, value, "")
        if known
        else Diagnostic(row.code, BENJAMINI_HOCHBERG, None, None, "not enough data: counts as 1 in the family")
        for row, known, value in zip(rows, enough, adjusted, strict=True)
    ]


def _superior(run: RunData, rows: Sequence[ConstraintRow], streams: Streams) -> Diagnostic:
    family = {row.code: row for row in rows if row.status is not Status.INSUFFICIENT}
    sleeves = [sleeve for sleeve in run.sleeves if sleeve.code in family]
    lengths = [float(row.block_length) for row in family.values() if row.block_length is not None]
    excess = [sleeve.x / sleeve.capital_micro for sleeve in sleeves]
    if not excess or not lengths:
        return Diagnostic(FAMILY, SUPERIOR, None, None, "no constraint has enough data")
    return superior(np.column_stack(excess), ceil(median(lengths)), np.random.Generator(streams(STREAM)(0)))


def superior(excess: FloatArray, block_days: int, generator: np.random.Generator) -> Diagnostic:
    """Return the largest mean of ``excess``, ``[days, constraints]``, and Hansen's consistent p that it is not above 0.

    The p is (1 + count)/(1 + draws): arch counts draws strictly above the observed maximum and gives 0 where none is.
    A column without variance, such as a copy of cash, is left out and named: arch calls it superior, with p = 0.
    """
    varies = np.ptp(excess, axis=0) > 0.0
    left_out = int(np.count_nonzero(~varies))
    note = f"{left_out} without variance left out" if left_out else ""
    if not varies.any():
        return Diagnostic(FAMILY, SUPERIOR, None, None, note or "no constraint")
    excess = excess[:, varies]
    with warnings.catch_warnings():
        # about the library's next version, not about the numbers
        warnings.simplefilter("ignore", FutureWarning)
        # Losses: what is earned counts negative; cash loses nothing.
        test = SPA(np.zeros(len(excess)), -excess, block_size=block_days, reps=DRAWS, seed=generator)
        test.compute()
    p = (1.0 + DRAWS * float(test.pvalues["consistent"])) / (1.0 + DRAWS)
    return Diagnostic(FAMILY, SUPERIOR, float(excess.mean(axis=0).max()), p, note)
