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

import numpy as np

from engine.constraints.base import Constraint
from engine.constraints.chain import (
    NONE,
    ChainQuotes,
    Columns,
    cell_scale,
    columns,
    future_trip,
    mid_of,
    packages,
    quotes,
    strike_of,
    violated,
)
from engine.constraints.legs import empty_scan, make_keys
from engine.constraints.pairs import Pairs, best_other, implied_forward, pairs, parity_gap
from engine.market import View
from engine.params import Fitted
from engine.records import BoolArray, CodeArray, FloatArray, Packages, Scan

_SIDES = (1, -1)


def scan(view: View, fitted: Fitted | None) -> Scan:
    """Return the net of both directions at every strike; wing the future, or the call and put that stand for it.

    The two directions of a strike count as two packages: against a box both may have a gross above zero.
    """
    del fitted
    found = pairs(view)
    if not found:
        return empty_scan(view, "no call and put of one strike and expiry", wings=2)
    code = view.panel.code
    rows = [
        (group.venue, group.expiry_ns, side, int(code[column]))
        for group in found
        for side in _SIDES
        for column in (group.call if side > 0 else group.put)
    ]
    score = np.empty((len(view.panel.times_ns), len(rows)))
    wing = np.full((*score.shape, 2), NONE, dtype=np.int32)
    block = columns(view)
    examined = usable = violations = first = 0
    for group in found:
        both = np.concatenate([group.call, group.put])
        premium = quotes(block, both)
        boxed = ~block.listed[group.future] if group.future != NONE else np.ones(len(score), dtype=np.bool_)
        examined += 2 * int(np.count_nonzero(block.listed[group.call] & block.listed[group.put]))
        for side in _SIDES:
            cells = slice(first, first + len(group))
            if group.future != NONE:
                net, gross = _over_future(block, group, premium, side)
                score[:, cells] = (net * premium.scale).T
                violations += violated(gross * premium.scale)
                wing[:, cells, 0] = group.future
            if boxed.any():  # no future listed then: the other strikes imply the forward
                net, gross, hedge = _over_pair(view, group, premium, side, boxed)
                score[boxed, cells] = (net * premium.scale[boxed]).T
                violations += violated(gross * premium.scale[boxed])
                wing[boxed, cells, 0] = np.where(hedge < 0, NONE, group.call[hedge]).T
                wing[boxed, cells, 1] = np.where(hedge < 0, NONE, group.put[hedge]).T
            usable += int(np.count_nonzero(~np.isnan(score[:, cells])))
            first = cells.stop
    return Scan(make_keys(*zip(*rows, strict=True)), score, wing, examined, usable, violations=violations)


def _over_future(block: Columns, group: Pairs, premium: ChainQuotes, side: int) -> tuple[FloatArray, FloatArray]:
    """Return nets before impact and grosses against the dated future, ``[m, T]``, in the currency of the premiums."""
    m, place = len(group), group.strike[:, None]
    call, put, forward = premium.mid[:m], premium.mid[m:], block.mid[group.future]
    gap = parity_gap(call, call, put, put, place, forward, forward, coin=group.coin)[0 if side > 0 else 1]
    held = place / forward if group.coin else 1.0
    trip = premium.trip[:m] + premium.trip[m:] + held * future_trip(block, group.future, premium.usd)
    return gap - trip, gap


def _over_pair(
    view: View, group: Pairs, premium: ChainQuotes, side: int, boxed: BoolArray
) -> tuple[FloatArray, FloatArray, CodeArray]:
    """Return nets before impact and grosses against the best other pair, and which it is, ``[m, boxed times]``."""
    m, place = len(group), group.strike[:, None]
    mid, trip = premium.mid[:, boxed], premium.trip[:, boxed]
    half = view.half_spread.T[np.concatenate([group.call, group.put])][:, boxed]
    buy, sell = mid + half, mid - half
    ends = implied_forward(buy[:m], sell[:m], buy[m:], sell[m:], place, coin=group.coin)
    hedge = best_other(ends[0], largest=False) if side > 0 else best_other(ends[1], largest=True)
    call, put = np.take_along_axis(mid[:m], hedge, axis=0), np.take_along_axis(mid[m:], hedge, axis=0)
    forward = implied_forward(call, call, put, put, group.strike[hedge], coin=group.coin)[0]
    gaps = parity_gap(mid[:m], mid[:m], mid[m:], mid[m:], place, forward, forward, coin=group.coin)
    gap = np.where(hedge < 0, np.nan, gaps[0 if side > 0 else 1])
    held = place / group.strike[hedge] if group.coin else np.ones(hedge.shape)
    pair_trip = trip[:m] + trip[m:]
    return gap - (pair_trip + held * np.take_along_axis(pair_trip, hedge, axis=0)), gap, hedge


def build(view: View, scan: Scan, row: CodeArray, key: CodeArray, fitted: Fitted | None) -> Packages:
    """Return the chosen packages: the pair, then K/F of the future (coin; 1 in dollars) or the pair that implies it."""
    del fitted
    found = pairs(view)
    call = np.concatenate([np.tile(group.call, 2) for group in found])[key]
    put = np.concatenate([np.tile(group.put, 2) for group in found])[key]
    coin = np.repeat([group.coin for group in found], [2 * len(group) for group in found])[key]
    forward_leg, pair_put = scan.wing[row, key, 0], scan.wing[row, key, 1]
    boxed = pair_put != NONE
    strike, pair_strike = strike_of(view, call), strike_of(view, forward_leg)

    forward = _forward(view, row, forward_leg, pair_put, coin)
    at = mid_of(view, row, call), mid_of(view, row, put)
    in_coin = parity_gap(at[0], at[0], at[1], at[1], strike, forward, forward, coin=True)
    in_usd = parity_gap(at[0], at[0], at[1], at[1], strike, forward, forward, coin=False)
    side = scan.keys.side[key].astype(np.float64)
    gap = np.where(side > 0, np.where(coin, in_coin[0], in_usd[0]), np.where(coin, in_coin[1], in_usd[1]))

    held = np.where(coin, strike / np.where(boxed, pair_strike, forward), 1.0)
    legs = [(call, -side), (put, side), (forward_leg, side * held), (pair_put, -side * held)]
    groups = [(np.concatenate([group.call, group.put]), 2 * len(group)) for group in found]
    return packages(row, key, legs, gap * cell_scale(view, groups, row, key))


def _forward(view: View, row: CodeArray, leg: CodeArray, pair_put: CodeArray, coin: BoolArray) -> FloatArray:
    """Return F at mids, ``[M]``: the future's, or that of the pair whose call is ``leg`` where a put stands beside."""
    price, put = mid_of(view, row, leg), mid_of(view, row, pair_put)
    strike = strike_of(view, leg)
    in_coin = implied_forward(price, price, put, put, strike, coin=True)[0]
    in_usd = implied_forward(price, price, put, put, strike, coin=False)[0]
    return np.where(pair_put == NONE, price, np.where(coin, in_coin, in_usd))


CONSTRAINT = Constraint(
    code="C3",
    name="put_call",
    rule="S2.C3",
    version=1,
    roles=("call", "put", "forward", "forward_put"),
    scan=scan,
    build=build,
)
