"""Decides which of a venue's index prices are in USD, the one currency of an index in a data set.  [S1.1]"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

import numpy as np

from backtest.data.adapters.instruments import InstrumentListing
from engine.records import FloatArray, IntArray
from engine.units import NS_PER_SECOND

_DERIBIT_USD_NS: Final = int(datetime(2025, 7, 15, tzinfo=UTC).timestamp()) * NS_PER_SECOND


def index_in_usd(index: FloatArray, listings: Sequence[InstrumentListing], t_ns: IntArray) -> FloatArray:
    """Return a venue's index, shape (n,), with NaN where it is in another dollar than USD.

    ``listings`` and ``t_ns`` have n entries.  The index of a contract priced in USDC or USDT is in that currency (a
    conversion of 1 is never assumed), but for Deribit's of BTC and ETH, which since 2025-07-15 are the USD ones.  [V1]

    Examples
    --------
    >>> from backtest.data.adapters.instruments import deribit
    >>> from engine.records import Feed
    >>> listings = [deribit("BTC-PERPETUAL", Feed.BOOK), deribit("SOL_USDC-PERPETUAL", Feed.BOOK)]
    >>> index_in_usd(np.array([60_000.0, 150.0]), listings, np.array([0, 0])).tolist()
    [60000.0, nan]
    """
    in_usd = [
        each.quote not in ("USDC", "USDT")
        or (each.venue == "deribit" and each.base in ("BTC", "ETH") and t >= _DERIBIT_USD_NS)
        for each, t in zip(listings, t_ns.tolist(), strict=True)
    ]
    return np.where(in_usd, index, np.nan)
