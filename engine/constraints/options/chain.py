"""The option chains of a block: the options by strike, and the future that hedges them.  [S2.C3, S2.C4, S2.C7]

A chain is all options of one venue, expiry, right and price currency, by strike.  Coin-settled premiums are coin per
coin, and so are their identities: no rate and no spot price enters [risk 17].  Linear ones are dollars.
Quotes are taken out of the view strike-major, ``[n, T]``, so that a loop over strikes moves all grid times at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from engine.constraints.package_legs import absent
from engine.errors import DataError
from engine.market.dollars import DOLLARS
from engine.market.view import PreparedPanel, cached_on_panel
from engine.records import BoolArray, CodeArray, Feed, FloatArray, IntArray, Kind, Packages, Quality, Right
from engine.units import BPS, MICRO

NONE = -1
CRUMB_BPS = 0.25 / MICRO
"""Half of what begins to be a violation: rounding is far below the other half.  [decision 0024]"""
ABSENT = int(Quality.NEVER_QUOTED), int(Quality.EXPIRED)
"""The qualities of an instrument that does not exist: not yet, or no longer."""
_NEVER, _GONE = (np.uint8(quality) for quality in ABSENT)
_OPTION, _FUTURE = int(Kind.OPTION), int(Kind.FUTURE)
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
class ChainQuotes:
    """A chain's prices, ``[n, T]``, in its price currency; NaN where unusable.

    ``usd`` ``[T]`` converts them as they are paid.
    """

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


def chains(view: PreparedPanel, venues: Iterable[str]) -> tuple[Chain, ...]:
    """Return the chains of the block's underlying at ``venues``, ordered by venue, expiry, currency and right.

    Raises `DataError` where two options of one chain have the same strike: neither can be meant.
    """
    return _chains(view, frozenset(venues))


@cached_on_panel
def _chains(view: PreparedPanel, wanted: frozenset[str]) -> tuple[Chain, ...]:
    panel, table = view.panel, view.panel.instruments
    groups: dict[tuple[str, int, str, str, int], list[tuple[float, int]]] = {}
    futures: dict[tuple[str, int, str], int] = {}
    listing = (array[panel.code].tolist() for array in (table.kind, table.expiry_ns, table.right, table.strike))
    for column, (code, kind, expiry, right, strike) in enumerate(zip(panel.code.tolist(), *listing, strict=True)):
        venue, settle = table.venue[code], table.settle[code]
        if venue not in wanted or table.underlying[code] != panel.underlying:
            continue
        if kind == _OPTION:
            groups.setdefault((venue, expiry, table.quote[code], settle, right), []).append((strike, column))
        elif kind == _FUTURE and _may_price(view, code):
            other = futures.setdefault((venue, expiry, settle), column)
            # Of two futures of one expiry the first by name: the order of the instruments must not matter.  [S2.8]
            if table.name[code] < table.name[panel.code[other]]:
                futures[venue, expiry, settle] = column
    built = []
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
        built.append(Chain(venue, expiry, Right(right), quote, coin, members_at, np.array(strikes), future))
    return tuple(built)


def _may_price(view: PreparedPanel, code: int) -> bool:
    """Whether the forward may be read from this future: marks and bars only in a study that says so.  [spec README]"""
    return view.market.forward_from_marks or view.panel.instruments.feed[code] in _EXECUTABLE


def listed(view: PreparedPanel, column: CodeArray) -> BoolArray:
    """Return where instruments exist, ``[n, T]``: from the first quote to the expiry.  [S1.2]"""
    quality = view.quality.T[column]
    exists: BoolArray = (quality != _NEVER) & (quality != _GONE)
    return exists


def listed_count(view: PreparedPanel, column: CodeArray) -> IntArray:
    """Return how many of some instruments exist, ``[T]``."""
    there = listed(view, column)
    return np.full(there.shape[1], len(there)) if there.all() else count_true(there)


def length_at(view: PreparedPanel, chain: Chain) -> IntArray:
    """Return how many of a chain's options the block holds at each grid time, quoted or not, ``[T]``."""
    days = view.days
    if days is None:
        return np.full(len(view.panel.times_ns), len(chain))
    counts = [np.count_nonzero(np.isin(chain.column, columns, assume_unique=True)) for columns in days.columns]
    return np.repeat(counts, np.diff(days.first))


def count_true(mask: BoolArray) -> IntArray:
    """Return how many of the first axis are True, int64, ``[T]`` for a mask ``[n, T]``.

    >>> count_true(np.array([[True, False], [True, True]])).tolist()
    [2, 1]
    """
    # A sum of bytes reads least memory, and cannot overflow below 256 strikes.
    narrow = np.uint8 if len(mask) < 256 else np.uint32
    count: IntArray = np.add.reduce(mask.view(np.uint8), axis=0, dtype=narrow).astype(np.int64)
    return count


def quotes(view: PreparedPanel, column: CodeArray) -> ChainQuotes:
    """Return mids and charges of the panel columns ``column``, ``[n]``, with one conversion a grid time.

    One conversion, because an identity in coin is converted once: legs converted at indices that differ by a moment
    would manufacture a gap.  Charges are paid leg by leg and keep their own.
    """
    return _quotes(view, tuple(column.tolist()))


@cached_on_panel
def _quotes(view: PreparedPanel, columns: tuple[int, ...]) -> ChainQuotes:
    column = np.array(columns, dtype=np.int32)
    mid, trip = view.mid.T[column], 2.0 * view.charge.T[column]
    usd, same = _conversion(view, column, mid)
    if not same:
        trip *= view.money.T[column] / usd
    return ChainQuotes(mid, trip, usd, BPS * usd / view.spot_usd)


def shared_conversion(view: PreparedPanel, column: CodeArray) -> FloatArray | None:
    """Return the conversion that all quotes of some columns share, ``[T]``; None where they have their own."""
    table, code = view.panel.instruments, view.panel.code[column]
    quoted = {table.quote[c] for c in code.tolist()}
    # A chain has one price currency and one money, so its dollars convert alike at a grid time.
    if quoted <= set(DOLLARS):
        return np.asarray(view.money.T[column[0]])
    return view.coin_usd if quoted == {view.panel.underlying} else None


def _conversion(view: PreparedPanel, column: CodeArray, mid: FloatArray) -> tuple[FloatArray, bool]:
    """Return one conversion a grid time, ``[T]``, and whether it is that of each usable quote."""
    if (shared := shared_conversion(view, column)) is None:
        return _one_conversion(mid, view.money.T[column]), False
    return np.where(np.isnan(np.fmax.reduce(mid, axis=0)), np.nan, shared), True


def _one_conversion(mid: FloatArray, usd: FloatArray) -> FloatArray:
    """Return the largest conversion of a chain's usable quotes, over axis 0; NaN where none is usable."""
    return np.asarray(np.fmax.reduce(np.where(np.isnan(mid), np.nan, usd), axis=0))


def future_trip(view: PreparedPanel, future: int, usd: FloatArray) -> FloatArray:
    """Return a future's round-trip charge without impact per base unit, ``[T]``, in the chain's price currency."""
    trip: FloatArray = 2.0 * view.charge[:, future] * view.money[:, future] / usd
    return trip


def packages(
    row: CodeArray, key: CodeArray, legs: Sequence[tuple[CodeArray, FloatArray]], gross_bps: FloatArray
) -> Packages:
    """Return packages without carry from their legs (column, quantity), each ``[M]``; column -1 is no leg."""
    column, quantity = absent(len(row))
    for leg, (leg_column, leg_quantity) in enumerate(legs):
        column[:, leg] = leg_column
        # What was computed for an absent leg means nothing and must not reach a sum.
        quantity[:, leg] = np.where(leg_column == NONE, 0.0, leg_quantity)
    return Packages(row, key, column, quantity, gross_bps, np.zeros(len(row)))


def cell_scale(
    view: PreparedPanel, groups: Sequence[tuple[CodeArray, int]], row: CodeArray, key: CodeArray
) -> FloatArray:
    """Return the scale of `ChainQuotes` at chosen cells, ``[M]``; ``groups`` are the chains' columns and key counts."""
    scale = np.full(len(row), np.nan)
    first = 0
    for column, count in groups:
        cells = np.flatnonzero((key >= first) & (key < first + count))
        rows = row[cells]
        usd = _one_conversion(view.mid[rows, column[:, None]], view.money[rows, column[:, None]])
        scale[cells] = BPS * usd / view.spot_usd[rows]
        first += count
    return scale


def mid_of(view: PreparedPanel, row: CodeArray, column: CodeArray) -> FloatArray:
    """Return the mids of chosen cells, ``[M]``, price currency; NaN where the column is -1 or the quote unusable."""
    return np.where(column == NONE, np.nan, view.mid[row, column])


def strike_of(view: PreparedPanel, column: CodeArray) -> FloatArray:
    """Return the strikes of panel columns, USD, of the shape of ``column``; of no meaning where it is -1."""
    return view.panel.instruments.strike[view.panel.code[column]]
