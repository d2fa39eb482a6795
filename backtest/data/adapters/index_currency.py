"""Decides which of a venue's index prices are kept: those in the dollar of the contract's price.  [S1.1, venues V1]"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

import numpy as np

from backtest.data.adapters.instruments import DOLLARS, InstrumentListing
from engine.records import FloatArray, IntArray
from engine.units import NS_PER_SECOND

_DERIBIT_USD_NS: Final = int(datetime(2025, 7, 15, tzinfo=UTC).timestamp()) * NS_PER_SECOND


def index_in_price_dollar(index: FloatArray, listings: Sequence[InstrumentListing], t_ns: IntArray) -> FloatArray:
    """Return a venue's index, shape (n,), with NaN where it may be in another dollar than the contract's price.

    ``listings`` and ``t_ns`` have n entries.  A conversion of 1 is never assumed.  The index of Deribit's USDC-settled
    contracts, which are priced in USD, is the USD one of BTC and ETH since 2025-07-15; before, and of other coins, it
    is left out, and so is that of contracts priced in USDC or USDT, whose dollar is known of Hyperliquid's oracle only.
    Of a price in coin it is in USD.

    Examples
    --------
    >>> from backtest.data.adapters.instruments import deribit
    >>> from engine.records import Feed
    >>> listings = [deribit("BTC-PERPETUAL", Feed.BOOK), deribit("SOL_USDC-PERPETUAL", Feed.BOOK)]
    >>> index_in_price_dollar(np.array([60_000.0, 150.0]), listings, np.array([0, 0])).tolist()
    [60000.0, nan]
    """
    kept = [_is_kept(listing, t) for listing, t in zip(listings, t_ns.tolist(), strict=True)]
    return np.where(kept, index, np.nan)


def _is_kept(listing: InstrumentListing, t_ns: int) -> bool:
    if listing.venue == "deribit" and listing.settle in DOLLARS:
        return listing.base in ("BTC", "ETH") and t_ns >= _DERIBIT_USD_NS
    return listing.quote not in ("USDC", "USDT") or listing.venue == "hyperliquid"
