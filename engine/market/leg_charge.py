"""What trading a base unit costs before its size is known: the part of the cost a scan can see.  [S3.1, S3.3]"""

from __future__ import annotations

from typing import Any

import numpy as np

from engine.params import Params
from engine.records import BoolArray, ByteArray, FloatArray, IntArray, Kind, Panel
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


def one_side(
    panel: Panel, columns: slice | IntArray, slip: FloatArray, mid: FloatArray, half: FloatArray
) -> FloatArray:
    """Return half-spread where it is known plus slippage where depth is not, instruments first, ``[n, T]``.

    ``slip`` is ``[n]``; ``mid`` and ``half``, the half-spread, are of the ``columns`` too.
    """
    bid_size, ask_size = panel.bid_size.T[columns], panel.ask_size.T[columns]
    known = ~(np.isnan(bid_size) | np.isnan(ask_size) | np.isnan(half))
    side = np.where(known, 0.0, slip[:, None] * mid)
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
