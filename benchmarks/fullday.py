"""One SYNTHETIC day of the registered universe at its full size: about 1,000 live options, 60-second grid, 1,440 rows.

Strikes and expiries are as Deribit lists them; prices come from the arbitrage-free smile of the synthetic market.
Rounding to ticks makes mids violate the option relations all the time, and next to nothing is left after costs; some
sides are missing, some quotes old, one expiry ends and one is listed within the day, and a few violations are planted.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, replace
from functools import cache
from pathlib import Path

import numpy as np

from backtest.data.synthetic.smile import SmileSpec, normalised_call
from backtest.folds.curve_study import empty_history
from backtest.registration.load import load_registration
from engine.params import CurveFit, Fitted, Params
from engine.records import CurveHistory, FloatArray, Panel, Right
from engine.units import NEVER_NS, NS_PER_DAY, NS_PER_HOUR, NS_PER_SECOND, NS_PER_YEAR
from tests.helpers.builders import Quote, Row, future, fx, instruments, option, panel, perp, spot

ROOT = Path(__file__).resolve().parent.parent
DAY = 20_560  # 2026-04-17
ROWS = 1_440
TICK = 0.0001
PRICE = 88_000.0
SMILE = SmileSpec(low_weight="0.5", skew="0.3", low_vol="1.15", high_vol="0.9")
LIFE_D = (0, 1, 2, 3, 4, 7, 14, 21, 42, 70, 105, 161, 252, 343)
"""Whole days to 08:00 of each expiry: dailies, weeklies, months, quarters.  The first ends today."""
UNLISTED = (1, 2, 3)
"""Dailies without a future of their own: their forward is implied by the other strikes."""
CURVE = (0.05,) * 5, ((0.447,) * 5, (-0.63, -0.31, 0.0, 0.31, 0.63), (0.53, -0.26, -0.54, -0.27, 0.54))


@cache
def registered() -> Params:
    """Return the registered parameters of AsPredicted #288615."""
    return load_registration(ROOT / "configs" / "prereg" / "288615" / "registration.toml").params


def curves() -> CurveHistory:
    """Return sixty days of complete curves, so that C5 has a past."""
    draw = np.random.Generator(np.random.PCG64(5))
    days = np.arange(DAY - 60, DAY, dtype=np.int64)
    return CurveHistory(days, 0.05 + 0.004 * draw.standard_normal((60, 5)))


def fitted() -> Fitted:
    """Return a fit of C5 that is identified."""
    mean, loadings = CURVE
    fit = CurveFit(0, True, "", (7.0, 30.0, 60.0, 90.0, 180.0), mean, loadings, (0.8, 0.15, 0.05), 2.0, 0.0, 0.004)
    return Fitted(0, DAY * NS_PER_DAY, (DAY + 1) * NS_PER_DAY, {"BTC": fit}, {})


def strikes_of(life_d: int) -> FloatArray:
    """Return the strikes of an expiry: every 1,000 near the money, coarser and farther out with the time to expiry."""
    near = np.arange(PRICE - 8_000.0, PRICE + 9_000.0, 1_000.0)
    if life_d < 5:
        return np.concatenate([[PRICE - 12_000.0, PRICE - 10_000.0], near, [PRICE + 10_000.0, PRICE + 12_000.0]])
    wide = np.arange(60_000.0, 125_000.0, 5_000.0)
    far = np.array([]) if life_d < 20 else np.arange(20_000.0, 60_000.0, 5_000.0)
    top = np.array([]) if life_d < 40 else np.arange(130_000.0, 350_000.0, 10_000.0)
    return np.unique(np.concatenate([near, wide, far, top]))


@cache
def block() -> Panel:
    """Return the day of BTC, each column contiguous in memory, as the reader gives a panel."""
    draw = np.random.Generator(np.random.PCG64(288_615))
    times = DAY * NS_PER_DAY + 60 * NS_PER_SECOND * np.arange(ROWS, dtype=np.int64)
    price = PRICE * np.cumprod(1.0 + 4e-4 * draw.standard_normal(ROWS))
    rows: list[Row] = []
    quotes: dict[str, Quote] = {}
    for row, quote in [*_linear(price, draw), *_dated(price, times, draw)]:
        rows.append(row)
        quotes[row.name] = quote
    return column_first(panel(instruments(*rows), quotes, times_ns=times))


def column_first(given: Panel) -> Panel:
    """Return a panel of the same values whose arrays ``[T, N]`` have the grid times of a column side by side."""
    arrays = ((f.name, getattr(given, f.name)) for f in fields(Panel))
    return replace(
        given, **{name: np.asfortranarray(a) for name, a in arrays if isinstance(a, np.ndarray) and a.ndim == 2}
    )


def part(whole: Panel, rows: slice) -> Panel:
    """Return some grid times of a block."""
    same = ("underlying", "times_ns", "code", "instruments")
    values = {f.name: getattr(whole, f.name)[rows].copy() for f in fields(Panel) if f.name not in same}
    return replace(whole, times_ns=whole.times_ns[rows], **values)


def no_curves() -> CurveHistory:
    """Return the history of a first day."""
    return empty_history(registered(), "BTC")


def _linear(price: FloatArray, draw: np.random.Generator) -> Iterator[tuple[Row, Quote]]:
    named = [
        (spot("binance:BTCUSDC"), price),
        (spot("binance:BTCUSDT", quote="USDT"), price * 1.0001),
        (perp("binance:BTCUSDC-PERP"), price * 1.0002),
        (perp("binance:BTCUSDT-PERP", quote="USDT"), price * 1.0003),
        (perp("hyperliquid:BTC-PERP", funding_interval_ns=NS_PER_HOUR), price * 1.0002),
        (perp("deribit:BTC-PERPETUAL", quote="USD", settle="BTC", inverse=True), price * 1.0001),
        (fx(), np.full(ROWS, 1.0001)),
    ]
    for row, level in named:
        mid = level * (1.0 + 1e-5 * draw.standard_normal(ROWS))
        yield row, _around(mid, mid * 2e-5, price, draw, rate=5e-5 if row.kind == 1 else np.nan, size=20.0)


def _dated(price: FloatArray, times: FloatArray, draw: np.random.Generator) -> Iterator[tuple[Row, Quote]]:
    for life in LIFE_D:
        expiry = (DAY + life) * NS_PER_DAY + 8 * NS_PER_HOUR
        left = np.maximum(expiry - times, NS_PER_SECOND)
        forward = price * (1.0 + 0.05 * left / NS_PER_YEAR)
        first = DAY * NS_PER_DAY + 8 * NS_PER_HOUR if life == 4 else 0
        alive = (times < expiry) & (times >= first)
        if life not in UNLISTED:
            mid = np.where(alive, forward, np.nan)
            yield future(f"deribit:BTC-{life:03d}D", expiry), _around(mid, mid * 5e-5, price, draw, size=8.0)
        for strike in strikes_of(life).tolist():
            call = normalised_call(strike / forward, np.array(0.5), left / NS_PER_YEAR, SMILE)
            planted = _plants(draw)
            for right, fair in ((Right.CALL, call), (Right.PUT, call - (1.0 - strike / forward))):
                half = 1.5e-4 + 0.01 * fair
                bid = np.floor((fair + planted - half) / TICK + 0.2 * draw.standard_normal(ROWS)) * TICK
                ask = np.ceil((fair + planted + half) / TICK + 0.2 * draw.standard_normal(ROWS)) * TICK
                lost = draw.random((2, ROWS)) < 0.015
                name = f"deribit:BTC-{life:03d}D-{strike:.0f}-{right.name[0]}"
                shown = _quote(
                    np.where((bid > 0.0) & alive & ~lost[0], bid, np.nan), np.where(alive & ~lost[1], ask, np.nan),
                    price, draw, size=15.0,
                )  # fmt: skip
                age = np.where(times >= first, shown.age_ns, NEVER_NS)
                yield option(name, expiry, strike, right), replace(shown, age_ns=age)


def _plants(draw: np.random.Generator) -> FloatArray:
    """Return what is added to a call and a put alike, in coin: a strike in ten is wrong by 60 bps for ten minutes."""
    wrong = np.zeros(ROWS)
    if draw.random() < 0.1:
        at = int(draw.integers(0, ROWS - 10))
        wrong[at : at + 10] = 0.006
    return wrong


def _around(mid: FloatArray, half: FloatArray, price: FloatArray, draw: np.random.Generator, **given: float) -> Quote:
    return _quote(mid - half, mid + half, price, draw, **given)


def _quote(
    bid: FloatArray, ask: FloatArray, price: FloatArray, draw: np.random.Generator, *, size: float, rate: float = np.nan
) -> Quote:
    age = draw.integers(0, 3 * NS_PER_SECOND, ROWS)
    age[draw.random(ROWS) < 0.01] = 20 * NS_PER_SECOND  # an option's quote that is alive, but not of this moment
    sizes = (size * draw.random(ROWS) + 0.1 for _ in range(2))
    return Quote(bid, ask, *sizes, age, 0.5 * (bid + ask), price, rate, rate)
