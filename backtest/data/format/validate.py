"""Checks a table of quote rows before it is written.  [S1.1, S1.8]

Prices may be zero or crossed (the engine quarantines and counts them, S1.5); they may not be negative or infinite.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from backtest.data.format.schema import CHANNEL_COLUMNS, LAG, REFRESHED, VALUE_COLUMNS, Channel, quote_schema
from engine.errors import DataError
from engine.records import BoolArray, FloatArray, IntArray
from engine.units import NS_PER_DAY

RATE_LIMIT: Final = 1.0
"""No funding rate of one interval reaches 100%; a larger one is in percent or basis points."""


def canonical_rows(table: pa.Table, day: int, instruments: int, where: str) -> pa.Table:
    """Return ``table`` as a quote file has it: schema, NaN as null; but sorted by (channel, t_ns, code) alone.

    ``day`` is the UTC day (days since 1970-01-01) every ``t_ns`` must lie in, ``instruments`` the number of codes.
    Raises ``DataError`` (4) with file, row of that file, time, code and value for a wrong column or type, a time
    outside the day, an unknown channel or code, a value that is negative, infinite or out of unit, a value in a foreign
    column, a row without value, and two rows of one (channel, t_ns, code).
    """
    table = _columns(table, where)
    channel, t_ns, code = (table.column(name).to_numpy() for name in ("channel", "t_ns", "code"))
    refuse = partial(_refuse, _Place(where, t_ns, code))
    refuse(channel > max(Channel), channel, f"a channel 0 to {max(Channel)}")
    refuse(t_ns // NS_PER_DAY != day, t_ns, f"t_ns inside UTC day {np.datetime64(day, 'D')}")
    refuse((code < 0) | (code >= instruments), code, f"a code under {instruments}")
    for member in Channel:
        rows = _rows_of(channel, member)
        if len(rows):
            _channel_values(table, member, rows, refuse)
    after, same = _steps(channel, t_ns, code)
    # sorting copies the table: the usual source is in order already
    if not (after | same).all():
        order = np.lexsort((code, t_ns, channel))
        table = table.take(pa.array(order))
        channel, t_ns, code = channel[order], t_ns[order], code[order]
        after, same = _steps(channel, t_ns, code)
    if same.any():
        keys = np.stack([channel, t_ns, code], axis=1)
        _refuse(_Place(where, t_ns, code), np.append(False, same), keys, "one row a (channel, t_ns, code)")
    return table


def out_of_range(name: str, values: FloatArray) -> BoolArray:
    """Return where a value of the column ``name``, shape (n,), cannot be one, shape (n,); NaN, no value, is none.

    A rate in percent or basis points would be 100 or 10,000 times too large, and look like one.
    """
    return np.abs(values) >= RATE_LIMIT if name == "rate" else (values < 0) | np.isinf(values)


def range_text(name: str) -> str:
    """Return the words for what :func:`out_of_range` accepts in the column ``name``."""
    return "a funding rate per interval under 1 (100%)" if name == "rate" else f"a finite {name} of 0 or more"


def _steps(*keys: IntArray) -> tuple[BoolArray, BoolArray]:
    """Return of each row but the first whether its keys, the foremost first, exceed those before it, or equal them."""
    after = np.zeros(max(0, len(keys[0]) - 1), dtype=bool)
    same = ~after
    for key in keys:
        after |= same & (key[1:] > key[:-1])
        same &= key[1:] == key[:-1]
    return after, same


def _rows_of(channel: NDArray[np.uint8], member: Channel) -> range | IntArray:
    """Return the numbers of the rows of ``member``: a range where they lie side by side."""
    rows = np.flatnonzero(channel == member)
    if len(rows) and rows[-1] - rows[0] == len(rows) - 1:
        return range(int(rows[0]), int(rows[-1]) + 1)
    return rows


def _columns(table: pa.Table, where: str) -> pa.Table:
    """Order the columns, turn NaN into null, and refuse other names and types."""
    schema = quote_schema(table.column_names)
    if sorted(table.column_names) != sorted(schema.names):
        missing = sorted(set(schema.names) - set(table.column_names))
        unknown = sorted(set(table.column_names) - set(schema.names))
        raise DataError(f"{where}: expected the columns {schema.names}; missing {missing}, unknown {unknown}")
    columns = []
    for field in schema:
        column = table.column(field.name).combine_chunks()
        if column.type != field.type and not pa.types.is_null(column.type):
            raise DataError(f"{where}, column {field.name}: expected {field.type}, was {column.type}")
        if field.nullable:
            column = column.cast(field.type)
            nan = pc.is_nan(column) if pa.types.is_floating(field.type) else None
            if nan is not None and pc.any(nan).as_py():
                column = pc.if_else(nan, pa.scalar(None, field.type), column)
        elif column.null_count:
            raise DataError(
                f"{where}, column {field.name}: expected a value in every row, was null {column.null_count} times"
            )
        columns.append(column)
    return pa.table(columns, schema)


def _channel_values(table: pa.Table, channel: Channel, rows: range | IntArray, refuse: Callable[..., None]) -> None:
    """Check the values of ``rows``, those of ``channel``."""
    of_channel = CHANNEL_COLUMNS[channel]
    # a quote with both sides null is an empty book, so no row of QUOTE lacks a value
    empty = np.full(len(rows), channel != Channel.QUOTE)

    def of_rows(name: str) -> pa.ChunkedArray:
        column = table.column(name)
        return column.slice(rows.start, len(rows)) if isinstance(rows, range) else column.take(pa.array(rows))

    for name in VALUE_COLUMNS:
        values = of_rows(name)
        if name not in of_channel:
            if values.null_count < len(rows):
                value = values.to_numpy()
                refuse(~np.isnan(value), value, f"no {name} in a row of channel {channel.name}", rows)
            continue
        value = values.to_numpy()
        refuse(out_of_range(name, value), value, range_text(name), rows)
        empty &= np.isnan(value)
    refuse(empty, ["none"] * len(rows), f"a value in every row of channel {channel.name}", rows)
    if LAG in table.column_names:
        lag, again = of_rows(LAG).to_numpy().astype(np.float64), of_rows(REFRESHED).to_numpy()
        refuse(lag < 0, lag, f"a {LAG} of 0 or more", rows)
        refuse(again & ~(lag > 0), lag, f"a {LAG} over 0 in a row that is {REFRESHED}", rows)
        if channel != Channel.QUOTE:
            refuse(~np.isnan(lag) | again, lag, f"no {LAG} and not {REFRESHED} in channel {channel.name}", rows)


@dataclass(frozen=True, slots=True)
class _Place:
    """A file of a data set, with the times and codes of its rows."""

    where: str
    t_ns: IntArray
    code: IntArray


def _refuse(place: _Place, bad: BoolArray, values: Any, expected: str, rows: range | IntArray | None = None) -> None:
    """Raise for the first bad one of ``values``, which are those of ``rows`` (None: of all)."""
    if bad.any():
        first = int(np.flatnonzero(bad)[0])
        row = first if rows is None else int(rows[first])
        raise DataError(
            f"{place.where}, row {row + 1} of this file of the data set ({np.datetime64(int(place.t_ns[row]), 'ns')}, "
            f"code {place.code[row]}): expected {expected}, was {values[first]} ({int(bad.sum())} such rows); build "
            f"the data set again"
        )
