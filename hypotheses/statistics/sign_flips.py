"""N1: sign changes of whole blocks, enumerated in integers.  [statistics 3.2]"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from engine.arguments import require_array, require_numbers
from engine.errors import DataError
from engine.exact.sums import total
from engine.records import IntArray
from hypotheses.records import Proportion

MOST_BLOCKS = 20
"""2^20 sign changes are a million; more blocks would have to be sampled instead."""


def block_sums(values: IntArray, block: IntArray) -> tuple[int, ...]:
    """Return the sum of a series over each block.

    Parameters
    ----------
    values : IntArray, shape (n,)
        Integers of any unit.
    block : IntArray, shape (n,)
        The number of each day's block.

    Returns
    -------
    tuple[int, ...]
        One sum a block that occurs, in ascending order of block number; empty where there are no days.

    Raises
    ------
    UsageError
        If ``values`` or ``block`` is not int64 of shape (n,).

    Examples
    --------
    >>> block_sums(np.array([1, 2, 3, 4]), np.array([0, 0, 1, 1]))
    (3, 7)
    """
    require_array("values", values, np.int64, ("n",))
    require_array("block", block, np.int64, (len(values),))
    return tuple(total(values[block == b]) for b in sorted({int(b) for b in block}))


def sign_flips(sums: Sequence[int]) -> IntArray:
    """Return T(s) = sum_j s_j B_j for every change of signs of the q sums.

    Parameters
    ----------
    sums : Sequence[int], shape (q,)
        Block sums in micro-USD.

    Returns
    -------
    IntArray, shape (2 ** q,)
        The statistic of each sign change; the first is the identity.

    Raises
    ------
    UsageError
        If ``sums`` is empty, or an entry no integer.
    DataError
        If ``sums`` has more than 20 entries, or their total does not fit 63 bits.

    Examples
    --------
    >>> sign_flips([5, 2]).tolist()
    [7, -3, 3, -7]
    """
    require_numbers("sums", sums, int, shortest=1)
    # all of them are kept in memory: 2^20 sums are 8 MB
    if len(sums) > MOST_BLOCKS or 2 * sum(abs(b) for b in sums) >= 2**63:
        raise DataError(
            f"sums: expected at most {MOST_BLOCKS} blocks whose profit fits 63 bits, was {len(sums)} blocks with "
            f"{sum(abs(b) for b in sums)} micro-USD in all: use fewer folds"
        )
    # each block doubles the list, so sign changes come in a fixed order without a table of signs
    flips = np.zeros(1, dtype=np.int64)
    for b in sums:
        flips = np.concatenate([flips + b, flips - b])
    return flips


def n1(sums: Sequence[int]) -> Proportion:
    """Return the p-value of SR <= 0 under sign changes of whole blocks: #{T(s) >= T} of 2^q, the identity included.

    Parameters
    ----------
    sums : Sequence[int], shape (q,)
        Block sums in micro-USD.

    Returns
    -------
    Proportion
        The count of sign changes that reach the observed sum, out of 2^q.

    Raises
    ------
    UsageError
        If ``sums`` is empty, or an entry no integer.
    DataError
        If ``sums`` has more than 20 entries, or their total does not fit 63 bits.

    Notes
    -----
    Exact when block vectors are jointly sign-symmetric (Fisher 1935); of limiting size at most alpha when their sums
    are nearly normal (Canay, Romano and Shaikh 2017).  A flip leaves sum r^2 unchanged, so the order of T is the
    order of the Sharpe ratio.

    Examples
    --------
    >>> n1([5, 2, 1])
    Proportion(count=1, of=8)
    >>> n1([5, -2, 1])
    Proportion(count=3, of=8)
    """
    flips = sign_flips(sums)
    return Proportion(int(np.count_nonzero(flips >= sum(sums))), len(flips))
