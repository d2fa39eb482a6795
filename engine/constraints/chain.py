"""The option chains of a block: who stands at which strike, and the future they are hedged with.  [S2.C3, S2.C4, S2.C7]

A chain is all options of one venue, expiry, right and price currency, by strike.  Coin-settled premiums are coin per
coin, and everything about them is said in coin: no rate, no spot price enters [risk 17].  Linear ones are dollars.
Quotes are taken out of the view strike-major, ``[n, T]``, so that a loop over strikes moves all grid times at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from engine.constraints.legs import absent
from engine.errors import DataError
from engine.market import View
from engine.records import BoolArray, CodeArray, Feed, FloatArray, Kind, Packages, Quality, Right
from engine.units import BPS, MICRO

NONE = -1
_EXECUTABLE = (Feed.BOOK, Feed.TOUCH)


@dataclass(frozen=True, slots=True)
class Chain:
    """Options of one venue, expiry, right and price currency, by strike; columns are the panel's."""

    venue: str
    expiry_ns: int
    right: Right
    quote: str
    coin: bool  # premium in coin
    column: CodeArray  # [n]
    strike: FloatArray  # [n] USD, strictly ascending
    future: int  # column of the dated future of the same expiry and settlement, -1 where none is listed

    def __len__(self) -> int:
        return len(self.column)


@dataclass(frozen=True, slots=True)
class Columns:
    """What the chains of a block read, instruments first, ``[N, T]``: a chain's rows are then contiguous."""

    mid: FloatArray
    usd: FloatArray
    charge: FloatArray
    listed: BoolArray  # from the first quote to the expiry  [S1.2]
    spot_usd: FloatArray  # [T]


@dataclass(frozen=True, slots=True)
class ChainQuotes:
    """A chain's prices, ``[n, T]``, in its price currency; NaN where unusable.  ``usd`` ``[T]`` converts them."""

    mid: FloatArray
    trip: FloatArray  # round-trip charge without impact, each at its own conversion
    usd: FloatArray
    scale: FloatArray  # [T] bps of S per unit of the price currency

    @property
    def buy(self) -> FloatArray:
        """The mid plus the whole round trip: a price whose difference to ``sell`` is a net."""
        return self.mid + self.trip

    @property
    def sell(self) -> FloatArray:
        return self.mid - self.trip


def chains(view: View, venues: Iterable[str]) -> tuple[Chain, ...]:
    """Return the chains of the block's underlying at ``venues``, ordered by venue, expiry, currency and right.

    Raises `DataError` where two options of one chain have the same strike: neither can be meant.
    """
    panel, table = view.panel, view.panel.instruments
    wanted = frozenset(venues)
    groups: dict[tuple[str, int, str, str, int], list[tuple[float, int]]] = {}
    futures: dict[tuple[str, int, str], int] = {}
    for column, code in enumerate(panel.code.tolist()):
        if table.venue[code] not in wanted or table.underlying[code] != panel.underlying:
            continue
        venue, expiry, settle = table.venue[code], int(table.expiry_ns[code]), table.settle[code]
        if table.kind[code] == Kind.OPTION:
            key = (venue, expiry, table.quote[code], settle, int(table.right[code]))
            groups.setdefault(key, []).append((float(table.strike[code]), column))
        elif table.kind[code] == Kind.FUTURE and _may_price(view, code):
            other = futures.setdefault((venue, expiry, settle), column)
            if table.name[code] < table.name[panel.code[other]]:
                futures[venue, expiry, settle] = column
    found = []
    for (venue, expiry, quote, settle, right), members in sorted(groups.items()):
        members.sort()
        strikes, columns = zip(*members, strict=True)
        for (k1, a), (k2, b) in pairwise(members):
            if k1 == k2:
                names = f"{table.name[panel.code[a]]} and {table.name[panel.code[b]]}"
                raise DataError(
                    f"expected one option a strike of a chain, was two at {k1:g}: {names}; drop one of them"
                )
        coin = quote == table.base[panel.code[columns[0]]]
        future = futures.get((venue, expiry, settle), NONE)
        members_at = np.array(columns, dtype=np.int32)
        found.append(Chain(venue, expiry, Right(right), quote, coin, members_at, np.array(strikes), future))
    return tuple(found)


def _may_price(view: View, code: int) -> bool:
    """Whether the forward may be read from this future: marks and bars only in a study that says so.  [spec README]"""
    return view.market.forward_from_marks or view.panel.instruments.feed[code] in _EXECUTABLE


def columns(view: View) -> Columns:
    """Return the view's arrays with instruments first."""
    exists = (view.quality != Quality.NEVER_QUOTED) & (view.quality != Quality.EXPIRED)
    return Columns(
        mid=np.ascontiguousarray(view.mid.T),
        usd=np.ascontiguousarray(view.usd.T),
        charge=np.ascontiguousarray(view.charge.T),
        listed=np.ascontiguousarray(exists.T),
        spot_usd=view.spot_usd,
    )


def quotes(block: Columns, column: CodeArray) -> ChainQuotes:
    """Return a chain's mids and charges, with one conversion a grid time for all its strikes.

    One conversion, because an identity in coin is converted once: legs converted at indices that differ by a moment
    would manufacture a gap.  Charges are paid leg by leg and keep their own.
    """
    mid, each = block.mid[column], block.usd[column]
    usd = _one_conversion(mid, each)
    trip = 2.0 * block.charge[column] * (each / usd)
    return ChainQuotes(mid, trip, usd, BPS * usd / block.spot_usd)


def _one_conversion(mid: FloatArray, usd: FloatArray) -> FloatArray:
    """Return the largest conversion of a chain's usable quotes, over axis 0; NaN where none is usable."""
    return np.asarray(np.fmax.reduce(np.where(np.isnan(mid), np.nan, usd), axis=0))


def future_trip(block: Columns, future: int, usd: FloatArray) -> FloatArray:
    """Return a future's round-trip charge without impact per base unit, ``[T]``, in the chain's price currency."""
    trip: FloatArray = 2.0 * block.charge[future] * block.usd[future] / usd
    return trip


def violated(gross_bps: FloatArray) -> int:
    """Return how many packages have a gross above nothing, told in micro-bps: rounding leaves crumbs on exact zeros."""
    return int(np.count_nonzero(gross_bps > 0.5 / MICRO))


def packages(
    row: CodeArray, key: CodeArray, legs: Sequence[tuple[CodeArray, FloatArray]], gross_bps: FloatArray
) -> Packages:
    """Return packages without carry from their legs (column, quantity), each ``[M]``; column -1 is no leg."""
    column, quantity = absent(len(row))
    for leg, (at, held) in enumerate(legs):
        column[:, leg] = at
        quantity[:, leg] = np.where(at == NONE, 0.0, held)
    return Packages(row, key, column, quantity, gross_bps, np.zeros(len(row)))


def cell_scale(view: View, groups: Sequence[tuple[CodeArray, int]], row: CodeArray, key: CodeArray) -> FloatArray:
    """Return the scale of `ChainQuotes` at chosen cells, ``[M]``; ``groups`` are the chains' columns and key counts."""
    scale = np.full(len(row), np.nan)
    first = 0
    for column, count in groups:
        mine = np.flatnonzero((key >= first) & (key < first + count))
        at = row[mine]
        usd = _one_conversion(view.mid[at, column[:, None]], view.usd[at, column[:, None]])
        scale[mine] = BPS * usd / view.spot_usd[at]
        first += count
    return scale


def mid_of(view: View, row: CodeArray, column: CodeArray) -> FloatArray:
    """Return the mids of chosen cells; NaN where the column is -1."""
    return np.where(column == NONE, np.nan, view.mid[row, column])


def strike_of(view: View, column: CodeArray) -> FloatArray:
    """Return the strikes of panel columns; of no meaning where the column is -1."""
    return view.panel.instruments.strike[view.panel.code[column]]
