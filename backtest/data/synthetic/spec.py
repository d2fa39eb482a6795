"""What a synthetic market is: the `[data.synthetic]` table of a configuration, as frozen records without defaults."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from backtest.data.synthetic.expiries import NS_PER_DAY, NS_PER_HOUR, NS_PER_SECOND, day_of
from backtest.data.synthetic.smile import SmileSpec
from backtest.data.synthetic.tables import SpecError, read_record

CONSTRAINTS: Final = ("C1", "C2", "C3", "C4", "C5", "C6", "C7")


@dataclass(frozen=True, slots=True)
class CoinSpec:
    """One underlying: where its path starts, and the steps of its prices and strikes."""

    spot_usd: float
    vol: float  # median annual volatility
    strike_step: float  # distance of neighbouring strikes, USD
    price_tick: float  # spot, perps and futures, USD; 1/price_tick must be an integer, as for the other ticks
    option_tick: float  # coin-settled premium, coin
    linear_tick: float  # USDC-settled premium, USDC


@dataclass(frozen=True, slots=True)
class MeanReversion:
    """An Ornstein-Uhlenbeck process: stationary around ``mean``, ``daily_sd`` of its shocks, and its half-life."""

    mean: float
    daily_sd: float
    half_life_h: float


@dataclass(frozen=True, slots=True)
class PathSpec:
    """The state of the market besides the spot paths."""

    correlation: float  # of the underlyings' returns
    log_vol: MeanReversion  # of log(v / vol)
    fx_bps: MeanReversion  # USDT per USDC, distance from 1
    basis_binance_bps: MeanReversion  # perp over spot
    basis_usdc_bps: MeanReversion  # the USDC perp over the USDT perp, converted
    basis_hyperliquid_bps: MeanReversion
    curve_decay_d: float  # of the shape of slope and curvature along the tenor
    level: MeanReversion  # of the annualised carry, as a fraction
    slope: MeanReversion
    curvature: MeanReversion


@dataclass(frozen=True, slots=True)
class ChainSpec:
    """Which contracts are listed: the nearest Fridays, month ends and quarter ends, and strikes around the forward."""

    future_weekly: int
    future_monthly: int
    future_quarterly: int
    option_weekly: int
    option_monthly: int
    strikes: int  # per expiry, coin-settled, around the forward of each day; odd
    linear_monthly: int
    linear_strikes: int


@dataclass(frozen=True, slots=True)
class ByKind:
    """A number for each kind of instrument."""

    spot: float
    perp: float
    future: float
    option: float
    fx: float


@dataclass(frozen=True, slots=True)
class QuoteSpec:
    """How the fair values are quoted."""

    spread_bps: ByKind  # of the price; of the underlying for an option
    depth_usd: ByKind  # notional of the underlying at the touch, on average
    late_share: float  # of quotes that do not arrive, so that the one before stands
    lag_ms: int  # the newest quote is knowable up to so long before the grid time


@dataclass(frozen=True, slots=True)
class CostSpec:
    """What the size of a plant counts as cost.  It decides nothing in a run: a run has registered fees of its own."""

    fee_bps: Mapping[str, float]  # taker, by venue.kind; options in bps of the underlying
    option_cap: float  # of the premium
    fallback_bps: ByKind  # slippage of a leg without sizes
    target_usd: float
    depth_share: float
    capital_rate: float
    borrow_rate: float
    short_option_margin: float  # of the underlying, besides the premium
    perp_margin: float  # perp and future
    life_h: Mapping[str, float]  # longest life by constraint


@dataclass(frozen=True, slots=True)
class PlantSpec:
    """The plants of one constraint."""

    count: int  # over the whole market, shared evenly by the underlyings
    threshold_bps: float
    net_bps: tuple[float, float]  # above the threshold, uniform
    tradable: bool  # it converges after entry; else it is gone before entry or outlasts the longest life
    life_s: tuple[int, int]  # of a tradable plant


@dataclass(frozen=True, slots=True)
class PlantsSpec:
    """All that is planted."""

    near_share: float  # of plants whose net is within near_bps of the threshold, on either side
    near_bps: float
    no_depth_share: float  # of plants whose moved quotes come without sizes
    stubborn_share: float  # of plants without a tradable edge that outlast the life; the others last `persistence`
    persistence: int  # grid times
    constraints: Mapping[str, PlantSpec]  # by code; absent: none planted


@dataclass(frozen=True, slots=True)
class SynthSpec:
    """A synthetic market, complete: the same specification and streams give the same bytes."""

    start: str  # first day, YYYY-MM-DD
    days: int
    grid_s: int
    stream: str  # first part of the names of its random streams
    underlyings: Mapping[str, CoinSpec]
    paths: PathSpec
    smile: SmileSpec
    chains: ChainSpec
    quotes: QuoteSpec
    costs: CostSpec
    plants: PlantsSpec

    @property
    def first_day(self) -> int:
        """Days since 1970-01-01 of the first day."""
        return day_of(self.start)

    @property
    def grid_ns(self) -> int:
        return self.grid_s * NS_PER_SECOND

    @property
    def steps_a_day(self) -> int:
        return NS_PER_DAY // self.grid_ns

    @property
    def points(self) -> int:
        """Grid times from 00:00 of the first day to 00:00 after the last, both counted."""
        return self.days * self.steps_a_day + 1

    @property
    def start_ns(self) -> int:
        return self.first_day * NS_PER_DAY


def read_spec(table: object, where: str) -> SynthSpec:
    """Return the specification in ``table``; ``where`` (file and table) begins every message.  Raises ``SpecError``."""
    spec = read_record(SynthSpec, table, where)
    try:
        day_of(spec.start)
    except ValueError:
        raise SpecError(f"{where}.start: expected a date YYYY-MM-DD, was {spec.start!r}") from None
    for key, holds, expected in _conditions(spec):
        if not holds:
            raise SpecError(f"{where}.{key}: expected {expected}")
    return spec


def _conditions(spec: SynthSpec) -> list[tuple[str, bool, str]]:
    share = "a share in [0, 1]"
    rules = [
        ("days", spec.days >= 2, "at least 2"),
        ("grid_s", spec.grid_s > 0 and NS_PER_HOUR % spec.grid_ns == 0, "a divisor of 3600"),
        ("underlyings", len(spec.underlyings) > 0, "at least one"),
        ("paths.correlation", 0.0 <= spec.paths.correlation <= 1.0, share),
        ("chains.strikes", spec.chains.strikes >= 3 and spec.chains.strikes % 2 == 1, "an odd number from 3"),
        ("chains.linear_strikes", spec.chains.linear_strikes % 2 == 1, "an odd number"),
        # the parity of a chain is planted against the listed future of its expiry
        ("chains.option_weekly", spec.chains.option_weekly <= spec.chains.future_weekly, "at most future_weekly"),
        ("chains.option_monthly", spec.chains.option_monthly <= spec.chains.future_monthly, "at most future_monthly"),
        ("chains.future_quarterly", spec.chains.future_quarterly >= 3, "at least 3, so that a future reaches 180 d"),
        ("quotes.late_share", 0.0 <= spec.quotes.late_share < 1.0, "a share in [0, 1)"),
        ("quotes.lag_ms", 1 <= spec.quotes.lag_ms < 1000 * spec.grid_s, "from 1 to less than the grid step"),
        ("smile.low_weight", 0.0 < spec.smile.low_weight < 1.0, "a weight in (0, 1)"),
        ("plants.near_share", 0.0 <= spec.plants.near_share <= 1.0, share),
        ("plants.no_depth_share", 0.0 <= spec.plants.no_depth_share <= 1.0, share),
        ("plants.stubborn_share", 0.0 <= spec.plants.stubborn_share <= 1.0, share),
        ("plants.persistence", spec.plants.persistence >= 1, "at least 1"),
        ("plants.constraints", set(spec.plants.constraints) <= set(CONSTRAINTS), f"some of {', '.join(CONSTRAINTS)}"),
        ("costs.life_h", set(spec.costs.life_h) == set(CONSTRAINTS), f"all of {', '.join(CONSTRAINTS)}"),
    ]
    for name, coin in spec.underlyings.items():
        for tick in ("price_tick", "option_tick", "linear_tick"):
            size = getattr(coin, tick)
            whole = size > 0.0 and abs(round(1.0 / size) * size - 1.0) < 1e-12
            rules.append((f"underlyings.{name}.{tick}", whole, "one over an integer"))
    return rules


def streams(spec: SynthSpec) -> tuple[tuple[str, int], ...]:
    """Return the names of the random streams the market draws from, with the replicates each needs."""
    found = [(f"{spec.stream}/common/paths", 1)]
    for underlying in (*spec.underlyings, "FX"):
        found += [(f"{spec.stream}/{underlying}/paths", 1), (f"{spec.stream}/{underlying}/quotes", spec.days)]
    for underlying in spec.underlyings:
        found += [(f"{spec.stream}/{underlying}/plants/{code}", 1) for code in CONSTRAINTS]
    return tuple(found)
