"""By what the expiries of a window were settled, and what rests on those without a price.  [venues V2]"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

from backtest.pipeline.window import WindowRun
from engine.positions.base import Position, Trade
from engine.records import Instruments

NAME: Final = "deliveries.json"
SETTLED_BY: Final = ("venue", "mean", "gap", "first_index")
"""The venue's own price; the mean of its index; neither known; a plan from before averaging windows."""


def deliveries(run: WindowRun) -> dict[str, Any]:
    """Return ``expiries``, counts by `SETTLED_BY` of those that traded positions met, a row a venue, and ``gaps``.

    An expiry is one of a venue at one time, counted once (``met``).  ``gaps`` are trades that ended before an averaging
    window for want of a price: code, and the micro-USD of each day if the first index after had settled them.
    """
    traded = [trade for trade in run.trades if not trade.rejected]
    met = {_expiry(trade.position, run.instruments): settled_by(trade.position) for trade in traded}
    met.pop(None, None)
    venues = sorted({key[0] for key in met if key})
    return {
        "expiries": [
            {"at": venue, **_counts([by for key, by in met.items() if key and key[0] == venue])} for venue in venues
        ],
        "gaps": [_gap(trade) for trade in traded if trade.first_index],
    }


def settled_by(position: Position) -> str:
    """Return by what the expiry of ``position`` was settled, one of `SETTLED_BY`; empty if it met none."""
    if position.first_index is not None:
        return "gap"
    if not any(position.expired):
        return ""
    if "delivery_from_index_mean" in position.flags:
        return "mean"
    return "first_index" if any(flag.startswith("settlement_from") for flag in position.flags) else "venue"


def _expiry(position: Position, instruments: Instruments) -> tuple[str, int] | None:
    """Return the venue and the time of the expiry that ended ``position``; None if none did."""
    if not settled_by(position):
        return None
    first = min(position.entry, key=lambda leg: int(instruments.expiry_ns[leg.code]))
    return instruments.venue[first.code], int(instruments.expiry_ns[first.code])


def _counts(ways: Sequence[str]) -> dict[str, int]:
    counts = Counter(ways)
    return {"met": len(ways), **{way: counts[way] for way in SETTLED_BY}}


def _gap(trade: Trade) -> dict[str, Any]:
    signal = trade.position.signal
    days = [[day, micro] for day, micro in sorted(trade.first_index.items())]
    return {"signal_id": signal.signal_id, "constraint": signal.constraint, "first_index": days}
