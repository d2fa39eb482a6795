"""The linear programme of one chain: prices free of arbitrage that are nearest to the quotes.  [risk 17]

Unknowns are the value ``c_e(K)`` of the call of each expiry e on a grid of strikes and its forward; with prices in
units of the forward (coin premiums are that already, with x = 1/F in place of F), all relations are linear:

    vertical    c(0) = 1, -x <= slope of c <= 0, c >= 0          put = c - 1 + K x        [17.3, 17.4]
    butterfly   c is convex in K                                                           [17.5]
    parity      1/F_ask <= x <= 1/F_bid                                                    [17.2]
    calendar    c_near <= c_far at equal normalised strike, at every strike of any expiry  [17.6]

The grid of an expiry has the normalised strikes of all expiries, not its own alone: then the relations are also
sufficient for a martingale that prices everything (Carr & Madan 2005, "A note on sufficient conditions for no
arbitrage", Finance Research Letters 2), and no combination of quotes is overlooked.

    minimise  sum over quotes of  |movement beyond bid or ask| + 0.001 |movement inside, from the mid|

Prices are in bps of the forward, so that the solver's tolerance of 1e-7 is far below a tick.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from scipy import sparse

from engine.records import CodeArray, FloatArray, IntArray
from engine.units import BPS
from hypotheses.chains.forwards import comparable_scale, forward_intervals
from hypotheses.chains.records import QuotedChain

INSIDE_COST = 0.001
"""Of a unit of movement between mid and bid or ask; beyond them a unit costs 1."""
SAME_STRIKE = 1e-9
"""Normalised strikes closer than that, relatively, are one."""


@dataclass(slots=True)
class RelationRows:
    """RelationRows of a sparse matrix, ``low <= A v <= high``, collected block by block."""

    count: int = 0
    row: list[IntArray] = field(default_factory=list)
    column: list[IntArray] = field(default_factory=list)
    value: list[FloatArray] = field(default_factory=list)
    low: list[FloatArray] = field(default_factory=list)
    high: list[FloatArray] = field(default_factory=list)

    def add(
        self, terms: list[tuple[IntArray, FloatArray | float]], low: FloatArray | float, high: FloatArray | float
    ) -> None:
        """Add n rows: each term is a column for each row, ``[n]``, and its coefficient."""
        n = len(terms[0][0])
        rows = np.arange(self.count, self.count + n)
        for column, value in terms:
            self.row.append(rows)
            self.column.append(np.asarray(column, dtype=np.int64))
            self.value.append(np.broadcast_to(np.asarray(value, dtype=np.float64), (n,)))
        self.low.append(np.broadcast_to(np.asarray(low, dtype=np.float64), (n,)))
        self.high.append(np.broadcast_to(np.asarray(high, dtype=np.float64), (n,)))
        self.count += n

    def matrix(self, columns: int) -> sparse.csr_matrix:
        """Return the matrix of all rows."""
        entries = np.concatenate(self.value), (np.concatenate(self.row), np.concatenate(self.column))
        return sparse.csr_matrix(entries, shape=(self.count, columns))


@dataclass(frozen=True, slots=True)
class CallCurve:
    """The unknowns of one expiry: first column of its call values, its strikes and the column of its forward."""

    first: int
    strike: FloatArray  # [m] USD ascending
    forward: int
    unit: float  # USD, the forward in whose units prices are

    @property
    def columns(self) -> IntArray:
        """The columns of the call values, ``[m]``."""
        return np.arange(self.first, self.first + len(self.strike))


@dataclass(frozen=True, slots=True)
class Program:
    """``minimise cost v`` subject to ``low <= A v <= high`` and the bounds; quote q owns the columns 4q to 4q + 3.

    They are its movements up to the ask, beyond it, down to the bid and beyond it, bps of the unit of its expiry.
    """

    cost: FloatArray
    matrix: sparse.csr_matrix
    low: FloatArray
    high: FloatArray
    least: FloatArray  # bounds of the unknowns
    most: FloatArray
    unit: FloatArray  # [Q] USD (coin chains: coin) of one bps
    curves: tuple[CallCurve, ...]  # by expiry that has quotes
    curve: CodeArray  # [Q] its number


def build_program(chain: QuotedChain) -> Program:
    """Return the programme of a chain; its size is about 4 Q + E m unknowns, m the number of different strikes."""
    intervals = forward_intervals(chain)
    scale = comparable_scale(intervals)
    present, curve = np.unique(chain.expiry.astype(np.int64), return_inverse=True)
    curves = _curves(chain, present, intervals, scale)
    quotes, count = len(chain.strike), 4 * len(chain.strike) + sum(len(c.strike) + 1 for c in curves)
    least, most, cost = np.zeros(count), np.full(count, np.inf), np.zeros(count)
    rows = RelationRows()
    unit = np.array([curves[n].unit for n in curve.tolist()])
    price_unit = (np.ones(quotes) if chain.coin else unit) / BPS
    half = 0.5 * (chain.ask - chain.bid) / price_unit
    for number, price in enumerate((INSIDE_COST, 1.0, INSIDE_COST, 1.0)):
        cost[number : 4 * quotes : 4] = price
        if price != 1.0:
            most[number : 4 * quotes : 4] = half
    for number, of in enumerate(curves):
        _shape(rows, of, chain.coin)
        low, high = intervals[present[number]] / of.unit
        bounds = (low, high) if not chain.coin else (1.0 / high, 1.0 / low)
        tied = ~np.isnan(chain.forward_bid[present[number]])
        # Without a future the pairs themselves say what the forward may be.
        least[of.forward], most[of.forward] = (BPS * bounds[0], BPS * bounds[1]) if tied else (0.0, np.inf)
        _price(rows, chain, np.flatnonzero(curve == number), of, price_unit)
    compared = [number for number, e in enumerate(present.tolist()) if not np.isnan(scale[e])]
    for near, far in pairwise(compared):
        growth = (
            (1.0, 1.0)
            if chain.coin
            else _in_forwards(intervals, present[near], present[far], curves[near], curves[far])
        )
        rows.add([(curves[far].columns, growth[1]), (curves[near].columns, -growth[0])], 0.0, np.inf)
    ends = np.concatenate(rows.low), np.concatenate(rows.high)
    return Program(cost, rows.matrix(count), *ends, least, most, price_unit, tuple(curves), curve.astype(np.int32))


def _in_forwards(
    intervals: FloatArray, near: int, far: int, of_near: CallCurve, of_far: CallCurve
) -> tuple[float, float]:
    """Premiums in dollars are compared in units of their forwards: the near at its ask, the far at its bid."""
    return of_near.unit / float(intervals[near, 1]), of_far.unit / float(intervals[far, 0])


def _curves(chain: QuotedChain, present: IntArray, intervals: FloatArray, scale: FloatArray) -> list[CallCurve]:
    """Return the unknowns of each expiry; those that are compared have the normalised strikes of all of them."""
    own = [np.unique(chain.strike[chain.expiry == e]) for e in present.tolist()]
    shared = [strikes / scale[e] for strikes, e in zip(own, present.tolist(), strict=True) if not np.isnan(scale[e])]
    grid = np.unique(np.concatenate(shared)) if shared else np.empty(0)
    # Of normalised strikes that rounding alone keeps apart one is enough.
    grid = grid[np.concatenate([[True], np.diff(grid) > SAME_STRIKE * grid[1:]])] if len(grid) else grid
    curves, first = [], 4 * len(chain.strike)
    for strikes, e in zip(own, present.tolist(), strict=True):
        strike = strikes
        if not np.isnan(scale[e]):
            strike = grid * scale[e]
            # The strike itself, not what scaling and back makes of it.
            at = np.abs(strike[:, None] - strikes).argmin(axis=0)
            strike[at] = strikes
        unit = float(intervals[e].mean()) if not np.isnan(intervals[e]).any() else float(np.median(strikes))
        curves.append(CallCurve(first, strike, first + len(strike), unit))
        first += len(strike) + 1
    return curves


def _shape(rows: RelationRows, curve: CallCurve, coin: bool) -> None:
    """Add the verticals and butterflies of one expiry, the point K = 0 among its strikes."""
    k, c = curve.strike / curve.unit, curve.columns
    forward = np.array([curve.forward])
    ends = c[:1], c[-1:]
    if coin:  # c(0) = 1, slope at least -x
        rows.add([(ends[0], 1.0), (forward, k[:1])], BPS, np.inf)
    else:  # c(0) = F, slope at least -1
        rows.add([(ends[0], 1.0), (forward, -1.0)], -BPS * k[:1], np.inf)
    before = np.concatenate([[0.0], k[:-1]])
    weight = (k[1:] - k[:-1]) / (k[1:] - before[:-1])
    if len(k) > 1:
        first = [(c[:1], -1.0), (c[1:2], 1.0 - weight[:1])]
        if coin:
            rows.add(first, -BPS * weight[:1], np.inf)
        else:
            rows.add([*first, (forward, weight[:1])], 0.0, np.inf)
        rows.add([(c[:-2], weight[1:]), (c[1:-1], -1.0), (c[2:], 1.0 - weight[1:])], 0.0, np.inf)
        rows.add([(c[-2:-1], 1.0), (ends[1], -1.0)], 0.0, np.inf)
    elif coin:
        rows.add([(ends[1], -1.0)], -BPS, np.inf)
    else:
        rows.add([(forward, 1.0), (ends[1], -1.0)], 0.0, np.inf)


def _price(rows: RelationRows, chain: QuotedChain, quote: IntArray, curve: CallCurve, price_unit: FloatArray) -> None:
    """Add that mid plus movements is the value of the call, or of the put by parity."""
    at = np.searchsorted(curve.strike, chain.strike[quote])
    mid = 0.5 * (chain.bid + chain.ask)[quote] / price_unit[quote]
    k = chain.strike[quote] / curve.unit
    put = ~chain.call[quote]
    forward = np.full(len(quote), curve.forward)
    # put = c - 1 + k x in coin, c - f + k in dollars
    of_forward, certain = (np.where(put, k, 0.0), np.where(put, -BPS, 0.0)) if chain.coin else (
        np.where(put, -1.0, 0.0), np.where(put, BPS * k, 0.0)
    )  # fmt: skip
    terms: list[tuple[IntArray, FloatArray | float]] = [(curve.first + at, 1.0), (forward, of_forward)]
    terms += [(4 * quote + movement, sign) for movement, sign in enumerate((-1.0, -1.0, 1.0, 1.0))]
    rows.add(terms, mid - certain, mid - certain)
