"""Builders of the engine's nouns, with defaults that are valid and dull, so that a test shows only what it is about.

    table = instruments(spot("binance:BTCUSDC"), perp("binance:BTCUSDC-PERP"))
    block = panel(table, {"binance:BTCUSDC": quote(100_000.0), "binance:BTCUSDC-PERP": quote(101_000.0)}, rows=3)
    view = prepare(block, params(), curves())

Prices, sizes, ages and rates may be one number or one per row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from engine.constraints.codes import CODES
from engine.constraints.registry import CONSTRAINTS
from engine.convention_rows import FeeRate
from engine.params import (
    CashCarryPair,
    ConstraintRule,
    Curve,
    Dollars,
    FourCorners,
    Params,
    TrianglePair,
    UnderlyingParams,
)
from engine.records import CurveHistory, Feed, FloatArray, Instruments, IntArray, Kind, Panel, Right
from engine.units import NEVER_NS, NS_PER_DAY, NS_PER_HOUR, NS_PER_SECOND

T0_NS = 1_768_435_200 * NS_PER_SECOND
"""2026-01-15T00:00:00Z."""

STEP_NS = 60 * NS_PER_SECOND
NAN = float("nan")


@dataclass(frozen=True)
class Row:
    """One instrument before it has a code."""

    name: str
    kind: Kind
    underlying: str
    base: str
    quote: str
    settle: str
    expiry_ns: int = NEVER_NS
    strike: float = NAN
    right: Right = Right.NONE
    inverse: bool = False
    feed: Feed = Feed.BOOK
    bar_ns: int = 0
    funding_interval_ns: int = 0
    contract_size: float = 1.0
    tick: float = 0.01


def spot(name: str, *, underlying: str = "BTC", quote: str = "USDC", **changes: Any) -> Row:
    return replace(Row(name, Kind.SPOT, underlying, underlying, quote, quote), **changes)


def fx(name: str = "binance:USDCUSDT", **changes: Any) -> Row:
    """The pair of dollars: USDT per USDC."""
    return replace(Row(name, Kind.SPOT, "FX", "USDC", "USDT", "USDT"), **changes)


def perp(name: str, *, underlying: str = "BTC", quote: str = "USDC", **changes: Any) -> Row:
    row = Row(name, Kind.PERP, underlying, underlying, quote, quote, funding_interval_ns=8 * NS_PER_HOUR)
    return replace(row, **changes)


def future(name: str, expiry_ns: int, *, underlying: str = "BTC", quote: str = "USD", **changes: Any) -> Row:
    """A dated future; by default Deribit's: quoted in USD, settled in coin, inverse."""
    row = Row(name, Kind.FUTURE, underlying, underlying, quote, underlying, expiry_ns=expiry_ns, inverse=True)
    return replace(row, **changes)


def option(name: str, expiry_ns: int, strike: float, right: Right, *, underlying: str = "BTC", **changes: Any) -> Row:
    """An option; by default Deribit's: premium quoted and settled in coin."""
    row = Row(name, Kind.OPTION, underlying, underlying, underlying, underlying, expiry_ns, strike, right, tick=0.0001)
    return replace(row, **changes)


def instruments(*rows: Row, ordered: bool = True) -> Instruments:
    """The table of ``rows``; codes follow the names, or the order given where ``ordered`` is False."""
    table = sorted(rows, key=lambda row: row.name) if ordered else list(rows)
    return Instruments(
        name=tuple(r.name for r in table),
        venue=tuple(r.name.split(":")[0] for r in table),
        symbol=tuple(r.name.split(":")[1] for r in table),
        underlying=tuple(r.underlying for r in table),
        kind=np.array([r.kind for r in table], dtype=np.uint8),
        base=tuple(r.base for r in table),
        quote=tuple(r.quote for r in table),
        settle=tuple(r.settle for r in table),
        contract_size=np.array([r.contract_size for r in table], dtype=np.float64),
        inverse=np.array([r.inverse for r in table], dtype=np.bool_),
        expiry_ns=np.array([r.expiry_ns for r in table], dtype=np.int64),
        strike=np.array([r.strike for r in table], dtype=np.float64),
        right=np.array([r.right for r in table], dtype=np.uint8),
        tick=np.array([r.tick for r in table], dtype=np.float64),
        feed=np.array([r.feed for r in table], dtype=np.uint8),
        bar_ns=np.array([r.bar_ns for r in table], dtype=np.int64),
        funding_interval_ns=np.array([r.funding_interval_ns for r in table], dtype=np.int64),
    )


Series = float | Sequence[float] | FloatArray


@dataclass(frozen=True)
class Quote:
    """What one instrument shows at each grid time; a field is one number or one per row."""

    bid: Series
    ask: Series
    bid_size: Series = 100.0
    ask_size: Series = 100.0
    age_ns: int | Sequence[int] = 0
    mark: Series = NAN
    index: Series = NAN
    funding_rate: Series = NAN
    funding_mean: Series = NAN
    funding_8h: Series = NAN
    settled_mean: Series = NAN
    funding_paid: Series = 0.0
    settlement: Series = NAN
    delivery_mean: Series = NAN


def quote(mid: Series, spread_bps: float = 1.0, *, rate: Series = NAN, **changes: Any) -> Quote:
    """A quote of ``spread_bps`` around ``mid``, marked at its mid; ``rate`` is the funding in force and its mean."""
    middle = np.asarray(mid, dtype=np.float64)
    half = middle * (spread_bps * 0.5e-4)
    return replace(Quote(middle - half, middle + half, mark=middle, funding_rate=rate, funding_mean=rate), **changes)


def panel(
    table: Instruments,
    quotes: Mapping[str, Quote],
    *,
    underlying: str = "BTC",
    rows: int = 1,
    times_ns: IntArray | None = None,
) -> Panel:
    """The block of the instruments named in ``quotes``, in the order of their codes."""
    times = T0_NS + STEP_NS * np.arange(rows, dtype=np.int64) if times_ns is None else times_ns
    codes = sorted(table.code_of(name) for name in quotes)
    assert codes[:1] != [-1], "a quote names an instrument that the table does not hold"
    names = [table.name[code] for code in codes]

    def column(field: str, dtype: Any = np.float64) -> Any:
        out = np.empty((len(times), len(names)), dtype=dtype)
        for n, name in enumerate(names):
            out[:, n] = getattr(quotes[name], field)
        return out

    return Panel(
        underlying=underlying,
        times_ns=times,
        code=np.array(codes, dtype=np.int32),
        instruments=table,
        bid=column("bid"),
        ask=column("ask"),
        bid_size=column("bid_size"),
        ask_size=column("ask_size"),
        age_ns=column("age_ns", np.int64),
        mark=column("mark"),
        index=column("index"),
        funding_rate=column("funding_rate"),
        funding_mean=column("funding_mean"),
        funding_8h=column("funding_8h"),
        settled_mean=column("settled_mean"),
        funding_paid=column("funding_paid"),
        settlement=column("settlement"),
        delivery_mean=column("delivery_mean"),
    )


def curves(day: Sequence[int] = (), curve: Sequence[Sequence[float]] = (), tenors: int = 5) -> CurveHistory:
    """A history of curves; none by default."""
    return CurveHistory(np.array(day, dtype=np.int64), np.array(curve, dtype=np.float64).reshape(len(day), tenors))


THRESHOLDS = {"C1": 50.0, "C2": 30.0, "C3": 30.0, "C4": 20.0, "C5": 0.0, "C6": 60.0, "C7": 15.0}
"""Those of S2.0; a constraint that is not here has the threshold ``OTHER_BPS``."""
OTHER_BPS = 30.0


def rules(**changes: Any) -> dict[str, ConstraintRule]:
    """The rule of each constraint; ``changes`` apply to all of them."""
    threshold = {constraint.code: THRESHOLDS.get(constraint.code, OTHER_BPS) for constraint in CONSTRAINTS}
    return {
        constraint.code: replace(
            ConstraintRule(
                code=constraint.code,
                enabled=True,
                threshold_bps=threshold[constraint.code],
                lookback_ns=60 * NS_PER_DAY if constraint.code == "C5" else 0,
                life_ns=72 * NS_PER_HOUR if constraint.code == "C5" else 24 * NS_PER_HOUR,
                option_legs=constraint.option_legs,
                stress_loss_bps=9.0 * threshold[constraint.code],
            ),
            **changes,
        )
        for constraint in CONSTRAINTS
    }


def market(underlying: str = "BTC", **changes: Any) -> UnderlyingParams:
    """What is registered for an underlying: Binance spot and perps, Hyperliquid's perp, Deribit's options."""
    coin = underlying
    registered = UnderlyingParams(
        underlying=coin,
        reference=f"binance:{coin}USDC",
        reference_is_index=False,
        cash_carry=(CashCarryPair(f"binance:{coin}USDC-PERP", f"binance:{coin}USDC"),),
        triangle=(TrianglePair(f"binance:{coin}USDC-PERP", f"binance:{coin}USDT-PERP", "binance:USDCUSDT"),),
        put_call_venues=("deribit",),
        butterfly_venues=("deribit",),
        vertical_venues=("deribit",),
        forward_from_marks=False,
        four_corner=FourCorners(
            dex_perp=f"hyperliquid:{coin}-PERP",
            cex_perp=f"binance:{coin}USDC-PERP",
            spot=f"binance:{coin}USDC",
            option_venue="deribit",
            min_expiry_ns=NS_PER_DAY,
            mids_only=False,
        ),
        curve=Curve(
            perp=f"deribit:{coin}-PERPETUAL",
            futures_venue="deribit",
            perp_average_ns=8 * NS_PER_HOUR,
            tenor_days=(7.0, 30.0, 60.0, 90.0, 180.0),
            belly_days=60.0,
            wing_days=(7.0, 180.0),
            z_window_days=60,
            min_curves=60,
        ),
    )
    return replace(registered, **changes)


def row_keys(venue: str, kind: Kind, as_of: str, *, symbol: str = "", verified: str = "") -> dict[str, Any]:
    """The fields that every dated row of a venue has."""
    keys = {"symbol": symbol, "base": "", "settle": "", "period": ""}
    return {"venue": venue, "kind": kind, "as_of": as_of, "source": "tests", "verified": verified, **keys}


def fee(venue: str, kind: Kind, taker_bps: float, **changes: Any) -> FeeRate:
    terms = {"taker_bps": taker_bps, "cap": None, "delivery_bps": 0.0, "delivery_cap": None}
    rate = FeeRate(**row_keys(venue, kind, "1970-01-01", verified="tests"), **terms)
    return replace(rate, **changes)


FEES = (
    fee("binance", Kind.SPOT, 10.0),
    fee("binance", Kind.PERP, 5.0),
    fee("binance", Kind.FUTURE, 5.0),
    fee("hyperliquid", Kind.PERP, 4.5),
    fee("deribit", Kind.PERP, 5.0),
    fee("deribit", Kind.FUTURE, 5.0, delivery_bps=2.5),
    fee("deribit", Kind.OPTION, 3.0, cap=0.125, delivery_bps=1.5, delivery_cap=0.125),
)


def params(**changes: Any) -> Params:
    """The registered numbers of the method where it gives any, and dull ones elsewhere."""
    registered = Params(
        engine_version="0.2.0",
        grid_ns=STEP_NS,
        underlyings={coin: market(coin) for coin in ("BTC", "ETH")},
        rules=rules(),
        fees=FEES,
        delivery=(),
        money=(),
        funding=(),
        dollars=Dollars("binance:USDCUSDT", "", "", "USDC", 25.0),
        lots=(),
        ticks=(),
        max_age_ns={
            Kind.SPOT: 5 * NS_PER_SECOND,
            Kind.PERP: 5 * NS_PER_SECOND,
            Kind.FUTURE: 60 * NS_PER_SECOND,
            Kind.OPTION: 60 * NS_PER_SECOND,
        },
        max_skew_ns=60 * NS_PER_SECOND,
        max_lag_ns=2 * NS_PER_SECOND,
        refreshed=(),
        quarantine_mid=0.1,
        quarantine_gross_bps=2_000.0,
        persistence=2,
        rearm_share=0.5,
        latency_ns=NS_PER_SECOND,
        exit_latency_ns=NS_PER_SECOND,
        forced_exits=(),
        target_notional_usd=25_000.0,
        depth_share=0.5,
        exit_share=0.25,
        stop_multiple=3.0,
        refill_window_ns=NS_PER_DAY,
        data_gap_haircut_bps=50.0,
        mark_max_age_ns=300 * NS_PER_SECOND,
        fallback_bps={Kind.SPOT: 2.0, Kind.PERP: 2.0, Kind.FUTURE: 5.0, Kind.OPTION: 100.0},
        borrow_rate={"BTC": 0.05, "ETH": 0.05, "USDT": 0.05},
        capital_rate=0.05,
        margin_share={"spot": 1.0, "perp": 0.2, "future": 0.2, "short_option": 0.15},
        funding_on={"binance": "mark", "hyperliquid": "index", "deribit": "mark"},
        capital_usd=1_000_000,
        sleeve_shares=dict.fromkeys(CODES, 1),
        default_z=2.0,
        z_grid=(1.5, 2.0, 2.5, 3.0),
        z_min_trades=10,
        capture_prior=30,
    )
    return replace(registered, **changes)
