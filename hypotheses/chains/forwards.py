"""In which interval the forward of each expiry lies, and how the strikes of two expiries compare.  [risk 17.2, 17.6]"""

from __future__ import annotations

import numpy as np

from engine.constraints.options.put_call_pairs import implied_forward
from engine.records import FloatArray
from hypotheses.chains.records import QuotedChain


def forward_intervals(chain: QuotedChain) -> FloatArray:
    """Return the least and largest forward of each expiry, ``[E, 2]`` USD; NaN where nothing tells it.

    Bid and ask of the dated future; where none is listed the forwards that every call-put pair allows, an interval and
    never a mid.  Where the pairs contradict each other no forward suits all: then the interval that they span.
    """
    intervals = np.column_stack([chain.forward_bid, chain.forward_ask])
    for e in np.flatnonzero(np.isnan(intervals).any(axis=1)).tolist():
        intervals[e] = _implied(chain, e)
    return intervals


def _implied(chain: QuotedChain, expiry: int) -> FloatArray:
    calls, puts = (np.flatnonzero((chain.expiry == expiry) & (chain.call == right)) for right in (True, False))
    strike, c, p = np.intersect1d(chain.strike[calls], chain.strike[puts], return_indices=True)
    call, put = calls[c], puts[p]
    bought, sold = implied_forward(
        chain.ask[call], chain.bid[call], chain.ask[put], chain.bid[put], strike, coin=chain.coin
    )
    low, high = np.fmax.reduce(sold, initial=np.nan), np.fmin.reduce(bought, initial=np.nan)
    return np.array([min(low, high), max(low, high)])


def comparable_scale(intervals: FloatArray) -> FloatArray:
    """Return by what to divide the strikes of each expiry so that equal results may be compared, ``[E]`` USD.

    A far call is worth no less than a near one if its strike is ``K_far <= K_near F_far / F_near``.  The quotient is
    known between bid and ask only; the least one holds whatever the forwards are, so that a difference within their
    spread accuses nobody.  NaN for an expiry without a forward, which is compared with none.

    >>> comparable_scale(np.array([[100.0, 101.0], [np.nan, np.nan], [202.0, 204.0]])).tolist()
    [100.5, nan, 201.0]
    """
    scale = np.full(len(intervals), np.nan)
    known = np.flatnonzero(~np.isnan(intervals).any(axis=1)).tolist()
    for place, e in enumerate(known):
        if not place:
            scale[e] = intervals[e].mean()
            continue
        before = known[place - 1]
        scale[e] = scale[before] * (intervals[e, 0] / intervals[before, 1])
    return scale
