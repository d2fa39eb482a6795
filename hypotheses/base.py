"""The inputs of the hypotheses: one window's series, signals and trades.  [house "A run directory"]

A member of the family gives its claim in its docstring and is a pure function from a `RunData`, the registered `Stats`
and the streams of chance to its record.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from engine.records import BoolArray, IntArray
from hypotheses.statistics.bootstrap import Bits

if TYPE_CHECKING:
    from backtest.pipeline.placements import Placements

Streams = Callable[[str], Bits]
"""The named streams of `seeds.lock`: a name gives the bit generator of each replicate."""


@dataclass(frozen=True, slots=True)
class Sleeve:
    """One series of a window: the portfolio or one constraint.  Arrays have shape (n,), integer micro-USD.

    ``profit`` is the trading profit of the day; ``x`` the profit after the capital charge.  ``capital_micro`` is
    the committed capital.  [statistics R1.2, R1.6]
    """

    code: str  # C1 .. C7, or "" for the portfolio
    x: IntArray
    profit: IntArray
    capital_micro: int


@dataclass(frozen=True, slots=True)
class RunData:
    """One test window, as the hypotheses read it.

    ``day`` is days since 1970-01-01, consecutive; ``block[d]`` the fold of day d.  ``signals`` and ``trades`` are the
    tables of the run directory, test folds only, legs included.  ``missing`` names, for a constraint that could not
    be evaluated at all, the lacking input.
    """

    day: IntArray
    has_data: BoolArray
    block: IntArray
    portfolio: Sleeve
    sleeves: tuple[Sleeve, ...]
    signals: pd.DataFrame
    trades: pd.DataFrame
    missing: Mapping[str, str]
    placements: Placements | None = None  # None: the signals were not moved, N2 and N3 have nothing to read
    trials: tuple[float, ...] | None = None  # annual Sharpe ratios of the other configurations evaluated on it

    @property
    def n(self) -> int:
        return len(self.day)
