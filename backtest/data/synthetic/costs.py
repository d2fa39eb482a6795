"""What a package is expected to cost, in bps of the reference price: the closed form of S3, written a second time.

It sizes plants so that their net meets a threshold from a known side.  It knows average depths and nominal spreads.
"""

from __future__ import annotations

import math
from collections.abc import Sequence, Set
from dataclasses import dataclass
from typing import Final

import numpy as np

from backtest.data.synthetic.lots import lot_of, product_keys, whole_lots
from backtest.data.synthetic.quotes import average_size, by_kind, spread_ticks
from backtest.data.synthetic.spec import SynthSpec
from backtest.data.synthetic.universe import FUTURE, OPTION, PERP, SPOT, SyntheticListing

HOURS_A_YEAR: Final = 8_760.0
OWN: Final = ("USDC", "USD")
KIND_NAME: Final = ("spot", "perp", "future", "option")


@dataclass(frozen=True, slots=True)
class Quoted:
    """One instrument at one time, in bps of the reference price per base unit."""

    listing: SyntheticListing
    mid_bps: float  # for comparison, converted by its price currency
    paid_bps: float  # as it is paid: the same, but for a quanto
    spread_bps: float
    fee_bps: float  # one side
    depth_share: float  # of the average touch that the target notional takes, per unit of quantity
    known_depth: bool
    unit_bps: float  # of one unit of the price currency


def quoted(
    spec: SynthSpec,
    listings: Sequence[SyntheticListing],
    prices: Sequence[float],
    spot: float,
    fx: float,
    blind: Set[str],
) -> dict[str, Quoted]:
    """Return ``listings`` by name at mids ``prices`` in their price currencies; the depth of the ``blind`` is unknown.

    ``fx`` is USDT per USDC.  Fees are a share of the notional; of the underlying's for an option, at most
    ``option_cap`` of its premium.  [S3.2]
    """
    reference = np.array([spot if x.kind == OPTION else price for x, price in zip(listings, prices, strict=True)])
    ticks = spread_ticks(spec, listings, reference).tolist()
    # the reference price is in dollars; a coin premium is worth the spot
    usd_per = {"USD": 1.0, "USDC": 1.0, "USDT": 1.0 / fx}
    # a coin of dollars (FX) has its quantity in dollars, everything else in coins
    units = spec.costs.target_usd / spot
    by_name = {}
    for x, price, spread in zip(listings, prices, ticks, strict=True):
        bps = 1e4 * usd_per.get(x.settle if x.quote in usd_per and x.settle in usd_per else x.quote, spot) / spot
        rate = taker_bps(spec, x)
        fee = min(rate, spec.costs.option_cap * price * bps) if x.kind == OPTION else rate * 1e-4 * price * bps
        share = units / average_size(spec, x)
        value = price * 1e4 * usd_per.get(x.quote, spot) / spot
        known = x.name not in blind
        by_name[x.name] = Quoted(x, value, price * bps, spread * x.tick * bps, fee, share, known, bps)
    return by_name


def taker_bps(spec: SynthSpec, x: SyntheticListing) -> float:
    """Return the taker fee of a listing: of its symbol, else of its kind and settlement currency, else of its kind."""
    table, kind = spec.costs.fee_bps, f"{x.venue}.{KIND_NAME[x.kind]}"
    return next(table[key] for key in (f"{x.venue}.{x.symbol}", f"{kind}.{x.settle}", kind) if key in table)


def in_lots(spec: SynthSpec, legs: Sequence[tuple[Quoted, float]], spot: float) -> tuple[float, list[float]] | None:
    """Return the share of the target size and the signed quantities at which the legs are whole lots.

    None where there is no such size; the target itself in a market without lots.
    """
    if not spec.lots:
        return 1.0, [quantity for _, quantity in legs]
    units = spec.costs.target_usd / spot
    # what a price in dollars is: an inverse contract has no other
    lots = [lot_of(spec, leg.listing, 1e-4 * leg.mid_bps * spot) for leg, _ in legs]
    found = whole_lots([abs(quantity) * units for _, quantity in legs], lots)
    if found is None:
        return None
    share, amounts = found
    signed = zip(amounts, legs, strict=True)
    return share, [math.copysign(amount / (units * share), quantity) for amount, (_, quantity) in signed]


def _tick_bps(spec: SynthSpec, leg: Quoted) -> float:
    """Return one tick of an option's price, bps of S; 0 where no ticks are given.  [S3.3, venues V4]"""
    steps = next(
        (spec.costs.fallback_ticks[key] for key in product_keys(leg.listing) if key in spec.costs.fallback_ticks), []
    )
    price = leg.paid_bps / leg.unit_bps
    return max((step.tick for step in steps if price >= step.price), default=0.0) * leg.unit_bps


def leg_cost(spec: SynthSpec, leg: Quoted, quantity: float, life_h: float, share: float = 1.0) -> float:
    """Return the round trip of one leg plus capital charge and borrow over ``life_h``, bps of S.

    ``share`` is the size as a part of the target.

    ``2 (fee + spread/2 + spread x share of the touch)``; where sizes are missing, the fallback slippage of the leg's
    own notional takes the place of the last term.  [S3.1, S3.3]
    """
    size = abs(quantity)
    if leg.known_depth:
        impact = leg.spread_bps * leg.depth_share * size * share
    else:
        table = spec.costs.fallback_bps
        fallback = table.fx if leg.listing.underlying == "FX" else by_kind(table, leg.listing.kind)
        impact = _tick_bps(spec, leg) or 1e-4 * fallback * leg.paid_bps
    trip = 2.0 * size * (leg.fee_bps + 0.5 * leg.spread_bps + impact)
    tied_up = margin_bps(spec, leg, quantity) * spec.costs.capital_rate
    charged = tied_up * life_h
    # What a spot is paid with is borrowed unless it is the capital's own; started hours count in full.  [venues V6]
    if leg.listing.kind == SPOT and (leg.listing.base if quantity < 0.0 else leg.listing.quote) not in OWN:
        charged += leg.paid_bps * spec.costs.borrow_rate * math.ceil(life_h)
    return trip + size * charged / HOURS_A_YEAR


def margin_bps(spec: SynthSpec, leg: Quoted, quantity: float) -> float:
    """Return the margin of one unit of a leg in bps of S: spot in full, perp and future a share, options by side."""
    if leg.listing.kind in (PERP, FUTURE):
        return spec.costs.perp_margin * leg.paid_bps
    if leg.listing.kind == OPTION and quantity < 0.0:
        return 1e4 * spec.costs.short_option_margin + leg.paid_bps
    return leg.paid_bps
