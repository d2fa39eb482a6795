"""C3: a call less a put of one strike is the forward less the strike.  [S2.C3, risk 17.3]

    coin    c - p = 1 - K/F          linear    C - P = F - K        (no discount is registered: D = 1)

In coin no rate and no spot price appears: 1 - K/S_T = (1 - K/F) + K (1/F - 1/S_T), so the pair is hedged by a future
over K USD, K/F in base units.  Side +1, the conversion: call sold, put bought, future bought; side -1, the reversal.

F is the dated future of the same expiry and settlement, at its mid in the gross.  Where none is listed it is implied by
the *other* strikes of the expiry: each quotes an interval in which a forward may be bought and sold, and the nearer end
of their intersection is the best of these quotes.  That strike's pair is the hedge, K/K' of it in coin, one in dollars;
what is left over is a certain amount (decision 0021).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from engine.constraints.base import Constraint
from engine.constraints.options.chain import (
    NONE,
    ChainQuotes,
    cell_scale,
    count_true,
    future_trip,
    listed,
    mid_of,
    packages,
    quotes,
    strike_of,
)
from engine.constraints.options.compiled_chain import counted, quoted_chain
from engine.constraints.options.put_call_pairs import Pairs, best_other, implied_forward, pairs, parity_gap
from engine.constraints.package_legs import empty_scan, keys_of, venue_inputs
from engine.constraints.scan_cells import CandidateCells, Scan
from engine.kernels.choose import compiled, required
from engine.kernels.option_scans import future_parity_cells, pair_parity_cells
from engine.market.view import PreparedPanel
from engine.params import Fitted
from engine.records import BoolArray, CodeArray, FloatArray, IntArray, Keys, Packages

NOTHING = "no call and put of one strike and expiry"
_SIDES = (1, -1)


def scan(view: PreparedPanel, fitted: Fitted | None, floor: float = -np.inf) -> Scan:
    """Return the score of the conversion and the reversal at every strike.  [S2.C3]

    The two directions of a strike count as two packages: against a box both may have a gross above zero.

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
        Keys are (venue, expiry, side, short leg): the calls, then the puts, of each expiry;
        wings are the future, or the call and put that imply the forward.  No key, and ``missing`` names the input,
        where the block lacks one.

    Examples
    --------
    The 100,000 call costs 0.01 coin more than parity:

    >>> from engine.market.view import prepare
    >>> from tests.contracts.planted import put_call
    >>> planted = put_call()
    >>> view = prepare(planted.market.block(), planted.params, planted.curves)
    >>> scan(view, None, floor=0.0).score.round(1).tolist()
    [77.4]
    """
    del fitted
    groups = pairs(view)
    if not groups:
        return empty_scan(view, NOTHING, wings=2)
    keys = _keys(view)
    cells = CandidateCells(view, len(keys), 2, floor)
    examined = np.zeros(len(view.panel.times_ns), dtype=np.int64)
    if compiled() is not None:
        return _compiled(view, groups, keys, cells)
    first = 0
    for group in groups:
        premium = quotes(view, np.concatenate([group.call, group.put]))
        examined += 2 * count_true(listed(view, group.call) & listed(view, group.put))
        boxed = np.ones(len(premium.usd), dtype=np.bool_)
        if group.future != NONE:
            boxed = ~listed(view, np.array([group.future]))[0]
            _against_future(view, cells, first, group, premium, ~boxed)
        # No future listed then: the other strikes imply the forward.
        if boxed.any():
            _against_pairs(view, cells, first, group, premium, np.flatnonzero(boxed))
        first += 2 * len(group)
    return cells.scan(keys, examined, count_true(cells.evaluated))


def _compiled(view: PreparedPanel, groups: Sequence[Pairs], keys: Keys, cells: CandidateCells) -> Scan:
    """Return the scan by the compiled kernels."""
    first, examined = 0, np.zeros(len(cells.day), dtype=np.int64)
    for group in groups:
        column = np.concatenate([group.call, group.put])
        counts, into = counted(view, column), cells.arrays(first, 2 * len(group))
        premiums = quoted_chain(view, counts, column, group.strike, cells.day)
        examined += 2 * count_true(listed(view, group.call) & listed(view, group.put))
        boxed = np.ones(len(cells.day), dtype=np.bool_)
        if group.future != NONE:
            boxed = ~listed(view, np.array([group.future]))[0]
            hedge = (view.mid.T[group.future], future_trip(view, group.future, counts.usd), group.future)
            cells.add_found(first, future_parity_cells(required(), premiums, group.coin, hedge, ~boxed, into))
        if boxed.any():
            found = pair_parity_cells(required(), premiums, group.coin, view.half_spread, boxed, into)
            cells.add_found(first, found)
        first += 2 * len(group)
    return cells.scan(keys, examined, count_true(cells.evaluated))


def _keys(view: PreparedPanel) -> Keys:
    code = view.panel.code
    keys = [
        (group.venue, group.expiry_ns, side, int(code[column]))
        for group in pairs(view)
        for side in _SIDES
        for column in (group.call if side > 0 else group.put)
    ]
    return keys_of(keys)


def _against_future(
    view: PreparedPanel, cells: CandidateCells, first: int, group: Pairs, premium: ChainQuotes, there: BoolArray
) -> None:
    """Gather both directions against the dated future where it is listed, ``there``.

    The reversal's gap is the conversion's with its sign changed, to the last bit, and so is its gross.
    """
    m, place = len(group), group.strike[:, None]
    call, put, forward = premium.mid[:m], premium.mid[m:], view.mid[:, group.future]
    gap = parity_gap(call, call, put, put, place, forward, forward, coin=group.coin)[0]
    trip = premium.trip[:m] + premium.trip[m:]
    trip += (place / forward if group.coin else 1.0) * future_trip(view, group.future, premium.usd)
    # Of several days some may list no future: there the other pairs are judged.
    if not there.all():
        gap[:, ~there] = np.nan
    size = np.abs(gap)
    cells.violated(np.arange(size.shape[1]), size * premium.scale)
    size -= trip
    known = ~(np.isnan(size) | np.isnan(premium.scale))
    cells.evaluated[first : first + m] = known
    cells.evaluated[first + m : first + 2 * m] = known
    best = np.fmax.reduce(size, axis=0) * premium.scale
    rows = cells.promising(best, best)
    if len(rows):
        future = np.full((m, len(rows)), group.future, dtype=np.int32)
        none = np.full_like(future, NONE)
        for at, way in ((first, gap[:, rows]), (first + m, -gap[:, rows])):
            cells.add(at, rows, (way - trip[:, rows]) * premium.scale[rows], [future, none])


def _against_pairs(
    view: PreparedPanel, cells: CandidateCells, first: int, group: Pairs, premium: ChainQuotes, rows: IntArray
) -> None:
    """Gather both directions against the best other pair at ``rows``."""
    m = len(group)
    for side in _SIDES:
        net, gross, hedge = _over_pair(view, group, premium, side, rows)
        cells.violated(rows, gross * premium.scale[rows])
        score = net * premium.scale[rows]
        cells.evaluated[first : first + m, rows] = ~np.isnan(score)
        legs = [np.where(hedge < 0, NONE, side_of[hedge]) for side_of in (group.call, group.put)]
        cells.add(first, rows, score, legs)
        first += m


def _over_pair(
    view: PreparedPanel, group: Pairs, premium: ChainQuotes, side: int, boxed: IntArray
) -> tuple[FloatArray, FloatArray, CodeArray]:
    """Return nets before impact and grosses against the best other pair, and which it is, ``[m, boxed times]``."""
    m, place = len(group), group.strike[:, None]
    mid, trip = premium.mid[:, boxed], premium.trip[:, boxed]
    # The hedge is chosen at bid and ask, where it would be traded; the gross is read at mids.  [S2.0]
    half = view.half_spread.T[np.concatenate([group.call, group.put])[:, None], boxed]
    buy, sell = mid + half, mid - half
    ends = implied_forward(buy[:m], sell[:m], buy[m:], sell[m:], place, coin=group.coin)
    hedge = best_other(ends[0], largest=False) if side > 0 else best_other(ends[1], largest=True)
    call, put = np.take_along_axis(mid[:m], hedge, axis=0), np.take_along_axis(mid[m:], hedge, axis=0)
    forward = implied_forward(call, call, put, put, group.strike[hedge], coin=group.coin)[0]
    gap = parity_gap(mid[:m], mid[:m], mid[m:], mid[m:], place, forward, forward, coin=group.coin)[0 if side > 0 else 1]
    gap[hedge < 0] = np.nan
    # In coin K/K' pairs have the delta of one forward; what is left over is certain.  [decision 0021]
    pairs_held = place / group.strike[hedge] if group.coin else np.ones(hedge.shape)
    pair_trip = trip[:m] + trip[m:]
    return gap - (pair_trip + pairs_held * np.take_along_axis(pair_trip, hedge, axis=0)), gap, hedge


def build(view: PreparedPanel, scanned: Scan, row: CodeArray, key: CodeArray, fitted: Fitted | None) -> Packages:
    """Return the packages of chosen cells: call, put, and K/F of the future (1 in dollars) or the pair that implies it.

    ``row`` and ``key`` are cells of the scan, ``[M]`` each; the result has one package a cell, none where M is 0.
    """
    del fitted
    groups = pairs(view)
    # Twice: the keys of a group are its conversions, then its reversals.
    call = np.concatenate([np.tile(group.call, 2) for group in groups])[key]
    put = np.concatenate([np.tile(group.put, 2) for group in groups])[key]
    coin = np.repeat([group.coin for group in groups], [2 * len(group) for group in groups])[key]
    forward_leg, pair_put = scanned.wings_at(row, key).T
    boxed = pair_put != NONE
    strike, pair_strike = strike_of(view, call), strike_of(view, forward_leg)

    forward = _forward(view, row, forward_leg, pair_put, coin)
    mids = mid_of(view, row, call), mid_of(view, row, put)
    in_coin = parity_gap(mids[0], mids[0], mids[1], mids[1], strike, forward, forward, coin=True)
    in_usd = parity_gap(mids[0], mids[0], mids[1], mids[1], strike, forward, forward, coin=False)
    side = scanned.keys.side[key].astype(np.float64)
    gap = np.where(side > 0, np.where(coin, in_coin[0], in_usd[0]), np.where(coin, in_coin[1], in_usd[1]))

    forwards = np.where(coin, strike / np.where(boxed, pair_strike, forward), 1.0)
    legs = [(call, -side), (put, side), (forward_leg, side * forwards), (pair_put, -side * forwards)]
    keyed_columns = [(np.concatenate([group.call, group.put]), 2 * len(group)) for group in groups]
    return packages(row, key, legs, gap * cell_scale(view, keyed_columns, row, key))


def _forward(view: PreparedPanel, row: CodeArray, leg: CodeArray, pair_put: CodeArray, coin: BoolArray) -> FloatArray:
    """Return F at mids, ``[M]``: the future's, or that of the pair whose call is ``leg`` where a put stands beside."""
    price, put = mid_of(view, row, leg), mid_of(view, row, pair_put)
    strike = strike_of(view, leg)
    in_coin = implied_forward(price, price, put, put, strike, coin=True)[0]
    in_usd = implied_forward(price, price, put, put, strike, coin=False)[0]
    return np.where(pair_put == NONE, price, np.where(coin, in_coin, in_usd))


CONSTRAINT = Constraint(
    code="C3",
    name="put_call",
    title="put-call parity",
    rule="S2.C3",
    version=1,
    option_legs=True,
    roles=("call", "put", "forward", "forward_put"),
    scan=scan,
    build=build,
    keys=_keys,
    inputs=lambda view: venue_inputs(view.market.put_call_venues, [c.venue for c in pairs(view)], NOTHING),
)
