"""C7: a call falls with its strike, and by no more than the strike rises; a put the other way.  [S2.C7, risk 17.4]

    0 <= C(K1) - C(K2) <= K2 - K1        for every K1 < K2; in coin the right side is (K2 - K1)/F

*Lower bound* (side +1): the option that must be dearer is bought, the other sold.  *Upper bound* (side -1): the dear
one is sold, the other bought; at expiry no more than K2 - K1 dollars are owed.  In coin that amount is locked by a
third leg, a future of the same expiry over K2 - K1 USD sold at F: it costs (K2 - K1)/F coin and its own charge, both
linear in the strike, so they ride in the running minimum that finds the best partner of every short leg.  Where no such
future is listed the upper bound in coin is not evaluated (decision 0023).  Linear options need no third leg.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from engine.constraints.base import Constraint
from engine.constraints.options import one_sided
from engine.constraints.options.chain import (
    CRUMB_BPS,
    NONE,
    Chain,
    cell_scale,
    chains,
    count_true,
    future_trip,
    listed_count,
    mid_of,
    packages,
    quotes,
    strike_of,
)
from engine.constraints.options.compiled_chain import counted, quoted_chain
from engine.constraints.options.vertical_search import cheapest_long, most_earned
from engine.constraints.package_legs import empty_scan, keys_of, venue_inputs
from engine.constraints.scan_cells import CandidateCells, Scan
from engine.kernels.choose import compiled, required
from engine.kernels.option_scans import vertical_cells
from engine.market.view import PreparedPanel
from engine.params import Fitted
from engine.records import CodeArray, FloatArray, IntArray, Keys, Packages, Right

NOTHING = "no two options of one expiry and right"
_SIDES = (1, -1)


def lower_excess(short_sell: FloatArray, long_buy: FloatArray) -> FloatArray:
    """Return what selling the option that must be cheaper earns against buying the dearer one; NaN in, NaN out.

    Premiums, sold and bought, in one currency and of one shape, or broadcast to it.  [S2.C7]

    >>> float(round(lower_excess(0.1750, 0.1725), 10))
    0.0025
    """
    return short_sell - long_buy


def upper_excess(
    short_sell: FloatArray, long_buy: FloatArray, width_usd: FloatArray, per_usd: FloatArray | float
) -> FloatArray:
    """Return what selling the spread earns above the most it can owe, in the currency of the premiums.

    Arguments of one shape, or broadcast to it; ``width_usd`` is K2 - K1.  ``per_usd`` is what locking one dollar at
    expiry costs: 1/F in coin, 1 for linear options.  NaN in, NaN out.

    >>> round(float(upper_excess(0.166, 0.141, 3000.0, 1 / 79326.32)), 10)
    -0.0128184693
    """
    return short_sell - long_buy - width_usd * per_usd


def long_above(right: Right, side: int) -> bool:
    """Return whether the bought strike lies above the sold one: a call of the upper bound, a put of the lower."""
    return (right == Right.CALL) == (side < 0)


def _found(view: PreparedPanel) -> tuple[Chain, ...]:
    return tuple(chain for chain in chains(view, view.market.vertical_venues) if len(chain) >= 2)


def _shorts(chain: Chain, side: int) -> slice:
    """Return the strikes that have any to buy on the other side."""
    return slice(0, -1) if long_above(chain.right, side) else slice(1, None)


def _pairs(count: IntArray) -> IntArray:
    return count * (count - 1) // 2


def _per_usd(view: PreparedPanel, chain: Chain, usd: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the cost of locking a dollar, at mid and with the future's round trip, each ``[T]``.

    ``usd`` is the chain's conversion.
    """
    rows = len(usd)
    if not chain.coin:
        return np.ones(rows), np.ones(rows)
    if chain.future == NONE:
        return np.full(rows, np.nan), np.full(rows, np.nan)
    forward = view.mid[:, chain.future]
    return 1.0 / forward, (1.0 + future_trip(view, chain.future, usd)) / forward


def worst_verticals(
    buy: FloatArray, sell: FloatArray, strike: FloatArray, per_usd: FloatArray | None, above: bool
) -> tuple[FloatArray, CodeArray]:
    """Return for each short strike the largest excess and the strike bought, each ``[n, T]``; NaN and -1 where none.

    ``per_usd`` ``[T]`` is the cost of a dollar locked, None for the lower bound.
    """
    price = buy
    if per_usd is not None:
        drift = strike[:, None] * per_usd
        price = buy + drift if above else buy - drift
    long = cheapest_long(price, above)
    return _excess_over(buy, sell, strike, per_usd, long), long


def _excess_over(
    buy: FloatArray, sell: FloatArray, strike: FloatArray, per_usd: FloatArray | None, long: CodeArray
) -> FloatArray:
    """Return the excess of each short strike over the chosen long one, ``[n, T]``; NaN where there is none."""
    bought = np.where(long < 0, np.nan, np.take_along_axis(buy, long, axis=0))
    if per_usd is None:
        return lower_excess(sell, bought)
    return upper_excess(sell, bought, np.abs(strike[long] - strike[:, None]), per_usd)


def _keys(view: PreparedPanel) -> Keys:
    code = view.panel.code
    keys = [
        (chain.venue, chain.expiry_ns, side, int(code[column]))
        for chain in _found(view)
        for side in _SIDES
        for column in chain.column[_shorts(chain, side)]
    ]
    return keys_of(keys)


def scan(view: PreparedPanel, fitted: Fitted | None, floor: float = -np.inf) -> Scan:
    """Return the score of the best spread of every short leg and bound.  [S2.C7]

    The lowest price of the strikes on the other side bounds what any partner can earn; partners are searched only at
    grid times at which that bound reaches the floor, or a gross.

    Parameters
    ----------
    view : PreparedPanel
        The block, ``[T, N]``.
    fitted : Fitted or None
        Not used.
    floor : float
        Bps of S; cells with a lower score are left out.

    Returns
    -------
    Scan
        Keys are (venue, expiry, side, short leg);
        the wing is the option bought.  No key, and ``missing`` names the input, where the block lacks one.

    Examples
    --------
    The 100,000 call costs more than the 95,000 call:

    >>> from engine.market.view import prepare
    >>> from tests.contracts.planted import vertical
    >>> planted = vertical()
    >>> view = prepare(planted.market.block(), planted.params, planted.curves)
    >>> scan(view, None, floor=0.0).score.round(1).tolist()
    [87.6, 78.5]
    """
    del fitted
    if not (usable_chains := _found(view)):
        return empty_scan(view, NOTHING, wings=1)
    keys = _keys(view)
    cells = CandidateCells(view, len(keys), 1, floor)
    if compiled() is not None:
        return _compiled(view, usable_chains, keys, cells)
    first, (examined, usable) = 0, np.zeros((2, len(view.panel.times_ns)), dtype=np.int64)
    for chain in usable_chains:
        premium = quotes(view, chain.column)
        at_mid, costed = _per_usd(view, chain, premium.usd)
        examined += 2 * _pairs(listed_count(view, chain.column))
        quoted = count_true(~np.isnan(premium.mid))
        usable += _pairs(quoted) + _pairs(np.where(np.isnan(at_mid), 0, quoted))
        buy, sell = premium.buy, premium.sell
        for side in _SIDES:
            dollar = (None, None) if side > 0 else (at_mid, costed)
            above = long_above(chain.right, side)
            shorts = _shorts(chain, side)
            top, slack = most_earned(
                buy, sell, chain.strike, dollar[1], above, cells.evaluated[first:][: len(chain) - 1]
            )
            rows = cells.promising((top + slack) * premium.scale, (top - slack) * premium.scale)
            if len(rows):
                excess, long = worst_verticals(buy[:, rows], sell[:, rows], chain.strike, _at(dollar[1], rows), above)
                cells.add(first, rows, (excess * premium.scale[rows])[shorts], [chain.column[long][shorts]])
            top, slack = most_earned(premium.mid, premium.mid, chain.strike, dollar[0], above, None)
            rows = np.flatnonzero((top + slack) * premium.scale > CRUMB_BPS)
            if len(rows):
                _, long = worst_verticals(buy[:, rows], sell[:, rows], chain.strike, _at(dollar[1], rows), above)
                mid = premium.mid[:, rows]
                gross = _excess_over(mid, mid, chain.strike, _at(dollar[0], rows), long)
                cells.violated(rows, gross * premium.scale[rows])
            cells.evaluated[first : first + len(chain) - 1] &= ~np.isnan(premium.scale)
            first += len(chain) - 1
    return cells.scan(keys, examined, usable)


def _compiled(view: PreparedPanel, usable_chains: Sequence[Chain], keys: Keys, cells: CandidateCells) -> Scan:
    """Return the scan by the compiled kernel, which looks for the partners of all grid times."""
    first, (examined, usable) = 0, np.zeros((2, len(cells.day)), dtype=np.int64)
    for chain in usable_chains:
        counts, count = counted(view, chain.column), 2 * (len(chain) - 1)
        at_mid, costed = _per_usd(view, chain, counts.usd)
        premiums = quoted_chain(view, counts, chain.column, chain.strike, cells.day)
        is_call, into = chain.right == Right.CALL, cells.arrays(first, count)
        cells.add_found(first, vertical_cells(required(), premiums, at_mid, costed, is_call, into))
        examined += 2 * _pairs(counts.listed)
        usable += _pairs(counts.quoted) + _pairs(np.where(np.isnan(at_mid), 0, counts.quoted))
        first += count
    return cells.scan(keys, examined, usable)


def _at(dollar: FloatArray | None, rows: IntArray) -> FloatArray | None:
    return None if dollar is None else dollar[rows]


def build(view: PreparedPanel, scanned: Scan, row: CodeArray, key: CodeArray, fitted: Fitted | None) -> Packages:
    """Return the spreads of chosen cells: -1 short, +1 long; the upper bound in coin has a future too.  [S2.C7]

    The future's quantity is -(K2 - K1)/F.
    ``row`` and ``key`` are cells of the scan, ``[M]`` each; the result has one package a cell, none where M is 0.
    """
    del fitted
    usable_chains = _found(view)
    upper = scanned.keys.side[key] < 0
    counts = [2 * (len(chain) - 1) for chain in usable_chains]
    locks = np.repeat([chain.future if chain.coin else NONE for chain in usable_chains], counts)[key]
    future = np.where(upper, locks, NONE).astype(np.int32)
    long = scanned.wings_at(row, key)[:, 0]
    short = np.searchsorted(view.panel.code, scanned.keys.short[key]).astype(np.int32)
    width = np.abs(strike_of(view, long) - strike_of(view, short))
    per_usd = np.where(future == NONE, 1.0, 1.0 / mid_of(view, row, future))
    sold, bought = mid_of(view, row, short), mid_of(view, row, long)
    excess = np.where(upper, upper_excess(sold, bought, width, per_usd), lower_excess(sold, bought))
    groups = [(chain.column, count) for chain, count in zip(usable_chains, counts, strict=True)]
    ones = np.ones(len(row))
    legs = [(short, -ones), (long, ones), (future, -width * per_usd)]
    return packages(row, key, legs, excess * cell_scale(view, groups, row, key))


CONSTRAINT = Constraint(
    code="C7",
    name="vertical",
    title="vertical spread",
    rule="S2.C7",
    version=1,
    option_legs=True,
    roles=("short", "long", "future"),
    scan=scan,
    build=build,
    keys=_keys,
    one_sided=lambda view: one_sided.verticals(view, _found(view)),
    inputs=lambda view: venue_inputs(view.market.vertical_venues, [c.venue for c in _found(view)], NOTHING),
)
