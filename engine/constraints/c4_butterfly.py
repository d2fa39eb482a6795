"""C4: a call (a put) is worth no more than the chord between two others of its expiry.  [S2.C4]

    (K3 - K2) C(K1) - (K3 - K1) C(K2) + (K2 - K1) C(K3) >= 0    for every K1 < K2 < K3

Divided by K3 - K1, with l = (K3 - K2)/(K3 - K1): the belly is sold once against l of the low wing and 1 - l of the high
one, and the gross is ``C(K2) - (l C(K1) + (1 - l) C(K3))``.  It is homogeneous, so it holds in coin as in dollars.
Of all triples with one belly that with the largest net before impact counts: the belly sold at its mid less its round
trip, the wings bought at theirs plus it (decision 0020).  Carr and Madan (2005), equation 2.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from engine.constraints.base import Constraint
from engine.constraints.options import one_sided
from engine.constraints.options.chain import (
    CRUMB_BPS,
    Chain,
    ChainQuotes,
    cell_scale,
    chains,
    count_true,
    length_at,
    listed_count,
    mid_of,
    packages,
    quotes,
    strike_of,
)
from engine.constraints.options.compiled_chain import counted, quoted_chain
from engine.constraints.options.convex_hull import best_wings
from engine.constraints.options.convexity_filter import Field, shape_of, wings_of
from engine.constraints.package_legs import empty_scan, keys_of, venue_inputs
from engine.constraints.scan_cells import CandidateCells, Scan
from engine.kernels.choose import compiled, required
from engine.kernels.option_scans import butterfly_cells
from engine.market.view import PreparedPanel
from engine.params import Fitted
from engine.records import CodeArray, FloatArray, IntArray, Keys, Packages
from engine.units import BPS

NOTHING = "no three options of one expiry and right"
_LEAST_FLOOR = 1e-3
"""Basis points: above it a floor is no rounding, and what has no gross is under it."""


def low_weight(low_strike: FloatArray, strike: FloatArray, high_strike: FloatArray) -> FloatArray:
    """Return how much of the low wing is bought against one belly, ``(K3 - K2)/(K3 - K1)``; strikes of one shape.

    >>> low_weight(90.0, 100.0, 120.0)
    0.6666666666666666
    """
    return (high_strike - strike) / (high_strike - low_strike)


def butterfly_excess(
    low_buy: FloatArray, belly_sell: FloatArray, high_buy: FloatArray, weight: FloatArray
) -> FloatArray:
    """Return what one belly earns above its wings, in the currency of the premiums; NaN in, NaN out.  [risk 17.5]

    Premiums and the low wing's ``weight`` are of one shape, or broadcast to it.  At the touch (wings' asks, belly's
    bid) it is the profit before fees; at mids the gross.

    >>> round(butterfly_excess(0.3065, 0.2395, 0.1815, 0.5), 10)
    -0.0045
    """
    return belly_sell - (weight * low_buy + (1.0 - weight) * high_buy)


def worst_butterflies(
    buy: FloatArray, sell: FloatArray, strike: FloatArray, turns: IntArray | None = None
) -> tuple[FloatArray, CodeArray, CodeArray]:
    """Return for each belly the largest excess and the strikes of its wings, each ``[n, T]``; NaN and -1 if none.

    ``buy`` and ``sell`` are ``[n, T]``, ``strike`` ``[n]`` ascending: wings need ``buy``, the belly ``sell``.
    ``turns``, ``[T]``, is that of `best_wings`.
    """
    low, high = best_wings(buy, strike, turns=turns)
    return _excess_over(buy, sell, low, high, _weights(strike, low, high)), low, high


def _weights(strike: FloatArray, low: CodeArray, high: CodeArray) -> FloatArray:
    """Return the low wings' weights, ``[n, T]``; NaN where there are no wings."""
    # Index -1 reads NaN.
    place = np.append(strike, np.nan)
    return low_weight(place[low], strike[:, None], place[high])


def _excess_over(buy: FloatArray, sell: FloatArray, low: CodeArray, high: CodeArray, weight: FloatArray) -> FloatArray:
    """Return the excess of each belly over the chosen wings, ``[n, T]``; NaN where the weight is."""
    wings = np.take_along_axis(buy, low, axis=0), np.take_along_axis(buy, high, axis=0)
    return butterfly_excess(wings[0], sell, wings[1], weight)


def _triples(count: IntArray) -> IntArray:
    return count * (count - 1) * (count - 2) // 6


def _found(view: PreparedPanel) -> tuple[Chain, ...]:
    return tuple(chain for chain in chains(view, view.market.butterfly_venues) if len(chain) >= 3)


def _keys(view: PreparedPanel) -> Keys:
    code = view.panel.code
    return keys_of([(c.venue, c.expiry_ns, 1, int(code[column])) for c in _found(view) for column in c.column[1:-1]])


def scan(view: PreparedPanel, fitted: Fitted | None, floor: float = -np.inf) -> Scan:
    """Return the score of the worst triple of every belly.  [S2.C4]

    With a floor above 0 only the bellies that may have a gross are searched.

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
        Keys are (venue, expiry, +1, belly);
        wings are the columns of K1 and K3.  No key, and ``missing`` names the input, where the block lacks one.

    Examples
    --------
    The 105,000 call costs 0.02 coin too much:

    >>> from engine.market.view import prepare
    >>> from tests.contracts.planted import butterfly
    >>> planted = butterfly()
    >>> view = prepare(planted.market.block(), planted.params, planted.curves)
    >>> scan(view, None, floor=0.0).score.round(1).tolist()
    [145.3]
    """
    del fitted
    usable_chains = _found(view)
    if not usable_chains:
        return empty_scan(view, NOTHING, wings=2)
    keys = _keys(view)
    cells = CandidateCells(view, len(keys), 2, floor)
    if compiled() is not None:
        return _compiled(view, usable_chains, keys, cells)
    premiums = [quotes(view, chain.column) for chain in usable_chains]
    lengths = [length_at(view, chain) for chain in usable_chains]
    examined = sum(_triples(listed_count(view, chain.column)) for chain in usable_chains)
    usable = sum(_triples(count_true(~np.isnan(premium.mid))) for premium in premiums)
    least = [np.fmin.reduce(premium.trip, axis=0) for premium in premiums]
    # A negative round trip (a rebate) could let a belly without a gross fire: then none may be left out.
    if floor > _LEAST_FLOOR and not any((trip < 0.0).any() for trip in least):
        _doubtful(cells, usable_chains, premiums, lengths)
        # A certified belly loses two round trips at least, and might still be the best of its day.
        most = [CRUMB_BPS - 2.0 * trip * premium.scale for trip, premium in zip(least, premiums, strict=True)]
        # The chain of the highest bound first: its best score spares the search of most others.
        for at in np.argsort([-np.fmax.reduce(bound) for bound in most], kind="stable").tolist():
            rows = np.flatnonzero(most[at] > cells.best[cells.day])
            if len(rows):
                premium, strike, turns = premiums[at], usable_chains[at].strike, lengths[at][rows]
                excess = worst_butterflies(premium.buy[:, rows], premium.sell[:, rows], strike, turns)[0]
                cells.note(rows, excess * premium.scale[rows])
    else:
        _every(cells, usable_chains, premiums, lengths)
    return cells.scan(keys, np.asarray(examined), np.asarray(usable))


def _compiled(view: PreparedPanel, usable_chains: Sequence[Chain], keys: Keys, cells: CandidateCells) -> Scan:
    """Return the scan by the compiled kernel: what `_every` finds, and of it the cells that reach the floor."""
    first, examined, usable = 0, np.zeros(len(cells.day), dtype=np.int64), np.zeros(len(cells.day), dtype=np.int64)
    for chain in usable_chains:
        counts = counted(view, chain.column)
        premiums = quoted_chain(view, counts, chain.column, chain.strike, cells.day)
        into = cells.arrays(first, len(chain) - 2)
        cells.add_found(first, butterfly_cells(required(), premiums, length_at(view, chain), into))
        examined += _triples(counts.listed)
        usable += _triples(counts.quoted)
        first += len(chain) - 2
    return cells.scan(keys, examined, usable)


def _every(
    cells: CandidateCells, usable_chains: Sequence[Chain], premiums: Sequence[ChainQuotes], lengths: Sequence[IntArray]
) -> None:
    """Gather the best triple of every belly."""
    first = 0
    for chain, premium, length in zip(usable_chains, premiums, lengths, strict=True):
        # By buying prices, not mids: the triple of the largest net counts.  [decision 0020]
        low, high = best_wings(premium.buy, chain.strike, turns=length)
        weight = _weights(chain.strike, low, high)
        score = _excess_over(premium.buy, premium.sell, low, high, weight)[1:-1] * premium.scale
        cells.evaluated[first : first + len(score)] = ~np.isnan(score)
        every = np.arange(score.shape[1])
        cells.add(first, every, score, [chain.column[low][1:-1], chain.column[high][1:-1]])
        cells.violated(every, _excess_over(premium.mid, premium.mid, low, high, weight) * premium.scale)
        first += len(score)


def _doubtful(
    cells: CandidateCells, usable_chains: Sequence[Chain], premiums: Sequence[ChainQuotes], lengths: Sequence[IntArray]
) -> None:
    """Gather the best triples of the bellies that may have a gross."""
    rows = premiums[0].mid.shape[1]
    buys = [premium.buy for premium in premiums]
    shapes = [
        shape_of(p.mid, buy, c.strike, CRUMB_BPS / p.scale)
        for c, p, buy in zip(usable_chains, premiums, buys, strict=True)
    ]
    doubtful: list[IntArray] = []
    first = top = 0
    for chain, premium, shape in zip(usable_chains, premiums, shapes, strict=True):
        evaluated = shape.evaluated & ~np.isnan(premium.scale)
        cells.evaluated[first : first + len(chain) - 2] = evaluated[1:-1]
        doubtful.append(top * rows + np.flatnonzero(shape.doubtful & evaluated))
        first += len(chain) - 2
        top += len(chain)
    cell = np.concatenate(doubtful)
    length = np.array([len(chain) for chain in usable_chains])
    strike = np.concatenate([chain.strike for chain in usable_chains])
    field = Field(
        buy=np.concatenate(buys),
        live=np.concatenate([shape.live for shape in shapes]),
        fixed=np.concatenate([shape.fixed for shape in shapes]),
        strike=strike,
        chain=np.repeat(np.arange(len(usable_chains)), length),
        length=np.stack(lengths),
    )
    low, high = wings_of(cell, field)
    belly, row = np.divmod(cell, rows)
    number = field.chain[belly]
    column = np.concatenate([chain.column for chain in usable_chains])
    weight = low_weight(strike[low], strike[belly], strike[high])
    scale = np.stack([premium.scale for premium in premiums])[number, row]
    mid = np.concatenate([premium.mid for premium in premiums])
    trip = np.concatenate(
        [
            p.trip.reshape(-1)[c - o]
            for p, c, o in zip(premiums, doubtful, (np.cumsum(length) - length) * rows, strict=True)
        ]
    )
    buy = field.buy
    score = butterfly_excess(buy[low, row], mid[belly, row] - trip, buy[high, row], weight) * scale
    # The outermost strikes of a chain are no bellies: two keys fewer a chain.
    cells.add_each(belly - 2 * number - 1, row, score, [column[low], column[high]])
    cells.violated(row, butterfly_excess(mid[low, row], mid[belly, row], mid[high, row], weight) * scale)


def build(view: PreparedPanel, scanned: Scan, row: CodeArray, key: CodeArray, fitted: Fitted | None) -> Packages:
    """Return the butterflies of chosen cells: -1 belly, l of the low wing, 1 - l of the high one.  [S2.C4]

    ``row`` and ``key`` are cells of the scan, ``[M]`` each; the result has one package a cell, none where M is 0.
    """
    del fitted
    low, high = scanned.wings_at(row, key).T
    belly = np.searchsorted(view.panel.code, scanned.keys.short[key]).astype(np.int32)
    weight = low_weight(strike_of(view, low), strike_of(view, belly), strike_of(view, high))
    excess = butterfly_excess(mid_of(view, row, low), mid_of(view, row, belly), mid_of(view, row, high), weight)
    scale = cell_scale(view, [(chain.column, len(chain) - 2) for chain in _found(view)], row, key)
    legs = [(belly, np.full(len(row), -1.0)), (low, weight), (high, 1.0 - weight)]
    return packages(row, key, legs, excess * scale)


def triples_around(view: PreparedPanel, row: int, belly: int) -> Packages:
    """Return every butterfly of the ``belly``, a panel column, at one row: all pairs of usable wings."""
    chain = next(chain for chain in _found(view) if belly in chain.column)
    at = int(np.flatnonzero(chain.column == belly)[0])
    wings = np.meshgrid(chain.column[:at], chain.column[at + 1 :], indexing="ij")
    pairs = np.stack([wing.ravel() for wing in wings])
    low, high = pairs[:, np.isfinite(view.mid[row, pairs]).all(axis=0)]
    rows, middle = np.full(len(low), row, dtype=np.int32), np.full(len(low), belly, dtype=np.int32)
    weight = low_weight(strike_of(view, low), strike_of(view, middle), strike_of(view, high))
    excess = butterfly_excess(view.mid[row, low], view.mid[row, middle], view.mid[row, high], weight)
    legs = [(middle, np.full(len(low), -1.0)), (low, weight), (high, 1.0 - weight)]
    scale = BPS * view.usd[row, belly] / view.spot_usd[row]
    return packages(rows, np.zeros(len(low), dtype=np.int32), legs, excess * scale)


CONSTRAINT = Constraint(
    code="C4",
    name="butterfly",
    title="butterfly",
    rule="S2.C4",
    version=1,
    option_legs=True,
    roles=("belly", "low", "high"),
    scan=scan,
    build=build,
    keys=_keys,
    others=triples_around,
    one_sided=lambda view: one_sided.butterflies(view, _found(view)),
    inputs=lambda view: venue_inputs(view.market.butterfly_venues, [c.venue for c in _found(view)], NOTHING),
)
