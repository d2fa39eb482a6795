"""C7: a call falls with its strike, and by no more than the strike rises; a put the other way.  [S2.C7, risk 17.4]

    0 <= C(K1) - C(K2) <= K2 - K1        for every K1 < K2; in coin the right side is (K2 - K1)/F

*Lower bound* (side +1): the option that must be dearer is bought, the other sold.  *Upper bound* (side -1): the dear
one is sold, the other bought; at expiry no more than K2 - K1 dollars are owed.  In coin that amount is locked by a
third leg, a future of the same expiry over K2 - K1 USD sold at F: it costs (K2 - K1)/F coin and its own charge, both
linear in the strike, so they ride in the running minimum that finds the best partner of every short leg.  Where no such
future is listed the upper bound in coin is not evaluated (decision 0023).  Linear options need no third leg.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.constraints.base import Constraint
from engine.constraints.chain import (
    NONE,
    Chain,
    ChainQuotes,
    cell_scale,
    chains,
    future_trip,
    keys,
    listed,
    mid_of,
    packages,
    quotes,
    strike_of,
    unscannable,
)
from engine.market import View
from engine.params import Fitted
from engine.records import CodeArray, FloatArray, IntArray, Packages, Right, Scan


def lower_excess(short_sell: FloatArray, long_buy: FloatArray) -> FloatArray:
    """Return what selling the option that must be cheaper earns against buying the dearer one; NaN in, NaN out.

    >>> float(round(lower_excess(0.1750, 0.1725), 10))
    0.0025
    """
    return short_sell - long_buy


def upper_excess(
    short_sell: FloatArray, long_buy: FloatArray, width_usd: FloatArray, per_usd: FloatArray | float
) -> FloatArray:
    """Return what selling the spread earns above the most it can owe, in the currency of the premiums.

    ``per_usd`` is what locking one dollar at expiry costs: 1/F in coin, 1 for linear options.  NaN in, NaN out.

    >>> round(float(upper_excess(0.166, 0.141, 3000.0, 1 / 79326.32)), 10)
    -0.0128184693
    """
    return short_sell - long_buy - width_usd * per_usd


def cheapest_long(price: FloatArray, above: bool) -> CodeArray:
    """Return for each strike the one of lowest ``price`` among those above (below) it, ``[n, T]``, -1 where none.

    ``price`` is strike-major; NaN is no candidate; of equal prices the strike farthest from the short one is taken.
    """
    n, rows = price.shape
    best = np.full((n, rows), NONE, dtype=np.int32)
    held, lowest = np.full(rows, NONE, dtype=np.int32), np.full(rows, np.inf)
    for j in range(n - 1, -1, -1) if above else range(n):
        best[j] = held
        lower = price[j] < lowest
        np.copyto(held, j, where=lower)
        np.copyto(lowest, price[j], where=lower)
    return best


@dataclass(frozen=True, slots=True)
class _Side:
    """One bound of one chain: which strikes can be its short leg, and where their partners lie."""

    chain: Chain
    side: int

    @property
    def above(self) -> bool:
        """Whether the bought strike lies above the sold one: a call of the upper bound, a put of the lower."""
        return (self.chain.right == Right.CALL) == (self.side < 0)

    @property
    def shorts(self) -> slice:
        return slice(0, -1) if self.above else slice(1, None)


def _sides(view: View) -> tuple[_Side, ...]:
    found = [chain for chain in chains(view, view.market.vertical_venues) if len(chain) >= 2]
    return tuple(_Side(chain, side) for chain in found for side in (1, -1))


def _pairs(count: IntArray) -> int:
    return int((count * (count - 1) // 2).sum())


def _per_usd(view: View, chain: Chain, premium: ChainQuotes) -> tuple[FloatArray, FloatArray]:
    """Return the cost of locking a dollar, at mid and with the future's round trip, each ``[T]``."""
    rows = len(premium.usd)
    if not chain.coin:
        return np.ones(rows), np.ones(rows)
    if chain.future == NONE:
        return np.full(rows, np.nan), np.full(rows, np.nan)
    forward = view.mid[:, chain.future]
    return 1.0 / forward, (1.0 + future_trip(view, chain.future, premium.usd)) / forward


def worst_verticals(
    buy: FloatArray, sell: FloatArray, strike: FloatArray, per_usd: FloatArray | None, above: bool
) -> tuple[FloatArray, CodeArray]:
    """Return for each short strike the largest excess and the strike bought, each ``[n, T]``; NaN and -1 where none.

    ``per_usd`` ``[T]`` is the cost of a dollar locked, None for the lower bound.
    """
    place = strike[:, None]
    if per_usd is None:
        long = cheapest_long(buy, above)
        excess = lower_excess(sell, np.take_along_axis(buy, long, axis=0))
    else:
        drift = place * per_usd
        long = cheapest_long(buy + drift if above else buy - drift, above)
        width = np.abs(strike[long] - place)
        excess = upper_excess(sell, np.take_along_axis(buy, long, axis=0), width, per_usd)
    excess[long < 0] = np.nan
    return excess, long


def scan(view: View, fitted: Fitted | None) -> Scan:
    """Return the best spread of every short leg and bound; wing the option bought and the upper bound's future."""
    del fitted
    sides = _sides(view)
    if not sides:
        return unscannable(view, "two options of one expiry and right")
    code = view.panel.code
    rows = [
        (s.chain.venue, s.chain.expiry_ns, s.side, int(code[column]))
        for s in sides
        for column in s.chain.column[s.shorts]
    ]
    score = np.empty((len(view.panel.times_ns), len(rows)))
    wing = np.full((*score.shape, 2), NONE, dtype=np.int32)
    examined = usable = first = 0
    for bound in sides:
        chain = bound.chain
        premium = quotes(view, chain.column)
        locked = _per_usd(view, chain, premium)[1] if bound.side < 0 else None
        excess, long = worst_verticals(premium.buy, premium.sell, chain.strike, locked, bound.above)
        shorts = slice(first, first + len(chain) - 1)
        score[:, shorts] = (excess * premium.scale)[bound.shorts].T
        wing[:, shorts, 0] = np.where(long < 0, NONE, chain.column[long])[bound.shorts].T
        if bound.side < 0 and chain.coin:
            wing[:, shorts, 1] = chain.future
        examined += _pairs(np.count_nonzero(listed(view, chain.column), axis=1))
        quoted = np.count_nonzero(~np.isnan(premium.mid), axis=0)
        usable += _pairs(quoted if locked is None else np.where(np.isnan(locked), 0, quoted))
        first = shorts.stop
    return Scan(keys(rows), score, wing, examined, usable)


def build(view: View, scan: Scan, row: CodeArray, key: CodeArray, fitted: Fitted | None) -> Packages:
    """Return the chosen spreads: -1 short, +1 long, and - (K2 - K1)/F of the future for the upper bound in coin."""
    del fitted
    long, future = scan.wing[row, key, 0], scan.wing[row, key, 1]
    short = np.searchsorted(view.panel.code, scan.keys.short[key]).astype(np.int32)
    width = np.abs(strike_of(view, long) - strike_of(view, short))
    per_usd = np.where(future == NONE, 1.0, 1.0 / mid_of(view, row, future))
    sold, bought = mid_of(view, row, short), mid_of(view, row, long)
    upper = scan.keys.side[key] < 0
    excess = np.where(upper, upper_excess(sold, bought, width, per_usd), lower_excess(sold, bought))
    groups = [(s.chain.column, len(s.chain) - 1) for s in _sides(view)]
    one = np.ones(len(row))
    legs = [(short, -one), (long, one), (future, -width * per_usd)]
    return packages(row, key, legs, excess * cell_scale(view, groups, row, key))


CONSTRAINT = Constraint(
    code="C7", name="vertical", rule="S2.C7", version=1, roles=("short", "long", "future"), scan=scan, build=build
)
