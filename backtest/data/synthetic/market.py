"""The synthetic market: everything that is drawn once, and any of its days on demand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from backtest.data.synthetic.draws import IntArray, Streams
from backtest.data.synthetic.elementary import FloatArray
from backtest.data.synthetic.fair import Move
from backtest.data.synthetic.paths import Path, dollar_pair, draw_path
from backtest.data.synthetic.plants import Plant, plan
from backtest.data.synthetic.quotes import Pin, QuoteColumns, dollar_day, joined, quote_day
from backtest.data.synthetic.spec import SynthSpec
from backtest.data.synthetic.universe import SyntheticListing, Universe, dollar_listing, list_universe


@dataclass(frozen=True, slots=True)
class SyntheticMarket:
    """A market whose days can be made in any order, by any number of workers, to the same bytes."""

    spec: SynthSpec
    streams: Streams
    fx: FloatArray
    paths: Mapping[str, Path]
    universes: Mapping[str, Universe]
    plants: Mapping[str, tuple[Plant, ...]]
    moves: Mapping[str, tuple[Move, ...]]
    pins: Mapping[str, tuple[Pin, ...]]
    codes: Mapping[str, int]  # of every instrument: its row among all names, sorted

    @property
    def listings(self) -> tuple[SyntheticListing, ...]:
        """Every instrument of the market in the order of codes."""
        return tuple(sorted(_all_listings(self.spec, self.universes), key=lambda listing: listing.name))

    @property
    def days(self) -> range:
        return range(self.spec.first_day, self.spec.first_day + self.spec.days)

    def day(self, underlying: str, day: int) -> QuoteColumns:
        """Return the rows of one underlying (``FX`` is the dollar pair) on one day, sorted by (channel, t_ns, code)."""
        return joined(self.channels(underlying, day))

    def channels(self, underlying: str, day: int) -> list[QuoteColumns]:
        """Return the same rows channel by channel, each with its own columns only."""
        if underlying == "FX":
            times: IntArray = next(iter(self.paths.values())).times_ns
            return dollar_day(self.spec, self.fx, times, self.codes[dollar_listing(self.spec).name], day, self.streams)
        path, universe = self.paths[underlying], self.universes[underlying]
        moves, pins = self.moves[underlying], self.pins[underlying]
        return quote_day(self.spec, path, universe, self.codes, day, moves, pins, self.streams)

    def of(self, underlying: str) -> SyntheticMarket:
        """Return the market with what the days of one underlying, or of ``FX``, need of it: all that a worker is sent.

        Its ``listings`` are not those of the whole.
        """
        if underlying == "FX":
            first = next(iter(self.paths))
            return replace(self, paths={first: self.paths[first]}, universes={}, plants={}, moves={}, pins={})
        return replace(
            self,
            paths={underlying: self.paths[underlying]},
            universes={underlying: self.universes[underlying]},
            plants={},
            moves={underlying: self.moves[underlying]},
            pins={underlying: self.pins[underlying]},
        )


def build_market(spec: SynthSpec, streams: Streams, workers: int = 1) -> SyntheticMarket:
    """Return the market of ``spec``; raises ``SpecError`` where it cannot hold what is to be planted.

    Underlyings are planted by ``workers`` processes, each from its own streams.
    """
    # imported here: reading a specification needs no process pool
    from joblib import Parallel, delayed

    fx = dollar_pair(spec, streams)
    paths = {name: draw_path(spec, name, fx, streams) for name in spec.underlyings}
    universes = {name: list_universe(spec, name, path) for name, path in paths.items()}
    planted = Parallel(n_jobs=max(1, min(workers, len(paths))))(
        delayed(plan)(spec, name, paths[name], universes[name], streams) for name in spec.underlyings
    )
    plants = dict(zip(spec.underlyings, planted, strict=True))
    # codes are row numbers of the instruments table, which is sorted by name
    names = sorted(listing.name for listing in _all_listings(spec, universes))
    return SyntheticMarket(
        spec,
        streams,
        fx,
        paths,
        universes,
        plants,
        moves={
            name: tuple(move for plant in of_underlying for move in plant.moves)
            for name, of_underlying in plants.items()
        },
        pins={name: _pins(spec, of_underlying) for name, of_underlying in plants.items()},
        codes={name: code for code, name in enumerate(names)},
    )


def _pins(spec: SynthSpec, plants: tuple[Plant, ...]) -> tuple[Pin, ...]:
    """Return the quotes that must not be late: those of a plant's legs until a trade on it can have entered."""
    return tuple(
        (name, plant.window.from_step, plant.window.from_step + spec.plants.persistence + 1)
        for plant in plants
        for name, _ in plant.relation.legs
    )


def _all_listings(spec: SynthSpec, universes: Mapping[str, Universe]) -> list[SyntheticListing]:
    return [dollar_listing(spec), *(listing for universe in universes.values() for listing in universe.listings)]
