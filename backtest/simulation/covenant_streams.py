"""Random numbers of covenant studies: a named stream each, from raw 64-bit words.  [audit 9.3]

Streams: covenants/p3 (placebo), covenants/bootstrap, covenants/synthetic/*, covenants/event.
"""

from __future__ import annotations

from hashlib import sha256

import numpy as np
from numpy.typing import NDArray


def words(root_text: str, name: str, count: int, replicate: int = 0) -> NDArray[np.uint64]:
    """Return raw 64-bit words, shape (count,), of one replicate of a named stream."""
    seed = int(sha256(f"{root_text}\0{name}".encode()).hexdigest()[:32], 16)
    bits = np.random.PCG64(np.random.SeedSequence(seed, spawn_key=(replicate,)))
    return np.asarray(bits.random_raw(count), dtype=np.uint64)


def uniforms(root_text: str, name: str, count: int, replicate: int = 0) -> NDArray[np.float64]:
    """Return uniform numbers, shape (count,), in the half-open unit interval: the upper 53 bits of each word."""
    return (words(root_text, name, count, replicate) >> np.uint64(11)).astype(np.float64) * 2.0**-53


def normals(root_text: str, name: str, count: int, replicate: int = 0) -> NDArray[np.float64]:
    """Return standard normals, shape (count,), by Box and Muller's transform of the two halves of a stream."""
    u = uniforms(root_text, name, 2 * count, replicate)
    radius = np.sqrt(-2.0 * np.log(1.0 - u[:count]))
    return np.asarray(radius * np.cos(2.0 * np.pi * u[count:]))
