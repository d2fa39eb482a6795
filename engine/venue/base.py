"""Records of the venue simulator.  [risk.md 0]

Units are integers throughout: sizes in *lots*, prices in *ticks*, money in *quanta* of the settlement currency, times
in nanoseconds of *receive* time, rates in ppm or ppb as the name says.  A position's value is ``lots * ticks *
quanta_per_lot_tick`` with no rounding, so cash and value add up to the last quantum.

``cash`` is what dYdX calls the quote balance: money after all fills, W - cost in the letters of risk.md 0.1.  Account
value is ``V = cash + sum(value of positions)`` and wallet balance ``W = cash + cost``.  Only cash adds up across
accounts at every instant, so I1 is checked on it.  [docs/decisions/0310]
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final

import numpy as np

from engine.venue.integers import Ints

NOBODY: Final = -1
"""The account of an event that concerns the whole market."""


class OracleState(IntEnum):
    """Validity of the oracle price, in the order in which the guards are evaluated.  [risk.md 2]"""

    NON_POSITIVE = 1
    TOO_VOLATILE = 2
    TOO_UNCERTAIN = 3
    STALE_MARGIN = 4
    INSUFFICIENT_DATA = 5
    STALE_AMM = 6
    VALID = 7


class BreakerLevel(IntEnum):
    """The halt ladder: the collar of L1 is always on.  [risk.md 10.3]"""

    COLLAR = 1
    SLOW = 2
    HALT = 3


class EventKind(IntEnum):
    """What an event did."""

    ORACLE = 1
    MARK = 2
    FUNDING = 3
    BREAKER = 4
    LIQUIDATION = 5
    FUND = 6
    DELEVERAGING = 7
    SOCIALISATION = 8
    FILL = 9
    REJECTION = 10
    TRANSFER = 11
    PARAMETER = 12


class Reason(IntEnum):
    """Why an event happened: every transition has one.  [risk.md 15, I13]"""

    MARKET_DATA = 1
    ORACLE_INVALID = 2
    FUNDING_BOUNDARY = 3
    VOLATILITY_1MIN = 4
    VOLATILITY_5MIN = 5
    DIVERGENCE = 6
    DWELL_OVER = 7
    BELOW_MAINTENANCE = 8
    FUND_RECEIVES = 9
    FUND_PAYS = 10
    BANKRUPT = 11
    NO_WINNERS = 12
    BAD_DEBT = 13
    USER_ORDER = 14
    BELOW_INITIAL = 15
    OUTSIDE_BAND = 16
    REDUCE_ONLY = 17
    HALTED = 18
    NO_LIQUIDITY = 19
    USER_TRANSFER = 20
    WITHDRAWAL_LIMIT = 21
    MODULE_PROPOSAL = 22
    FUNDING_RESIDUE = 23
    FUND_EMPTY = 24


@dataclass(frozen=True, slots=True)
class Brackets:
    """Margin brackets: bracket j holds notionals in (lower[j], lower[j+1]].  [risk.md 6.3]"""

    lower_quanta: tuple[int, ...]
    maintenance_ppm: tuple[int, ...]
    initial_ppm: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class MarketParams:
    """Parameters of one linear market; what they mean is written where a mechanism uses them."""

    name: str
    quanta_per_lot_tick: int
    brackets: Brackets
    source_weights: tuple[int, ...] = (1,)
    source_max_age_ns: int = 10_000_000_000
    source_max_spread_ppm: int = 10_000
    min_sources: int = 1
    stale_margin_ns: int = 60_000_000_000
    stale_amm_ns: int = 5_000_000_000
    volatility_limit_ppm: int = 5_000_000
    twap_window_ns: int = 300_000_000_000
    twap_biased: bool = False
    mark_rule: str = "oracle"
    mark_ema_ns: int = 150_000_000_000
    funding_rule: str = "interest_clamp"
    funding_interval_ns: int = 3_600_000_000_000
    funding_interest_ppb_8h: int = 100_000
    funding_band_ppb_8h: int = 500_000
    funding_cap_ppb_8h: int = 320_000_000
    funding_on: str = "oracle"  # or "mark": the price of the payment
    premium_rule: str = "impact"  # or "mark": (mark - index) / index
    impact_notional_quanta: int = 20_000_000_000
    maker_fee_ppm: int = 0
    taker_fee_ppm: int = 0
    liquidation_fee_ppm: int = 0
    band_up_ppm: int = 50_000
    band_down_ppm: int = 50_000
    sigma_1min_ppm: int = 1_000
    initial_multiplier_ppm: int = 1_000_000  # what the parameter engine moves: 1_000_000 is neutral


@dataclass(frozen=True, slots=True)
class VenueParams:
    """Parameters of the venue as a whole."""

    markets: tuple[MarketParams, ...]
    liquidation_portion_ppm: int = 1_000_000  # share of a position closed in one step
    liquidation_min_quanta: int = 0  # never less than this notional, where the position has it
    liquidations_per_step: int = 1_000
    limit_price_rule: str = "bankruptcy"  # or "fillable" [7.4]
    spread_to_maintenance_ppm: int = 1_500_000
    bankruptcy_adjustment_ppm: int = 1_000_000
    deleveraging_rule: str = "profit_leverage"  # a rank of `auto_deleveraging`, or "pro_rata"
    deleveraging_price: str = "bankruptcy"  # or "mark"
    fund_before_deleveraging: bool = False  # the fund lifts a bankrupt account to zero first, if it can pay all
    backstop_account: int = -1  # takes positions of accounts below two thirds of MM; -1 for none
    halt_stops_liquidations: bool = True
    slow_return_1min_sigmas: int = 5
    slow_divergence_ppm: int = 20_000
    halt_return_5min_ppm: int = 100_000
    halt_dwell_ns: int = 60_000_000_000
    slow_dwell_ns: int = 300_000_000_000
    withdrawal_period_ns: int = 3_600_000_000_000
    withdrawal_min_quanta: int = 10**18
    withdrawal_tvl_ppm: int = 10_000
    transfer_min_notional_ppm: int = 0  # Hyperliquid's written rule keeps 10% of notional [6.8]
    initial_multiplier_bounds_ppm: tuple[int, int] = (1_000_000, 3_000_000)


def frozen(values: Ints) -> Ints:
    """Return the array, read-only."""
    values.flags.writeable = False
    return values


def no_ints(*shape: int) -> Ints:
    """Return a read-only array of zeros."""
    return frozen(np.zeros(shape, dtype=np.int64))


@dataclass(frozen=True, slots=True)
class Orders:
    """Columns of orders of one tick: account row, market row, signed lots (> 0 buys), limit price."""

    account: Ints
    market: Ints
    lots: Ints
    limit_ticks: Ints


@dataclass(frozen=True, slots=True)
class Transfers:
    """Columns of deposits (> 0) and withdrawals (< 0) of one tick."""

    account: Ints
    quanta: Ints


def no_orders() -> Orders:
    """Return an empty table of orders."""
    return Orders(no_ints(0), no_ints(0), no_ints(0), no_ints(0))


def no_transfers() -> Transfers:
    """Return an empty table of transfers."""
    return Transfers(no_ints(0), no_ints(0))


@dataclass(frozen=True, slots=True)
class Proposal:
    """What a module asks of the parameter engine: a value of one parameter, with its reason.  [risk.md 13]"""

    module: str
    market: int
    parameter: str
    value: int
    reason: str
    evidence_hash: str = ""


@dataclass(frozen=True, slots=True)
class Tick:
    """What arrives at one event time.  ``quotes`` are resting orders that last for this tick only.

    ``source_*`` are [markets, sources]; a source that does not quote has bid and ask 0.  ``last_ticks`` [markets] is
    the last print, 0 for none.
    """

    time_ns: int
    source_bid_ticks: Ints
    source_ask_ticks: Ints
    source_age_ns: Ints
    last_ticks: Ints
    quotes: Orders = field(default_factory=no_orders)
    orders: Orders = field(default_factory=no_orders)
    transfers: Transfers = field(default_factory=no_transfers)
    proposals: tuple[Proposal, ...] = ()


@dataclass(frozen=True, slots=True)
class MarketState:
    """What the venue remembers of one market."""

    oracle_ticks: int = 0
    oracle_state: OracleState = OracleState.INSUFFICIENT_DATA
    oracle_time_ns: int = 0
    twap_ticks: int = 0
    mark_ticks: int = 0
    ema_numerator: int = 0  # of (mid - oracle), scaled as in `engine.venue.mark`
    ema_denominator: int = 0
    premium_sum_ppb: int = 0
    premium_samples: int = 0
    last_rate_ppb_8h: int = 0
    funding_due_ns: int = 0
    funding_index: int = 0  # quanta per lot, in ppb
    marks: tuple[tuple[int, int], ...] = ()  # (time, mark) of the last five minutes
    breaker: BreakerLevel = BreakerLevel.COLLAR
    breaker_since_ns: int = 0


@dataclass(frozen=True, slots=True)
class Queued:
    """A loosening that waits: from ``due_ns`` on the parameter moves toward ``value``.  [risk.md 13]"""

    due_ns: int
    market: int
    parameter: str
    value: int


@dataclass(frozen=True, slots=True)
class State:
    """The venue between two events.  Arrays are read-only.

    ``cash`` is [accounts], ``size`` and ``cost`` are [markets, accounts].  ``net_deposits`` is deposits less
    withdrawals since the start: the right side of I1.
    """

    time_ns: int
    cash: Ints
    size: Ints
    cost: Ints
    fund: int
    fees: int
    net_deposits: int
    withdrawal_capacity: int
    params: VenueParams
    queue: tuple[Queued, ...]
    markets: tuple[MarketState, ...]
