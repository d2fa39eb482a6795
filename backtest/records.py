"""The nouns of a run: the registered plan, its folds, its daily returns.  Data only, so that reports may import them.

What the engine needs of a registration is `engine.params.Params`; what only the harness needs stands here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from engine.params import Params
from engine.records import IntArray

if TYPE_CHECKING:
    from backtest.data.adapters.base import SourceSpec

Mode = Literal["confirmatory", "exploratory"]


@dataclass(frozen=True, slots=True)
class Plan:
    """One test window and how it is cut; all times int64 nanoseconds UTC.  [statistics 2.1]

    ``t1_ns - t0_ns == folds * fold_ns``; ``history_ns <= t0_ns`` is where training labels may begin.
    """

    t0_ns: int
    t1_ns: int
    history_ns: int
    folds: int
    fold_ns: int
    gap_ns: int
    embargo_ns: int

    def start_ns(self, fold: int) -> int:
        """Return the first instant that fold ``fold`` tests."""
        return self.t0_ns + fold * self.fold_ns

    def cut_ns(self, fold: int) -> int:
        """Return ``start(F_j) - gap``, the first instant of which fold ``fold`` may know nothing.  [statistics 2.6]"""
        return self.start_ns(fold) - self.gap_ns


@dataclass(frozen=True, slots=True)
class Fold:
    """One test fold ``[start_ns, end_ns)``, with the row numbers of its labels, ascending.  [statistics 2.1]"""

    index: int
    start_ns: int
    end_ns: int
    train: IntArray
    test: IntArray


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
    n2_missing_share: Decimal  # of moved signals without a quote, above which N2 and N3 are not computable
    n3_step_ns: int
    n3_min_ns: int
    n3_max_ns: int
    bootstrap_draws: int
    bootstrap_discard_share: Decimal  # of draws with zero variance, above which the interval is undefined
    max_days_without_data: int
    floor_days: int
    floor_trades: int
    floor_blocks: int
    tied_relative: Decimal  # a margin below it is "numerically tied"  [statistics R11.6]
    resolution_revision: int  # the revision the analysis reads  [audit 4.3]
    refill_sensitivity_ns: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """One thing the registered page leaves open and we settled, with the reason."""

    item: str
    value: str
    reason: str


@dataclass(frozen=True, slots=True)
class DataSpec:
    """Where a run's market comes from: built from sources, generated, or a data set that already stands on disk."""

    kind: Literal["sources", "synthetic", "path"]
    name: str
    path: str  # of the canonical data set; "" unless kind is path
    sources: tuple[SourceSpec, ...]
    synthetic: Mapping[str, Any]  # the generator's own table; empty unless kind is synthetic
    grid_from: str  # the adapter whose snapshots are the grid; "" on a regular grid
    cannot_say: tuple[str, ...]  # what this data cannot support, in sentences for the report


@dataclass(frozen=True, slots=True)
class Registration:
    """The whole plan of a study, validated; `content` is the CJ1 document whose hash is the configuration's.  [S8.1]

    ``text`` is self-contained TOML (venue files appended): written to any folder it loads to the same content.
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
