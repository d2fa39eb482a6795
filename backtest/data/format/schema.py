"""Defines the columns of the canonical data set; reads and writes the instruments table.  [S1.2, S1.8]"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping
from dataclasses import fields
from enum import IntEnum
from typing import Final

import numpy as np
import pandas as pd
import pyarrow as pa

from engine.errors import DataError
from engine.records import Feed, Instruments, Kind, Right
from engine.units import NEVER_NS


class Channel(IntEnum):
    """What a row of a quote file holds; each channel is carried forward by itself.

    ``QUOTE`` touch prices and sizes (a null side is missing *now*); ``MARK`` its mark and index; ``FUNDING`` the
    published rate of the interval in force (of eight hours where funding accrues); ``SETTLE`` the rate settled at
    ``t_ns``, where funding accrues the share of its minute; ``DELIVERY`` the settlement price at expiry;
    ``FUNDING_8H`` what eight hours cost where funding accrues, as the venue says.  Index and settlement price are in
    the dollar of the contract's price, USD for a price in coin.
    """

    QUOTE = 0
    MARK = 1
    FUNDING = 2
    SETTLE = 3
    DELIVERY = 4
    FUNDING_8H = 5


CHANNEL_COLUMNS: Final[Mapping[Channel, tuple[str, ...]]] = {
    Channel.QUOTE: ("bid", "ask", "bid_size", "ask_size"),
    Channel.MARK: ("mark", "index"),
    Channel.FUNDING: ("rate",),
    Channel.SETTLE: ("rate",),
    Channel.DELIVERY: ("price",),
    Channel.FUNDING_8H: ("rate",),
}
"""The value columns each channel uses; all others are null in its rows."""

VALUE_COLUMNS: Final = ("bid", "ask", "bid_size", "ask_size", "mark", "index", "rate", "price")

QUOTE_SCHEMA: Final = pa.schema(
    [
        pa.field("channel", pa.uint8(), nullable=False),
        pa.field("t_ns", pa.int64(), nullable=False),
        pa.field("code", pa.int32(), nullable=False),
        *(pa.field(name, pa.float64()) for name in VALUE_COLUMNS),
    ]
)
"""One quote file: an (underlying, UTC day) of knowable time, sorted by (channel, t_ns, code), but options last."""

LAG: Final = "lag_ns"
REFRESHED: Final = "refreshed"
RECORDED_SCHEMA: Final = pa.schema(
    [*QUOTE_SCHEMA, pa.field(LAG, pa.int64()), pa.field(REFRESHED, pa.bool_(), nullable=False)]
)
"""A quote file of recorded rows, whose ``t_ns`` is the receipt: two more columns, null and false but for quotes.

``lag_ns``: how long before ``t_ns`` the quote was the venue's at the latest, by the event's time and the upper bound of
the clock; null where the venue gives no time.  ``refreshed``: the row repeats the last quote of a stream that is sent
on change, at a later message of its connection, which shows that nothing changed; ``lag_ns`` is then the age that the
quote has without that.  [live L0.4]
"""

INSTRUMENT_SCHEMA: Final = pa.schema(
    [
        pa.field(name, kind, nullable=False)
        for name, kind in (
            ("name", pa.string()),
            ("venue", pa.string()),
            ("symbol", pa.string()),
            ("underlying", pa.string()),
            ("kind", pa.uint8()),
            ("base", pa.string()),
            ("quote", pa.string()),
            ("settle", pa.string()),
            ("contract_size", pa.float64()),
            ("inverse", pa.bool_()),
            ("expiry_ns", pa.int64()),
            ("strike", pa.float64()),
            ("right", pa.uint8()),
            ("tick", pa.float64()),
            ("feed", pa.uint8()),
            ("bar_ns", pa.int64()),
            ("funding_interval_ns", pa.int64()),
        )
    ]
)
"""The fields of :class:`engine.records.Instruments`, in its order; the row number is the code."""

GRID_SCHEMA: Final = pa.schema(
    [pa.field("underlying", pa.string(), nullable=False), pa.field("t_ns", pa.int64(), nullable=False)]
)
"""``grid.parquet`` of a data set whose grid is its own snapshot times."""

NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:/+-]{0,63}\Z")
"""Names of instruments, venues, underlyings.  [audit 2.3]"""

VENUES: Final = (
    "binance", "bitfinex", "bitget", "bitmex", "bitstamp", "bybit", "coinbase", "deribit", "dydx", "gate", "htx",
    "hyperliquid", "kraken", "kucoin", "mexc", "okx",
)  # fmt: skip
"""The venues a source may name; a misspelled venue would silently have no fees and no pairs."""

_KINDS: Final = frozenset(map(int, Kind))
_RIGHTS: Final = frozenset(map(int, Right))
_FEEDS: Final = frozenset(map(int, Feed))

FX: Final = "FX"
"""The underlying of pairs of dollars, which join every panel."""


def quote_schema(names: Collection[str]) -> pa.Schema:
    """Return the schema of a quote file with the columns ``names``: of recorded rows where they have a lag."""
    return RECORDED_SCHEMA if LAG in names else QUOTE_SCHEMA


def instruments_from_frame(frame: pd.DataFrame) -> Instruments:
    """Return ``frame`` as Instruments sorted by name: one row an instrument, columns of ``INSTRUMENT_SCHEMA``.

    Raises ``DataError`` naming the instrument and the field if a value is out of form: a name that is not
    ``venue:symbol`` or occurs twice, an unknown kind, right or feed, an option without strike, right or expiry, a
    negative interval.  [S1.2]
    """
    wanted = [f.name for f in fields(Instruments)]
    if sorted(frame.columns) != sorted(wanted):
        raise DataError(
            f"instruments table: expected the columns {', '.join(wanted)}; "
            f"missing {sorted(set(wanted) - set(frame.columns))}, unknown {sorted(set(frame.columns) - set(wanted))}"
        )
    # stable, so that a name that occurs twice is reported at its first row
    ordered = frame.sort_values("name", kind="stable")
    columns: dict[str, object] = {}
    for field in INSTRUMENT_SCHEMA:
        columns[field.name] = _column(ordered[field.name], field)
    instruments = Instruments(**columns)  # type: ignore[arg-type]  # the schema's types are the record's
    _check(instruments)
    return instruments


def instruments_to_table(instruments: Instruments) -> pa.Table:
    """Return the instruments as an Arrow table of ``INSTRUMENT_SCHEMA``, row number = code."""
    return pa.table([pa.array(getattr(instruments, f.name), f.type) for f in INSTRUMENT_SCHEMA], INSTRUMENT_SCHEMA)


def instruments_from_table(table: pa.Table, where: str) -> Instruments:
    """Return the Instruments of a stored table; raise ``DataError`` if its form or order is not canonical."""
    if not table.schema.equals(INSTRUMENT_SCHEMA):
        raise DataError(
            f"{where}: expected the schema of an instruments table, "
            f"was {'; '.join(str(field) for field in table.schema)}"
        )
    instruments = instruments_from_frame(table.to_pandas())
    # Codes in quote files are row numbers, so sorting here would give every quote another instrument.
    if list(instruments.name) != table.column("name").to_pylist():
        raise DataError(f"{where}: expected instruments sorted by name (the row number is the code), was another order")
    return instruments


def _column(series: pd.Series, field: pa.Field) -> object:
    try:
        if pa.types.is_string(field.type):
            texts = tuple(series.to_numpy(dtype=object).tolist())
            if not all(isinstance(value, str) for value in texts):
                raise TypeError("expected text")
            return texts
        dtype = field.type.to_pandas_dtype()
        values = series.to_numpy()
        cast = values.astype(dtype)
        # a cast wraps silently: 300 as uint8 is 44
        if np.issubdtype(dtype, np.integer) and not np.array_equal(cast, values):
            raise ValueError("expected integers in range")
    except (TypeError, ValueError, OverflowError) as error:
        types = sorted({type(value).__name__ for value in series})
        raise DataError(f"instruments table, column {field.name}: {error}; wanted {field.type}, was {types}") from error
    # Shared by every panel.
    cast.setflags(write=False)
    return cast


def _check(table: Instruments) -> None:
    """Refuse what no instrument can be; the engine trusts the rest."""
    texts = (table.name, table.venue, table.symbol, table.underlying)
    numbers = (table.kind, table.right, table.feed, table.strike, table.expiry_ns, table.contract_size, table.bar_ns,
               table.funding_interval_ns)  # fmt: skip
    for row in zip(*texts, *(column.tolist() for column in numbers), strict=True):
        for problem in _problems(*row):
            raise DataError(f"instrument {row[0]!r}: {problem}")
    if len(set(table.name)) != len(table.name):
        twice = next(a for a, b in zip(table.name, table.name[1:], strict=False) if a == b)
        raise DataError(f"instrument {twice!r}: expected one row a name, was there twice")


def _problems(
    name: str,
    venue: str,
    symbol: str,
    underlying: str,
    kind: int,
    right: int,
    feed: int,
    strike: float,
    expiry: int,
    size: float,
    bar_ns: int,
    funding_interval_ns: int,
) -> list[str]:
    problems = []
    if not NAME.match(name) or name != f"{venue}:{symbol}":
        problems.append(
            f"expected the name 'venue:symbol' of 1 to 64 characters A-Z a-z 0-9 _ . : / + -, "
            f"venue was {venue!r}, symbol {symbol!r}"
        )
    if not NAME.match(underlying) or "/" in underlying:
        problems.append(f"expected an underlying like BTC, was {underlying!r}")
    if kind not in _KINDS or right not in _RIGHTS or feed not in _FEEDS:
        problems.append(f"expected known kind, right and feed, was {kind}, {right}, {feed}")
    if kind == Kind.OPTION and not (strike > 0 and right != Right.NONE and expiry != NEVER_NS):
        problems.append(f"expected strike, right and expiry of an option, was {strike}, {right}, {expiry}")
    if kind != Kind.OPTION and (right != Right.NONE or strike == strike):
        problems.append(f"expected no strike and no right outside options, was {strike}, {right}")
    if kind == Kind.FUTURE and expiry == NEVER_NS:
        problems.append("expected the expiry of a dated future, was none")
    if kind in (Kind.SPOT, Kind.PERP) and expiry != NEVER_NS:
        problems.append(f"expected no expiry (expiry_ns = {NEVER_NS}), was {expiry}")
    if not 0 < size < math.inf:
        problems.append(f"expected a contract size > 0, was {size}")
    if min(bar_ns, funding_interval_ns) < 0:
        problems.append("expected bar_ns and funding_interval_ns >= 0")
    if (feed == Feed.BAR) != (bar_ns > 0):
        problems.append(f"expected bar_ns > 0 for feed BAR and 0 for others, was {bar_ns}")
    return problems
