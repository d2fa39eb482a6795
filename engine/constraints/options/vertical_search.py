"""The cheapest partner of every short strike, and what the best spread of a grid time may earn.  [S2.C7]

Chains are strike-major, ``[n, T]``: a loop over strikes moves all grid times at once.
"""

from __future__ import annotations

import numpy as np

from engine.constraints.options.chain import NONE
from engine.records import BoolArray, CodeArray, FloatArray

_ROUNDING = 1e-13
"""Of the largest amount: a few hundred times what a handful of additions in another order may differ by."""


def cheapest_long(price: FloatArray, above: bool) -> CodeArray:
    """Return for each strike the one of lowest ``price`` among those above (below) it, int32, ``[n, T]``, -1 if none.

    ``price`` is ``[n, T]``; NaN is no candidate; of equal prices the strike farthest from the short one is taken.

    >>> cheapest_long(np.array([[3.0], [1.0], [2.0]]), above=True).T.tolist()
    [[1, 2, -1]]
    """
    n, rows = price.shape
    best = np.full((n, rows), NONE, dtype=np.int32)
    cheapest, lowest = np.full(rows, NONE, dtype=np.int32), np.full(rows, np.inf)
    for j in range(n - 1, -1, -1) if above else range(n):
        best[j] = cheapest
        lower = price[j] < lowest
        np.copyto(cheapest, j, where=lower)
        np.copyto(lowest, price[j], where=lower)
    return best


def most_earned(
    buy: FloatArray,
    sell: FloatArray,
    strike: FloatArray,
    per_usd: FloatArray | None,
    above: bool,
    evaluated: BoolArray | None,
) -> tuple[FloatArray, float]:
    """Return what the best spread of each grid time earns, ``[T]``, to within a slack, and that slack; -inf where none.

    The strikes are walked away from the bought ones, with the lowest price seen so far.  The lower bound is exact; the
    upper one adds and takes away the width in another order than `upper_excess` does, hence the slack, far above the
    rounding of it.  ``evaluated`` ``[n - 1, T]`` is filled with where a short strike has a spread.
    """
    n, rows = buy.shape
    order = range(n - 1, -1, -1) if above else range(n)
    lowest, top = np.full(rows, np.inf), np.full(rows, -np.inf)
    price, earned, drift = np.empty(rows), np.empty(rows), np.zeros(rows)
    shift = 0 if above else 1
    largest = 0.0
    for number, j in enumerate(order):
        bought, sold = buy[j], sell[j]
        if per_usd is not None:
            np.multiply(per_usd, strike[j] if above else -strike[j], out=drift)
            bought, sold = np.add(bought, drift, out=price), sold + drift
        if number:
            np.subtract(sold, lowest, out=earned)
            np.fmax(top, earned, out=top)
            if evaluated is not None:
                np.isfinite(earned, out=evaluated[j - shift])
        np.fmin(lowest, bought, out=lowest)
    if per_usd is not None:
        ends = np.abs(per_usd) * strike[-1]
        largest = float(np.fmax.reduce(ends, initial=1.0) + np.fmax.reduce(np.abs(buy), axis=None, initial=0.0))
    return top, _ROUNDING * largest
