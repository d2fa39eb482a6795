"""The grammar of a registration: every table and key there is, none with a default.  [S8.1]

The field comments say what a number means; the comments in the TOML files say why it has its value.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, create_model

from backtest.registration.fields import (
    Count,
    Dollars,
    Draws,
    Name,
    NotNegative,
    OpenShare,
    PathName,
    Positive,
    Quantity,
    Share,
    Text,
    Time,
    WindowTime,
)
from backtest.registration.market import BookCovenantsTable, Fx, Underlying, Venue
from backtest.toml_tables import Table
from engine.constraints.codes import CODES


class WindowSpec(Table):
    """One test window and where the history before it begins: dates, or days from the start of the recording."""

    history_start: WindowTime
    start: WindowTime
    end: WindowTime


class SplitSpec(Table):
    """How each window is cut.  [statistics 2.1]"""

    folds: Count
    fold_d: Positive
    gap_h: NotNegative
    embargo_h: NotNegative
    windows: list[WindowSpec]


class KindTable(Table):
    """One quantity a kind of instrument."""

    spot: NotNegative
    perp: NotNegative
    future: NotNegative
    option: NotNegative


class Grid(Table):
    """Time on the grid, and what a quote must be to be used.  [S1.3-S1.5]"""

    step_s: NotNegative  # 0: the data set's own snapshot times
    latency_ms: NotNegative  # from decision to the earliest entry, and from the trigger of an exit to its fill
    persistence: Count  # consecutive grid times
    max_age_s: KindTable
    max_skew_s: NotNegative
    mark_max_age_s: NotNegative
    quarantine_mid_share: Share
    quarantine_gross_bps: Positive
    max_lag_s: NotNegative | None = None  # from event to receipt of a recorded quote; none: 2  [live L0.4]
    refreshed: list[Name] | None = None  # venues whose quotes are as fresh as their connection shows; none: no venue


class Rule(Table):
    """Threshold, history and life of one constraint.  [S2.0]"""

    enabled: bool
    threshold_bps: NotNegative
    lookback_d: NotNegative
    life_h: Positive
    stress_loss_bps: NotNegative


def _by_constraint(name: str, value: Any, doc: str) -> type[Table]:
    """Return a table with exactly one key a constraint of the registry, its code in lower case."""
    keys: dict[str, Any] = {code.lower(): (value, ...) for code in CODES}
    return create_model(name, __base__=Table, __module__=__name__, __doc__=doc, **keys)


if TYPE_CHECKING:  # which keys they have is known when the registry is read, so the checker sees tables
    Rules = Table
    Counts = Table
    Sleeves = Table
else:
    Rules = _by_constraint("Rules", Rule, "A rule a constraint; one that is not evaluated is marked as not enabled.")
    Counts = _by_constraint("Counts", Count, "A whole number a constraint.")
    Sleeves = _by_constraint("Sleeves", Count, "Shares of the committed capital, as whole parts.")


class Margin(Table):
    """Share of notional a leg ties up."""

    spot: Share
    perp: Share
    future: Share
    short_option: Share


class Costs(Table):
    """Costs that are not a venue's fee.  [S3]"""

    fallback_bps: KindTable
    borrow_rate_annual: dict[str, NotNegative]  # by currency, lower case; what the capital is held in needs none
    capital_rate_annual: NotNegative
    data_gap_haircut_bps: NotNegative
    refill_window_h: Positive
    refill_sensitivity_h: list[Positive]


class Capital(Table):
    """Committed capital, how it is split, and how large a signal is.  [statistics R1.2, S4.3]"""

    committed_usd: Dollars
    sleeve_parts: Sleeves
    margin_share: Margin
    target_notional_usd: Positive
    depth_share: Share


class Exits(Table):
    """When a key may fire again, and when a position ends.  [S4.2, S4.5]"""

    rearm_share: Share
    converged_share: Share
    stop_multiple: Positive


class Fitting(Table):
    """What governs the parts that are fitted on training labels.  [statistics 2.3, R9.7]"""

    default_z: Positive
    z_grid: list[Positive]
    z_min_trades: Count
    capture_prior: Count


class Statistics(Table):
    """The claims, the nulls, the intervals and the floors.  [statistics 3, 6, 7, 8]"""

    sharpe_claim: Quantity
    ev_claim_usd: Dollars
    alpha: OpenShare
    level: OpenShare
    n2_draws: Draws
    n2_extended: Draws
    n2_extend_level: OpenShare
    n2_statistic: Literal["sharpe", "mean", "larger"] | None = None  # None: a plan of before this key
    n2_missing_share: Share
    n3_step_h: Positive
    n3_min_d: Positive
    n3_max_d: Positive
    bootstrap_draws: Draws
    bootstrap_discard_share: Share
    max_days_without_data: Count
    floor_days: Count
    floor_trades: Count  # dislocations
    floor_blocks: Count
    tied_relative: Positive
    resolution_revision: Count


class Assumptions(Table):
    """What costs and fills take as given; the engine has one value of each, and a plan with another is refused."""

    fee_tier: Literal["base"]  # of the venue files' fees
    transfer_cost_usd: NotNegative  # of moving money between venues, a signal
    latency_ms: dict[str, NotNegative]  # by venue, from decision to the earliest fill
    discount: Positive  # D of a linear option's parity  [risk 17.3]


class Power(Table):
    """What the plan expects to see in a window, and which power statement was read before.  [statistics 1.4]"""

    expected_active_days: Counts
    expected_trades: Counts  # dislocations, as in floor_trades
    acknowledged: str  # the name `cme power CONFIG` prints; empty: not acknowledged


class Source(Table):
    """One source of the data set."""

    adapter: Name
    path: Text
    licence: Text
    reason: Text
    # The keys differ from adapter to adapter, and each checks its own.
    options: dict[str, Any]


class KnownMissing(Table):
    """An instrument that the plan names and its data lack, known beforehand: its packages are not evaluable."""

    instrument: Name
    reason: Text


class Data(Table):
    """Where the market comes from; what its kind does not use stays empty."""

    kind: Literal["sources", "synthetic", "path"]
    name: PathName
    path: str
    fx: Name | Literal[""] = ""  # the older form of the table fx: its pair USDC/USDT alone
    grid_from: str  # the adapter whose snapshots are the grid; empty where grid.step_s is not 0
    cannot_say: list[Text]
    sources: list[Source]
    synthetic: dict[str, Any]
    known_missing: list[KnownMissing] = Field(default_factory=list)  # left out by plans older than the key


class ChoiceTable(Table):
    """A choice of ours."""

    item: Text
    value: Text
    reason: Text


class AmendmentChange(Table):
    """One key of an amendment, dotted, with its value before and after."""

    key: Text
    before: Any
    after: Any


class DefectTable(Table):
    """A proven defect, for which a look may be had again beside the first: `cme run --repair-of LOOK`.  [R12.3]"""

    look: Name  # the first look
    commit: Name  # the last one with the defect
    test: Text  # it fails at that commit and passes now, and looks at no verdict
    files: list[Text]  # every file that was changed to mend it, the test among them


class Amendment(Table):
    """One amendment; `outcome_known` True makes the study exploratory for ever, but one of a defect.  [R12.3, R12.4]"""

    name: Name
    at: Time
    reason: Text
    outcome_known: bool
    parent_sha256: Name
    affects: list[Literal["H1", "H2", "H3"]]  # the hypotheses whose test is another one now; may be none
    changes: list[AmendmentChange]
    venues_sha256: Name | None = None  # of the venue files as they stand with this amendment  [docs/decisions/0531]
    defect: DefectTable | None = None
    after_blinded: bool | None = None  # true if a blinded run of the plan came before it  [live L0.7]


class Document(Table):
    """The whole registration."""

    format: Literal["registration/1"] = Field(alias="schema")
    study: PathName
    title: Text
    mode: Literal["confirmatory", "exploratory"]
    synthetic: bool
    engine_version: Name
    families: list[Name]
    venue_files: list[Text]
    split: SplitSpec
    grid: Grid
    constraints: Rules
    exits: Exits
    underlyings: list[Underlying]
    costs: Costs
    capital: Capital
    fitting: Fitting
    statistics: Statistics
    power: Power
    methods: dict[Name, Text] = Field(default_factory=dict)  # statistics, nulls and rules by the code's names
    assumptions: Assumptions | None = None  # both left out by plans older than the keys
    fx: Fx | None = None  # left out by plans of the older form
    covenants: BookCovenantsTable | None = None  # left out by plans without covenants over their book
    data: Data
    choices: list[ChoiceTable]
    venues: list[Venue]
    amendments: list[Amendment]
