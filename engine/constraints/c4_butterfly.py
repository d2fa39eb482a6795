"""C4: a call (a put) is worth no more than the chord between two others of its expiry.  [S2.C4]

    (K3 - K2) C(K1) - (K3 - K1) C(K2) + (K2 - K1) C(K3) >= 0    for every K1 < K2 < K3

Divided by K3 - K1, with l = (K3 - K2)/(K3 - K1): the belly is sold once against l of the low wing and 1 - l of the high
one, and the gross is ``C(K2) - (l C(K1) + (1 - l) C(K3))``.  It is homogeneous, so it holds in coin as in dollars.
Of all triples with one belly that with the largest net before impact counts: the belly sold at its mid less its round
trip, the wings bought at theirs plus it (decision 0020).  Carr and Madan (2005), equation 2.
"""

from __future__ import annotations

import numpy as np

from engine.constraints.base import Constraint
from engine.constraints.chain import (
    Chain,
    cell_scale,
    chains,
    columns,
    mid_of,
    packages,
    quotes,
    strike_of,
    violated,
)
from engine.constraints.hull import best_wings
from engine.constraints.legs import empty_scan, make_keys
from engine.market import View
from engine.params import Fitted
from engine.records import CodeArray, FloatArray, IntArray, Packages, Scan


def low_weight(low_strike: FloatArray, strike: FloatArray, high_strike: FloatArray) -> FloatArray:
    """Return how much of the low wing stands against one belly: ``(K3 - K2)/(K3 - K1)``."""
    return (high_strike - strike) / (high_strike - low_strike)


def butterfly_excess(
    low_buy: FloatArray, belly_sell: FloatArray, high_buy: FloatArray, weight: FloatArray
) -> FloatArray:
    """Return what one belly earns above its wings, in the currency of the premiums; NaN in, NaN out.  [risk 17.5]

    At the touch (wings' asks, belly's bid) it is the profit before fees; at mids the gross.

    >>> round(butterfly_excess(0.3065, 0.2395, 0.1815, 0.5), 10)
    -0.0045
    """
    return belly_sell - (weight * low_buy + (1.0 - weight) * high_buy)


def worst_butterflies(buy: FloatArray, sell: FloatArray, strike: FloatArray) -> tuple[FloatArray, CodeArray, CodeArray]:
    """Return for each belly of a strike-major chain the largest excess and its wings, each ``[n, T]``.

    NaN and -1 where no triple is quoted: wings need ``buy``, the belly ``sell``.
    """
    low, high = best_wings(buy, strike)
    return _excess_over(buy, sell, low, high, _weights(strike, low, high)), low, high


def _weights(strike: FloatArray, low: CodeArray, high: CodeArray) -> FloatArray:
    """Return the low wings' weights, ``[n, T]``; NaN where there are no wings."""
    place = np.append(strike, np.nan)  # index -1 reads NaN
    return low_weight(place[low], strike[:, None], place[high])


def _excess_over(buy: FloatArray, sell: FloatArray, low: CodeArray, high: CodeArray, weight: FloatArray) -> FloatArray:
    """Return the excess of each belly over the chosen wings, ``[n, T]``; NaN where the weight is."""
    wings = np.take_along_axis(buy, low, axis=0), np.take_along_axis(buy, high, axis=0)
    return butterfly_excess(wings[0], sell, wings[1], weight)


def _triples(count: IntArray) -> int:
    return int((count * (count - 1) * (count - 2) // 6).sum())


def _found(view: View) -> tuple[Chain, ...]:
    return tuple(chain for chain in chains(view, view.market.butterfly_venues) if len(chain) >= 3)


def scan(view: View, fitted: Fitted | None) -> Scan:
    """Return the worst triple of every belly: side +1, short leg the belly; wing the columns of K1 and K3."""
    del fitted
    found = _found(view)
    if not found:
        return empty_scan(view, "no three options of one expiry and right", wings=2)
    code = view.panel.code
    rows = [(c.venue, c.expiry_ns, 1, int(code[column])) for c in found for column in c.column[1:-1]]
    score = np.empty((len(view.panel.times_ns), len(rows)))
    wing = np.empty((*score.shape, 2), dtype=np.int32)
    block = columns(view)
    examined = usable = violations = first = 0
    for chain in found:
        premium = quotes(block, chain.column)
        buy, sell = premium.buy, premium.sell
        low, high = best_wings(buy, chain.strike)
        weight = _weights(chain.strike, low, high)
        excess = _excess_over(buy, sell, low, high, weight)
        bellies = slice(first, first + len(chain) - 2)
        score[:, bellies] = (excess[1:-1] * premium.scale).T
        wing[:, bellies, 0] = np.where(low < 0, -1, chain.column[low])[1:-1].T
        wing[:, bellies, 1] = np.where(high < 0, -1, chain.column[high])[1:-1].T
        at_mids = _excess_over(premium.mid, premium.mid, low, high, weight)
        violations += violated(at_mids * premium.scale)
        examined += _triples(np.count_nonzero(block.listed[chain.column], axis=0))
        usable += _triples(np.count_nonzero(~np.isnan(premium.mid), axis=0))
        first = bellies.stop
    return Scan(make_keys(*zip(*rows, strict=True)), score, wing, examined, usable, violations=violations)


def build(view: View, scan: Scan, row: CodeArray, key: CodeArray, fitted: Fitted | None) -> Packages:
    """Return the chosen butterflies: -1 belly, l of the low wing, 1 - l of the high one."""
    del fitted
    low, high = scan.wing[row, key, 0], scan.wing[row, key, 1]
    belly = np.searchsorted(view.panel.code, scan.keys.short[key]).astype(np.int32)
    weight = low_weight(strike_of(view, low), strike_of(view, belly), strike_of(view, high))
    excess = butterfly_excess(mid_of(view, row, low), mid_of(view, row, belly), mid_of(view, row, high), weight)
    scale = cell_scale(view, [(chain.column, len(chain) - 2) for chain in _found(view)], row, key)
    legs = [(belly, np.full(len(row), -1.0)), (low, weight), (high, 1.0 - weight)]
    return packages(row, key, legs, excess * scale)


CONSTRAINT = Constraint(
    code="C4", name="butterfly", rule="S2.C4", version=1, roles=("belly", "low", "high"), scan=scan, build=build
)
