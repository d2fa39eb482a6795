"""The stationary bootstrap, as blocks of a circle, studentised draw by draw.  [statistics 6, audit 9.3, 10]

Politis and Romano (1994).  A draw walks through positions 0 .. n-1.  At each it takes two raw words: the first, u,
restarts the block if u < floor(2^64 / L); the second names the day at which a restarted block begins,
((v >> 32) n) >> 32.  Position 0 always restarts; otherwise the next day of the circle follows.

A block is a stretch of the circle, so its sums of r and r^2 are differences of running sums of integers: exact, in
any order.  The only floats of a draw are elementwise + - * / sqrt on such integers, and one sequential running sum
over the positions; no library reduces them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import ROUND_FLOOR, Decimal
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from engine.exact.decimals import exact, ratio
from engine.exact.sums import Integers, guarded, half_even, prefix, spread, total
from engine.records import FloatArray, IntArray

Bits = Callable[[int], np.random.PCG64]
"""The bit generator of replicate r of one named stream."""


@dataclass(frozen=True, slots=True)
class Blocks:
    """All blocks of all draws, in order: block i of the flat list begins at day ``start[i]``, runs ``length[i]`` days.

    ``first[r]`` is the number of the first block of draw r; ``position[i]`` the flat place r n + t where i begins.
    """

    n: int
    draws: int
    position: IntArray
    start: IntArray
    length: IntArray
    first: IntArray

    @property
    def draw(self) -> IntArray:
        """The draw each block belongs to."""
        return self.position // self.n


@dataclass(frozen=True, slots=True)
class Studentised:
    """The t* of the draws that have one, ascending, and how many have none.

    ``by_draw`` holds them in the order of draws, NaN where a draw has no variance.
    """

    by_draw: FloatArray
    ordered: FloatArray
    discarded: int


def blocks(n: int, length: Decimal, draws: int, bits: Bits) -> Blocks:
    """Return the blocks of ``draws`` resamples of n days with mean block length ``length`` >= 1."""
    return blocks_of_words(raw_words(n, draws, bits), length)


def raw_words(n: int, draws: int, bits: Bits) -> NDArray[np.uint64]:
    """Return the words of ``draws`` replicates, two a position, shape (draws, 2 n)."""
    words = np.empty((draws, 2 * n), dtype=np.uint64)
    for r in range(draws):
        words[r] = bits(r).random_raw(2 * n)
    return words


def blocks_of_words(words: NDArray[np.uint64], length: Decimal) -> Blocks:
    """Return the blocks of mean length ``length`` >= 1 that the ``words`` of `raw_words` say."""
    draws, n = len(words), words.shape[1] // 2
    with exact():
        bound = int((Decimal(2**64) / length).to_integral_value(rounding=ROUND_FLOOR))
    restart = words[:, 0::2] <= np.uint64(bound - 1)
    restart[:, 0] = True
    position = np.flatnonzero(restart.reshape(-1)).astype(np.int64)
    named = words[:, 1::2].reshape(-1)[position]
    start = (((named >> np.uint64(32)) * np.uint64(n)) >> np.uint64(32)).astype(np.int64)
    length_of = np.diff(np.append(position, draws * n))
    return Blocks(n, draws, position, start, length_of, np.flatnonzero(position % n == 0).astype(np.int64))


def resampled_days(resample: Blocks) -> IntArray:
    """Return the resampled day numbers, shape (draws, n): what `blocks` says, written out."""
    within = np.arange(resample.draws * resample.n) - np.repeat(resample.position, resample.length)
    flat = (np.repeat(resample.start, resample.length) + within) % resample.n
    return flat.reshape(resample.draws, resample.n)


def sharpe_t(returns: IntArray, resample: Blocks) -> Studentised:
    """Return t* = (SR* - SR_d) / se* of every draw, se* = (1/n) sqrt(sum over blocks of (sum of psi*)^2).

    The series is shifted by its rounded mean first: psi does not move, and the float terms lose nothing to it.  A
    draw whose sd is zero has no t* and is discarded; where SR* equals SR_d (a mere rotation of the sample) t* is 0.
    """
    n = resample.n
    shift = half_even(total(returns), n)
    moved = guarded(returns - shift, 2, 2 * n)
    sums, squares = _block_sums(moved, resample), _block_sums(moved * moved, resample)
    whole, deviation = _by_draw(sums, resample), _spread(_by_draw(squares, resample), _by_draw(sums, resample), n)
    valid = deviation > 0
    scale = sqrt((n - 1) / n)
    root = np.sqrt(np.where(valid, deviation, 1).astype(np.float64))
    ratio_star = (whole + n * shift).astype(np.float64) * scale / root

    rows = resample.draw
    mean, size = whole[rows], resample.length
    linear = (n * sums - size * mean).astype(np.float64)
    crossed = 2.0 * n * (sums.astype(np.float64) * mean.astype(np.float64))
    mean_float = mean.astype(np.float64)
    square = float(n * n) * squares.astype(np.float64) - crossed + size * (mean_float * mean_float)
    unit = root[rows]
    psi = linear / unit - ratio_star[rows] / 2.0 * (square / (unit * unit) - size)
    error = np.sqrt(_running(psi * psi, resample)) / n
    point = float(total(returns)) * scale / sqrt(float(spread(returns)))
    return _studentise(ratio_star - point, error, valid)


def mean_t(values: IntArray, resample: Blocks) -> Studentised:
    """Return t* = (mean* - mean) / se* of every draw, with psi*_t = x*_t - mean*.  Units cancel.  [statistics 7.3]"""
    n = resample.n
    moved = guarded(values, 1, 2 * n * n)
    sums = _block_sums(moved, resample)
    whole = _by_draw(sums, resample)
    linear = (n * sums - resample.length * whole[resample.draw]).astype(np.float64)
    error = np.sqrt(_running(linear * linear, resample)) / n
    distance = (whole - total(values)).astype(np.float64)
    return _studentise(distance, error, np.ones(resample.draws, dtype=np.bool_))


def p_value(found: Studentised, threshold: Decimal) -> tuple[int, int]:
    """Return (1 + #{t* >= threshold}, kept draws + 1): the one-sided p-value as two integers.  [statistics 3.5]"""
    return 1 + int(np.count_nonzero(found.ordered >= float(threshold))), len(found.ordered) + 1


def discarded_share(found: Studentised) -> Decimal:
    """Return the share of draws without variance."""
    return ratio(found.discarded, len(found.by_draw))


def _block_sums(values: Integers, resample: Blocks) -> Integers:
    """Return the sum of ``values`` over each block; the circle is unrolled twice, for no block is longer than it."""
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
    table = np.zeros(resample.draws * resample.n)
    table[resample.position] = per_block
    return np.asarray(np.cumsum(table.reshape(resample.draws, resample.n), axis=1)[:, -1])


def _studentise(distance: FloatArray, error: FloatArray, valid: Integers) -> Studentised:
    """Return distance / error where defined: 0 where the distance is exactly 0, none where only the error is 0."""
    usable = valid.astype(bool) & ((error > 0) | (distance == 0))
    safe = np.where(error > 0, error, 1.0)
    values = np.where(usable, np.where(distance == 0, 0.0, distance / safe), np.nan)
    return Studentised(values, np.sort(values[usable]), int(np.count_nonzero(~usable)))
