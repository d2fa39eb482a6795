"""A planted violation for each constraint: a market without arbitrage, one deviation in it, and what must be found.

A member adds its case as a function here and names it in `PLANTED`; `test_every_constraint` does the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from engine.params import Fitted, Params
from engine.records import CurveHistory, Right
from tests.helpers.builders import params
from tests.helpers.markets import SLOPE, Market, S, black_coin, fitted, flat_history, future_name, option_name

YEARS = (9.0 + 1.0 / 3.0) / 365.0
"""To 08:00 UTC, nine days on."""
FORWARD = S * (1.0 + SLOPE * YEARS)


@dataclass(frozen=True)
class Planted:
    """A market and the package that must fire in it.

    ``quantities`` are the legs by name, signed, in base units per unit of base notional; ``gross_bps`` the size of
    what was planted, to ``tolerance_bps``.
    """

    market: Market
    quantities: Mapping[str, float]
    gross_bps: float
    tolerance_bps: float = 0.01
    params: Params = field(default_factory=params)
    fitted: Fitted = field(default_factory=fitted)
    curves: CurveHistory = field(default_factory=flat_history)


def cash_carry() -> Planted:
    """The perp one per cent over its spot: sell it, buy the spot."""
    market = Market(mids={"binance:BTCUSDC-PERP": 1.01 * S})
    return Planted(market, {"binance:BTCUSDC-PERP": -1.0, "binance:BTCUSDC": 1.0}, 100.0)


def triangle() -> Planted:
    """The USDC perp one per cent under the USDT perp: buy it, sell the other, buy USDC for USDT."""
    market = Market(mids={"binance:BTCUSDC-PERP": S / 1.01})
    legs = {"binance:BTCUSDT-PERP": -1.0, "binance:BTCUSDC-PERP": 1.0, "binance:USDCUSDT": S / 1.01}
    return Planted(market, legs, 100.0)


def put_call() -> Planted:
    """The 100,000 call 0.01 coin over parity: sell it, buy the put, buy 100,000 USD of the future, K/F coins of it."""
    call = option_name(9, 100_000.0, Right.CALL)
    market = Market(mids={call: black_coin(FORWARD, 100_000.0, YEARS, Right.CALL) + 0.01})
    legs = {call: -1.0, option_name(9, 100_000.0, Right.PUT): 1.0, future_name(9): 100_000.0 / FORWARD}
    return Planted(market, legs, 100.0)


def butterfly() -> Planted:
    """The 105,000 call 0.02 coin too dear: sell it against half of each neighbour.

    A smooth convex chain has its lowest chords over neighbours, so the gross is 200 bps less the chain's own convexity.
    """
    low, belly, high = (option_name(9, k, Right.CALL) for k in (100_000.0, 105_000.0, 110_000.0))
    c1, c2, c3 = (black_coin(FORWARD, k, YEARS, Right.CALL) for k in (100_000.0, 105_000.0, 110_000.0))
    market = Market(mids={belly: c2 + 0.02})
    return Planted(market, {belly: -1.0, low: 0.5, high: 0.5}, 200.0 - 1e4 * (0.5 * c1 + 0.5 * c3 - c2))


def vertical() -> Planted:
    """The 100,000 call 0.01 coin over the 95,000 call, the cheapest of the lower strikes: sell it, buy that."""
    dear, cheap = option_name(9, 100_000.0, Right.CALL), option_name(9, 95_000.0, Right.CALL)
    market = Market(mids={dear: black_coin(FORWARD, 95_000.0, YEARS, Right.CALL) + 0.01})
    return Planted(market, {dear: -1.0, cheap: 1.0}, 100.0)


def calendar() -> Planted:
    """The 58-day future a quarter a year over the line: sell it and the perp against the 9-day and the 185-day future.

    By hand: tenors 9 1/3, 58 1/3, 185 1/3 days, tau = 0.0255708, 0.1598174, 0.5077626 years.  Loadings there, linear on
    (7, 30, 60, 90, 180) and flat beyond: level a = 0.4472136 thrice; slope s = -0.6003745, -0.0175682, 0.6324555 (the
    last is flat); curvature u = -0.4531839, 0.5196745, -0.5345225.  ``tau w`` is the cross product of (a, a, a) and s,
    so proportional to (s3-s2, s1-s3, s2-s1) = (0.6500237, -1.2328300, 0.5828063), hence w to (25.42055, -7.71399,
    1.14779).  Premiums: 0.0020457, 0.33 * 0.1598174 = 0.0527397, 0.0406210.  The perp: -(18.85435 + 0.0520025 -
    0.4068342 + 0.0466243) = -18.5461426.  sum |w| = 2:
    w = (0.9623806, -0.2920390, 0.0434535, -0.7021269).

    The curve's 60-day point lies between 58 1/3 and 92 1/3 days: y - 0.08 = 0.25 * 32.3333/34 = 0.2377451 there; at 30
    days it is the 30 1/3-day line between 9 1/3 and 30 1/3, hence 0; at 90 days 0.25 * 2.3333/34 = 0.0171569; 7 and 180
    days 0.  c3 = 0.5345225 * 0.2377451 + 0.2672612 * 0.0171569 = 0.1316654; its past mean is 0.  sum w tau u =
    -0.0472007.  score_bps = 1e4 * 0.1316655 * 0.0472007 = 62.147.

    c1 = 0.4472136 * 0.2549020 = 0.1139956; c2 = 0.3162278 * 0.0171569 = 0.0054255.  Fit less 0.08: a c1 + s c2 =
    0.0509804 + (-0.0032573, -0.0000953, 0.0034314); residuals -0.0477231, 0.1991149, -0.0544118.  residual_bps =
    116.682: the score is the smaller.  (Digits from exact fractions.)
    """
    belly = S * (1.0 + (SLOPE + 0.25) * (58.0 + 1.0 / 3.0) / 365.0)
    market = Market(mids={future_name(58): belly})
    legs = {
        future_name(58): -0.292038967,
        future_name(9): 0.962380581,
        future_name(185): 0.043453531,
        "deribit:BTC-PERPETUAL": -0.702126921,
    }
    return Planted(market, legs, 62.147, tolerance_bps=0.01)


def four_corner() -> Planted:
    """The DEX perp 1.5 per cent over all: sell it, buy the CEX perp, the first of the cheapest."""
    market = Market(mids={"hyperliquid:BTC-PERP": 1.015 * S})
    return Planted(market, {"hyperliquid:BTC-PERP": -1.0, "binance:BTCUSDC-PERP": 1.0}, 150.0)


PLANTED: dict[str, Callable[[], Planted]] = {
    "C1": cash_carry,
    "C2": triangle,
    "C3": put_call,
    "C4": butterfly,
    "C5": calendar,
    "C6": four_corner,
    "C7": vertical,
}
