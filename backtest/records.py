"""The records of a run: the registered plan, its folds, the registered numbers.  Data only: reports may import them.

What the engine needs of a registration is `engine.params.Params`; this module has what only the harness needs.  A
record whose values contradict each other is refused where it is made, with ``DataError`` (4) and the field's name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from numbers import Integral
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

import numpy as np

from engine.covenants.parameters import Parameters
from engine.errors import DataError
from engine.params import Params
from engine.records import IntArray

if TYPE_CHECKING:
    from backtest.data.adapters.base import SourceSpec

Mode = Literal["confirmatory", "exploratory"]
_HASH_DIGITS: Final = 64


@dataclass(frozen=True, slots=True)
class Plan:
    """One test window ``[t0_ns, t1_ns)`` and how it is cut; all times in nanoseconds UTC.  [statistics 2.1]

    Parameters
    ----------
    t0_ns, t1_ns : int
        Start and end of the window; ``t1_ns - t0_ns == folds * fold_ns``.
    history_ns : int
        Where training labels may begin; at most ``t0_ns``.
    folds, fold_ns : int
        Number and length of the test folds; at least 1.
    gap_ns, embargo_ns : int
        Time that no label may touch before and after a test fold; at least 0.

    Raises
    ------
    DataError
        If a field breaks one of these conditions.

    Examples
    --------
    >>> plan = Plan(t0_ns=0, t1_ns=20, history_ns=-10, folds=2, fold_ns=10, gap_ns=1, embargo_ns=0)
    >>> plan.start_ns(1), plan.cut_ns(1)
    (10, 9)
    """

    t0_ns: int
    t1_ns: int
    history_ns: int
    folds: int
    fold_ns: int
    gap_ns: int
    embargo_ns: int

    def __post_init__(self) -> None:
        for name in self.__slots__:
            value = getattr(self, name)
            # True is an integer to Python.
            whole = isinstance(value, Integral) and not isinstance(value, bool)
            require(whole, f"Plan.{name}", "an integer, nanoseconds or a count", value)
        for name in ("folds", "fold_ns"):
            require(getattr(self, name) >= 1, f"Plan.{name}", "at least 1", getattr(self, name))
        for name in ("gap_ns", "embargo_ns"):
            require(getattr(self, name) >= 0, f"Plan.{name}", "at least 0", getattr(self, name))
        end_ns = self.t0_ns + self.folds * self.fold_ns
        require(self.t1_ns == end_ns, "Plan.t1_ns", f"t0_ns + folds * fold_ns = {end_ns}", self.t1_ns)
        require(self.history_ns <= self.t0_ns, "Plan.history_ns", f"at most t0_ns = {self.t0_ns}", self.history_ns)

    def start_ns(self, fold: int) -> int:
        """Return the first nanosecond that fold ``fold``, counted from 0, tests."""
        return self.t0_ns + fold * self.fold_ns

    def cut_ns(self, fold: int) -> int:
        """Return ``start_ns(fold) - gap_ns``: training may use only what was known before it.  [statistics 2.6]"""
        return self.start_ns(fold) - self.gap_ns


@dataclass(frozen=True, slots=True)
class Fold:
    """One test fold ``[start_ns, end_ns)``, with the row numbers of its labels.  [statistics 2.1]

    ``index`` counts from 0.  ``train`` and ``test`` are int64 row numbers of shape (n,), strictly ascending; either may
    be empty.  Raises ``DataError`` if a field is out of range, order, shape or dtype.
    """

    index: int
    start_ns: int
    end_ns: int
    train: IntArray
    test: IntArray

    def __post_init__(self) -> None:
        require(self.index >= 0, "Fold.index", "at least 0", self.index)
        require(self.start_ns < self.end_ns, "Fold.end_ns", f"after start_ns = {self.start_ns}", self.end_ns)
        for name in ("train", "test"):
            rows = getattr(self, name)
            require(rows.dtype == np.int64 and rows.ndim == 1, f"Fold.{name}", "int64 of shape (n,)", _form(rows))
            # Ascending, so the first row alone would show a negative one.
            ascending = not len(rows) or (rows[0] >= 0 and bool((rows[1:] > rows[:-1]).all()))
            require(ascending, f"Fold.{name}", "row numbers from 0 on, strictly ascending", rows)


SHARES: Final = ("n2_missing_share", "bootstrap_discard_share")
"""Fields of `Stats` that may be 0 or 1."""


Statistic = Literal["sharpe", "mean", "larger"]
"""The statistic of a permutation null: the Sharpe ratio, the mean of a day, or the larger of their p-values."""


@dataclass(frozen=True, slots=True)
class Stats:
    """The registered numbers of the three verdicts.  Shares and levels are exact decimals.  [statistics 3, 6, 7, 8]"""

    sharpe_claim: Decimal  # H1: net annualised Sharpe ratio must exceed it
    ev_claim_usd: int  # H2: mean modelled EV a day must stay below it
    alpha: Decimal  # level of the permutation nulls
    level: Decimal  # of the two-sided intervals; H2's bound is one-sided at the same level
    n2_draws: int
    n2_extended: int  # draws in all where the exceedance interval still contains alpha
    n2_extend_level: Decimal  # of the Clopper-Pearson interval that decides it
    n2_statistic: Statistic
    n2_missing_share: Decimal  # of placebo entries without a quote, above which N2 and N3 are not computable
    n3_step_ns: int
    n3_min_ns: int
    n3_max_ns: int
    bootstrap_draws: int
    bootstrap_discard_share: Decimal  # of draws with zero variance, above which the interval is undefined
    max_days_without_data: int
    floor_days: int
    floor_trades: int  # dislocations
    floor_blocks: int
    tied_relative: Decimal  # a margin below it is "numerically tied"  [statistics R11.6]
    resolution_revision: int  # the revision the analysis reads  [audit 4.3]
    refill_sensitivity_ns: tuple[int, ...]

    def __post_init__(self) -> None:
        for name in ("sharpe_claim", "alpha", "level", "n2_extend_level", *SHARES, "tied_relative"):
            value = getattr(self, name)
            require(isinstance(value, Decimal) and value.is_finite(), f"Stats.{name}", "a finite decimal", value)
        for name in ("alpha", "level", "n2_extend_level"):
            level = getattr(self, name)
            require(0 < level < 1, f"Stats.{name}", "a level between 0 and 1, 0.95 for 95%", level)
        for name in SHARES:
            share = getattr(self, name)
            require(0 <= share <= 1, f"Stats.{name}", "a share from 0 to 1", share)
        for name in ("n2_draws", "bootstrap_draws"):
            draws = getattr(self, name)
            require(isinstance(draws, Integral) and int(draws) >= 1, f"Stats.{name}", "an integer, at least 1", draws)
        known = get_args(Statistic)
        require(self.n2_statistic in known, "Stats.n2_statistic", f"one of {', '.join(known)}", self.n2_statistic)
        require(self.n2_extended >= self.n2_draws, "Stats.n2_extended", f"at least {self.n2_draws}", self.n2_extended)
        require(self.n3_min_ns <= self.n3_max_ns, "Stats.n3_max_ns", f"at least {self.n3_min_ns}", self.n3_max_ns)
        require(self.n3_step_ns > 0, "Stats.n3_step_ns", "more than 0", self.n3_step_ns)


@dataclass(frozen=True, slots=True)
class Choice:
    """One choice that the registered page leaves open, with the value taken and the reason."""

    item: str
    value: str
    reason: str


@dataclass(frozen=True, slots=True)
class DataSpec:
    """Where a run's market comes from: built from source files, generated, or a data set that is on the disk."""

    kind: Literal["sources", "synthetic", "path"]
    name: str
    path: str  # of the canonical data set; "" unless kind is path
    sources: tuple[SourceSpec, ...]
    synthetic: Mapping[str, Any]  # the generator's own table; empty unless kind is synthetic
    grid_from: str  # the adapter whose snapshots are the grid; "" on a regular grid
    cannot_say: tuple[str, ...]  # what this data cannot support, in sentences for the report
    known_missing: Mapping[str, str] = field(default_factory=dict)  # instrument that no file holds -> the reason


@dataclass(frozen=True, slots=True)
class BookCovenants:
    """Covenants over a plan's book: the pair of perps, its machine, and the state at whose entry positions close."""

    a: str
    b: str
    parameters: Parameters
    closes_on: Literal["breach", "manual"]


@dataclass(frozen=True, slots=True)
class Registration:
    """The whole plan of a study, validated.  [S8.1]

    ``content`` is the CJ1 document of which ``config_hash`` is the tagged SHA-256 in hex; ``judging_hash`` is that of
    the tables that judge, which ids hold.  ``text`` is self-contained
    TOML (venue files appended): written to any folder it loads to the same content.  ``plan`` is the first of
    ``windows``.  Where ``dated`` is False their times count from the start of the recording, which is 0.  Raises
    ``DataError`` if plan, windows or hash contradict this.
    """

    path: Path
    text: str
    study: str
    title: str
    synthetic: bool
    mode_allowed: Mode
    params: Params
    plan: Plan  # the first window
    windows: tuple[Plan, ...]  # one, or the consecutive windows of a long study
    stats: Stats
    data: DataSpec
    choices: tuple[Choice, ...]
    families: tuple[str, ...]
    amendments: tuple[str, ...]  # names of the amendments applied, in order
    content: Mapping[str, Any]
    config_hash: str
    judging_hash: str
    dated: bool = True  # whether the windows have dates; False until the record sets them  [live L0.1]
    covenants: BookCovenants | None = None  # None too once their orders are in ``params``  [S4.5]

    def __post_init__(self) -> None:
        require(bool(self.study), "Registration.study", "a name", self.study)
        require(self.windows[:1] == (self.plan,), "Registration.plan", "the first of windows", self.plan)
        for name, value in (("config_hash", self.config_hash), ("judging_hash", self.judging_hash)):
            digits = len(value) == _HASH_DIGITS and set(value) <= set("0123456789abcdef")
            require(digits, f"Registration.{name}", f"{_HASH_DIGITS} digits of hex", value)
        require(
            self.mode_allowed in get_args(Mode), "Registration.mode_allowed", str(get_args(Mode)), self.mode_allowed
        )


def require(holds: bool, field: str, expected: str, value: object) -> None:
    """Raise ``DataError`` (4) naming ``field``, what was ``expected`` and its ``value``, unless ``holds``."""
    if not holds:
        raise DataError(f"{field}: expected {expected}, was {value!s:.200}")


def _form(array: IntArray) -> str:
    return f"{array.dtype} of shape {array.shape}"
