"""Packages as closed forms see them: the relation, its legs, gross at mids and expected net, at one time.  [S2]"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from backtest.data.synthetic.costs import HOURS_A_YEAR, Quoted, in_lots, leg_cost, quoted
from backtest.data.synthetic.elementary import FloatArray
from backtest.data.synthetic.expiries import ACCRUAL_NS, NEVER_NS, NS_PER_HOUR
from backtest.data.synthetic.fair import Move, fair_prices, moved
from backtest.data.synthetic.paths import INTERVAL_H, Path
from backtest.data.synthetic.spec import SynthSpec
from backtest.data.synthetic.universe import SyntheticListing, dollar_listing

Leg = tuple[str, float]
"""An instrument's name and its signed quantity per unit of base notional: + bought, - sold."""


@dataclass(frozen=True, slots=True)
class Relation:
    """One package with its gross violation at mids, bps of S, in the direction in which it can be traded."""

    constraint: str
    venue: str
    expiry_ns: int
    side: int
    short: str  # instrument that is sold and names the episode
    legs: tuple[Leg, ...]
    gross_bps: float
    net_bps: float


@dataclass(frozen=True, slots=True)
class Moment:
    """Mids of some listings at one grid time with some moves applied."""

    spec: SynthSpec
    path: Path
    step: int
    quotes: Mapping[str, Quoted]
    raw: Mapping[str, float]  # mids in price currencies

    @property
    def spot(self) -> float:
        return float(self.path.spot[self.step])

    @property
    def t_ns(self) -> int:
        return int(self.path.times_ns[self.step])

    def cost(self, constraint: str, legs: Sequence[Leg]) -> float:
        """Return the expected cost of a package of ``constraint``, bps of S."""
        life_h, total = self.spec.costs.life_h[constraint], 0.0
        found = in_lots(self.spec, [(self.quotes[name], quantity) for name, quantity in legs], self.spot)
        share, traded = found or (1.0, [quantity for _, quantity in legs])
        # Written out: from Python 3.12 on the built-in sum compensates for rounding, and plants would move by a bit.
        for (name, _), quantity in zip(legs, traded, strict=True):
            total += leg_cost(self.spec, self.quotes[name], quantity, life_h, share)
        return total

    def fits(self, legs: Sequence[Leg]) -> bool:
        """Return whether a package is whole lots at some size up to the target."""
        return in_lots(self.spec, [(self.quotes[name], quantity) for name, quantity in legs], self.spot) is not None

    def under(self, moves: Sequence[Move]) -> Moment:
        """Return the moment with ``moves``, which are in force now; bit for bit that of :func:`moment_at` under them.

        The other quotes are as they were, unless a forward moves.
        """
        listings = [quote.listing for quote in self.quotes.values() if quote.listing.underlying != "FX"]
        if any(move.forward for move in moves):
            return moment_at(self.spec, self.path, listings, self.step, moves)
        row, fx = np.array([self.step]), float(self.path.fx[self.step])
        some = [self.quotes[move.name].listing for move in moves]
        fair = np.array([[self.raw[x.name] for x in some]])
        prices = moved(fair, self.path, some, row, moves)[0].tolist()
        quotes = quoted(self.spec, some, prices, self.spot, fx, {move.name for move in moves if move.no_depth})
        raw = {x.name: price for x, price in zip(some, prices, strict=True)}
        return replace(self, quotes={**self.quotes, **quotes}, raw={**self.raw, **raw})


def moment_at(
    spec: SynthSpec, path: Path, listings: Sequence[SyntheticListing], step: int, moves: Sequence[Move]
) -> Moment:
    """Return the mids of ``listings`` and of the dollar pair at grid time ``step`` under ``moves``."""
    row = np.array([step], dtype=np.int64)
    seen = [*listings, dollar_listing(spec)]
    spot, fx = float(path.spot[step]), float(path.fx[step])
    prices = [*fair_prices(path, listings, row, spec.smile, moves).moved[0].tolist(), fx]
    quotes = quoted(spec, seen, prices, spot, fx, {move.name for move in moves if move.no_depth})
    return Moment(spec, path, step, quotes, {x.name: price for x, price in zip(seen, prices, strict=True)})


def _settlements(moment: Moment, interval_ns: int, life_h: float) -> int:
    until = moment.t_ns + round(life_h * NS_PER_HOUR)
    return until // interval_ns - moment.t_ns // interval_ns


def expected_funding(moment: Moment, perp: SyntheticListing, constraint: str) -> float:
    """Return what a long is expected to pay over the longest life, as a fraction of the notional.  [S3.5, venues V3]

    What accrues pays its rate of eight hours evenly; what settles more often than every eight hours is expected to pay
    the mean of its last eight hours.
    """
    path, step, interval_ns = moment.path, moment.step, perp.funding_interval_ns
    life_h = moment.spec.costs.life_h[constraint]
    if interval_ns == ACCRUAL_NS:
        return float(path.rate_inverse[step]) * life_h / INTERVAL_H
    count = _settlements(moment, interval_ns, life_h)
    if interval_ns < INTERVAL_H * NS_PER_HOUR:
        return _mean_settled(moment, path.rate_hyperliquid, interval_ns) * count
    return float(path.rate_binance[step]) * count


def _mean_settled(moment: Moment, rate: FloatArray, interval_ns: int) -> float:
    """Return the mean of the rates settled in the last eight hours: of each interval that ended in them."""
    every = interval_ns // moment.spec.grid_ns
    last, due = moment.step // every, INTERVAL_H * NS_PER_HOUR // interval_ns
    settled = [float(rate[number * every - 1]) for number in range(max(last - due, 0) + 1, last + 1)]
    # Less than half of them is no mean: no plant is that early.
    return math.fsum(settled) / len(settled) if 2 * len(settled) >= due else math.nan


def cash_carry(moment: Moment, perp: SyntheticListing, spot: SyntheticListing) -> list[Relation]:
    """C1: gross = side (P/S - 1), for both sides; carry is added to the net."""
    basis = 1e4 * (moment.quotes[perp.name].mid_bps / moment.quotes[spot.name].mid_bps - 1.0)
    carry = 1e4 * expected_funding(moment, perp, "C1")
    relations = []
    for side in (1, -1):
        legs = ((perp.name, -float(side)), (spot.name, float(side)))
        net = side * (basis + carry) - moment.cost("C1", legs)
        short = perp.name if side > 0 else spot.name
        relations.append(Relation("C1", perp.venue, NEVER_NS, side, short, legs, side * basis, net))
    return relations


def triangle(moment: Moment, usdt: SyntheticListing, usdc: SyntheticListing) -> list[Relation]:
    """C2: x = P_usdt / (P_usdc FX) - 1, for both sides; the dollar leg is in USDC."""
    pair = dollar_listing(moment.spec)
    x = 1e4 * (moment.raw[usdt.name] / (moment.raw[usdc.name] * moment.raw[pair.name]) - 1.0)
    carry = 1e4 * (expected_funding(moment, usdt, "C2") - expected_funding(moment, usdc, "C2"))
    relations = []
    for side in (1, -1):
        perps = ((usdt.name, -float(side)), (usdc.name, float(side)))
        dollars = (pair.name, side * moment.raw[usdc.name])
        legs = (*perps, dollars)
        net = side * (x + carry) - moment.cost("C2", legs)
        short = usdt.name if side > 0 else usdc.name
        relations.append(Relation("C2", usdt.venue, NEVER_NS, side, short, legs, side * x, net))
    return relations


def four_corners(moment: Moment, corners: Mapping[str, tuple[float, tuple[Leg, ...]]]) -> list[Relation]:
    """C6: the dearest against the cheapest of the corners, each given by its value in bps of S and its long legs."""
    dear = max(corners, key=lambda name: corners[name][0])
    cheap = min(corners, key=lambda name: corners[name][0])
    gross = corners[dear][0] - corners[cheap][0]
    legs = tuple((name, -quantity) for name, quantity in corners[dear][1]) + corners[cheap][1]
    short = corners[dear][1][0][0]
    return [Relation("C6", short.split(":")[0], NEVER_NS, 1, short, legs, gross, gross - moment.cost("C6", legs))]


def synthetic_corner(
    moment: Moment, strike: float, call: SyntheticListing, put: SyntheticListing
) -> tuple[float, tuple[Leg, ...]]:
    """Return the corner of a coin-settled call and put: K/(1 - (c - p)) over 1 + hT, and the legs that are long it."""
    years_h = (call.expiry_ns - moment.t_ns) / NS_PER_HOUR / HOURS_A_YEAR
    gap = moment.raw[call.name] - moment.raw[put.name]
    forward = strike / (1.0 - gap)
    value = 1e4 * forward / (1.0 + moment.spec.costs.capital_rate * years_h) / moment.spot
    units = forward / strike
    return value, ((call.name, units), (put.name, -units))
