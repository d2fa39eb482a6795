"""What is planted: where, when, how large, and what it is expected to be worth.  [S2.8, statistics 10]"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from backtest.data.synthetic.curve_sites import curve_sites
from backtest.data.synthetic.draws import Streams, uniforms
from backtest.data.synthetic.expiries import NS_PER_HOUR
from backtest.data.synthetic.fair import Move
from backtest.data.synthetic.fields import SpecError
from backtest.data.synthetic.paths import Path
from backtest.data.synthetic.relations import Relation, moment_at
from backtest.data.synthetic.sites import Ground, PlantWindow, Site, option_sites, perp_sites
from backtest.data.synthetic.spec import PlantSpec, SynthSpec
from backtest.data.synthetic.universe import Universe

# each attempt draws a place and a site, so their number bounds what a stream has to give
ATTEMPTS: Final = 40
DRAWS: Final = 8 * ATTEMPTS
"""The most numbers one plant draws."""


CLOSE_BPS: Final = 0.05
"""How far the expected net of a plant may be from what was drawn for it."""


@dataclass(frozen=True, slots=True)
class Plant:
    """A planted violation with its truth.

    ``kind``: ``convergent`` returns to fair after its life and so pays a trade that waits; ``fleeting`` is gone before
    a trade can enter; ``stubborn`` outlasts the longest life of a trade.
    """

    underlying: str
    window: PlantWindow
    relation: Relation
    effects: tuple[Relation, ...]  # other packages that the same quotes violate near or over their thresholds
    moves: tuple[Move, ...]
    kind: str
    depth: bool
    fits: bool  # its legs are whole lots at some size; else its moved quotes show one lot
    note: str


def plan(spec: SynthSpec, underlying: str, path: Path, universe: Universe, streams: Streams) -> tuple[Plant, ...]:
    """Return the plants of one underlying in time order.  Streams: ``<stream>/<underlying>/plants/<C1..C7>``.

    Raises ``SpecError`` where the market has no room for as many.
    """
    ground = Ground(spec, path, universe, underlying, {x.name: x for x in universe.listings})
    busy: dict[str, list[PlantWindow]] = {}
    plants: list[Plant] = []
    draws: dict[str, Iterator[float]] = {}
    wishes = sorted(spec.plants.constraints.items())
    for constraint, wanted in wishes:
        share, thin = _share(spec, underlying, wanted.count), _share(spec, underlying, wanted.untradable)
        stream = streams(f"{spec.stream}/{underlying}/plants/{constraint}", 0)
        draws[constraint] = iter(uniforms(stream, DRAWS * (share + thin)).tolist())
        for n in range(share):
            plants.append(_plant(ground, constraint, wanted, (n, share), draws[constraint], busy))
    # after all others, so that these have the places they would have without
    for constraint, wanted in wishes:
        share = _share(spec, underlying, wanted.untradable)
        for n in range(share):
            plants.append(_plant(ground, constraint, wanted, (n, share), draws[constraint], busy, thin=True))
    return tuple(sorted(plants, key=lambda p: (p.window.from_step, p.relation.constraint, p.relation.short)))


def _share(spec: SynthSpec, underlying: str, count: int) -> int:
    """Return this underlying's part of ``count``; the first ones take the remainder."""
    names = list(spec.underlyings)
    return count // len(names) + (names.index(underlying) < count % len(names))


def _plant(
    ground: Ground,
    constraint: str,
    wanted: PlantSpec,
    place: tuple[int, int],
    draw: Iterator[float],
    busy: dict[str, list[PlantWindow]],
    *,
    thin: bool = False,
) -> Plant:
    """Return plant ``n`` of ``share``, somewhere in its n-th part of the market where its quotes are not in use.

    It is put where its legs are whole lots; a ``thin`` one shows one lot, of which half may be taken.
    """
    spec = ground.spec
    near = next(draw) < spec.plants.near_share
    no_depth = next(draw) < spec.plants.no_depth_share
    kind, length = _length(spec, constraint, wanted, next(draw), next(draw))
    size = next(draw)
    if thin:
        near, no_depth = False, False
    if near:
        target = wanted.threshold_bps + spec.plants.near_bps * (2.0 * size - 1.0)
    else:
        target = wanted.threshold_bps + wanted.net_bps[0] + size * (wanted.net_bps[1] - wanted.net_bps[0])
    n, share = place
    for attempt in range(ATTEMPTS):
        # later attempts may look further around, so that a crowded part of the market does not fail the whole
        reach = 1.0 + attempt / 4.0
        part = min(max((n + 0.5 + reach * (next(draw) - 0.5)) / share, 0.0), 1.0)
        window = _window(spec, length, part)
        sites = _sites(ground, constraint, window)
        choice = next(draw)
        if not sites:
            continue
        site = sites[int(choice * len(sites))]
        # the pause after a plant is part of what it reserves: a second one would be the same episode
        rest = _rest(spec, constraint, "convergent" if thin else kind)  # nothing is traded on a thin one
        reserved = PlantWindow(window.from_step, window.to_step + rest)
        if any(_meet(reserved, other) for other in busy.get(site.resource, [])):
            continue
        plant = _sized(ground, site, window, target, no_depth, thin)
        if plant is not None and plant.fits:
            busy.setdefault(site.resource, []).append(reserved)
            return replace(plant, kind=kind, fits=not thin)
    raise SpecError(
        f"plants.constraints.{constraint}.count: expected room for {wanted.count} plants in {spec.days} days, "
        f"found none for number {n + 1} of {ground.underlying}; plant fewer or lengthen the market"
    )


def _length(spec: SynthSpec, constraint: str, wanted: PlantSpec, which: float, how_long: float) -> tuple[str, int]:
    """Return the kind of plant and its life in grid times."""
    if wanted.tradable:
        low, high = wanted.life_s
        seconds = low + how_long * (high - low)
        # shorter than persistence and entry together, no trade could hold it
        return "convergent", max(spec.plants.persistence + 2, round(seconds / spec.grid_s))
    if which < spec.plants.stubborn_share and constraint != "C5":
        hours = spec.costs.life_h[constraint] + 1.0
        return "stubborn", round(hours * NS_PER_HOUR / spec.grid_ns)
    return "fleeting", spec.plants.persistence


def _window(spec: SynthSpec, length: int, part: float) -> PlantWindow:
    """Return a life of ``length`` grid times from the share ``part`` of the market on."""
    day = spec.steps_a_day
    room = spec.points - 1 - 2 * day - length
    step = day + int(part * max(room, 1))
    # funding settles and contracts expire on whole hours: what begins there is ambiguous by one settlement
    hour = NS_PER_HOUR // spec.grid_ns
    return PlantWindow(step + (step % hour == 0), step + (step % hour == 0) + length)


def _sites(ground: Ground, constraint: str, window: PlantWindow) -> list[Site]:
    if constraint == "C5":
        return curve_sites(ground, window)
    if constraint in ("C1", "C2", "C6"):
        return perp_sites(ground, constraint, window)
    return option_sites(ground, constraint, window)


def _rest(spec: SynthSpec, constraint: str, kind: str) -> int:
    """Return for how many grid times nothing is planted after a plant: an hour, or until a trade on it has ended.

    What converges closes its trade.  A trade on anything else may stay open for the longest life, and while it is open
    its episode can emit nothing new [S4.2].
    """
    hours = 1.0 if kind == "convergent" else spec.costs.life_h[constraint] + 1.0
    return round(hours * NS_PER_HOUR / spec.grid_ns)


def _meet(first: PlantWindow, second: PlantWindow) -> bool:
    return first.from_step < second.to_step and second.from_step < first.to_step


def _sized(ground: Ground, site: Site, window: PlantWindow, target: float, no_depth: bool, thin: bool) -> Plant | None:
    """Return the plant at ``site`` whose expected net is ``target``, or None where the relation cannot be quoted.

    The net of a package grows one for one with the move, but for caps of fees, so few corrections suffice.
    """
    # 40 bps is about the cost of a package, so the first guess is near its target
    spec, bps = ground.spec, target + 40.0
    before = moment_at(spec, ground.path, site.listings, window.from_step, ())
    best = None
    for _ in range(10):
        moves = site.moves(window, bps, no_depth, thin)
        moment = before.under(moves)
        candidates = [relation for relation in site.planted_relations(moment) if site.wanted(relation)]
        if not candidates:
            # a bound is not reached yet
            bps += 50.0
            continue
        best = max(candidates, key=lambda relation: relation.net_bps)
        # a millionth of a basis point is the unit in which nets are compared with thresholds
        if abs(target - best.net_bps) < 1e-6:
            break
        bps += target - best.net_bps
    # counts of lots are steps of the price, so that a net may jump over its target by a little
    if best is None or abs(target - best.net_bps) > CLOSE_BPS:
        return None
    effects = tuple(r for r in site.relations(moment) if r != best and _notable(spec, r))
    fits = moment.fits(best.legs)
    return Plant(ground.underlying, window, best, effects, moves, "", not no_depth, fits, site.note)


def _notable(spec: SynthSpec, relation: Relation) -> bool:
    """Whether a package comes within ``near_bps`` of its constraint's threshold, or over it."""
    rule = spec.plants.constraints.get(relation.constraint)
    return rule is not None and relation.net_bps >= rule.threshold_bps - spec.plants.near_bps
