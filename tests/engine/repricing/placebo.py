"""A noisy market with a second expiry, a future and an inverse perp, and signals in it that may be moved anywhere."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from engine.market.view import PreparedPanel, prepare
from engine.records import Instruments, Panel, Right
from engine.repricing.base import SourceSignals, source_signals
from engine.repricing.contract_mapping import with_ranks
from engine.units import NS_PER_DAY, NS_PER_HOUR
from tests.helpers import noisy_market
from tests.helpers.builders import T0_NS, curves, future, fx, instruments, option, perp, spot
from tests.helpers.positions import signal

SECOND = noisy_market.EXPIRY + NS_PER_DAY
INVERSE = "binance:BTCUSD-PERP"
DATED = "binance:BTC-DATED"
DAYS = 4
PACKAGES = (
    {noisy_market.SPOT: 1.0, noisy_market.PERP: -1.0},
    {noisy_market.SPOT: -1.0, noisy_market.TETHER: 1.0},
    {noisy_market.DEX: 1.0, INVERSE: -1.0},
    {DATED: -1.0, noisy_market.SPOT: 1.0},
    {"deribit:100000-CALL": 1.0, "deribit:100000-PUT": -1.0, noisy_market.PERP: -1.0},
    {"deribit:90000-CALL": 0.5, "deribit:100000-CALL": -1.0, "deribit:110000-CALL": 0.5},
    {"deribit:2-110000-PUT": -1.0, "deribit:2-90000-PUT": 1.0, INVERSE: 0.3},
    {"binance:BTCUSDT-PERP": 1.0, "binance:BTCUSDC-PERP": -1.0, "binance:USDCUSDT": 1.0},
)


def table(order: int | None = None) -> Instruments:
    del order
    dex = perp(noisy_market.DEX, funding_interval_ns=NS_PER_HOUR)
    rows = [spot(noisy_market.SPOT), perp(noisy_market.PERP), perp(noisy_market.TETHER, quote="USDT"), dex, fx()]
    rows += [perp(INVERSE, quote="USD", inverse=True), future(DATED, T0_NS + 3 * NS_PER_DAY)]
    for prefix, expiry in (("", noisy_market.EXPIRY), ("2-", SECOND)):
        rows += [
            option(f"deribit:{prefix}{strike:.0f}-{right.name}", expiry, strike, right)
            for strike in noisy_market.STRIKES
            for right in (Right.CALL, Right.PUT)
        ]
    return instruments(*rows)


def blocks(seed: int, monkeypatch: pytest.MonkeyPatch) -> list[Panel]:
    """One panel a day; options stay in the data on every day, expired or not."""
    monkeypatch.setattr(noisy_market, "table", table)
    return noisy_market.panels(seed, days=DAYS)


def views_of(panels: Sequence[Panel]) -> list[PreparedPanel]:
    return [prepare(panel, noisy_market.registered(), curves()) for panel in panels]


def movables(views: Sequence[PreparedPanel], seed: int) -> SourceSignals:
    """Return a signal of each package that is quoted somewhere on the first day, anchored."""
    draw, made = np.random.default_rng(seed), []
    first = views[0]
    for number, legs in enumerate(PACKAGES):
        columns = [first.panel.column(first.panel.instruments.code_of(name)) for name in legs]
        usable = np.flatnonzero(np.isfinite(first.mid[:, columns]).all(axis=1) & np.isfinite(first.spot_usd))
        if len(usable):
            row = int(draw.choice(usable))
            gross = float(draw.choice([20.0, 60.0, 300.0]))
            made.append(signal(first, row, legs, gross_bps=gross, signal_id=f"{number}", constraint="C1"))
    found = source_signals(made, noisy_market.registered())
    return with_ranks(found, first, np.arange(len(found)))
