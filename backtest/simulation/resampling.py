"""The stationary bootstrap of days, from a named stream of raw words.  [Politis and Romano 1994, audit 9.3]"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from backtest.simulation.covenant_streams import words
from engine.exact.rounded import Floats

CHUNK: Final = 500


def bootstrap_indices(days: int, draws: int, length: float, root_text: str, stream: str) -> NDArray[np.int64]:
    """Return the day indices of the stationary bootstrap, ``[draws, days]``: blocks of geometric length on a circle.

    At each position one word decides a restart, then one word gives an index; replicate d is a chunk of draws.
    """
    # At a length of 1 the bound is 2^64, which no uint64 holds.
    restart = np.uint64(min(int(2.0**64 / length), 2**64 - 1))
    rows = []
    for chunk, begin in enumerate(range(0, draws, CHUNK)):
        count = min(CHUNK, draws - begin)
        drawn = words(root_text, stream, 2 * count * days, chunk).reshape(count, days, 2)
        fresh = (drawn[:, :, 1] % np.uint64(days)).astype(np.int64)
        starts = drawn[:, :, 0] < restart
        # The first position has no day before it that it could continue.
        starts[:, 0] = True
        position = np.arange(days)
        last = np.maximum.accumulate(np.where(starts, position, 0), axis=1)
        rows.append((np.take_along_axis(fresh, last, axis=1) + position - last) % days)
    return np.concatenate(rows)


def mean_interval(values: Floats, indices: NDArray[np.int64]) -> tuple[float, float]:
    """Return the 95% percentile interval of the mean of ``values`` [days] over drawn days ``indices`` [draws, days]."""
    means = np.sort(np.array([values[row].sum() for row in indices]) / len(values))
    return float(means[int(0.025 * (len(means) - 1))]), float(means[int(0.975 * (len(means) - 1))])
