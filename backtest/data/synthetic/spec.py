"""Defines a synthetic market: the `[data.synthetic]` table of a configuration, as pydantic models without defaults."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import Field

from backtest.data.synthetic import limits
from backtest.data.synthetic.expiries import NS_PER_DAY, NS_PER_HOUR, NS_PER_SECOND, day_of
from backtest.data.synthetic.fields import (
    AboveZero,
    CountPair,
    FirstDay,
    NotBelowZero,
    Number,
    NumberPair,
    OddCount,
    ShareBelowOne,
    ShareUpToOne,
    SpecError,
    Tick,
    at_least,
)
from backtest.data.synthetic.smile import SmileSpec
from backtest.toml_tables import Table, TableError, read_table

TABLE: Final = "data.synthetic"
"""The name of the table in its file, which begins every key of a message."""

PLANTABLE: Final = ("C1", "C2", "C3", "C4", "C5", "C6", "C7")
"""The constraints whose violations this market can plant; a constraint of the registry need not be among them.

The market imports nothing of the engine, so that what it plants is no echo of the code that must find it; a test
compares these codes with the registry.
"""


class CoinSpec(Table):
    """One underlying: where its path starts, and the steps of its prices and strikes."""

    spot_usd: AboveZero
    vol: AboveZero  # median annual volatility
    strike_step: AboveZero  # distance of neighbouring strikes, USD
    price_tick: Tick  # spot, perps and futures, USD; 1/price_tick must be an integer, as for the other ticks
    option_tick: Tick  # coin-settled premium, coin
    linear_tick: Tick  # USDC-settled premium, USDC


class MeanReversion(Table):
    """An Ornstein-Uhlenbeck process: stationary around ``mean``, ``daily_sd`` of its shocks, and its half-life."""

    mean: Number
    daily_sd: NotBelowZero
    half_life_h: AboveZero


class PathSpec(Table):
    """The state of the market besides the spot paths."""

    correlation: ShareUpToOne  # of the underlyings' returns
    log_vol: MeanReversion  # of log(v / vol)
    fx_bps: MeanReversion  # USDT per USDC, distance from 1
    basis_binance_bps: MeanReversion  # perp over spot
    basis_usdc_bps: MeanReversion  # the USDC perp over the USDT perp, converted
    basis_hyperliquid_bps: MeanReversion
    curve_decay_d: AboveZero  # of the shape of slope and curvature along the tenor
    level: MeanReversion  # of the annualised carry, as a fraction
    slope: MeanReversion
    curvature: MeanReversion


class ChainSpec(Table):
    """Which contracts are listed: the nearest Fridays, month ends and quarter ends, and strikes around the forward."""

    future_weekly: int
    future_monthly: int
    future_quarterly: Annotated[int, at_least(3)]  # so that a future reaches 180 d
    option_weekly: int
    option_monthly: int
    strikes: Annotated[OddCount, at_least(3)]  # per expiry, coin-settled, around the forward of each day; odd
    linear_monthly: int
    linear_strikes: OddCount


class ByKind(Table):
    """A number for each kind of instrument."""

    spot: NotBelowZero
    perp: NotBelowZero
    future: NotBelowZero
    option: NotBelowZero
    fx: NotBelowZero


class QuoteSpec(Table):
    """How the fair values are quoted."""

    spread_bps: ByKind  # of the price; of the underlying for an option
    depth_usd: ByKind  # notional of the underlying at the touch, on average
    late_share: ShareBelowOne  # of quotes that do not arrive, so that the one before is kept
    lag_ms: int  # the newest quote is knowable up to so long before the grid time


class PriceStep(Table):
    """A tick of an option, from a price on."""

    price: NotBelowZero
    tick: AboveZero


class CostSpec(Table):
    """What the size of a plant counts as cost.  It decides nothing in a run: a run has registered fees of its own."""

    fee_bps: dict[str, Number]  # taker, by venue.symbol, venue.kind.settle or venue.kind; options of the underlying
    option_cap: NotBelowZero  # of the premium
    fallback_bps: ByKind  # slippage of a leg without sizes
    fallback_ticks: dict[str, list[PriceStep]] = Field(default_factory=dict)  # of options, by the keys of ``lots``
    target_usd: AboveZero
    depth_share: NotBelowZero
    capital_rate: Number
    borrow_rate: Number
    short_option_margin: NotBelowZero  # of the underlying, besides the premium
    perp_margin: NotBelowZero  # perp and future
    life_h: dict[str, Number]  # longest life by constraint


class PlantSpec(Table):
    """The plants of one constraint."""

    count: int  # over the whole market, shared evenly by the underlyings
    threshold_bps: Number
    net_bps: NumberPair  # above the threshold, uniform
    tradable: bool  # it converges after entry; else it is gone before entry or outlasts the longest life
    life_s: CountPair  # of a tradable plant
    untradable: int = 0  # as many more, of which the moved quotes show one lot: half of it is no lot


class PlantsSpec(Table):
    """All that is planted."""

    near_share: ShareUpToOne  # of plants whose net is within near_bps of the threshold, on either side
    near_bps: NotBelowZero
    no_depth_share: ShareUpToOne  # of plants whose moved quotes come without sizes
    stubborn_share: (
        ShareUpToOne  # of plants without a tradable edge that outlast the life; the others last `persistence`
    )
    persistence: Annotated[int, at_least(1)]  # grid times
    constraints: dict[str, PlantSpec]  # by code; absent: none planted


class SynthSpec(Table):
    """A synthetic market, complete: the same specification and streams give the same bytes."""

    start: FirstDay  # first day, YYYY-MM-DD
    days: Annotated[int, at_least(2)]
    grid_s: int
    stream: str  # first part of the names of its random streams
    underlyings: dict[str, CoinSpec]
    paths: PathSpec
    smile: SmileSpec
    chains: ChainSpec
    quotes: QuoteSpec
    costs: CostSpec
    plants: PlantsSpec
    lots: dict[str, AboveZero] = Field(default_factory=dict)  # base units, of an inverse contract USD; none: any amount

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
    """Return the specification in ``table``, the table ``data.synthetic`` of the file ``where``.

    Raises ``SpecError`` if a key is missing, unknown or out of range, or if two keys do not fit each other; the message
    names ``where``, the key, what was expected and what was found.
    """
    try:
        spec = read_table(SynthSpec, table, TABLE)
    except TableError as problem:
        raise SpecError(f"{where}: {problem}") from problem
    for key, holds, expected, value in (*_bounds(spec), *_conditions(spec)):
        if not holds:
            raise SpecError(f"{where}: {TABLE}.{key}: expected {expected}, was {value!r}")
    return spec


def _bounds(spec: SynthSpec) -> list[tuple[str, bool, str, object]]:
    """Return the limits of what a market may ask for, in the form of `_conditions`."""
    chains, listed = spec.chains, limits.EXPIRIES
    bounds: list[tuple[str, bool, str, object]] = [
        ("grid_s", 1 <= spec.grid_s <= 3600, "a divisor of 3600", spec.grid_s),
        ("days", spec.days <= limits.DAYS, f"at most {limits.DAYS}", spec.days),
        ("start", "2009" <= spec.start[:4] < "2100", "a date from 2009 to 2099", spec.start),
        ("underlyings", len(spec.underlyings) <= listed, f"at most {listed}", len(spec.underlyings)),
    ]
    for name, count in chains.model_dump().items():
        most = limits.STRIKES if "strikes" in name else listed
        bounds.append((f"chains.{name}", 0 <= count <= most, f"0 to {most}", count))
    for code, plant in spec.plants.constraints.items():
        for name, count in (("count", plant.count), ("untradable", plant.untradable)):
            holds, expected = 0 <= count <= limits.PLANTS, f"0 to {limits.PLANTS}"
            bounds.append((f"plants.constraints.{code}.{name}", holds, expected, count))
    for kind, depth in spec.quotes.depth_usd.model_dump().items():
        bounds.append((f"quotes.depth_usd.{kind}", depth > 0, "a decimal above 0", depth))
    if all(holds for _, holds, _, _ in bounds):
        seconds = spec.days * NS_PER_DAY // NS_PER_SECOND
        for code, plant in spec.plants.constraints.items():
            holds = 0 <= plant.life_s[0] <= plant.life_s[1] <= seconds
            expected = f"two ascending spans of at most the market's {seconds} s"
            bounds.append((f"plants.constraints.{code}.life_s", holds, expected, plant.life_s))
        waits = spec.plants.persistence
        bounds.append(("plants.persistence", waits < spec.points, f"less than {spec.points} grid times", waits))
        expiries = chains.option_weekly + chains.option_monthly
        contracts = 2 * (expiries * chains.strikes + chains.linear_monthly * chains.linear_strikes)
        rows, most = contracts * spec.steps_a_day, limits.ROWS_A_DAY
        bounds.append(("chains", rows <= most, f"at most {most} quotes a day of one coin", rows))
        times = spec.points
        bounds.append(("days", times <= limits.GRID_TIMES, f"at most {limits.GRID_TIMES} grid times", times))
    return bounds


def _conditions(spec: SynthSpec) -> list[tuple[str, bool, str, object]]:
    """Return what no single field can check: the key, whether it holds, what is expected, what was found."""
    chains, codes = spec.chains, f"of {', '.join(PLANTABLE)}"
    thin = any(plant.untradable for plant in spec.plants.constraints.values())
    planted, lives = sorted(spec.plants.constraints), sorted(spec.costs.life_h)
    # the parity of a chain is planted against the listed future of its expiry
    weekly, monthly = chains.option_weekly <= chains.future_weekly, chains.option_monthly <= chains.future_monthly
    in_step = 1 <= spec.quotes.lag_ms < 1000 * spec.grid_s
    return [
        ("grid_s", spec.grid_s > 0 and NS_PER_HOUR % spec.grid_ns == 0, "a divisor of 3600", spec.grid_s),
        ("underlyings", len(spec.underlyings) > 0, "at least one", spec.underlyings),
        ("chains.option_weekly", weekly, "at most future_weekly", chains.option_weekly),
        ("chains.option_monthly", monthly, "at most future_monthly", chains.option_monthly),
        ("quotes.lag_ms", in_step, "from 1 to less than the grid step", spec.quotes.lag_ms),
        ("plants.constraints", set(planted) <= set(PLANTABLE), f"some {codes}", planted),
        ("costs.life_h", set(lives) == set(PLANTABLE), f"all {codes}", lives),
        ("lots", bool(spec.lots) or not thin, "lots, where plants are untradable for them", dict(spec.lots)),
    ]


def streams(spec: SynthSpec) -> tuple[tuple[str, int], ...]:
    """Return the names of the random streams the market draws from, with the replicates each needs."""
    names = [(f"{spec.stream}/common/paths", 1)]
    for underlying in (*spec.underlyings, "FX"):
        names += [(f"{spec.stream}/{underlying}/paths", 1), (f"{spec.stream}/{underlying}/quotes", spec.days)]
    for underlying in spec.underlyings:
        names += [(f"{spec.stream}/{underlying}/plants/{code}", 1) for code in PLANTABLE]
    return tuple(names)
