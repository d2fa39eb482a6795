"""What trading a base unit costs before its size is known: the part of the cost a scan can see.  [S3.1, S3.3]"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.market.steps import Ticks
from engine.params import Params
from engine.records import BoolArray, ByteArray, CodeArray, FloatArray, IntArray, Kind, Panel
from engine.units import BPS, NEVER_NS


def depth_known(panel: Panel, at: Any = ...) -> BoolArray:
    """Return where both sides of the touch show a size: only then is impact computed.

    bool, ``[T, N]``, or of the shape of the cells ``at`` of it.
    """
    known: BoolArray = ~(np.isnan(panel.bid_size[at]) | np.isnan(panel.ask_size[at]))
    return known


def slippage_bps(params: Params) -> FloatArray:
    """Return the registered slippage of one side, bps of the leg's notional, ``[Kind]``."""
    return np.array([params.fallback_bps[k] for k in Kind], dtype=np.float64)


def slippage(params: Params, kind: ByteArray) -> FloatArray:
    """Return the registered slippage of one side by kind, as a share of the leg's notional, the shape of ``kind``."""
    share: FloatArray = slippage_bps(params)[kind] / BPS
    return share


@dataclass(frozen=True, slots=True, eq=False)
class Slippage:
    """The fallback slippage of one side of N columns: one tick of an option's price, else a share of it, ``[N]``."""

    share: FloatArray
    ticks: Ticks

    def per_unit(self, columns: slice | IntArray, price: FloatArray) -> FloatArray:
        """Return the slippage per base unit, price currency, at prices ``[n, T]`` of the ``columns``."""
        share: FloatArray = self.share[columns][:, None] * price
        if np.isnan(self.ticks.tick[0][columns]).all():
            return share
        which = np.arange(len(self.share))[columns][:, None]
        tick = self.ticks.at(price, which)
        return np.where(np.isnan(self.ticks.tick[0][which]), share, tick)


def fallback_bps(
    params: Params, kind: ByteArray, ticks: Ticks, column: CodeArray | IntArray, price: FloatArray
) -> FloatArray:
    """Return the fallback slippage of one side, bps of the leg's notional, of the shape of ``price``.  [S3.3, V4]

    One tick of the price's own step for an option in ``column`` whose ticks are registered, else the share of its kind;
    NaN where the price is.
    """
    tick: FloatArray = BPS * ticks.at(price, column) / price
    return np.where(np.isnan(ticks.tick[0][column]), slippage_bps(params)[kind], tick)


def one_side(panel: Panel, columns: slice | IntArray, slip: Slippage, mid: FloatArray, half: FloatArray) -> FloatArray:
    """Return half-spread where it is known plus slippage where depth is not, instruments first, ``[n, T]``.

    ``slip`` is that of all columns; ``mid`` and ``half``, the half-spread, are of the ``columns`` alone.
    """
    bid_size, ask_size = panel.bid_size.T[columns], panel.ask_size.T[columns]
    known = ~(np.isnan(bid_size) | np.isnan(ask_size) | np.isnan(half))
    side = np.where(known, 0.0, slip.per_unit(columns, mid))
    np.add(side, np.where(np.isnan(half), 0.0, half), out=side)
    return side


def held_to_expiry(panel: Panel, params: Params) -> tuple[IntArray, IntArray]:
    """Return the columns that may be held to their expiry within the block, and since when, int64, ``[n]`` each.

    Within the longest life of a rule that uses its kind, a leg may be settled instead of traded.  Times are UTC
    nanoseconds, before the first grid time where the leg may be held on the whole block.
    """
    expiry, kind = panel.instruments.expiry_ns[panel.code], panel.instruments.kind[panel.code]
    # Any rule may hold a dated future, only some hold options: a longer life of the others must not lower their charge.
    longest = np.zeros(len(Kind), dtype=np.int64)
    longest[Kind.FUTURE] = max((rule.life_ns for rule in params.rules.values()), default=0)
    longest[Kind.OPTION] = max((r.life_ns for r in params.rules.values() if r.option_legs), default=0)
    from_ns = np.where(expiry == NEVER_NS, NEVER_NS, expiry - longest[kind])
    near = np.flatnonzero(from_ns <= panel.times_ns[-1]) if len(panel.times_ns) else np.empty(0, dtype=np.int64)
    return near, from_ns[near]
