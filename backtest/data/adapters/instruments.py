"""Instruments as the venues list them: from a symbol to a row of the instruments table.  [S1.2]"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

import numpy as np
import pandas as pd
import pyarrow as pa

from backtest.data.adapters import cells
from backtest.data.adapters.base import SourceSpec
from backtest.data.adapters.contract_sizes import contract_size
from backtest.data.adapters.files import bar_ns, check_fit, text, whole
from backtest.data.format.schema import FX, INSTRUMENT_SCHEMA
from engine.errors import DataError, UsageError
from engine.records import ACCRUAL_NS, Feed, FloatArray, Kind, Right
from engine.units import NEVER_NS, NS_PER_HOUR, NS_PER_SECOND

DOLLARS: Final = frozenset({"USD", "USDC", "USDT"})
"""Currencies that count as dollars: a pair of two of them is FX and is part of every panel.  [S1.6]"""

DERIBIT_FUNDING_NS: Final = ACCRUAL_NS
"""Deribit pays funding continuously, and states it for eight hours."""
_DERIBIT_STATED_H: Final = 8

_DERIBIT: Final = re.compile(
    r"(?P<base>[A-Z0-9]+)(?P<linear>_USDC)?-"
    r"(?:PERPETUAL|(?P<expiry>\d{1,2}[A-Z]{3}\d\d)(?:-(?P<strike>\d{1,12}(?:[dD]\d{1,12})?)-(?P<right>[CP]))?)",
    re.ASCII,
)
# The perps of Hyperliquid whose oracle is in USDC; of all others it is in USDT.  [venues V1]
_HYPERLIQUID_IN_USDC: Final = frozenset({"HYPE", "PURR"})
# Contract sizes of inverse futures in the exchange's specification: 10 USD for BTC, 1 USD for other coins.
_DERIBIT_FACE_USD: Final = {"BTC": 10.0}
_DERIBIT_FACE_ELSE: Final = 1.0
_MONTHS: Final = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_EXPIRY_HOUR: Final = 8  # of the day, UTC: Deribit's and Binance's dated contracts


@dataclass(frozen=True, slots=True)
class InstrumentListing:
    """One row of the instruments table; the fields of :class:`engine.records.Instruments`, one value each.

    ``base_per_amount`` is no field of the table: how many base units a source means by a size of 1.
    """

    venue: str
    symbol: str
    underlying: str
    kind: Kind
    base: str
    quote: str
    settle: str
    feed: Feed
    bar_ns: int = 0
    funding_interval_ns: int = 0
    contract_size: float = 1.0
    inverse: bool = False
    expiry_ns: int = NEVER_NS
    strike: float = float("nan")
    right: Right = Right.NONE
    tick: float = float("nan")
    base_per_amount: float = 1.0

    @property
    def name(self) -> str:
        return f"{self.venue}:{self.symbol}"

    def base_size(self, amount: FloatArray, price: FloatArray) -> FloatArray:
        """Return sizes in base units, shape (n,), of amounts at prices, shape (n,).

        The amount of an inverse perp is in contracts of dollars; of any other in contracts of ``base_per_amount``.
        """
        return amount * self.contract_size / price if self.inverse else amount * self.base_per_amount


def names_of(listings: Iterable[InstrumentListing]) -> cells.NameArray:
    """Return the name of each listing, shape (n,), dtype object."""
    return np.array([listing.name for listing in listings], dtype=object)


def table(listings: Iterable[InstrumentListing]) -> pd.DataFrame:
    """Return the listings as an instruments table, one row for each name; of equal names the last one counts."""
    unique = list({listing.name: listing for listing in listings}.values())
    columns = {}
    # texts as plain objects: they are read one by one
    for field in INSTRUMENT_SCHEMA:
        values = [getattr(each, field.name) for each in unique]
        columns[field.name] = pd.Series(values, dtype=object if pa.types.is_string(field.type) else None)
    return pd.DataFrame(columns)


def spot(venue: str, base: str, quote: str, feed: Feed, *, bar: int = 0) -> InstrumentListing:
    """Return the spot pair ``base``/``quote``; a pair of dollars gets the underlying FX."""
    underlying = FX if base in DOLLARS and quote in DOLLARS else base
    return InstrumentListing(venue, f"{base}{quote}", underlying, Kind.SPOT, base, quote, quote, feed, bar)


def linear_perp(venue: str, base: str, quote: str, feed: Feed, *, funding_ns: int, bar: int = 0) -> InstrumentListing:
    """Return the perp on ``base`` priced and settled in ``quote``; quoted in USD it settles in USDC, our dollar.

    A perp of Hyperliquid is priced in USDT and paid in USDC one to one, whatever dollar a file calls it by, but for the
    few that are priced in USDC: it has one name.  [venues V1]
    """
    underlying = FX if base in DOLLARS else base
    if venue == "hyperliquid" and quote in DOLLARS:
        price, symbol = "USDC" if base in _HYPERLIQUID_IN_USDC else "USDT", f"{base}-PERP"
        return InstrumentListing(venue, symbol, underlying, Kind.PERP, base, price, "USDC", feed, bar, funding_ns)
    symbol = f"{base}-PERP" if quote == "USD" else f"{base}{quote}-PERP"
    settle = "USDC" if quote == "USD" else quote
    return InstrumentListing(venue, symbol, underlying, Kind.PERP, base, quote, settle, feed, bar, funding_ns)


def inverse_perp(
    venue: str, base: str, feed: Feed, *, face_usd: float, funding_ns: int, bar: int = 0
) -> InstrumentListing:
    """Return the coin-margined perp on ``base``: priced in USD, ``face_usd`` a contract, settled in the coin."""
    symbol = f"{base}USD-PERP"
    return InstrumentListing(
        venue, symbol, base, Kind.PERP, base, "USD", base, feed, bar, funding_ns, contract_size=face_usd, inverse=True
    )


def quarterly(
    venue: str, symbol: str, base: str, quote: str, expiry_ns: int, feed: Feed, *, bar: int = 0
) -> InstrumentListing:
    """Return a linear dated future, e.g. ``BTCUSDT_230929`` of Binance."""
    return InstrumentListing(venue, symbol, base, Kind.FUTURE, base, quote, quote, feed, bar, expiry_ns=expiry_ns)


def dated_future(
    venue: str, base: str, quote: str, expiry_ns: int, feed: Feed, *, face_usd: float = 0.0, bar: int = 0
) -> InstrumentListing:
    """Return a dated future by what it is: at Deribit under Deribit's name, else ``BTCUSDT_251226``.

    ``face_usd`` > 0 is the size of a contract that settles in the coin.
    """
    moment = datetime.fromtimestamp(expiry_ns // NS_PER_SECOND, tz=UTC)
    if venue == "deribit":
        linear = "" if face_usd else "_USDC"
        return deribit(f"{base}{linear}-{moment.day}{_MONTHS[moment.month - 1]}{moment:%y}", feed, bar=bar)
    listing = quarterly(venue, f"{base}{quote}_{moment:%y%m%d}", base, quote, expiry_ns, feed, bar=bar)
    return replace(listing, settle=base, contract_size=face_usd, inverse=True) if face_usd else listing


def compact_expiry_ns(day: str, where: str) -> int:
    """Return 08:00 UTC, in ns, of a day written ``251226``; raise ``DataError`` naming ``where`` for other texts."""
    try:
        moment = datetime.strptime(day, "%y%m%d").replace(tzinfo=UTC, hour=_EXPIRY_HOUR)
    except ValueError as error:
        raise DataError(f"{where}: expected an expiry like 251226, was {day!r}") from error
    return int(moment.timestamp()) * NS_PER_SECOND


def _expiry_ns(spec: SourceSpec) -> int:
    written = text(spec, "expiry")
    try:
        day = datetime.strptime(written, "%Y-%m-%d").replace(tzinfo=UTC, hour=_EXPIRY_HOUR)
    except ValueError as error:
        raise UsageError(
            f"source {spec.adapter} ({spec.path}): expected option expiry = a day like 2025-12-26, was {written!r:.200}"
        ) from error
    return int(day.timestamp()) * NS_PER_SECOND


# snapshots repeat some thousand names hundreds of times
@lru_cache(maxsize=65_536)
def deribit(symbol: str, feed: Feed, *, bar: int = 0) -> InstrumentListing:
    """Return Deribit's instrument of that name: perpetual, dated future or option, coin- or USDC-settled.

    A point in a strike is written ``d``, ``8d6``; Tardis writes ``8D6`` of the same instrument, whose symbol here is
    Deribit's.  A coin-settled option is priced in coin per coin; an inverse future in USD, with 10 USD (BTC) or 1 USD
    a contract; what settles in USDC is priced in USD and paid one to one [venues V1].  Raises ``DataError`` for a name
    of another form, a combo or a spread among them.
    """
    match = _DERIBIT.fullmatch(symbol)
    if match is None:
        raise DataError(f"expected a Deribit name like BTC-27MAR26-95000-C, BTC-27MAR26, BTC-PERPETUAL, was {symbol!r}")
    base, linear = match["base"], match["linear"] is not None
    expiry = NEVER_NS if match["expiry"] is None else deribit_expiry_ns(match["expiry"])
    settle = "USDC" if linear else base
    if match["strike"] is not None:
        right = Right.CALL if match["right"] == "C" else Right.PUT
        strike = float(match["strike"].lower().replace("d", "."))
        symbol = symbol.replace(f"-{match['strike']}-", f"-{match['strike'].lower()}-")
        price = "USD" if linear else base
        return InstrumentListing(
            "deribit", symbol, base, Kind.OPTION, base, price, settle, feed, bar, 0, 1.0, False, expiry, strike, right
        )
    kind = Kind.PERP if match["expiry"] is None else Kind.FUTURE
    face = 1.0 if linear else _DERIBIT_FACE_USD.get(base, _DERIBIT_FACE_ELSE)
    funding = DERIBIT_FUNDING_NS if kind == Kind.PERP else 0
    return InstrumentListing(
        "deribit", symbol, base, kind, base, "USD", settle, feed, bar, funding, face, not linear, expiry
    )


def deribit_listings(
    frame: pd.DataFrame, column: str, feed: Feed, where: str, *, bar: int = 0
) -> list[InstrumentListing]:
    """Return Deribit's instrument of each row by the names of ``column``, n of them.

    Raises ``DataError`` naming ``where``, row and column for a cell that is no such name.
    """
    found = []
    for at, symbol in enumerate(cells.names(frame, column, where)):
        try:
            found.append(deribit(symbol, feed, bar=bar))
        except DataError as error:
            raise DataError(f"{where}, row {cells.row_of(frame, at)}, column {column}: {error}") from error
    return found


def is_deribit_future(symbol: str) -> bool:
    """Return whether ``symbol`` names a listed dated future (``SYN.`` names and ``index_price`` do not)."""
    match = _DERIBIT.fullmatch(symbol)
    return match is not None and match["expiry"] is not None and match["strike"] is None


def deribit_expiry_ns(text_: str) -> int:
    """Return 08:00 UTC, in ns, of a day written as Deribit does, ``27MAR26``; raises ``DataError`` for other texts."""
    try:
        day, month, year = int(text_[:-5]), _MONTHS.index(text_[-5:-2]) + 1, 2000 + int(text_[-2:])
        moment = datetime(year, month, day, _EXPIRY_HOUR, tzinfo=UTC)
    except ValueError as error:
        raise DataError(f"expected an expiry like 27MAR26, was {text_!r}") from error
    return int(moment.timestamp()) * NS_PER_SECOND


def declared(spec: SourceSpec, *, sized: bool = False) -> InstrumentListing:
    """Return the instrument that the options ``venue, kind, base, quote, feed`` (and more) of a source declare.

    ``kind`` is spot, linear_perp, inverse_perp, linear_future or inverse_future; a perp needs ``funding_h``, a future
    ``expiry`` (its day as ``2025-12-26``, delivered at 08:00 UTC), feed ``bar`` needs ``bar``, an inverse contract
    ``face_usd``.  ``sized``: the source holds sizes, so a linear contract of a venue that counts it in contracts needs
    ``contract_size``, the base units of one, as a text.  Raises ``UsageError`` if an option is missing, of another
    form, or of no use for that kind and feed: it would be accepted and change nothing.
    """
    venue, base, quote = text(spec, "venue"), text(spec, "base"), text(spec, "quote")
    kind = text(spec, "kind", ("spot", "linear_perp", "inverse_perp", "linear_future", "inverse_future"))
    feed = Feed[text(spec, "feed", ("book", "touch", "bar", "mark")).upper()]
    check_fit(spec, feed == Feed.BAR, "bar", "feed = 'bar'")
    check_fit(spec, kind.endswith("_perp"), "funding_h", "a perp")
    check_fit(spec, kind.startswith("inverse_"), "face_usd", "an inverse contract")
    check_fit(spec, kind.startswith("linear_"), "contract_size", "a linear contract")
    check_fit(spec, kind.endswith("_future"), "expiry", "a dated future")
    bar = bar_ns(spec) if feed == Feed.BAR else 0
    if kind == "spot":
        return spot(venue, base, quote, feed, bar=bar)
    if kind.endswith("_future"):
        face = float(whole(spec, "face_usd")) if kind == "inverse_future" else 0.0
        listing = dated_future(venue, base, quote, _expiry_ns(spec), feed, face_usd=face, bar=bar)
        if face and listing.contract_size != face:
            raise UsageError(
                f"source {spec.adapter} ({spec.path}): expected face_usd = {listing.contract_size:g}, the contract of "
                f"{listing.name}, was {face:g}"
            )
        return replace(listing, base_per_amount=contract_size(spec, venue)) if sized and not face else listing
    funding = whole(spec, "funding_h") * NS_PER_HOUR
    if venue == "deribit":
        return _deribit_perp(spec, kind, base, quote, feed, bar)
    if kind == "linear_perp":
        listing = linear_perp(venue, base, quote, feed, funding_ns=funding, bar=bar)
        return replace(listing, base_per_amount=contract_size(spec, venue)) if sized else listing
    return inverse_perp(venue, base, feed, face_usd=float(whole(spec, "face_usd")), funding_ns=funding, bar=bar)


def _deribit_perp(spec: SourceSpec, kind: str, base: str, quote: str, feed: Feed, bar: int) -> InstrumentListing:
    """Return Deribit's perp under its own name, which is that of its tickers: one instrument has one name."""
    listing = deribit(f"{base}_USDC-PERPETUAL" if kind == "linear_perp" else f"{base}-PERPETUAL", feed, bar=bar)
    face = whole(spec, "face_usd") if kind == "inverse_perp" else listing.contract_size
    said = (quote, whole(spec, "funding_h"), face)
    expected = (listing.quote, _DERIBIT_STATED_H, listing.contract_size)
    if said != expected:
        raise UsageError(
            f"source {spec.adapter} ({spec.path}): expected quote, funding_h and face_usd of {listing.name} as "
            f"{expected[0]}, {expected[1]} (its rate is stated for eight hours, and accrues), {expected[2]:g}, was "
            f"{said[0]}, {said[1]}, {said[2]:g}"
        )
    return listing


DECLARED: Final = ("venue", "kind", "base", "quote", "feed")
"""The options :func:`declared` always needs."""

DECLARED_MORE: Final = ("bar", "funding_h", "face_usd", "expiry")
"""The options it needs for some kinds and feeds."""

DECLARED_SIZED: Final = (*DECLARED_MORE, "contract_size")
"""The same for a source that holds sizes."""
