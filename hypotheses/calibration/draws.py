"""Numbers for the certificate from named streams: one generator a replication, raw words only.  [R11.3, audit 9.3]

`Replayed` gives the verdicts the words of their own registered streams, drawn once a process: the certificate measures
the procedure with the words that a run will use.  [docs/decisions/0230]
"""

from __future__ import annotations

from typing import Final, cast

import numpy as np
from numpy.random import PCG64
from numpy.typing import NDArray
from scipy.stats import norm

from backtest.seeds.streams import Seeds, index_below
from engine.records import FloatArray, IntArray
from hypotheses.statistics.bootstrap import Bits

WIDTH: Final = 192
"""Raw words kept of a replicate: a draw of the bootstrap over 90 days takes 180, one of N2 takes 90."""


class Draw:
    """The random numbers of one replication, in the order of the calls."""

    def __init__(self, seeds: Seeds, stream: str, replicate: int) -> None:
        self._bits = seeds.generator(stream, replicate)

    def uniforms(self, *size: int) -> FloatArray:
        """Return numbers in (0, 1): the upper 53 bits of each word and a half, times 2^-53."""
        words = self._bits.random_raw(int(np.prod(size)))
        # half a step off both ends: the normal quantile of 0 or 1 would be infinite
        result: FloatArray = ((words >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53
        return result.reshape(size)

    def normals(self, *size: int) -> FloatArray:
        """Return standard normals: the quantiles of as many uniforms."""
        return np.asarray(norm.ppf(self.uniforms(*size)), dtype=np.float64)

    def below(self, n: int, *size: int) -> IntArray:
        """Return indices in [0, n)."""
        return index_below(self._bits.random_raw(int(np.prod(size))), n).reshape(size)


class _Words:
    """A replicate whose first words are drawn already: the part of ``PCG64`` that the verdicts call."""

    def __init__(self, words: NDArray[np.uint64]) -> None:
        self._words = words

    def random_raw(self, count: int) -> NDArray[np.uint64]:
        # A slice would give fewer words and say nothing.
        if count > len(self._words):
            raise ValueError(f"expected at most {len(self._words)} words of a replayed stream, was {count}")
        return self._words[:count]


class Replayed:
    """The registered streams by name, each replicate's words drawn once a process; the same object for one name."""

    def __init__(self, seeds: Seeds) -> None:
        self._seeds = seeds
        self._known: dict[str, Bits] = {}

    def __call__(self, name: str) -> Bits:
        if name not in self._known:
            self._known[name] = self._stream(name)
        return self._known[name]

    def _stream(self, name: str) -> Bits:
        words: dict[int, PCG64] = {}

        def replicate(r: int) -> PCG64:
            if r not in words:
                words[r] = cast(PCG64, _Words(self._seeds.generator(name, r).random_raw(WIDTH)))
            return words[r]

        return replicate
