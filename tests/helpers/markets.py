"""A whole market without arbitrage: one coin, its spots, perps, dated futures and options, from one closed form.

Spot S in USDC; USDT at a rate of its own; perps at spot with no funding due; futures ``S (1 + y tau)`` on a straight
curve; Deribit options at undiscounted Black (1976) premiums over the future of their expiry, in coin.  Tests plant one
deviation in it, by name.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from engine.params import CurveFit, Fitted
from engine.records import CurveHistory, Instruments, Panel, Right
from engine.units import NS_PER_DAY, NS_PER_HOUR
from tests.helpers.builders import (
    STEP_NS,
    T0_NS,
    Quote,
    Row,
    curves,
    future,
    fx,
    instruments,
    option,
    panel,
    perp,
    quote,
    spot,
)

S = 100_000.0
FX = 1.0005
SLOPE = 0.08
"""Annualised basis of every future: a flat curve."""
VOL = 0.6
OPTION_DAYS = (2, 9)
FUTURE_DAYS = (2, 9, 30, 58, 92, 185)
STRIKES = (80_000.0, 90_000.0, 95_000.0, 100_000.0, 105_000.0, 110_000.0, 120_000.0)
TENORS = (7.0, 30.0, 60.0, 90.0, 180.0)


def expiry(days: int) -> int:
    """08:00 UTC, ``days`` days after the first grid time's day."""
    return T0_NS + days * NS_PER_DAY + 8 * NS_PER_HOUR


def future_name(days: int) -> str:
    return f"deribit:BTC-{days:03d}D"


def option_name(days: int, strike: float, right: Right) -> str:
    return f"deribit:BTC-{days:03d}D-{strike:.0f}-{'C' if right == Right.CALL else 'P'}"


def rows_of_market() -> list[Row]:
    """Every instrument of the market."""
    rows = [
        spot("binance:BTCUSDC"),
        fx(),
        perp("binance:BTCUSDC-PERP"),
        perp("binance:BTCUSDT-PERP", quote="USDT"),
        perp("hyperliquid:BTC-PERP", funding_interval_ns=NS_PER_HOUR),
        perp("deribit:BTC-PERPETUAL", quote="USD", inverse=True),
    ]
    rows += [future(future_name(d), expiry(d)) for d in FUTURE_DAYS]
    rows += [
        option(option_name(d, k, r), expiry(d), k, r)
        for d in OPTION_DAYS
        for k in STRIKES
        for r in (Right.CALL, Right.PUT)
    ]
    return rows


def black_coin(forward: float, strike: float, years: float, right: Right) -> float:
    """Undiscounted Black-76 in coin: N(d1) - k N(d2) for a call, k = K/F; the put by parity ``c - p = 1 - k``."""
    deviation = VOL * math.sqrt(years)
    k = strike / forward
    d1 = -math.log(k) / deviation + 0.5 * deviation
    call = 0.5 * math.erfc(-d1 / math.sqrt(2.0)) - k * 0.5 * math.erfc(-(d1 - deviation) / math.sqrt(2.0))
    return call if right == Right.CALL else call - 1.0 + k


@dataclass
class Market:
    """Mids, relative spreads and funding by name; change one and `block` shows it."""

    rows: list[Row] = field(default_factory=rows_of_market)
    scale: float = 1.0
    spread_bps: float = 0.2
    option_spread: float = 2e-5  # coin
    mids: dict[str, float] = field(default_factory=dict)
    rates: dict[str, float] = field(default_factory=dict)
    changes: dict[str, dict[str, object]] = field(default_factory=dict)

    def fair(self, row: Row) -> float:
        """The arbitrage-free mid, in the instrument's price currency."""
        s = S * self.scale
        if row.underlying == "FX":
            return FX
        if row.name == "binance:BTCUSDT-PERP":
            return s * FX
        years = (row.expiry_ns - T0_NS) / (365 * NS_PER_DAY)
        if row.right != Right.NONE:
            return black_coin(s * (1.0 + SLOPE * years), row.strike, years, row.right)
        return s * (1.0 + SLOPE * years) if "D" in row.name.split("BTC-")[-1] and years < 10 else s

    def quotes(self) -> dict[str, Quote]:
        """What every instrument shows."""
        shown = {}
        for row in self.rows:
            mid = self.mids.get(row.name, self.fair(row))
            s = S * self.scale
            if row.right != Right.NONE:
                half = 0.5 * self.option_spread
                made = Quote(mid - half, mid + half, mark=mid, index=s, bid_size=1e3, ask_size=1e3)
            else:
                made = quote(mid, self.spread_bps, rate=self.rates.get(row.name, 0.0), bid_size=1e6, ask_size=1e6)
                made = replace(made, index=s)
            shown[row.name] = replace(made, **self.changes.get(row.name, {}))  # type: ignore[arg-type]
        return shown

    def block(self, rows: int = 1, *, ordered: bool = True) -> Panel:
        """The panel, of ``rows`` equal grid times."""
        table: Instruments = instruments(*self.rows, ordered=ordered)
        times = T0_NS + STEP_NS * np.arange(rows, dtype=np.int64)
        return panel(table, self.quotes(), times_ns=times)


def flat_history(days: int = 60, noise: float = 1e-4) -> CurveHistory:
    """Curves of the days before the first grid time: the market's flat curve with a small curvature to and fro."""
    today = T0_NS // NS_PER_DAY
    shape = np.array(CURVATURE)
    sign = np.where(np.arange(days) % 2 == 0, 1.0, -1.0)
    return curves(list(range(today - days, today)), (SLOPE + noise * sign[:, None] * shape[None, :]).tolist())


ROOT = 1.0 / math.sqrt(5.0)
LEVEL = (ROOT,) * 5
SLOPE_LOADING = (-0.6324555320336759, -0.31622776601683794, 0.0, 0.31622776601683794, 0.6324555320336759)
CURVATURE = (-0.5345224838248488, 0.2672612419124244, 0.5345224838248488, 0.2672612419124244, -0.5345224838248488)
"""Orthonormal polynomials on five points: constant, linear, and the quadratic with its sign turned."""


def known_fit(**changes: object) -> Mapping[str, CurveFit]:
    """A fit with textbook loadings around the market's flat curve."""
    fit = CurveFit(
        fold=0,
        identified=True,
        reason="",
        tenor_days=TENORS,
        mean=(SLOPE,) * 5,
        loadings=(LEVEL, SLOPE_LOADING, CURVATURE),
        shares=(0.9, 0.08, 0.02),
        z_threshold=2.0,
        train_mean=0.0,
        train_sd=1e-4,
    )
    return {"BTC": replace(fit, **changes)}  # type: ignore[arg-type]


def fitted(**changes: object) -> Fitted:
    """What a fold was given: the known fit, in force for ever."""
    return Fitted(0, 0, 2**62, known_fit(**changes), {})
