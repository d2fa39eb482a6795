"""What every covenant file uses: the shape of a member, the states, and the records of a step.  [covenants 11]"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Literal

BandReading = Literal["literal", "scaled", "principled"]
"""The printed formula; the same with its unit error repaired; what a risk engineer builds from the same inputs."""


@dataclass(frozen=True)
class Covenant:
    """One mechanism of the framework: its code, its name, the rule in one line, and the section of the law."""

    code: str
    name: str
    rule: str
    section: str


class Mode(IntEnum):
    """State of the machine; the order is that of `covenants 11` and is stored as an integer."""

    WARMUP = 0
    LIVE = 1
    BREACH = 2
    MANUAL = 3
    FREEZE = 4
    REDUCE_ONLY = 5


@dataclass(frozen=True)
class Leg:
    """One isolated position: signed size (base units), average entry (USD), posted margin (USD), maintenance rate."""

    size: float
    entry_usd: float
    margin_usd: float
    maintenance: float

    def equity_usd(self, price_usd: float) -> float:
        """Return posted margin plus unrealised profit at ``price_usd``."""
        return self.margin_usd + self.size * (price_usd - self.entry_usd)


@dataclass(frozen=True)
class CovenantEvent:
    """One entry of the log that a contract would have to enforce: time, kind, reason, its numbers, its evidence.

    ``evidence`` is the SHA-256 of the tick's inputs, ``version`` names the parameter set in force.  [covenants 11]
    """

    t_ns: int
    kind: str
    reason: str
    values: tuple[tuple[str, float], ...] = ()
    evidence: str = ""
    version: str = ""


@dataclass(frozen=True)
class Book:
    """Displayed levels on the side that closes a leg, best first: (price USD, size in base units)."""

    levels: tuple[tuple[float, float], ...]
