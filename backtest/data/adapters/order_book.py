"""Keeps a book of price levels from a snapshot and its differences; only its touch is read."""

from __future__ import annotations

from collections.abc import Iterable


class OrderBook:
    """Two sides of price -> amount.  A price is the double of its text, so equal texts are one level."""

    def __init__(self) -> None:
        self._bids: dict[float, float] = {}
        self._asks: dict[float, float] = {}

    def replace(self, bids: Iterable[tuple[float, float]], asks: Iterable[tuple[float, float]]) -> None:
        """Forget the book and take these levels, each (price, amount)."""
        self._bids.clear()
        self._asks.clear()
        self.apply(bids, asks)

    def apply(self, bids: Iterable[tuple[float, float]], asks: Iterable[tuple[float, float]]) -> None:
        """Set these levels; an amount of zero removes one."""
        for side, changes in ((self._bids, bids), (self._asks, asks)):
            for price, amount in changes:
                if amount > 0:
                    side[price] = amount
                else:
                    side.pop(price, None)

    def touch(self) -> tuple[float, float, float, float]:
        """Return bid, ask, bid amount, ask amount; 0 for a side that is empty."""
        bid, ask = max(self._bids, default=0.0), min(self._asks, default=0.0)
        return bid, ask, self._bids.get(bid, 0.0), self._asks.get(ask, 0.0)
