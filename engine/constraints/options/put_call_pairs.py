"""Calls and puts of one strike, and the forward that a pair of them makes.  [S2.C3, risk 17.2, 17.3]"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.constraints.options.chain import NONE, chains
from engine.market.view import PreparedPanel, cached_on_panel
from engine.records import CodeArray, FloatArray, Right


@dataclass(frozen=True, slots=True)
class Pairs:
    """The strikes of one venue, expiry and currency that have both a call and a put; columns are the panel's."""

    venue: str
    expiry_ns: int
    coin: bool
    call: CodeArray  # [m]
    put: CodeArray
    strike: FloatArray  # [m] ascending
    future: int  # column of the dated future, -1 where none is listed

    def __len__(self) -> int:
        return len(self.call)


@cached_on_panel
def pairs(view: PreparedPanel) -> tuple[Pairs, ...]:
    """Return the pairs of the venues registered for put-call parity, ordered by venue, expiry and currency."""
    halves = {(c.venue, c.expiry_ns, c.quote, c.right): c for c in chains(view, view.market.put_call_venues)}
    built = []
    for (venue, expiry, quote, right), calls in halves.items():
        puts = halves.get((venue, expiry, quote, Right.PUT))
        if right != Right.CALL or puts is None:
            continue
        strike, call, put = np.intersect1d(calls.strike, puts.strike, assume_unique=True, return_indices=True)
        if len(strike):
            columns = calls.column[call], puts.column[put]
            built.append(Pairs(venue, expiry, calls.coin, *columns, strike, calls.future))
    return tuple(built)


def parity_gap(
    call_buy: FloatArray,
    call_sell: FloatArray,
    put_buy: FloatArray,
    put_sell: FloatArray,
    strike: FloatArray,
    forward_buy: FloatArray,
    forward_sell: FloatArray,
    *,
    coin: bool,
) -> tuple[FloatArray, FloatArray]:
    """Return what the conversion and the reversal earn, in the currency of the premiums; NaN in, NaN out.

        conversion = call_sell - put_buy - value(forward_buy)      value(F) = 1 - K/F in coin, F - K in dollars
        reversal   = value(forward_sell) - (call_buy - put_sell)

    Arrays of one shape, or broadcast to it.  At bids and asks these are profits before fees; at mids the second is
    minus the first.  [risk 17.3]

    >>> conversion, reversal = parity_gap(0.036, 0.0345, 0.095, 0.093, 84_000.0, 79_326.32, 79_326.32, coin=True)
    >>> round(conversion, 10), round(reversal, 10)
    (-0.0015828588, -0.0019171412)
    """
    if coin:
        return call_sell - put_buy - (1.0 - strike / forward_buy), 1.0 - strike / forward_sell - (call_buy - put_sell)
    return call_sell - put_buy - (forward_buy - strike), forward_sell - strike - (call_buy - put_sell)


def implied_forward(
    call_buy: FloatArray,
    call_sell: FloatArray,
    put_buy: FloatArray,
    put_sell: FloatArray,
    strike: FloatArray,
    *,
    coin: bool,
) -> tuple[FloatArray, FloatArray]:
    """Return at what price a pair buys and sells the forward: an interval, never a mid.  [risk 17.2, spec README]

    In coin ``K/(1 - (call_buy - put_sell))`` and ``K/(1 - (call_sell - put_buy))``.  Arrays of one shape,
    or broadcast to it; NaN where a quote is missing or no forward has that price (a premium difference of a whole
    coin).

    >>> bought, sold = implied_forward(0.02, 0.01, 0.02, 0.01, 100_000.0, coin=True)
    >>> round(float(bought)), round(float(sold))
    (101010, 99010)
    """
    if not coin:
        return strike + (call_buy - put_sell), strike + (call_sell - put_buy)
    bought, sold = 1.0 - (call_buy - put_sell), 1.0 - (call_sell - put_buy)
    # A premium difference of a coin or more has no forward; the quotient would be a negative price.
    return strike / np.where(bought > 0.0, bought, np.nan), strike / np.where(sold > 0.0, sold, np.nan)


def best_other(value: FloatArray, largest: bool) -> CodeArray:
    """Return for each strike the other one of the largest (smallest) value, ``[m, T]``, -1 where there is none.

    ``value`` is ``[m, T]``; NaN is no candidate; of equal ones the lowest strike is taken.
    """
    key = np.where(np.isnan(value), np.inf, -value if largest else value)
    rows = np.arange(value.shape[1])
    first = key.argmin(axis=0)
    none = key[first, rows] == np.inf
    key[first, rows] = np.inf
    # A strike cannot hedge itself: where it is the best, the next best is taken.  [decision 0021]
    second = key.argmin(axis=0)
    second[key[second, rows] == np.inf] = NONE
    first[none] = NONE
    other: CodeArray = np.where(np.arange(len(value))[:, None] == first, second, first).astype(np.int32)
    return other
