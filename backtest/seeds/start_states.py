"""Computes the states from which the generators of many replicates start, all at once.  [audit 9.3]

``SeedSequence(seed, spawn_key=(r,))`` mixes the four 32-bit words of the seed into a pool, then the word r, and reads
the pool out.  The first part is the same for every r and is NumPy's own; what follows is its documented arithmetic on
32-bit words (O'Neill 2015, "Developing a seed_seq alternative"), here over an array of r.  A test holds both equal.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.random.bit_generator import ISeedSequence
from numpy.typing import NDArray

_INIT_A, _MULT_A = 0x43B0D7E5, 0x931E8875
_INIT_B, _MULT_B = 0x8B51F9DD, 0x58F38DED
_MIX_LEFT, _MIX_RIGHT = np.uint32(0xCA01F9DD), np.uint32(0x4973F715)
_HALF: Final = np.uint32(16)
_POOL: Final = 4
_HASHED: Final = _POOL + _POOL * (_POOL - 1)
"""Words that NumPy hashes while it fills and mixes the pool."""

Words = NDArray[np.uint32]


class Start(ISeedSequence):
    """A seed sequence that only has the state it was made with, four uint64 words: all that PCG64 asks for."""

    def __init__(self, state: NDArray[np.uint64]) -> None:
        self._state = state

    def generate_state(self, n_words: int, dtype: Any = np.uint32) -> NDArray[np.uint64]:
        """Return the state, uint64 of shape (4,).  Raises ``ValueError`` if other than four 64-bit words are asked."""
        if n_words != len(self._state) or np.dtype(dtype) != np.uint64:
            raise ValueError(f"expected {len(self._state)} words of uint64, was {n_words} of {np.dtype(dtype)}")
        return self._state


def start_states(seed: int, first: int, stop: int) -> NDArray[np.uint64]:
    """Return ``SeedSequence(seed, spawn_key=(r,)).generate_state(4, uint64)`` for r in [first, stop), shape (n, 4).

    Raises ``ValueError`` unless ``seed`` is below 2**128 and every r below 2**32, so that r is one word.
    """
    if not (0 <= seed < 2**128 and 0 <= first <= stop <= 2**32):
        raise ValueError(f"expected a seed below 2**128 and replicates below 2**32, was {seed}, [{first}, {stop})")
    replicates = np.arange(first, stop, dtype=np.uint32)
    pool = [
        _mix(word, _hashed(replicates, _INIT_A, _MULT_A, _HASHED + place))
        for place, word in enumerate(np.random.SeedSequence(seed).pool)
    ]
    words = [_hashed(pool[place % _POOL], _INIT_B, _MULT_B, place) for place in range(2 * _POOL)]
    low, high = np.stack(words[0::2], axis=1), np.stack(words[1::2], axis=1)
    return low.astype(np.uint64) | (high.astype(np.uint64) << np.uint64(32))


def _hashed(values: Words, initial: int, multiplier: int, count: int) -> Words:
    """Return the hash of ``values`` with the constant after ``count`` earlier ones."""
    before = np.uint32(initial * pow(multiplier, count, 2**32) % 2**32)
    after = np.uint32(initial * pow(multiplier, count + 1, 2**32) % 2**32)
    mixed: Words = (values ^ before) * after
    return mixed ^ (mixed >> _HALF)


def _mix(word: np.uint32, values: Words) -> Words:
    mixed: Words = np.full(len(values), word) * _MIX_LEFT - values * _MIX_RIGHT
    return mixed ^ (mixed >> _HALF)
