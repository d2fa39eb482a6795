"""The stationary bootstrap, as blocks of a circle.  [statistics 6, audit 9.3, 10]

Politis and Romano (1994).  A draw walks through positions 0 .. n-1.  At each it takes two raw words: the first, u,
restarts the block if u < floor(2^64 / L); the second names the day at which a restarted block begins,
((v >> 32) n) >> 32.  Position 0 always restarts; otherwise the next day of the circle follows.

A block is a stretch of the circle, so its sums of r and r^2 are differences of running sums of integers: exact, in
any order.  `hypotheses.statistics.studentised` computes t* from them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import ROUND_FLOOR, Decimal

import numpy as np
from numpy.typing import NDArray

from engine.arguments import require_array, require_instance, require_number
from engine.errors import UsageError
from engine.exact.decimals import exact
from engine.records import IntArray

Bits = Callable[[int], np.random.PCG64]
"""The bit generator of replicate r of one named stream."""

WordArray = NDArray[np.uint64]


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


def blocks(n: int, length: Decimal, draws: int, bits: Bits) -> Blocks:
    """Return the blocks of resamples of n days by the stationary bootstrap (Politis and Romano 1994).

    Parameters
    ----------
    n : int, at least 1
        Days of the series.
    length : Decimal, at least 1
        Mean block length in days.
    draws : int, at least 1
        Resamples.
    bits : Bits
        The bit generator of replicate r of one named stream.

    Returns
    -------
    Blocks
        The blocks of all resamples; each resample has ``n`` days in all.

    Raises
    ------
    UsageError
        If ``n`` or ``draws`` is under 1, ``length`` no Decimal of at least 1, or ``bits`` no function.

    Examples
    --------
    >>> resample = blocks(10, Decimal(4), 3, lambda r: np.random.PCG64(r))
    >>> int(resample.length.sum()), len(resample.first)
    (30, 3)
    """
    return blocks_of_words(raw_words(n, draws, bits), length)


def raw_words(n: int, draws: int, bits: Bits) -> WordArray:
    """Return the raw words from which resamples are made, two a position.

    Parameters
    ----------
    n : int, at least 1
        Days of the series.
    draws : int, at least 1
        Resamples.
    bits : Bits
        The bit generator of replicate r of one named stream.

    Returns
    -------
    WordArray, shape (draws, 2 * n)
        Word 2 t says whether a block begins at position t, word 2 t + 1 at which day.

    Raises
    ------
    UsageError
        If ``n`` or ``draws`` is under 1, or ``bits`` no function.

    Examples
    --------
    >>> raw_words(5, 3, lambda r: np.random.PCG64(r)).shape
    (3, 10)
    """
    require_number("n", n, int, at_least=1)
    require_number("draws", draws, int, at_least=1)
    require_bits(bits)
    words = np.empty((draws, 2 * n), dtype=np.uint64)
    for r in range(draws):
        words[r] = bits(r).random_raw(2 * n)
    return words


def blocks_of_words(words: WordArray, length: Decimal) -> Blocks:
    """Return the blocks that raw words make at a mean block length: the same words serve for several lengths.

    Parameters
    ----------
    words : WordArray, shape (draws, m)
        The words of `raw_words`, m = 2 n.
    length : Decimal, at least 1
        Mean block length in days.

    Returns
    -------
    Blocks
        The blocks of all resamples.

    Raises
    ------
    UsageError
        If ``words`` is not uint64 of shape (draws, m), m even and at least 2, or ``length`` no Decimal of at least 1.

    Examples
    --------
    >>> words = raw_words(5, 2, lambda r: np.random.PCG64(r))
    >>> blocks_of_words(words, Decimal(1)).length.tolist()
    [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]
    """
    require_array("words", words, np.uint64, ("draws", "m"))
    require_number("length", length, Decimal, at_least=1)
    if words.shape[1] < 2 or words.shape[1] % 2:
        raise UsageError(f"words: expected two words a day, was {words.shape[1]} words in a draw")
    draws, n = len(words), words.shape[1] // 2
    with exact():
        bound = int((Decimal(2**64) / length).to_integral_value(rounding=ROUND_FLOOR))
    # bound is 2^64 where length is 1, which no uint64 holds: u < bound is asked as u <= bound - 1
    restart = words[:, 0::2] <= np.uint64(bound - 1)
    # position 0 has no day before it to continue
    restart[:, 0] = True
    position = np.flatnonzero(restart.reshape(-1)).astype(np.int64)
    second = words[:, 1::2].reshape(-1)[position]
    # the upper 32 bits times n, shifted back: a day without a division, and the product fits 64 bits
    start = (((second >> np.uint64(32)) * np.uint64(n)) >> np.uint64(32)).astype(np.int64)
    # a block ends where the next begins; the last of each draw ends with the draw, where position 0 always restarts
    length_of = np.diff(np.append(position, draws * n))
    return Blocks(n, draws, position, start, length_of, np.flatnonzero(position % n == 0).astype(np.int64))


def require_bits(bits: object) -> None:
    """Refuse anything that is no function from the number of a replicate to its bit generator.

    Parameters
    ----------
    bits : object
        The argument.

    Raises
    ------
    UsageError
        If ``bits`` is no function.

    Examples
    --------
    >>> require_bits(7)
    Traceback (most recent call last):
    engine.errors.UsageError: bits: expected a function from a replicate to its generator, was int
    """
    if not callable(bits):
        raise UsageError(f"bits: expected a function from a replicate to its generator, was {type(bits).__name__}")


def resampled_days(resample: Blocks) -> IntArray:
    """Return the days of each resample, one number a position.

    Parameters
    ----------
    resample : Blocks
        The blocks that `blocks` returns, n days a draw.

    Returns
    -------
    IntArray, shape (draws, n)
        Day numbers from 0 to n - 1; the day after n - 1 is 0.

    Raises
    ------
    UsageError
        If ``resample`` is no `Blocks`.

    Examples
    --------
    >>> day = resampled_days(blocks(10, Decimal(4), 3, lambda r: np.random.PCG64(r)))
    >>> day.shape, int(day.min()) >= 0, int(day.max()) < 10
    ((3, 10), True, True)
    """
    require_instance("resample", resample, Blocks)
    within = np.arange(resample.draws * resample.n) - np.repeat(resample.position, resample.length)
    flat = (np.repeat(resample.start, resample.length) + within) % resample.n
    return flat.reshape(resample.draws, resample.n)
