"""The chain of one grid time as arrays, and what the joint solve says of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.arguments import require_ascending, require_columns
from engine.errors import DataError
from engine.records import BoolArray, CodeArray, FloatArray, IntArray


@dataclass(frozen=True, slots=True)
class QuotedChain:
    """The two-sided option quotes of one underlying, venue and price currency at one instant, all expiries.

    ``[Q]`` arrays have one entry a quote, ``[E]`` arrays one an expiry, ascending.  Raises `DataError` if a quote is
    missing, negative or crossed, or if an expiry has two quotes of one strike and right.
    """

    coin: bool  # premium in coin per coin; else in the dollar of the strikes
    expiry_ns: IntArray  # [E]
    forward_bid: FloatArray  # [E] USD, of the dated future of that expiry; NaN where none has an executable quote
    forward_ask: FloatArray  # [E] USD
    expiry: CodeArray  # [Q] number of the expiry
    strike: FloatArray  # [Q] USD
    call: BoolArray  # [Q] False is a put
    bid: FloatArray  # [Q] premium, price currency
    ask: FloatArray  # [Q]

    def __post_init__(self) -> None:
        expiries, quotes = np.size(self.expiry_ns), np.size(self.strike)
        of_expiry = dict.fromkeys(("expiry_ns", "forward_bid", "forward_ask"), (expiries,))
        require_columns(self, (quotes,), of_expiry)
        require_ascending("QuotedChain.expiry_ns", self.expiry_ns)
        wrong = np.flatnonzero(~((self.bid >= 0.0) & (self.ask >= self.bid) & np.isfinite(self.ask)))
        if len(wrong):
            n = int(wrong[0])
            raise DataError(
                f"QuotedChain: expected 0 <= bid <= ask, was {self.bid[n]:g} and {self.ask[n]:g} at quote {n}; "
                f"leave out quotes that are not usable"
            )
        keys = set(zip(self.expiry.tolist(), self.strike.tolist(), self.call.tolist(), strict=True))
        if len(keys) != quotes:
            raise DataError("QuotedChain: expected one quote a strike, right and expiry, was more than one")


@dataclass(frozen=True, slots=True)
class JointSolution:
    """The least movement that makes a chain free of arbitrage.  All ``[Q]`` arrays in the order of the quotes.

    ``side`` names the quotes that leave their interval in at least one answer of least movement: -1 the bid is too
    high, +1 the ask too low, 0 neither.  All zero means that no combination of the relations locks a profit at the
    quoted prices.
    """

    total_bps: float  # movement beyond bid and ask, bps of the forward, summed over the quotes
    price: FloatArray  # [Q] price currency, in the answer that the solver gives
    forward: FloatArray  # [E] USD, inside its interval; NaN for an expiry without quotes
    side: IntArray  # [Q]
    beyond_bps: FloatArray  # [Q] size of the movement beyond the interval, in the answer that the solver gives
    least_bps: FloatArray  # [Q] the least that it is over all answers of least movement; NaN where not computed
    most_bps: FloatArray  # [Q] the most; equal to the least where the answer is unique
