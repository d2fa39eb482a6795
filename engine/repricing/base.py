"""The nouns of moving signals: what is moved, where it fell, and what it earned there.  [statistics 3.3]"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from engine.params import Params
from engine.positions.base import Signal
from engine.records import LEGS, BoolArray, ByteArray, CodeArray, FloatArray, IntArray

UNDATED = -1
"""The rank of a leg that does not expire: it is moved as it is."""


@dataclass(frozen=True, slots=True)
class SourceSignals:
    """The signals of one underlying in columns, in the order given; legs padded with code -1 and quantity 0.

    ``rank[s, l]`` is the place of the leg's expiry among the expiries listed when the signal was decided, `UNDATED` for
    a leg without one; ``need`` which kinds must be listed at an expiry for it to count
    (`engine.repricing.contract_mapping`); ``ratio`` is strike over forward, NaN for what is no option.
    """

    signals: tuple[Signal, ...]
    t_ns: IntArray  # [S]
    life_ns: IntArray
    size_usd: FloatArray
    gross_bps: FloatArray
    net_bps: FloatArray
    code: CodeArray  # [S, LEGS]
    quantity: FloatArray
    rank: IntArray
    need: ByteArray
    ratio: FloatArray

    def __len__(self) -> int:
        return len(self.signals)


@dataclass(frozen=True, slots=True)
class PlaceboEntries:
    """Moves in order of time: the number each was asked for by, its signal, its decision, and how long to its fill."""

    move: IntArray  # [M]
    signal: IntArray
    t_ns: IntArray
    latency_ns: IntArray

    def __len__(self) -> int:
        return len(self.move)

    def rows(self, which: slice | BoolArray) -> PlaceboEntries:
        return PlaceboEntries(self.move[which], self.signal[which], self.t_ns[which], self.latency_ns[which])


@dataclass(frozen=True, slots=True)
class PlaceboEarnings:
    """What placements earned, by day: entry ``row`` of the moves asked for, the UTC day, integer micro-USD.

    ``missing`` lists the moves that earn nothing because a leg was not listed or not quoted there.
    """

    row: IntArray
    day: IntArray
    usd_micro: IntArray
    missing: IntArray


def source_signals(signals: Sequence[Signal], params: Params) -> SourceSignals:
    """Return ``signals`` in columns, not yet anchored: every leg undated."""
    shape = (len(signals), LEGS)
    code, quantity = np.full(shape, -1, dtype=np.int32), np.zeros(shape)
    for row, signal in enumerate(signals):
        for at, leg in enumerate(signal.legs):
            code[row, at], quantity[row, at] = leg.code, leg.quantity

    def column(values: list[float]) -> FloatArray:
        return np.array(values, dtype=np.float64)

    return SourceSignals(
        signals=tuple(signals),
        t_ns=np.array([signal.t_ns for signal in signals], dtype=np.int64),
        life_ns=np.array([params.rules[signal.constraint].life_ns for signal in signals], dtype=np.int64),
        size_usd=column([signal.size_usd for signal in signals]),
        gross_bps=column([signal.gross_bps for signal in signals]),
        net_bps=column([signal.net_bps for signal in signals]),
        code=code,
        quantity=quantity,
        rank=np.full(shape, UNDATED, dtype=np.int64),
        need=np.zeros(shape, dtype=np.uint8),
        ratio=np.full(shape, np.nan),
    )
