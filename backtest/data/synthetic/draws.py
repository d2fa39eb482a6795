"""Draws numbers from named streams of raw words.  [audit 9.3]

A stream is opened by name and replicate through a function that the caller passes in, so that this package imports
neither engine nor harness; only its ``random_raw`` is used, and the rules from words to numbers are written out here.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.random import PCG64
from numpy.typing import NDArray

from backtest.data.synthetic.elementary import FloatArray, log, sine_and_cosine

Streams = Callable[[str, int], PCG64]
"""``streams(name, replicate)`` opens a stream at its beginning."""

IntArray = NDArray[np.int64]


def uniforms(bits: PCG64, count: int) -> FloatArray:
    """Return numbers in [0, 1), shape (count,): the upper 53 bits of each word, times 2^-53."""
    words: NDArray[np.uint64] = bits.random_raw(count)
    return (words >> np.uint64(11)).astype(np.float64) * 2.0**-53


def normals(bits: PCG64, count: int) -> FloatArray:
    """Return standard normals, shape (count,), by Box and Muller (1958), two from two words."""
    half = (count + 1) // 2
    u = uniforms(bits, 2 * half)
    # 1 - u lies in (0, 1], so the logarithm is finite
    radius = np.sqrt(-2.0 * log(1.0 - u[:half]))
    angle = 2.0 * np.pi * u[half:]
    sine, cosine = sine_and_cosine(angle)
    return np.concatenate((radius * cosine, radius * sine))[:count]


def octets(bits: PCG64, count: int) -> NDArray[np.uint8]:
    """Return bytes, shape (count,), eight from a word, lowest first on every machine."""
    words: NDArray[np.uint64] = bits.random_raw((count + 7) // 8)
    # the byte order is written out: the view of a native word would differ between machines
    return words.astype("<u8").view(np.uint8)[:count]
