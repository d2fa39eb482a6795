"""Random numbers of simulations: named streams of ``seeds.lock``, raw 64-bit words alone.  [audit 9.3, S8.5]"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from backtest.seeds.streams import Seeds, Stream, load, root_of

LOCK: Final = Path(__file__).resolve().parents[2] / "seeds.lock"


@cache
def stream_of(root_text: str, name: str) -> Stream:
    """Return the stream ``name`` of ``seeds.lock`` under a plan's root text.

    Raises `UsageError` for a stream that is not listed: what is not announced is not drawn.
    """
    return replace(_listed().stream(name), root_hex=root_of(root_text))


@cache
def _listed() -> Seeds:
    return load(LOCK)


def words(root_text: str, name: str, count: int, replicate: int = 0) -> NDArray[np.uint64]:
    """Return raw 64-bit words, shape (count,), of one replicate of a named stream."""
    return np.asarray(stream_of(root_text, name)(replicate).random_raw(count), dtype=np.uint64)


def uniforms(root_text: str, name: str, count: int, replicate: int = 0) -> NDArray[np.float64]:
    """Return uniform numbers, shape (count,), in the half-open unit interval: the upper 53 bits of each word."""
    return (words(root_text, name, count, replicate) >> np.uint64(11)).astype(np.float64) * 2.0**-53


def normals(root_text: str, name: str, count: int, replicate: int = 0) -> NDArray[np.float64]:
    """Return standard normals, shape (count,), by Box and Muller's transform of the two halves of a stream."""
    u = uniforms(root_text, name, 2 * count, replicate)
    radius = np.sqrt(-2.0 * np.log(1.0 - u[:count]))
    return np.asarray(radius * np.cos(2.0 * np.pi * u[count:]))
