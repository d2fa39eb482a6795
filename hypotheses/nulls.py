"""Permutation nulls that enumerate or count in integers.  [statistics 3.2, 3.3]"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from engine.errors import DataError
from engine.records import IntArray
from hypotheses.records import Share

MOST_BLOCKS = 20
"""A million sign changes; beyond it one would sample."""


def block_sums(values: IntArray, block: IntArray) -> tuple[int, ...]:
    """Return the sum of ``values`` over each block, in ascending order of block number."""
    return tuple(int(values[block == b].sum()) for b in sorted({int(b) for b in block}))


def sign_flips(sums: Sequence[int]) -> IntArray:
    """Return T(s) = sum_j s_j B_j for all 2^q sign changes; the first is the identity."""
    if len(sums) > MOST_BLOCKS or 2 * sum(abs(b) for b in sums) >= 2**63:
        raise DataError(
            f"expected at most {MOST_BLOCKS} blocks whose profit fits 63 bits, was {len(sums)} blocks with "
            f"{sum(abs(b) for b in sums)} micro-USD in all: use fewer folds"
        )
    flips = np.zeros(1, dtype=np.int64)
    for b in sums:
        flips = np.concatenate([flips + b, flips - b])
    return flips


def n1(sums: Sequence[int]) -> Share:
    """Return the p-value of SR <= 0 under sign changes of whole blocks: #{T(s) >= T} of 2^q, the identity included.

    Exact when block vectors are jointly sign-symmetric (Fisher 1935); of limiting size at most alpha when their sums
    are nearly normal (Canay, Romano and Shaikh 2017).  A flip leaves sum r^2 unchanged, so the order of T is the
    order of the Sharpe ratio.
    """
    flips = sign_flips(sums)
    return Share(int(np.count_nonzero(flips >= sum(sums))), len(flips))


def sampled(exceedances: int, draws: int) -> Share:
    """Return (b + 1) / (m + 1): the p-value of a null that is sampled, never zero (Phipson and Smyth 2010)."""
    return Share(exceedances + 1, draws + 1)
