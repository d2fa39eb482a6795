"""Records of a power statement: its inputs, tables and curves.  [statistics 1.4]"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from backtest.records import Plan, Stats
from engine.units import NS_PER_DAY
from hypotheses.base import Streams
from hypotheses.statistics.bootstrap import Bits

Kind = Literal["exact", "simulated", "measured"]

STREAM = "calibrate/power"
"""All simulated cells draw from this one; each block of cells has replicates of its own."""

REPLICATES = 2_000
"""Windows behind a simulated share: standard error at most 1.1 points."""

FIRST: Mapping[str, int] = {"joint": 0, "retain": 10_000, "capacity": 20_000}
"""The first replicate of each block of cells."""


@dataclass(frozen=True, slots=True)
class PowerInputs:
    """The inputs of a statement: one window's geometry, the registered numbers, the expected counts by code."""

    plan: Plan
    stats: Stats
    active_days: Mapping[str, int]
    dislocations: Mapping[str, int]

    @property
    def days(self) -> int:
        """Days of a window."""
        return int((self.plan.t1_ns - self.plan.t0_ns) // NS_PER_DAY)

    @property
    def fold_days(self) -> int:
        return self.days // self.plan.folds


@dataclass(frozen=True, slots=True)
class PlanningTable:
    """Rows of text and numbers under a head; a number is a share unless ``unit`` says otherwise, None undefined."""

    name: str
    title: str
    kind: Kind
    head: tuple[str, ...]
    rows: tuple[tuple[str | float | None, ...], ...]
    notes: tuple[str, ...] = ()
    unit: Literal["share", "number"] = "share"


@dataclass(frozen=True, slots=True)
class Curve:
    """Lines over one axis; every line has as many points as ``x``, shares on the y axis unless ``top`` is above 1."""

    name: str
    title: str
    x_title: str
    x: tuple[float, ...]
    lines: Mapping[str, tuple[float, ...]]
    top: float = 1.0


@dataclass(frozen=True, slots=True)
class Statement:
    """The power statement of a plan: its name, whether the plan acknowledges it, its sentences, tables and curves."""

    study: str
    title: str
    name: str
    acknowledged: bool
    days: int
    folds: int
    windows: int
    sentences: tuple[str, ...]
    tables: tuple[PlanningTable, ...]
    curves: tuple[Curve, ...]


def replicates(streams: Streams, block: str) -> Bits:
    """Return the bit generators of one block of cells: its replicate r is ``FIRST[block] + r`` of the stream."""
    bits, first = streams(STREAM), FIRST[block]
    return lambda r: bits(first + r)
