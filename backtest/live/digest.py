"""The digest of a sealed day over names: it outlives a re-coding of the file, as instruments are listed later.  [L0.3]

    <name>,<channel>,<t_ns>,<value>,...     one line a row, sorted by (t_ns, name, channel), the channel's own values
    <name>,<venue>,...                      then one line for each instrument that occurs, all fields of S1.2, by name

Values are the shortest decimal text that reads back to the same double, an absent one is empty.  A canonical day has
one row a (channel, t_ns, name), so the running number of the source decides nothing here.  The funding interval of an
instrument is the one in force at the end of the day, which a later change leaves alone.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from backtest.data.format.dataset import Dataset, day_of, parse_parquet
from backtest.data.format.schema import (
    CHANNEL_COLUMNS,
    LAG,
    QUOTE_SCHEMA,
    REFRESHED,
    VALUE_COLUMNS,
    Channel,
    instruments_to_table,
)
from engine.records import Instruments

LINES_AT_ONCE: Final = 500_000
"""Rows whose text is in memory at a time: some hundred bytes each."""


def day_table(dataset: Dataset, day: int) -> pa.Table:
    """Return the rows of every quote file of a UTC day (days since 1970-01-01), with ``QUOTE_SCHEMA``; may be empty.

    Raises ``MissingError`` (3), ``GateError`` (21) or ``DataError`` (4) for a file that cannot be read as listed.
    """
    paths = sorted(path for path in dataset.files if path.startswith("quotes/") and day_of(path) == day)
    tables = [parse_parquet(dataset.read(path), dataset.path / path).read() for path in paths]
    return pa.concat_tables(tables) if tables else QUOTE_SCHEMA.empty_table()


def day_digest(dataset: Dataset, day: int) -> str:
    """Return the digest of one UTC day (days since 1970-01-01) of ``dataset``, 64 digits of hex.

    Raises what `day_table` raises.
    """
    return rows_digest(day_table(dataset, day), dataset.instruments_on(day))


def rows_digest(table: pa.Table, instruments: Instruments) -> str:
    """Return the digest of rows of ``QUOTE_SCHEMA`` in any order, whose codes are those of ``instruments``."""
    digest = sha256()
    t_ns, code, channel = (table.column(name).to_numpy() for name in ("t_ns", "code", "channel"))
    # instruments are sorted by name, so the order of codes is that of names
    order = np.lexsort((channel, code, t_ns))
    names = pa.array(instruments.name, pa.string())
    for start in range(0, len(order), LINES_AT_ONCE):
        digest.update(_lines(table.take(pa.array(order[start : start + LINES_AT_ONCE])), names))
    occurring = np.unique(code)
    listed = instruments_to_table(instruments).take(pa.array(occurring))
    columns = [_texts(listed.column(name)).to_pylist() for name in listed.column_names]
    for row in zip(*columns, strict=True):
        digest.update((",".join(row) + "\n").encode())
    return digest.hexdigest()


def _lines(table: pa.Table, names: pa.Array) -> bytes:
    """Return the lines of ``table`` in its order: only the values of a row's own channel are written."""
    channel = table.column("channel").combine_chunks()
    # of recorded quotes: without them two days of other ages would have one digest
    timed = tuple(name for name in (LAG, REFRESHED) if name in table.column_names)
    texts = {name: _texts(table.column(name)) for name in (*VALUE_COLUMNS, *timed)}
    values = pa.array([""] * len(table), pa.string())
    present = set(pc.unique(channel).to_pylist())
    for member in Channel:
        if member in present:
            columns = (*CHANNEL_COLUMNS[member], *(timed if member == Channel.QUOTE else ()))
            joined = pc.binary_join_element_wise(*(texts[name] for name in columns), ",")
            values = pc.if_else(pc.equal(channel, pa.scalar(int(member), pa.uint8())), joined, values)
    parts = (names.take(table.column("code").combine_chunks()), _texts(channel), _texts(table.column("t_ns")), values)
    lines = pc.binary_join_element_wise(*parts, ",")
    whole = pc.binary_join(pa.ListArray.from_arrays(pa.array([0, len(lines)], pa.int32()), lines), "\n")
    return bytes(whole[0].as_buffer().to_pybytes()) + b"\n"


def _texts(column: Any) -> pa.Array:
    """Return a column as texts; absent is empty, and of a double the shortest text that reads back to it."""
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    if pa.types.is_floating(array.type):
        array = pc.if_else(pc.is_nan(array), pa.scalar(None, array.type), array)
    return pc.fill_null(array.cast(pa.string()), "")
