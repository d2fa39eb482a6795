"""Where each constraint can be violated, and which quotes must move for that and for nothing else.  [S2.8]

* C1 moves the inverse perp, or the USDT spot; C2 the USDC perp; C6 the DEX perp: no other constraint reads these.
* C3 moves all calls, or all puts, of a chain by one amount: butterflies and verticals do not see it.
* C4 moves call and put of one strike together, C7 those of the last or first strike: parity does not see it.
* C5 moves all forwards in the shape of the curvature, and the options of each expiry with them.

A package of C4 and of C6 has one sign, so their ``side`` is always 1: C4 sells the belly, for there is no bound to sell
the wings by; C6 sells its dearest corner, whichever that is, and both orders of the DEX perp are planted.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from backtest.data.synthetic.chains import chain_relations
from backtest.data.synthetic.expiries import NS_PER_DAY
from backtest.data.synthetic.fair import Move
from backtest.data.synthetic.paths import Path
from backtest.data.synthetic.relations import (
    Leg,
    Moment,
    Relation,
    cash_carry,
    expected_funding,
    four_corners,
    synthetic_corner,
    triangle,
)
from backtest.data.synthetic.spec import SynthSpec
from backtest.data.synthetic.universe import CALL, PUT, Chain, SyntheticListing, Universe


@dataclass(frozen=True, slots=True)
class PlantWindow:
    """The life of a plant, ``from_step <= step < to_step``."""

    from_step: int
    to_step: int


@dataclass(frozen=True, slots=True)
class Site:
    """A place for a plant: which quotes move, in which direction, and which relation is then violated."""

    resource: str  # one plant at a time
    listings: tuple[SyntheticListing, ...]  # what has to be looked at
    moved: tuple[tuple[str, float], ...]  # instrument and direction
    forward: bool
    relations: Callable[[Moment], list[Relation]]
    planted_relations: Callable[[Moment], list[Relation]]  # those of the constraint that is planted
    wanted: Callable[[Relation], bool]
    note: str

    def moves(self, window: PlantWindow, bps: float, no_depth: bool, thin: bool = False) -> tuple[Move, ...]:
        """Return the moves of size ``bps``."""
        return tuple(
            Move(name, window.from_step, window.to_step, direction * bps, self.forward, no_depth, thin)
            for name, direction in self.moved
        )


@dataclass(frozen=True, slots=True)
class Ground:
    """One underlying's market as the planner sees it."""

    spec: SynthSpec
    path: Path
    universe: Universe
    underlying: str
    by_name: dict[str, SyntheticListing]

    def time_ns(self, step: int) -> int:
        return int(self.path.times_ns[step])

    def day(self, step: int) -> int:
        """Return the day in whose quotes grid time ``step`` appears."""
        return (self.time_ns(step) - 1) // NS_PER_DAY


def perp_sites(ground: Ground, constraint: str, window: PlantWindow) -> list[Site]:
    """Return the sites of C1, C2 or C6 on both sides; none while no option beyond one day is listed."""
    u, by_name = ground.underlying, ground.by_name
    near = _nearest_pair(ground, window)
    if near is None:
        return []
    names = [f"binance:{u}USDC", f"binance:{u}USDT", f"binance:{u}USDT-PERP", f"binance:{u}USDC-PERP"]
    names += [f"hyperliquid:{u}-PERP", f"deribit:{u}-PERPETUAL", *near]
    listings = tuple(by_name[name] for name in names)
    usdc, usdt, perp_usdt, perp_usdc, dex, inverse = listings[:6]

    def relations(moment: Moment) -> list[Relation]:
        packages = cash_carry(moment, inverse, usdc) + cash_carry(moment, perp_usdt, usdt)
        return packages + triangle(moment, perp_usdt, perp_usdc) + four_corners(moment, _corners(moment, listings))

    def site(moved: SyntheticListing, direction: float, wanted: Callable[[Relation], bool], note: str) -> Site:
        return Site(
            f"{u}/{moved.name}", listings, ((moved.name, direction),), False, relations, relations, wanted, note
        )

    if constraint == "C1":
        return [
            site(moved, side * direction, _is("C1", perp.name, side), f"{perp.symbol} {word}")
            for perp, moved, direction in ((inverse, inverse, 1.0), (perp_usdt, usdt, -1.0))
            for side, word in ((1, "over its spot"), (-1, "under its spot"))
        ]
    if constraint == "C2":
        return [
            site(perp_usdc, -side, _is("C2", perp_usdt.name, side), f"USDT perp {word} the USDC perp")
            for side, word in ((1, "over"), (-1, "under"))
        ]
    return [
        site(dex, side, _is("C6", dex.name, side), f"DEX perp the {word} corner")
        for side, word in ((1, "dearest"), (-1, "cheapest"))
    ]


def _is(constraint: str, name: str, side: int) -> Callable[[Relation], bool]:
    """Return the test for a package of ``constraint`` that sells (side 1) or buys (-1) instrument ``name``."""

    def wanted(relation: Relation) -> bool:
        return relation.constraint == constraint and any(n == name and q * side < 0.0 for n, q in relation.legs)

    return wanted


def _nearest_pair(ground: Ground, window: PlantWindow) -> tuple[str, str] | None:
    """Return call and put nearest the money at the nearest coin-settled expiry beyond one day, None where none is."""
    t_ns, day = ground.time_ns(window.from_step), ground.day(window.from_step)
    # An option of the last day may expire inside a trade that lives up to a day.
    beyond = (c for c in ground.universe.chains if not c.linear and c.expiry_ns > t_ns + NS_PER_DAY and c.listed(day))
    chain = min(beyond, key=lambda c: c.expiry_ns, default=None)
    if chain is None:
        return None
    row = np.array([window.from_step])
    forward = float(ground.path.forward(row, chain.expiry_ns - ground.path.times_ns[row])[0])
    strike = min(chain.listed(day), key=lambda k: abs(k - forward))
    return chain.option(strike, CALL), chain.option(strike, PUT)


def _corners(moment: Moment, listings: tuple[SyntheticListing, ...]) -> dict[str, tuple[float, tuple[Leg, ...]]]:
    usdc, _, perp_usdt, _, dex, _, call, put = listings
    corners = {
        perp.name: (
            moment.quotes[perp.name].mid_bps * (1.0 + expected_funding(moment, perp, "C6")),
            ((perp.name, 1.0),),
        )
        for perp in (dex, perp_usdt)
    }
    corners[usdc.name] = (moment.quotes[usdc.name].mid_bps, ((usdc.name, 1.0),))
    return corners | {"synthetic": synthetic_corner(moment, call.strike, call, put)}


def option_sites(ground: Ground, constraint: str, window: PlantWindow) -> list[Site]:
    """Return the sites of C3, C4 or C7 on every chain that lives long enough."""
    sites: list[Site] = []
    # a trade, which lives up to a day, has to end well before its chain expires
    days = {"C3": 2, "C4": 4, "C7": 10}[constraint]
    until = ground.time_ns(window.to_step) + days * NS_PER_DAY
    first, last = ground.day(window.from_step), ground.day(window.to_step)
    nearer = [c.expiry_ns for c in ground.universe.chains if not c.linear and c.expiry_ns > until]
    for chain in ground.universe.chains:
        strikes, later = chain.listed(first), chain.listed(last)
        if not strikes or chain.expiry_ns <= until:
            continue
        if constraint == "C3" and (chain.linear or chain.expiry_ns > min(nearer)):
            sites += _parity_sites(ground, chain, strikes, later, window)
        elif constraint == "C4":
            sites += _butterfly_sites(ground, chain, strikes, window)
        elif constraint == "C7" and (strikes[0], strikes[-1]) == (later[0], later[-1]):
            sites += _vertical_sites(ground, chain, strikes)
    return sites


def _chain_site(
    ground: Ground, chain: Chain, strikes: tuple[int, ...], moved: list[str], short: str, constraint: str, note: str
) -> Site:
    names = [chain.future, *(chain.option(k, right) for k in strikes for right in (CALL, PUT))]
    return Site(
        f"{ground.underlying}/{chain.future}/{'linear' if chain.linear else 'inverse'}",
        tuple(ground.by_name[name] for name in names),
        tuple((name, 1.0) for name in moved),
        False,
        lambda moment: chain_relations(moment, chain, strikes),
        lambda moment: chain_relations(moment, chain, strikes, constraint),
        lambda relation: relation.constraint == constraint and relation.short == short,
        note,
    )


def _middle(ground: Ground, chain: Chain, strikes: tuple[int, ...], step: int) -> int:
    row = np.array([step])
    forward = float(ground.path.forward(row, chain.expiry_ns - ground.path.times_ns[row])[0])
    return min(range(len(strikes)), key=lambda n: abs(strikes[n] - forward))


def _parity_sites(
    ground: Ground, chain: Chain, strikes: tuple[int, ...], later: tuple[int, ...], window: PlantWindow
) -> list[Site]:
    """Calls dear, or puts dear: the whole side of the chain, with the strikes that are listed during the life."""
    strike = strikes[_middle(ground, chain, strikes, window.from_step)]
    return [
        _chain_site(
            ground, chain, later, [chain.option(k, right) for k in later], chain.option(strike, right), "C3", note
        )
        for right, note in ((CALL, "all calls dear"), (PUT, "all puts dear"))
    ]


def _butterfly_sites(ground: Ground, chain: Chain, strikes: tuple[int, ...], window: PlantWindow) -> list[Site]:
    """Call and put of one strike near the money dear; either may be the belly that is named."""
    middle = _middle(ground, chain, strikes, window.from_step)
    sites = []
    # A belly has a wing on each side, so neither the first nor the last strike.
    for n in range(max(1, middle - 1), min(len(strikes) - 2, middle + 1) + 1):
        moved = [chain.option(strikes[n], right) for right in (CALL, PUT)]
        for short in moved:
            sites.append(_chain_site(ground, chain, strikes, moved, short, "C4", "call and put of one strike dear"))
    return sites


def _vertical_sites(ground: Ground, chain: Chain, strikes: tuple[int, ...]) -> list[Site]:
    """Call and put of the last or first strike dear: the lower bound of one right, the upper bound of the other."""
    sites = []
    for strike, word in ((strikes[0], "first"), (strikes[-1], "last")):
        moved = [chain.option(strike, right) for right in (CALL, PUT)]
        for short in moved:
            note = f"call and put of the {word} strike dear"
            sites.append(_chain_site(ground, chain, strikes, moved, short, "C7", note))
    return sites
