"""Where the curve can be bent so that C5 is violated and nothing else.  [S2.C5, S2.8]"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from backtest.data.synthetic.elementary import exp
from backtest.data.synthetic.expiries import NS_PER_DAY, live
from backtest.data.synthetic.relations import Leg, Moment, Relation, expected_funding
from backtest.data.synthetic.sites import Ground, PlantWindow, Site
from backtest.data.synthetic.universe import FUTURE, SyntheticListing


def curve_sites(ground: Ground, window: PlantWindow) -> list[Site]:
    """Return the sites of C5: a hump of the whole curve, or a trough, in the shape of the market's own curvature.

    All futures move, so that the score and the listed futures show the same: the smaller of both is the gross.  There
    is none while a midnight falls into the window: a day's curve is that of 00:00, and one that holds a plant would
    teach the factors the plant instead of the market.  [S2.C5, docs/decisions/0715]
    """
    if (window.from_step - 1) // ground.spec.steps_a_day != (window.to_step - 1) // ground.spec.steps_a_day:
        return []
    chains, day, t_ns = ground.spec.chains, ground.day(window.from_step), ground.time_ns(window.from_step)
    dates = live(day, chains.future_weekly, chains.future_monthly, chains.future_quarterly)
    names = {x.expiry_ns: x.name for x in ground.universe.listings if x.kind == FUTURE and x.inverse}
    futures = [ground.by_name[names[expiry]] for expiry in dates]
    perp = ground.by_name[f"deribit:{ground.underlying}-PERPETUAL"]
    three = tuple(min(futures, key=lambda x: abs(x.expiry_ns - t_ns - d * NS_PER_DAY)) for d in (60, 7, 180))
    row = np.array([window.from_step])
    fair = {x.name: float(ground.path.forward(row, np.array([x.expiry_ns - t_ns]))[0]) for x in futures}
    spot = float(ground.path.spot[window.from_step])
    legs = _curve_legs(ground, t_ns, three, perp, {name: price / spot - 1.0 for name, price in fair.items()})
    hump = {x.name: _years(x, t_ns) * _shapes(ground, x, t_ns)[1] for x in futures}
    # bps of S that each future moves for one bp of gross
    gain = -_weighted(legs[:3], hump)
    sites = []
    for side in (1, -1):
        # bound now: the loop variable would be the last side when the function runs
        def relations(moment: Moment, side: int = side) -> list[Relation]:
            signed = tuple((name, side * quantity) for name, quantity in legs)
            gross = -1e4 * _weighted(signed[:3], {x.name: moment.raw[x.name] - fair[x.name] for x in three}) / spot
            net = gross + _curve_carry(moment, signed, three, perp) - moment.cost("C5", signed)
            # belly, far wing, near wing, perp: the first that is sold names the episode
            short = next(signed[place][0] for place in (0, 2, 1, 3) if signed[place][1] < 0.0)
            return [Relation("C5", "deribit", three[0].expiry_ns, side, short, signed, gross, net)]

        note = f"the curve has a {'hump' if side > 0 else 'trough'} of gross_bps; z is a statistic of the run"
        moved = tuple((name, side * size / gain) for name, size in hump.items())
        sites.append(
            Site(
                f"{ground.underlying}/curve", (*futures, perp), moved, True, relations, relations, lambda _: True, note
            )
        )
    return sites


def _years(listing: SyntheticListing, t_ns: int) -> float:
    return (listing.expiry_ns - t_ns) / (365 * NS_PER_DAY)


def _shapes(ground: Ground, listing: SyntheticListing, t_ns: int) -> tuple[float, float]:
    """Slope and curvature of the market's yields at the listing's tenor, as `Path.forward` has them."""
    left = float(exp(-(listing.expiry_ns - t_ns) / ground.path.decay_ns))
    return 1.0 - 2.0 * left, 4.0 * left * (1.0 - left)


def _weighted(legs: Sequence[Leg], values: Mapping[str, float]) -> float:
    """The sum of quantity times value, left to right."""
    total = 0.0
    for name, quantity in legs:
        total += quantity * values[name]
    return total


def _curve_legs(
    ground: Ground,
    t_ns: int,
    three: tuple[SyntheticListing, ...],
    perp: SyntheticListing,
    premium: Mapping[str, float],
) -> tuple[Leg, ...]:
    """Return belly, near, far and perp: what gains when a hump goes, with no money on level, slope and the coin.

    ``sum w tau = sum w tau g1 = 0``, ``w_perp = -sum w (1 + premium)``, ``sum |w| = 2``, ``sum w tau g2 < 0``.
    """
    (a, b, c), years = [_shapes(ground, x, t_ns) for x in three], [_years(x, t_ns) for x in three]
    futures = [(b[0] - c[0]) / years[0], (c[0] - a[0]) / years[1], (a[0] - b[0]) / years[2]]
    legs = [(x.name, w) for x, w in zip(three, futures, strict=True)]
    legs.append((perp.name, -_weighted(legs, {x.name: 1.0 + premium[x.name] for x in three})))
    toward = _weighted(legs[:3], {x.name: y * g[1] for x, y, g in zip(three, years, (a, b, c), strict=True)})
    size = 0.0
    for _, weight in legs:
        size += abs(weight)
    scale = (-2.0 if toward > 0.0 else 2.0) / size
    return tuple((name, weight * scale) for name, weight in legs)


def _curve_carry(
    moment: Moment, legs: tuple[Leg, ...], three: tuple[SyntheticListing, ...], perp: SyntheticListing
) -> float:
    """Return the funding of the perp leg and the roll-down of the futures at unchanged yields, bps of S.  [S2.C5]"""
    life = moment.spec.costs.life_h["C5"] / (365 * 24)
    yields = {x.name: (moment.raw[x.name] / moment.spot - 1.0) / _years(x, moment.t_ns) for x in three}
    funding = legs[3][1] * (moment.raw[perp.name] / moment.spot) * expected_funding(moment, perp, "C5")
    return -1e4 * (funding + _weighted(legs[:3], yields) * life)
