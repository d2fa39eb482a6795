"""The registered numbers that the engine reads, as frozen records.  No field has a default.  [S8.1]

``backtest.registration.load`` reads them from TOML; tests build them with ``tests/helpers/builders.py``.  A number that
is not here cannot influence emission.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from engine.convention_rows import DeliveryRule, FeeRate, FundingRule, Lot, MoneyRule, PriceTick
from engine.records import ExitReason, Kind


@dataclass(frozen=True, slots=True)
class ConstraintRule:
    """Threshold, history and life of one constraint.  [S2.0 table]"""

    code: str  # C1 .. C7
    enabled: bool
    threshold_bps: float  # C5: the net must exceed this (0) and |z| its own threshold
    lookback_ns: int
    life_ns: int
    option_legs: bool  # `Constraint.option_legs`, not registered: `market.view` may not import the registry
    stress_loss_bps: float  # registered stress loss, in bps of the target notional [statistics 8.5]


@dataclass(frozen=True, slots=True)
class CashCarryPair:
    """A registered (perp, spot) pair of C1, by instrument name."""

    perp: str
    spot: str


@dataclass(frozen=True, slots=True)
class TrianglePair:
    """Two perps of one venue, one quoted in USDC and one in USDT, and the spot pair that converts.  [S2.C2]"""

    perp_usdc: str
    perp_usdt: str
    fx: str


@dataclass(frozen=True, slots=True)
class FourCorners:
    """The four corners of C6: names of instruments, and the venue whose options make the synthetic forward."""

    dex_perp: str
    cex_perp: str
    spot: str
    option_venue: str
    min_expiry_ns: int
    mids_only: bool  # True where the corners are not simultaneous: reported, never a signal


@dataclass(frozen=True, slots=True)
class Curve:
    """The funding and basis curve of C5.  [S2.C5, statistics 9]

    ``futures_venue`` lists the dated futures; ``perp`` gives the node at tenor 0: its funding, annualised and averaged
    over ``perp_average_ns``.  ``spot`` (None: the reference price) is what the basis is measured against.
    """

    perp: str
    futures_venue: str
    perp_average_ns: int
    tenor_days: tuple[float, ...]
    belly_days: float
    wing_days: tuple[float, float]
    z_window_days: int
    min_curves: int


@dataclass(frozen=True, slots=True)
class Dollars:
    """The spot pairs by which the dollars are converted, and how far USDC and USDT may come apart.  [venues V1]

    ``usdc_usdt`` is in every plan.  Either ``usd_is`` says which dollar USD counts as, or one of the pairs with USD is
    named; what is not used is empty.
    """

    usdc_usdt: str
    usdc_usd: str
    usdt_usd: str
    usd_is: str
    peg_bps: float  # distance of USDC/USDT from 1 above which a package in two dollars is not traded

    @property
    def pairs(self) -> tuple[str, ...]:
        """The names of the pairs that convert."""
        return tuple(name for name in (self.usdc_usdt, self.usdc_usd, self.usdt_usd) if name)


@dataclass(frozen=True, slots=True)
class UnderlyingParams:
    """What is registered for one underlying: the reference price, and which instruments each constraint uses."""

    underlying: str
    reference: str  # an instrument's name; its index where `reference_is_index`, else its mid, converted to USD
    reference_is_index: bool
    cash_carry: tuple[CashCarryPair, ...]
    triangle: tuple[TrianglePair, ...]
    put_call_venues: tuple[str, ...]
    butterfly_venues: tuple[str, ...]
    vertical_venues: tuple[str, ...]
    forward_from_marks: bool  # a study that says so: F may be a future whose feed is MARK or BAR  [spec README]
    four_corner: FourCorners | None
    curve: Curve | None


@dataclass(frozen=True, slots=True)
class ForcedExit:
    """An order from outside the book to close what is open on an underlying.  [S4.5]

    It is of no registered number: the harness finds it in the data before the replay, by a family that the plan names.
    """

    t_ns: int  # from here on; positions filled before it are closed
    underlying: str
    venue: str  # empty for every venue
    reason: ExitReason  # venue or covenant


@dataclass(frozen=True, slots=True)
class Params:
    """Everything registered that emission, resolution or settlement reads."""

    engine_version: str
    grid_ns: int  # 0 where the data set's own snapshot times are the grid
    underlyings: Mapping[str, UnderlyingParams]
    rules: Mapping[str, ConstraintRule]  # by code, all of the registry
    fees: tuple[FeeRate, ...]
    delivery: tuple[DeliveryRule, ...]  # none: a plan from before these rows
    money: tuple[MoneyRule, ...]  # the same
    funding: tuple[FundingRule, ...]  # none: a plan from before these rows
    lots: tuple[Lot, ...]  # none: every size can be traded  [venues V4]
    ticks: tuple[PriceTick, ...]  # none: the fallback slippage of an option is a share of its premium
    dollars: Dollars
    max_age_ns: Mapping[Kind, int]  # for quotes; a bar's own length is its max age
    max_skew_ns: int
    quarantine_mid: float  # share of the median of the corners a mid may differ by
    quarantine_gross_bps: float  # a violation above is kept, counted, shown, never traded
    persistence: int  # grid times
    rearm_share: float  # of the threshold under which a key's net must fall before it may fire again
    latency_ns: int  # from a decision to the earliest entry
    exit_latency_ns: int  # from a trigger to the earliest exit: as registered the same
    forced_exits: tuple[ForcedExit, ...]  # none unless a plan puts a family over its book
    target_notional_usd: float
    depth_share: float  # of a leg's displayed size
    exit_share: float  # of the entry gross
    stop_multiple: float  # of the decision's net
    refill_window_ns: int
    data_gap_haircut_bps: float
    mark_max_age_ns: int
    fallback_bps: Mapping[Kind, float]  # slippage of a leg without depth  [S3.3]
    borrow_rate: Mapping[str, float]  # annual, by currency, for a spot leg that pays with it
    capital_rate: float  # annual opportunity cost of margin
    margin_share: Mapping[str, float]  # spot, perp, future, short_option: share of notional
    funding_on: Mapping[str, str]  # venue -> "mark" | "index": the price a funding payment is made on  [risk.md 4]
    capital_usd: int
    sleeve_shares: Mapping[str, int]  # by code; a sleeve is capital x share / sum of shares
    default_z: float
    z_grid: tuple[float, ...]
    z_min_trades: int
    capture_prior: int  # n0 of the capture factor
    max_lag_ns: int  # a recorded quote that came longer after its event is unusable
    refreshed: tuple[str, ...]  # venues whose recorded quotes are as fresh as their connection shows


@dataclass(frozen=True, slots=True)
class CurveFit:
    """The fit of C5 on a training span, fixed for a fold.  [statistics R9.2-R9.7]

    ``identified`` False means no signal in the fold, for the given reason.  ``tenor_days`` and ``mean`` have m entries;
    ``loadings`` are the first three components, ``[3][m]``, signed by R9.3; the last is curvature.
    """

    fold: int  # -1: history before the first fold
    identified: bool
    reason: str
    tenor_days: tuple[float, ...]
    mean: tuple[float, ...]
    loadings: tuple[tuple[float, ...], ...]
    shares: tuple[float, ...]
    z_threshold: float
    train_mean: float
    train_sd: float


@dataclass(frozen=True, slots=True)
class Fitted:
    """Everything that a fold fits on its training labels, in force on ``[from_ns, to_ns)``.  [statistics 2.3]"""

    fold: int
    from_ns: int
    to_ns: int
    curve: Mapping[str, CurveFit]  # by underlying
    capture: Mapping[str, float]  # by constraint code
