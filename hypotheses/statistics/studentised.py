"""Studentised bootstrap draws of a Sharpe ratio or a mean.  [statistics 6, 7.3]

The only floats of a draw are elementwise + - * / sqrt on exact integers, and one sequential running sum over the
positions; no library reduces them, so that t* is the same on every machine.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from math import sqrt

import numpy as np

from engine.arguments import require_array, require_instance, require_number
from engine.errors import UsageError
from engine.exact.decimals import ratio
from engine.exact.sums import Integers, guarded, half_even, prefix, spread, total
from engine.records import FloatArray, IntArray
from hypotheses.statistics.bootstrap import Blocks


@dataclass(frozen=True, slots=True)
class Studentised:
    """The t* of the draws that have one, ascending, and how many have none.

    ``by_draw`` holds them in the order of draws, NaN where a draw has no variance.
    """

    by_draw: FloatArray
    ordered: FloatArray
    discarded: int


def sharpe_t(returns: IntArray, resample: Blocks) -> Studentised:
    """Return t* = (SR* - SR_d) / se* of every draw, se* = (1/n) sqrt(sum over blocks of (sum of psi*)^2).

    Parameters
    ----------
    returns : IntArray, shape (n,)
        Daily returns in units of 1e-9; not constant.
    resample : Blocks
        Resamples of n days.

    Returns
    -------
    Studentised
        t* by draw, NaN where a draw has no variance, and ordered without those.

    Raises
    ------
    UsageError
        If ``resample`` is no `Blocks`, or ``returns`` not int64 of shape (n,), n its days, or constant.

    Notes
    -----
    The series is shifted by its rounded mean first: psi does not change, and the float terms lose no digits to it.  A
    draw whose standard deviation is zero has no t* and is discarded; where SR* equals SR_d (a mere rotation of the
    sample) t* is 0.  Studentising by blocks follows Ledoit and Wolf (2008).

    Examples
    --------
    >>> from hypotheses.statistics.bootstrap import blocks
    >>> returns = np.array([4, -1, 3, 2, -2, 5, 1, 0, 3, -1]) * 1_000_000
    >>> drawn = sharpe_t(returns, blocks(10, Decimal(2), 99, lambda r: np.random.PCG64(r)))
    >>> drawn.by_draw.shape, drawn.discarded
    ((99,), 0)
    """
    require_instance("resample", resample, Blocks)
    n = resample.n
    require_array("returns", returns, np.int64, (n,))
    if spread(returns) == 0:
        raise UsageError("returns: expected a series that varies, was constant: it has no Sharpe ratio")
    # a large mean would cost the float terms below their last digits; psi does not change with a shift
    shift = half_even(total(returns), n)
    moved = guarded(returns - shift, 2, 2 * n)
    sums, squares = _block_sums(moved, resample), _block_sums(moved * moved, resample)
    whole, deviation = _by_draw(sums, resample), _spread(_by_draw(squares, resample), _by_draw(sums, resample), n)
    # an integer comparison: a float variance of rounding noise would pass for one
    valid = deviation > 0
    scale = sqrt((n - 1) / n)
    root = np.sqrt(np.where(valid, deviation, 1).astype(np.float64))
    ratio_star = (whole + n * shift).astype(np.float64) * scale / root

    rows = resample.draw
    mean, size = whole[rows], resample.length
    linear = (n * sums - size * mean).astype(np.float64)
    # each product stays in floats: the exact integers may pass 2^63 where their parts do not
    crossed = 2.0 * n * (sums.astype(np.float64) * mean.astype(np.float64))
    mean_float = mean.astype(np.float64)
    square = float(n * n) * squares.astype(np.float64) - crossed + size * (mean_float * mean_float)
    unit = root[rows]
    psi = linear / unit - ratio_star[rows] / 2.0 * (square / (unit * unit) - size)
    error = np.sqrt(_running(psi * psi, resample)) / n
    point = float(total(returns)) * scale / sqrt(float(spread(returns)))
    return _studentise(ratio_star - point, error, valid)


def mean_t(values: IntArray, resample: Blocks) -> Studentised:
    """Return t* = (mean* - mean) / se* of every draw, with psi*_t = x*_t - mean*.  [statistics 7.3]

    Parameters
    ----------
    values : IntArray, shape (n,)
        Integers of any unit, which cancels.
    resample : Blocks
        Resamples of n days.

    Returns
    -------
    Studentised
        t* by draw, NaN where the error is zero and the mean is another, and ordered without those.

    Raises
    ------
    UsageError
        If ``values`` is not int64 of shape (n,), n the days of ``resample``.

    Examples
    --------
    >>> from hypotheses.statistics.bootstrap import blocks
    >>> resample = blocks(4, Decimal(1), 99, lambda r: np.random.PCG64(r))
    >>> mean_t(np.array([7, 7, 7, 7]), resample).ordered.tolist() == [0.0] * 99
    True
    """
    require_instance("resample", resample, Blocks)
    n = resample.n
    require_array("values", values, np.int64, (n,))
    # n times a sum over the circle unrolled twice must fit.
    moved = guarded(values, 1, 2 * n * n)
    sums = _block_sums(moved, resample)
    whole = _by_draw(sums, resample)
    linear = (n * sums - resample.length * whole[resample.draw]).astype(np.float64)
    error = np.sqrt(_running(linear * linear, resample)) / n
    distance = (whole - total(values)).astype(np.float64)
    return _studentise(distance, error, np.ones(resample.draws, dtype=np.bool_))


def p_value(drawn: Studentised, threshold: Decimal) -> tuple[int, int]:
    """Return the one-sided bootstrap p-value as two integers (Phipson and Smyth 2010).  [statistics 3.5]

    Parameters
    ----------
    drawn : Studentised
        The t* of the draws.
    threshold : Decimal
        The observed t.

    Returns
    -------
    tuple[int, int]
        1 + #{t* >= threshold}, and 1 + the draws that have a t*.

    Raises
    ------
    UsageError
        If ``drawn`` is no `Studentised`, or ``threshold`` no finite Decimal.

    Examples
    --------
    >>> t = np.array([-1.0, 0.5, 2.0])
    >>> p_value(Studentised(t, t, 0), Decimal("0.5"))
    (3, 4)
    """
    require_instance("drawn", drawn, Studentised)
    require_number("threshold", threshold, Decimal)
    return 1 + int(np.count_nonzero(drawn.ordered >= float(threshold))), len(drawn.ordered) + 1


def discarded_share(drawn: Studentised) -> Decimal:
    """Return the share of draws that have no t*.

    Parameters
    ----------
    drawn : Studentised
        The t* of at least one draw.

    Returns
    -------
    Decimal
        Between 0 and 1.

    Raises
    ------
    UsageError
        If ``drawn`` is no `Studentised`, or one of no draw.

    Examples
    --------
    >>> discarded_share(Studentised(np.array([1.0, np.nan, 2.0, 0.0]), np.array([0.0, 1.0, 2.0]), 1))
    Decimal('0.25')
    """
    require_instance("drawn", drawn, Studentised)
    if not len(drawn.by_draw):
        raise UsageError("drawn: expected at least 1 draw, was none")
    return ratio(drawn.discarded, len(drawn.by_draw))


def _block_sums(values: Integers, resample: Blocks) -> Integers:
    """Return the sum of ``values`` over each block; the circle is unrolled twice, for no block is longer than it."""
    # unrolled twice: a block may run over the end of the circle, and none is longer than it
    running = prefix(np.concatenate([values, values]))
    return np.asarray(running[resample.start + resample.length] - running[resample.start])


def _by_draw(per_block: Integers, resample: Blocks) -> Integers:
    """Return the sum over the blocks of each draw, of integers: exact in any order."""
    return np.add.reduceat(per_block, resample.first)


def _spread(squares: Integers, sums: Integers, n: int) -> Integers:
    """Return n Q* - S*^2 of each draw as Python integers: it may pass 2^63 where its parts do not."""
    whole = sums.astype(object)
    return np.asarray(n * squares.astype(object) - whole * whole)


def _running(per_block: FloatArray, resample: Blocks) -> FloatArray:
    """Return the sum over the blocks of each draw, of floats, added one after the other in the order of positions."""
    # cumsum adds in order on every machine; np.sum and add.reduceat may add pairwise
    table = np.zeros(resample.draws * resample.n)
    table[resample.position] = per_block
    return np.asarray(np.cumsum(table.reshape(resample.draws, resample.n), axis=1)[:, -1])


def _studentise(distance: FloatArray, error: FloatArray, valid: Integers) -> Studentised:
    """Return distance / error where defined: 0 where the distance is exactly 0, none where only the error is 0."""
    usable = valid.astype(bool) & ((error > 0) | (distance == 0))
    # Both branches are evaluated: 1.0 keeps an error of 0 from dividing.
    safe = np.where(error > 0, error, 1.0)
    values = np.where(usable, np.where(distance == 0, 0.0, distance / safe), np.nan)
    return Studentised(values, np.sort(values[usable]), int(np.count_nonzero(~usable)))
