"""SYNTHETIC panels with everything that can be wrong with a quote, small enough to be drawn by the hundred."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import numpy as np

from engine.convention_rows import PriceTick
from engine.params import Params
from engine.records import Feed, FloatArray, Kind, Panel, Right
from engine.units import NEVER_NS, NS_PER_DAY, NS_PER_SECOND
from tests.helpers.builders import (
    STEP_NS,
    T0_NS,
    Quote,
    Row,
    fee,
    future,
    fx,
    instruments,
    market,
    option,
    panel,
    params,
    perp,
    row_keys,
    spot,
)

ROWS = 37
TICK = 0.0005
STRIKES = 80_000.0 + 5_000.0 * np.arange(9)
EXPIRIES = (T0_NS + 20 * STEP_NS, T0_NS + NS_PER_DAY, T0_NS + 40 * NS_PER_DAY)
"""One within the block, one within the life of a rule, one far."""

_TICKS = PriceTick(**row_keys("deribit", Kind.OPTION, "1970-01-01"), tick=0.0001, above=((0.005, 0.0005),))
_MARKET = {"BTC": market("BTC", put_call_venues=("deribit", "other"), vertical_venues=("deribit", "other"))}
_FEES = (*params().fees, fee("other", Kind.OPTION, 3.0, cap=0.125, delivery_bps=1.5, delivery_cap=0.125))
_PLAIN: dict[str, Any] = {"underlyings": _MARKET, "fees": _FEES, "max_skew_ns": 20 * NS_PER_SECOND}
SETTINGS: dict[str, Params] = {
    "plain": params(**_PLAIN),
    "ticks": params(**_PLAIN, ticks=(_TICKS, replace(_TICKS, venue="other", tick=5.0, above=()))),
    "rebate": params(**{**_PLAIN, "fees": tuple(
        replace(each, taker_bps=-3.0) if each.kind == Kind.OPTION else each for each in _FEES
    )}),
}  # fmt: skip
"""Also with fallback slippage by ticks, and with a round trip that may be negative."""


def drawn_panel(seed: int, day: int = 0) -> Panel:
    """Return `ROWS` grid times of chains in coin and in dollars, their futures, corners and the pair of dollars."""
    draw = np.random.Generator(np.random.PCG64([seed, day]))
    price = 100_000.0 * np.cumprod(1.0 + 1e-3 * draw.standard_normal(ROWS))
    shared = draw.random() < 0.5
    quotes: dict[str, Quote] = {}
    rows: list[Row] = []

    def add(row: Row, mid: FloatArray, half: float, tick: float) -> None:
        rows.append(row)
        quotes[row.name] = _faulty(draw, mid, half, tick, price, shared)

    for row, level in _linear(price):
        add(row, level, 5.0, 1.0)
    for number, expiry in enumerate(EXPIRIES):
        end = expiry + day * NS_PER_DAY
        forward = price * (1.0 + 0.002 * number)
        if draw.random() < 0.7:
            add(future(f"deribit:BTC-F{number}", end), forward, 20.0, 5.0)
        listed = np.sort(draw.choice(STRIKES, int(draw.integers(2, 10)), replace=False))
        for strike in listed.tolist():
            for right in (Right.CALL, Right.PUT):
                name = f"BTC-{number}-{strike:.0f}-{right.name[0]}"
                fair = _premium(forward, strike, right)
                add(option(f"deribit:{name}", end, strike, right), fair / forward, 0.001, TICK)
                if number == 1:
                    money = "USDC" if strike < 105_000.0 else "USD"
                    linear = option(f"other:{name}", end, strike, right, quote="USD", settle=money)
                    add(linear, fair, 60.0, 50.0)
    times = T0_NS + day * NS_PER_DAY + STEP_NS * np.arange(ROWS, dtype=np.int64)
    built = panel(instruments(*rows), quotes, times_ns=times)
    dense = {f.name: np.asfortranarray(getattr(built, f.name)) for f in fields(Panel) if _is_dense(built, f.name)}
    return replace(built, **dense)


def drawn_days(seed: int) -> list[Panel]:
    """Return three days of one table of instruments, each with a listing of its own."""
    table = drawn_panel(seed).instruments
    draw = np.random.Generator(np.random.PCG64([seed, 99]))
    days = []
    for day in range(3):
        # Prices of another draw, of the same instruments.
        drawn = drawn_panel(seed)
        keep = np.flatnonzero((draw.random(len(drawn.code)) < 0.9) | (table.kind[drawn.code] != Kind.OPTION))
        order = draw.permutation(ROWS)
        values = {
            f.name: np.asfortranarray(getattr(drawn, f.name)[order][:, keep])
            for f in fields(Panel)
            if _is_dense(drawn, f.name)
        }
        times = drawn.times_ns + day * NS_PER_DAY
        days.append(replace(drawn, code=drawn.code[keep], times_ns=times, **values))
    return days


def _is_dense(built: Panel, name: str) -> bool:
    return getattr(getattr(built, name), "ndim", 0) == 2


def _premium(forward: FloatArray, strike: float, right: Right) -> FloatArray:
    intrinsic = np.maximum(forward - strike if right == Right.CALL else strike - forward, 0.0)
    return intrinsic + 4_000.0 / (1.0 + ((forward - strike) / 10_000.0) ** 2)


def _linear(price: FloatArray) -> list[tuple[Row, FloatArray]]:
    return [
        (spot("binance:BTCUSDC"), price),
        (spot("binance:BTCUSDT", quote="USDT"), price * 1.0002),
        (perp("binance:BTCUSDC-PERP"), price * 1.0003),
        (perp("binance:BTCUSDT-PERP", quote="USDT", feed=Feed.BAR, bar_ns=60 * NS_PER_SECOND), price),
        (perp("hyperliquid:BTC-PERP", quote="USD", settle="USDC", feed=Feed.MARK), price),
        (fx(), np.ones(ROWS)),
    ]


def _faulty(
    draw: np.random.Generator, mid: FloatArray, half: float, tick: float, price: FloatArray, shared: bool
) -> Quote:
    """Return a quote on ticks, so that prices tie, with each fault in a few cells in a hundred."""
    noise = 1.0 + 0.002 * draw.standard_normal(ROWS) * (draw.random(ROWS) < 0.3)
    bid = np.floor((mid * noise - half) / tick) * tick
    ask = np.ceil((mid * noise + half) / tick) * tick

    def some(share: float) -> FloatArray:
        return draw.random(ROWS) < share

    bid, ask = np.where(some(0.04), np.nan, bid), np.where(some(0.04), np.nan, ask)
    bid, ask = np.where(some(0.02), ask + tick, bid), np.where(some(0.02), 0.0, ask)
    far = some(0.02)
    bid, ask = np.where(far, 2.0 * bid, bid), np.where(far, 2.0 * ask, ask)
    sizes = [np.where(some(0.1), np.nan, np.floor(20.0 * draw.random(ROWS))) for _ in range(2)]
    age = draw.integers(0, 3 * NS_PER_SECOND, ROWS)
    age = np.where(some(0.05), 59 * NS_PER_SECOND, np.where(some(0.03), 90 * NS_PER_SECOND, age))
    age = np.where(some(0.02), NEVER_NS, age)
    index = price if shared else np.where(some(0.1), np.nan, price * (1.0 + 1e-4 * draw.standard_normal(ROWS)))
    return Quote(bid, ask, *sizes, age, 0.5 * (bid + ask), index, 1e-4, 1e-4)
