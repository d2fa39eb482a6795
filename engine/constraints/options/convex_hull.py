"""The cheapest pair of wings around every belly of a chain, in one pass over the strikes.  [S2.C4]

A butterfly sold at its belly earns ``belly - (l low + (1 - l) high)``: its wings are a chord over the strikes, read at
the belly's.  For a given belly the best triple is therefore the lowest chord above its strike, and the lowest chords of
a set of points are the edges of its lower convex hull (Andrew 1979, monotone chain).

*The belly's own buying price may stay among the points.*  Let b <= w be what the belly is sold and bought for, H the
hull of all points and H' that without the belly, so H <= H'.  If the belly is no vertex of H, then H' = H.  If it is,
then H' > w >= b at its strike: whatever the wings, the butterfly loses.  So no gain is missed; and where the loser's
exact price is wanted too, only the chord between the vertex's two neighbours is left to find (`_bridge`).

Chains are strike-major, ``[n, T]``: a loop over strikes moves all grid times at once.
"""

from __future__ import annotations

import numpy as np

from engine.records import BoolArray, CodeArray, FloatArray, IntArray

NONE = -1


def best_wings(
    buy: FloatArray, strike: FloatArray, wanted: BoolArray | None = None, turns: IntArray | None = None
) -> tuple[CodeArray, CodeArray]:
    """Return for every belly j the strikes low < j < high of the lowest chord of ``buy`` at ``strike[j]``.

    ``buy`` is ``[n, T]``, ``strike`` ``[n]`` ascending, or ``[n, T]`` where every column has its own; both results are
    ``[n, T]``, -1 in both where no pair of wings is quoted.  A NaN is no wing; a belly needs no quote of its own.  Of
    chords of equal height the one with the lowest low and, after it, the highest high is taken: collinear points are
    no vertices.  Only the bellies ``wanted``, ``[n, T]``, all by default, are sure to be right.  ``turns``, ``[T]``,
    bounds the search for a bridge, by default by the number of strikes: it ends there among chords equal but for
    rounding.

    >>> buy = np.array([[5.0], [4.0], [1.0], [2.0]])  # of the belly at 2 the lowest chord is from 1 to 3
    >>> [wing.T.tolist() for wing in best_wings(buy, np.array([1.0, 2.0, 3.0, 4.0]))]
    [[[-1, 0, 0, -1]], [[-1, 2, 3, -1]]]
    """
    strike = np.broadcast_to(strike if strike.ndim == 2 else strike[:, None], buy.shape)
    before, last = _vertices(buy, strike)
    low = np.empty(buy.shape, dtype=np.int32)
    high = np.empty(buy.shape, dtype=np.int32)
    inner = np.zeros(buy.shape, dtype=np.bool_)  # vertices with a quoted point between them and a neighbour
    vertex = last.copy()
    after = np.full(buy.shape[1], NONE, dtype=np.int32)
    for j in range(len(strike) - 1, -1, -1):
        at = vertex == j
        low[j] = np.where(at, before[j], vertex)
        high[j] = after
        inner[j] = at & ((j - low[j] > 1) | (after - j > 1))
        np.copyto(after, j, where=at)
        vertex = low[j]
    alone = (low < 0) | (high < 0)
    low[alone] = NONE
    high[alone] = NONE
    inner &= ~alone
    if wanted is not None:
        inner &= wanted
    belly, row = np.nonzero(inner)
    if len(belly):
        most = np.full(len(row), len(strike)) if turns is None else turns[row]
        low[belly, row], high[belly, row] = _bridge(buy, strike, belly, row, low[belly, row], high[belly, row], most)
    return low, high


def _vertices(buy: FloatArray, strike: FloatArray) -> tuple[CodeArray, CodeArray]:
    """Return each point's predecessor on the hull when it was added, ``[n, T]``, and the last vertex, ``[T]``.

    The predecessors of the vertices, followed from the last one, are the hull.
    """
    n, rows = buy.shape
    # Index -1 reads NaN.
    price = np.vstack([buy, np.full(rows, np.nan)])
    place = np.vstack([strike, np.full(rows, np.nan)])
    before = np.full((n, rows), NONE, dtype=np.int32)
    top, under = np.full(rows, NONE, dtype=np.int32), np.full(rows, NONE, dtype=np.int32)
    top_price, top_place = np.full(rows, np.nan), np.full(rows, np.nan)
    under_price, under_place = np.full(rows, np.nan), np.full(rows, np.nan)
    for j in range(n):
        y, x = buy[j], strike[j]
        # the top is on or above the chord from the point under it to the new one; NaN compares false
        covered = (y - under_price) * (top_place - under_place) <= (top_price - under_price) * (x - under_place)
        drop = np.flatnonzero(covered)
        while len(drop):
            fall = under[drop]
            next_under = before[fall, drop]
            top[drop], top_price[drop], top_place[drop] = fall, under_price[drop], under_place[drop]
            lower_price, lower_place = price[next_under, drop], place[next_under, drop]
            under[drop], under_price[drop], under_place[drop] = next_under, lower_price, lower_place
            y_drop, top_price_drop, top_place_drop = y[drop], top_price[drop], top_place[drop]
            again = (y_drop - lower_price) * (top_place_drop - lower_place) <= (top_price_drop - lower_price) * (
                x[drop] - lower_place
            )
            drop = drop[again]
        live = ~np.isnan(y)
        np.copyto(before[j], top, where=live)
        np.copyto(under, top, where=live)
        np.copyto(under_price, top_price, where=live)
        np.copyto(under_place, top_place, where=live)
        np.copyto(top, j, where=live)
        np.copyto(top_price, y, where=live)
        np.copyto(top_place, x, where=live)
    return before, top


def _bridge(
    buy: FloatArray, strike: FloatArray, j: IntArray, row: IntArray, low: CodeArray, high: CodeArray, turns: IntArray
) -> tuple[CodeArray, CodeArray]:
    """Return the lowest chord over vertex j of ``row`` when j is taken away; ``low`` and ``high`` are its neighbours.

    The tangent from a left point to the right ones, then from its end to the left ones, and so on: each turn lowers
    the chord, and a chord that no turn lowers lies under all points of both sides, hence is the hull's.  A turn moves
    an end past at least one point, so n turns are enough; the bound keeps rounding from turning for ever.
    """
    left, right = low.copy(), high.copy()
    before = np.full_like(left, NONE)
    active = np.arange(len(j))
    for turn in range(int(turns.max())):
        at, t = j[active], row[active]
        new_right = _tangent(buy, strike, t, left[active], high[active], at, -1)
        new_left = _tangent(buy, strike, t, new_right, low[active], at, +1)
        moved = (new_right != right[active]) | (new_left != left[active])
        # Back at the end before the last one, where chords are equal but for rounding: it goes to and fro from here on,
        # and an even number of turns to come brings it back to where it stands now.
        swings = moved & (new_left == before[active])
        before[active] = left[active]
        taken = ~swings | ((turns[active] - turn) % 2 == 1)
        right[active[taken]], left[active[taken]] = new_right[taken], new_left[taken]
        active = active[moved & ~swings & (turn + 1 < turns[active])]
    return left, right


def _tangent(
    buy: FloatArray, strike: FloatArray, row: IntArray, pivot: CodeArray, far: CodeArray, stop: IntArray, step: int
) -> CodeArray:
    """Return, of the quoted points from ``far`` inward up to ``stop``, that of the lowest chord from ``pivot``.

    The chord is read beyond the pivot, towards the points; of equal ones the farthest is taken.
    """
    best = far.copy()
    origin, place = buy[pivot, row], strike[pivot, row]
    slope = (buy[best, row] - origin) / np.abs(strike[best, row] - place)
    at = far + step
    active = np.flatnonzero(at != stop)
    while len(active):
        here = at[active]
        value = (buy[here, row[active]] - origin[active]) / np.abs(strike[here, row[active]] - place[active])
        lower = value < slope[active]
        chosen = active[lower]
        best[chosen], slope[chosen] = here[lower], value[lower]
        at[active] += step
        active = active[at[active] != stop[active]]
    return best
