"""Where a chain is strictly convex for sure, and the best wings of the bellies where it may not be.  [S2.C4]

`best_wings` builds the whole hull of every grid time.  Most of that is not needed:

*A certificate.*  A point is a vertex of the lower hull if every slope between neighbours to its left is less than every
slope to its right.  Two running extremes tell it of all points.  It is asked for with a margin far above rounding, so
that no comparison of `best_wings` could come out otherwise.

*What it proves of the mids.*  The mid of a certified belly lies under every chord, so no butterfly with this belly has
a gross, whatever the wings; its score is the gross less what is paid for trading.

*What it proves of the buying prices.*  Nothing pops a certified vertex from the stack of Andrew's algorithm, so what
happens between two of them depends on the points between them alone.  The wings of any belly are therefore found in the
window from the nearest certified vertex on its left to that on its right, with the very result of the whole chain.

Arrays are strike-major, ``[n, T]``, and cells are flat numbers in them: the strike below a cell is ``T`` before it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.constraints.options.convex_hull import best_wings
from engine.records import BoolArray, FloatArray, IntArray

MARGIN = 1e-10
"""Of the largest slope of a grid time: a million times the rounding of a cross product."""
LEAST_WIDTH = 8
"""Strikes of the smallest windows; those of up to four times as many are solved together, and so on."""


@dataclass(frozen=True, slots=True)
class ConvexityShape:
    """What the prices of one chain are shaped like, each ``[n, T]``."""

    live: BoolArray  # quoted
    evaluated: BoolArray  # a belly that is quoted between two others that are
    doubtful: BoolArray  # evaluated, and not certified to have no gross
    fixed: BoolArray  # certified vertices of the buying prices, first and last quotes


@dataclass(frozen=True, slots=True)
class Field:
    """Chains one under the other, ``[M, T]``: what the search for wings reads."""

    buy: FloatArray
    live: BoolArray
    fixed: BoolArray
    strike: FloatArray  # [M]
    chain: IntArray  # [M] the chain that a row belongs to
    length: IntArray  # [chains, T] how many strikes a chain has


def shape_of(mid: FloatArray, buy: FloatArray, strike: FloatArray, crumb: FloatArray) -> ConvexityShape:
    """Return the shape of a chain out of ``mid`` and ``buy``, each ``[n, T]``, NaN in the same cells.

    ``crumb``, ``[T]`` in the currency of the prices, is a gross too small to count: a belly so little above a chord, as
    on a line of prices rounded to ticks, has none.  A belly is above a chord by at most a quarter of the chord's width
    times the fall of the slope.
    """
    live = ~np.isnan(mid)
    holes = _holes(live)
    certain = _certified(mid, strike, holes, 4.0 * crumb / (strike[-1] - strike[0]))
    fixed = _certified(buy, strike, holes, None)
    every = np.arange(mid.shape[1])
    fixed &= live
    # The first and the last quote are vertices of every hull.
    fixed[live.argmax(axis=0), every] = True
    fixed[len(live) - 1 - live[::-1].argmax(axis=0), every] = True
    evaluated = between(live)
    doubtful = evaluated & ~certain
    return ConvexityShape(live, evaluated, doubtful, fixed)


def between(live: BoolArray) -> BoolArray:
    """Return where a strike is quoted and has quoted ones on both sides, bool, ``[n, T]`` as ``live``.

    >>> between(np.array([[True], [True], [False], [True]])).T.tolist()
    [[False, True, False, False]]
    """
    inside = live.copy()
    for order in (range(len(live)), range(len(live) - 1, -1, -1)):
        seen = np.zeros(live.shape[1], dtype=np.bool_)
        for j in order:
            inside[j] &= seen
            seen |= live[j]
    return inside


def _holes(live: BoolArray) -> tuple[IntArray, IntArray]:
    """Return the cells whose lower neighbour is not quoted, and the nearest quoted cell under each."""
    rows = live.shape[1]
    flat = live.reshape(-1)
    first = live.argmax(axis=0)
    cell = rows + np.flatnonzero(live[1:] & ~live[:-1])
    cell = cell[cell // rows > first[cell % rows]]
    under = cell - 2 * rows
    active = np.flatnonzero(~flat[under])
    while len(active):
        under[active] -= rows
        active = active[~flat[under[active]]]
    return cell, under


def _certified(
    price: FloatArray, strike: FloatArray, holes: tuple[IntArray, IntArray], slack: FloatArray | None
) -> BoolArray:
    """Return where no slope on the left exceeds one on the right by ``slack``; of no meaning where one is not quoted.

    Without slack they must be apart by the margin: then the price is a strict vertex for sure.
    """
    rows = price.shape[1]
    prices, slope, left = list(price), np.empty_like(price), list(np.empty_like(price))
    into = list(slope)
    # The first strike has no slope on its left: fmax passes over a NaN.
    into[0].fill(np.nan)
    per_usd = (1.0 / np.diff(strike)).tolist()
    for j in range(1, len(into)):
        np.subtract(prices[j], prices[j - 1], out=into[j])
        np.multiply(into[j], per_usd[j - 1], out=into[j])
    cell, under = holes
    value = price.reshape(-1)
    slope.reshape(-1)[cell] = (value[cell] - value[under]) / (strike[cell // rows] - strike[under // rows])
    left[0].fill(np.nan)
    for j in range(1, len(into)):
        np.fmax(left[j - 1], into[j], out=left[j])
    if slack is None:
        slack = -MARGIN * np.fmax(np.abs(left[-1]), np.abs(np.fmin.reduce(slope, axis=0)))
    certain = np.empty(price.shape, dtype=np.bool_)
    right = np.full(rows, np.nan)  # the least slope above j, and the slack
    for j in range(len(into) - 1, -1, -1):
        # Compared before the slope into j joins the right side: it lies on the left of j.
        np.less(left[j], right, out=certain[j])
        np.add(into[j], slack, out=into[j])
        np.fmin(right, into[j], out=right)
    return certain


def wings_of(cell: IntArray, field: Field) -> tuple[IntArray, IntArray]:
    """Return the rows of the wings that `best_wings` finds for the bellies ``cell``, ``[m]``, all evaluated; ``[m]``
    each.

    A cell is a flat number in the arrays of ``field``, ``[M, T]``.
    """
    rows = field.buy.shape[1]
    low, left_inner, left_seen = _to_fixed(cell, -rows, field)
    high, right_inner, right_seen = _to_fixed(cell, rows, field)
    inner = left_inner + right_inner
    # One point between two fixed vertices is a wing or lies above their chord: no hull is needed.
    single = np.flatnonzero(inner == 1)
    below, close = _under_chord(low[single], np.maximum(left_seen, right_seen)[single], high[single], field)
    rest = np.concatenate([single[close], np.flatnonzero(inner > 1)])
    on_left = left_seen[single] >= 0
    a, b = single[below & on_left], single[below & ~on_left]
    low[a], high[b] = left_seen[a], right_seen[b]
    low, high = low // rows, high // rows
    low[rest], high[rest] = _solve(cell[rest], low[rest], high[rest], field)
    return low, high


def _to_fixed(cell: IntArray, step: int, field: Field) -> tuple[IntArray, IntArray, IntArray]:
    """Walk to the nearest fixed vertex; return it, how many quoted points lie before it, and the last of them (-1)."""
    stop, quoted = field.fixed.reshape(-1), field.live.reshape(-1)
    at, inner, seen = cell + step, np.zeros(len(cell), dtype=np.int64), np.full(len(cell), -1, dtype=np.int64)
    active = np.flatnonzero(~stop[at])
    while len(active):
        here = at[active]
        passed = active[quoted[here]]
        inner[passed] += 1
        seen[passed] = at[passed]
        at[active] = here + step
        active = active[~stop[at[active]]]
    return at, inner, seen


def _under_chord(low: IntArray, point: IntArray, high: IntArray, field: Field) -> tuple[BoolArray, BoolArray]:
    """Return where a point lies under the chord of two others, and where it is too close to tell."""
    rows, price, strike = field.buy.shape[1], field.buy.reshape(-1), field.strike
    rise, whole = price[point] - price[low], price[high] - price[low]
    base = strike[low // rows]
    run, width = strike[point // rows] - base, strike[high // rows] - base
    cross = rise * width - whole * run
    # Negated, so that a NaN counts as too close to tell and is solved in full.
    close = ~(np.abs(cross) > MARGIN * ((np.abs(rise) + np.abs(whole)) * width))
    return (cross < 0.0) & ~close, close


def _solve(cell: IntArray, low: IntArray, high: IntArray, field: Field) -> tuple[IntArray, IntArray]:
    """Return the wings of bellies by `best_wings` of their windows, each solved once.

    Bellies that are no fixed vertex share the window from the one under them; a fixed one has its own.
    """
    rows = field.buy.shape[1]
    belly, row = np.divmod(cell, rows)
    shared = np.flatnonzero(~field.fixed.reshape(-1)[cell])
    owner = np.empty(field.buy.size, dtype=np.int32)
    # Bellies of one window have one answer: any of them may own it.
    owner[low[shared] * rows + row[shared]] = shared
    first = np.arange(len(cell))  # the belly that owns the window
    first[shared] = owner[low[shared] * rows + row[shared]]
    found_low, found_high = np.empty_like(cell), np.empty_like(cell)
    width = (high - low + 1)[first]
    least = 0
    while least < len(field.strike):
        most = max(LEAST_WIDTH, 4 * least)
        some = np.flatnonzero((width > least) & (width <= most))
        least = most
        if not len(some):
            continue
        owners, column = np.unique(first[some], return_inverse=True)
        strikes_at = low[owners] + np.arange(most)[:, None]
        inside = strikes_at <= high[owners]
        # The index must exist; what lies past the window is NaN and no wing.
        strikes_at = np.minimum(strikes_at, len(field.strike) - 1)
        price = np.where(inside, field.buy[strikes_at, row[owners]], np.nan)
        place = belly[some] - low[some]
        wanted = np.zeros(price.shape, dtype=np.bool_)
        wanted[place, column] = True
        left, right = best_wings(
            price, field.strike[strikes_at], wanted, field.length[field.chain[belly[owners]], row[owners]]
        )
        found_low[some] = left[place, column] + low[some]
        found_high[some] = right[place, column] + low[some]
    return found_low, found_high
