"""A small market full of violations: random basis, random gaps in the data, options that expire, a coarse grid.

Every constraint that needs no curve fires somewhere in it; nothing about it is realistic.
"""

from __future__ import annotations

import zlib
from dataclasses import fields, replace
from typing import Any

import numpy as np

from engine.params import ForcedExit, Params
from engine.records import ExitReason, FloatArray, Instruments, IntArray, Panel, Right
from engine.units import NS_PER_DAY, NS_PER_HOUR, NS_PER_SECOND
from tests.helpers.builders import T0_NS, Quote, fx, instruments, option, panel, params, perp, rules, spot

STEP_NS = 1_800 * NS_PER_SECOND
ROWS = 48
EXPIRY = T0_NS + NS_PER_DAY + 8 * NS_PER_HOUR
STRIKES = (90_000.0, 100_000.0, 110_000.0)
SPOT, PERP, TETHER, DEX = "binance:BTCUSDC", "binance:BTCUSDC-PERP", "binance:BTCUSDT-PERP", "hyperliquid:BTC-PERP"


def table(order: int | None = None) -> Instruments:
    """The market's instruments, by name, or shuffled by ``order``."""
    chain = [
        option(f"deribit:{strike:.0f}-{right.name}", EXPIRY, strike, right)
        for strike in STRIKES
        for right in (Right.CALL, Right.PUT)
    ]
    dex = perp(DEX, funding_interval_ns=NS_PER_HOUR)
    rows = [spot(SPOT), perp(PERP), perp(TETHER, quote="USDT"), dex, fx(), *chain]
    if order is None:
        return instruments(*rows)
    return instruments(*[rows[n] for n in np.random.default_rng(order).permutation(len(rows))], ordered=False)


def registered(**changes: Any) -> Params:
    """Low fees and thresholds, short lives: many episodes in few rows."""
    cheap = params()
    return replace(
        cheap,
        grid_ns=STEP_NS,
        rules=rules(life_ns=6 * NS_PER_HOUR, threshold_bps=15.0),
        fees=tuple(replace(fee, taker_bps=fee.taker_bps / 10.0) for fee in cheap.fees),
        **changes,
    )


def orders(seed: int, days: int = 3) -> tuple[ForcedExit, ...]:
    """Six random orders from outside, on the grid and off it, of both reasons, at one venue or at all; one of ETH."""
    draw = np.random.default_rng([seed, 77])
    made = []
    for number in range(6):
        t_ns = T0_NS + int(draw.integers(0, days * ROWS)) * STEP_NS + int(draw.choice([0, 0, 7 * NS_PER_SECOND]))
        venue = str(draw.choice(["", "binance", "deribit", "hyperliquid"]))
        reason = ExitReason(str(draw.choice(["venue", "covenant"])))
        made.append(ForcedExit(t_ns, "ETH" if number == 5 else "BTC", venue, reason))
    return tuple(sorted(made, key=lambda order: order.t_ns))


def panels(seed: int, days: int = 3, order: int | None = None) -> list[Panel]:
    """One panel a day; the same seed gives the same market, and fewer days a prefix of it."""
    instrument = table(order)
    out, walk = [], 100_000.0
    for day in range(days):
        draw = np.random.default_rng([seed, day])
        times = T0_NS + day * NS_PER_DAY + STEP_NS * np.arange(ROWS, dtype=np.int64)
        price = walk * np.cumprod(1.0 + 0.003 * draw.standard_normal(ROWS))
        walk = float(price[-1])
        quotes = {name: _quote(name, instrument, price, times, _draws(seed, day, name)) for name in instrument.name}
        if day > 1:
            quotes = {name: q for name, q in quotes.items() if not name.startswith("deribit")}
        out.append(panel(instrument, quotes, times_ns=times))
    return out


def _draws(seed: int, day: int, name: str) -> np.random.Generator:
    return np.random.default_rng([seed, day, zlib.crc32(name.encode())])


def _quote(name: str, instrument: Instruments, price: FloatArray, times: IntArray, draw: np.random.Generator) -> Quote:
    code = instrument.code_of(name)
    span = 16 if draw.random() < 0.5 else 4
    basis = np.repeat(draw.choice([0.0, 0.0, 0.004, 0.008, 0.03, -0.005], ROWS // span), span)
    basis = basis + 0.0004 * draw.standard_normal(ROWS)
    if name == "binance:USDCUSDT":
        mid = 1.0005 + 0.0002 * draw.standard_normal(ROWS)
    elif name == SPOT:
        mid = price
    elif name.startswith("deribit"):
        strike = float(instrument.strike[code])
        call = instrument.right[code] == Right.CALL
        inner = np.maximum(0.0, price - strike if call else strike - price) / price
        mid = inner + 0.02 + 0.5 * np.abs(basis)
    else:
        mid = price * (1.0 + basis) * (1.0005 if name == TETHER else 1.0)
    lost = draw.random(ROWS) < 0.06
    age = np.where(lost, NS_PER_DAY, 0)
    interval = int(instrument.funding_interval_ns[code])
    due = (times % interval == 0) if interval else np.zeros(ROWS, dtype=np.bool_)
    paid = np.where(due, draw.choice([1e-4, -2e-4, np.nan], ROWS, p=[0.7, 0.25, 0.05]), 0.0)
    half = mid * 0.5e-4
    size = draw.choice([0.1, 0.4, 50.0], ROWS)
    return Quote(
        bid=mid - half,
        ask=mid + half,
        bid_size=size,
        ask_size=size,
        age_ns=age,
        mark=np.where(draw.random(ROWS) < 0.1, np.nan, mid),
        index=price,
        funding_rate=np.full(ROWS, 1e-4),
        funding_mean=np.full(ROWS, 1e-4),
        funding_paid=paid,
        settlement=np.where(times >= EXPIRY, 100_500.0, np.nan),
    )


def rows_of(block: Panel, first: int, last: int) -> Panel:
    """The rows ``first <= row < last`` of ``block``."""
    return replace(block, **{name: getattr(block, name)[first:last] for name in ("times_ns", *VALUES)})


VALUES = tuple(f.name for f in fields(Panel) if f.name not in ("underlying", "times_ns", "code", "instruments"))
"""The fields of a panel that hold a value a grid time and instrument."""
