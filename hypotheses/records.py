"""Frozen records of the three verdicts, which reports read.  [spec README "Three answers"]

Exact values are decimals, shares are two integers, diagnostics are floats.  An undefined value is None, and ``reasons``
gives the reason by field.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Final

from backtest.records import Statistic


class Answer(StrEnum):
    """The three answers: refuted needs an interval that excludes the claim; otherwise the answer is "cannot tell"."""

    SUPPORTED = "supported"
    REFUTED = "refuted"
    CANNOT_TELL = "cannot tell"


class Status(StrEnum):
    """The status of one constraint.  [statistics 8.3]"""

    RETAIN = "retained"
    DROP = "dropped"
    INSUFFICIENT = "not enough data"


@dataclass(frozen=True, slots=True)
class Proportion:
    """A p-value or a share as a count out of a count, never reduced.  [audit 10.2]"""

    count: int
    of: int

    @property
    def value(self) -> Decimal:
        return Decimal(self.count) / Decimal(self.of)

    def under(self, level: Decimal) -> bool:
        """Whether the share is strictly under ``level``, in integers."""
        # Strictly, and without a division: p = 0.05 is not under 0.05.
        return self.count < level * self.of


@dataclass(frozen=True, slots=True)
class Interval:
    """A two-sided interval."""

    low: Decimal
    high: Decimal


@dataclass(frozen=True, slots=True)
class PowerRow:
    """One row of the power table.  ``kind``: exact, simulated, or study (published).  [statistics 1.4]"""

    name: str
    kind: str
    power: tuple[float, ...]  # one a true annual Sharpe ratio, shares


@dataclass(frozen=True, slots=True)
class PowerTable:
    """The power of a window of ``n_days`` at the true annual Sharpe ratios ``sharpe``; printed beside verdicts."""

    n_days: int
    blocks: int
    sharpe: tuple[float, ...]
    rows: tuple[PowerRow, ...]
    detectable_80: float | None  # true annual Sharpe ratio which the t-test detects with 80% power
    days_for_80: tuple[float, ...]  # days the t-test needs for 80% power, one a Sharpe ratio
    smallest_p: float  # the least p-value N1 can give with so many blocks
    notes: tuple[str, ...]


STATISTIC_TEXT: Final[dict[Statistic, str]] = {
    "sharpe": "the Sharpe ratio",
    "mean": "the mean of a day",
    "larger": "the larger of both p-values",
}
"""The statistics that a plan can register for N2, in words."""


@dataclass(frozen=True, slots=True)
class PermutationNull:
    """N2 or N3: the profit of the signals at their own times against that of the same signals at others.  [3.3]

    ``p`` is that of the registered ``statistic``: `sharpe`, the ratio; `mean`, the mean of a day; `larger`, the larger
    of both p-values, which stand beside it.  It is None where it could not be computed, and ``reason`` says why.
    ``sharpe`` is the ratio, priced as the placebo entries are; ``missing`` the share of placebo entries without a
    quote; ``ordered_sharpe`` order statistics of the null, ascending, for the figure; ``limits_text`` what the null can
    show and what it cannot.
    """

    name: str
    statistic: Statistic
    p: Proportion | None
    p_ratio: Proportion | None
    p_mean: Proportion | None
    sharpe: Decimal | None
    draws: int
    exceedances: int
    extended: bool
    missing: Proportion
    ordered_sharpe: tuple[float, ...]
    limits_text: str  # ``says`` in verdicts.json
    reason: str


@dataclass(frozen=True, slots=True)
class Stressed:
    """H1 after one joint loss L: one event against everything that stood open at once.  [spec README "Joint losses"]

    The loss is booked on the day after the last active day; for ``p_n1`` in each block in turn, the largest p stands.
    ``mean_day_usd`` is the window's net result by day with an open position, ``least_mean_day_usd`` 3 L by such a day;
    the interval decides nothing.
    """

    loss_usd: Decimal
    sharpe: Decimal | None
    ci: Interval | None
    p_n1: Proportion
    mean_day_usd: Decimal
    least_mean_day_usd: Decimal
    reasons: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class H1:
    """Net annualised Sharpe ratio above the claim, and not by chance.  [statistics 3]"""

    answer: Answer
    registered: bool
    statement: str
    provisional: bool
    tied: bool
    grade: str | None
    failed_conditions: tuple[str, ...]
    stressed: Stressed | None  # after one joint loss
    active_days: int | None  # days with an open position
    loss_days: int | None  # days with a loss of at least half the joint loss
    rule_of_three: Decimal | None  # 3 / active days: a bound on such a day's probability where none was seen
    sharpe: Decimal | None
    ci: Interval | None
    ci_equal_tailed: Interval | None
    lower_95: Decimal | None
    above_claim_at_95: bool  # the lower bound itself exceeds the claim: the strong statement of 3.5
    p_n1: Proportion | None
    n1_rejects: bool  # p(N1) is under alpha
    p_n2: Proportion | None
    p_n2_ratio: Proportion | None  # by the Sharpe ratio, whichever statistic is registered
    p_n2_mean: Proportion | None  # by the mean of a day
    p_n3: Proportion | None
    n2_rejects: bool  # p(N2) is under alpha
    n2: PermutationNull | None
    n3: PermutationNull | None
    signal_alpha: bool  # N2 and N3 pass: the words "signal alpha" are allowed
    p_boot: Proportion | None
    psr: float | None
    psr_at_benchmark: float | None  # the newer convention: variance at the benchmark, divisor n
    days_needed: float | None  # at this ratio and shape, for the PSR against the claim to reach the level
    dsr: float | None
    trials: int | None  # configurations ever evaluated on this window
    block_length: Decimal | None
    draws: int
    discarded: int
    n_days: int
    days_without_data: int
    block_profit_micro: tuple[int, ...]
    null_ordered_micro: tuple[int, ...]  # the enumerated sums of N1, ascending, for the figure
    power: PowerTable
    reasons: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class UpwardReading:
    """H2 with a refill of an hour, every book at its deepest touch and a capture of 1; USD a day."""

    mean: Decimal  # joint optimum
    naive: Decimal  # depth counted repeatedly


@dataclass(frozen=True, slots=True)
class H2:
    """Modelled net EV a day below the claim.  Amounts in USD; daily amounts in micro-USD.  [statistics 7]"""

    answer: Answer
    registered: bool
    statement: str
    tied: bool
    mean_usd_per_day: Decimal
    lower_95: Decimal | None
    upper_95: Decimal | None
    naive: Decimal
    greedy: Decimal
    upper: UpwardReading | None
    zero_days: int
    n_days: int
    signals: int
    signals_fixed_cost: int
    realised_over_modelled: Decimal | None
    block_length: Decimal | None
    draws: int
    discarded: int
    kkt_residual: Decimal  # the worst violation of an optimality condition, in scaled variables
    daily_micro: tuple[int, ...]
    daily_naive_micro: tuple[int, ...]
    daily_greedy_micro: tuple[int, ...]
    sensitivity: Mapping[int, Decimal]  # refill window in ns -> mean USD a day
    reasons: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ConstraintRow:
    """One constraint of H3.  [statistics 8.3]"""

    code: str
    status: Status
    sharpe: Decimal | None
    ci: Interval | None
    ci_equal_tailed: Interval | None
    block_length: Decimal | None
    active_days: int
    trades: int
    dislocations: int  # what the floor of trades counts
    untradable: int | None  # packages over the threshold that no whole lots fit; None where they were not counted
    active_blocks: int
    p: Proportion | None
    p_holm: Decimal | None
    p_stepm: Proportion | None
    tail_fragile: bool | None
    stress_usd: Decimal  # the registered loss on the most that stood open at once on one key
    stressed_ci: Interval | None  # after that loss
    loss_days: int  # days with a loss of at least half of it
    loss_bound: Decimal | None  # rule of three: 3 / days with an open position where no such loss was seen
    draws: int
    discarded: int
    reasons: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class H3:
    """Each constraint has a positive Sharpe ratio whose 95% interval excludes zero.  [statistics 8]"""

    answer: Answer
    registered: bool
    statement: str
    retained: tuple[str, ...]
    constraints: tuple[ConstraintRow, ...]
    reasons: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One diagnostic of the return series: float tier, decides nothing.  ``value`` None: ``note`` says why."""

    series: str
    name: str
    value: float | None
    p: float | None
    note: str


@dataclass(frozen=True, slots=True)
class Verdicts:
    """The three answers of one window, and the diagnostics beside them."""

    h1: H1
    h2: H2
    h3: H3
    diagnostics: tuple[Diagnostic, ...]
