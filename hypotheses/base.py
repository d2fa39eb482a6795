"""The inputs of the hypotheses: one window's series, signals and trades.  [house "A run directory"]

A member of the family gives its claim in its docstring and is a pure function from a `RunData`, the registered `Stats`
and the streams of chance to its record.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from engine.exact.sums import returns
from engine.records import BoolArray, IntArray
from hypotheses.statistics.bootstrap import Bits

if TYPE_CHECKING:
    from backtest.pipeline.placements import Placements

Streams = Callable[[str], Bits]
"""The named streams of `seeds.lock`: a name gives the bit generator of each replicate."""

TableRow = Mapping[str, Any]
"""One signal or trade by column."""


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
    untradable: Mapping[str, int] = field(default_factory=dict)  # by code: over the threshold, in no whole lots
    touch: Mapping[str, float] | None = None  # the deepest touch of each book that a signal hits, USD; None: not read
    placements: Placements | None = None  # None: the signals were not moved, N2 and N3 have nothing to read
    trials: tuple[float, ...] | None = None  # annual Sharpe ratios of the other configurations evaluated on it

    @property
    def n(self) -> int:
        return len(self.day)


def daily_returns(sleeve: Sleeve, keep: IntArray | None = None) -> IntArray:
    """Return the daily returns of a sleeve on its committed capital, or of its days ``keep`` only.

    Parameters
    ----------
    sleeve : Sleeve
        A series of a window, micro-USD, shape (n,).
    keep : IntArray, shape (k,), optional
        Numbers of the days to keep.

    Returns
    -------
    IntArray, shape (n,)
        Units of 1e-9; all zero, hence without a Sharpe ratio, where every day has the same trading profit: what varies
        then is only the rounding of the capital charge, which is no risk.  [docs/decisions/0081]

    Examples
    --------
    >>> flat = np.zeros(3, dtype=np.int64)
    >>> daily_returns(Sleeve("C1", flat - np.array([137, 136, 137]), flat, 10**6)).tolist()
    [0, 0, 0]
    >>> daily_returns(Sleeve("C1", np.array([5, -2]), np.array([6, -1]), 10**6)).tolist()
    [5000, -2000]
    """
    rows = np.arange(len(sleeve.x)) if keep is None else keep
    series = returns(sleeve.x[rows], Fraction(sleeve.capital_micro))
    # A sleeve that earns the same every day varies by its rounded charge alone: it has no ratio.  [R1.9]
    return np.zeros_like(series) if len(set(sleeve.profit[rows].tolist())) <= 1 else series


def rows_of(table: pd.DataFrame) -> list[TableRow]:
    """Return the signals or trades as records by column."""
    return [{str(key): value for key, value in row.items()} for row in table.to_dict("records")]
