"""The records of placebo entries: source signals, the times of their entries, and their earnings.  [statistics 3.3]"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

from engine.params import Params
from engine.positions.base import Signal
from engine.records import LEGS, BoolArray, ByteArray, CodeArray, FloatArray, IntArray

UNDATED = -1
"""The rank of a leg that does not expire: it keeps its instrument."""


@dataclass(frozen=True, slots=True)
class SourceSignals:
    """The signals of one underlying in columns, in the order given; legs are padded with code -1 and quantity 0."""

    signals: tuple[Signal, ...]
    t_ns: IntArray  # [S] decision time
    life_ns: IntArray  # [S] longest life of the signal's constraint
    size_usd: FloatArray  # [S]
    gross_bps: FloatArray  # [S]
    net_bps: FloatArray  # [S]
    code: CodeArray  # [S, LEGS]
    quantity: FloatArray  # [S, LEGS]
    rank: IntArray  # [S, LEGS] place of the leg's expiry among those listed at the decision, `UNDATED` without one
    need: ByteArray  # [S, LEGS] kinds that must be listed at an expiry for it to count (`contract_mapping`)
    ratio: FloatArray  # [S, LEGS] strike over forward, NaN unless an option

    def __len__(self) -> int:
        return len(self.signals)


@dataclass(frozen=True, slots=True)
class ContractRanks:
    """Where the dated legs of signals stood in the chains of their decision, as in `SourceSignals`."""

    rank: IntArray  # [S, LEGS]
    need: ByteArray  # [S, LEGS]
    ratio: FloatArray  # [S, LEGS]


@dataclass(frozen=True, slots=True)
class PlaceboEntries:
    """The entries of source signals at other times, in order of time."""

    request: IntArray  # [M] number of the entry in the order of the request
    signal: IntArray  # [M] row of the source signal
    t_ns: IntArray  # [M] time from which it is decided at the first grid time
    latency_ns: IntArray  # [M] least time from the decision to the fill
    exit_latency_ns: IntArray  # [M] least time from the trigger of the exit to its fill

    def __len__(self) -> int:
        return len(self.request)

    def rows(self, which: slice | BoolArray) -> PlaceboEntries:
        """Return the entries ``which``, a slice or flags ``[M]``."""
        return PlaceboEntries(*(getattr(self, field.name)[which] for field in fields(self)))


@dataclass(frozen=True, slots=True)
class PlaceboEarnings:
    """The earnings of placebo entries by UTC day, ``[N]``, and the entries that could not be priced.

    A filled entry whose money of a day is 0 has no row for that day.
    """

    row: IntArray  # [N] number of the entry in the order of the request
    day: IntArray  # [N] days since 1970-01-01
    usd_micro: IntArray  # [N]
    missing: IntArray  # [K] entries with a leg that is not listed or not quoted at their decision; they earn 0


def source_signals(signals: Sequence[Signal], params: Params) -> SourceSignals:
    """Return ``signals`` in columns, every leg `UNDATED` until `contract_mapping.with_ranks` sets its rank."""
    shape = (len(signals), LEGS)
    code, quantity = np.full(shape, -1, dtype=np.int32), np.zeros(shape)
    for row, signal in enumerate(signals):
        for number, leg in enumerate(signal.legs):
            code[row, number], quantity[row, number] = leg.code, leg.quantity

    def column(values: list[float]) -> FloatArray:
        return np.array(values, dtype=np.float64)

    return SourceSignals(
        signals=tuple(signals),
        # The dtype is named because an empty list would make float64.
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
