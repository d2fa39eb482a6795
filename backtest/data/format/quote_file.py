"""Encodes quote files, and reads of one the row groups without options alone.  [S1.8, docs/decisions/0675]

A file that has options holds the rows of everything else first, in row groups of their own.  ``linear_parts.parquet``
lists of each such file how long this first part and the Parquet footer are, and the SHA-256 of both together.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from io import RawIOBase
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from backtest.data.format.manifest import FileEntry, safe_path
from backtest.data.format.schema import Channel, quote_schema
from engine.errors import DataError, GateError, MissingError
from engine.records import BoolArray

LINEAR_FILE: Final = "linear_parts.parquet"
"""Lists the first parts of the quote files that have options; a data set without options has none."""

LINEAR_SCHEMA: Final = pa.schema(
    [
        pa.field("path", pa.string(), nullable=False),
        pa.field("head", pa.int64(), nullable=False),
        pa.field("tail", pa.int64(), nullable=False),
        pa.field("sha256", pa.string(), nullable=False),
    ]
)

ROW_GROUP: Final = 1_048_576
"""Most rows of one row group; a group holds one channel only, so that a reader takes just the columns it needs."""

COMPRESSION: Final = "lz4"
"""Of quote files: decoded a third faster than zstd for two per cent more bytes (``benchmarks/storage.py``)."""

MAGIC: Final = b"PAR1"
_LENGTH: Final = 4
"""Bytes of the footer's length, which stands before the closing ``MAGIC``."""


@dataclass(frozen=True, slots=True)
class LinearPart:
    """The bytes of a quote file that hold its linear instruments: the first ``head``, the footer in the last ``tail``.

    ``sha256`` is of the first followed by the last.
    """

    head: int
    tail: int
    sha256: str


def in_file_order(table: pa.Table, option: BoolArray) -> pa.Table:
    """Return rows sorted by (channel, t_ns, code) in the order of a quote file: what is no option first.

    ``option``, shape (instruments,), says by code which instruments are options.

    Examples
    --------
    >>> table = pa.table({"t_ns": [1, 1, 2, 2], "code": [0, 1, 0, 1]})
    >>> in_file_order(table, np.array([True, False])).to_pydict()
    {'t_ns': [1, 2, 1, 2], 'code': [1, 1, 0, 0]}
    """
    of_option = option[table.column("code").to_numpy()]
    if not of_option.any() or of_option.all():
        return table
    return pa.concat_tables([table.filter(pa.array(~of_option)), table.filter(pa.array(of_option))])


def quote_bytes(table: pa.Table) -> bytes:
    """Return the Parquet bytes of rows in the order of a quote file, each channel in row groups of its own."""
    sink = pa.BufferOutputStream()
    with pq.ParquetWriter(sink, quote_schema(table.column_names), compression=COMPRESSION) as writer:
        _write_groups(writer, table, np.ones(len(table), dtype=np.bool_))
    return bytes(sink.getvalue().to_pybytes())


def quote_bytes_in_parts(table: pa.Table, option: BoolArray) -> tuple[bytes, LinearPart | None]:
    """Return the Parquet bytes of rows sorted by (channel, t_ns, code), options last, and where the rest of them lies.

    ``option``, shape (instruments,), says by code which instruments are options.  A file without any has no parts.
    """
    of_option = option[table.column("code").to_numpy()]
    if not of_option.any():
        return quote_bytes(table), None
    sink = pa.BufferOutputStream()
    with pq.ParquetWriter(sink, quote_schema(table.column_names), compression=COMPRESSION) as writer:
        _write_groups(writer, table, ~of_option)
        # before its first group a writer may not have written the opening `MAGIC`
        head = max(sink.tell(), len(MAGIC))
        _write_groups(writer, table, of_option)
    data = bytes(sink.getvalue().to_pybytes())
    tail = int.from_bytes(data[-len(MAGIC) - _LENGTH : -len(MAGIC)], "little") + _LENGTH + len(MAGIC)
    return data, LinearPart(head, tail, sha256(data[:head] + data[-tail:]).hexdigest())


def _write_groups(writer: pq.ParquetWriter, table: pa.Table, wanted: BoolArray) -> None:
    """Write the rows of ``table`` that are ``wanted``, shape (rows,), channel by channel."""
    channel = table.column("channel").to_numpy()
    for member in Channel:
        low, high = np.searchsorted(channel, [member, member + 1])
        of_channel = wanted[low:high]
        rows = table.slice(low, high - low)
        # most channels are of one kind, and a filter copies
        if of_channel.any():
            chosen = rows if of_channel.all() else rows.filter(pa.array(of_channel))
            writer.write_table(chosen, row_group_size=ROW_GROUP)


def read_linear(folder: Path, entry: FileEntry, part: LinearPart) -> bytearray:
    """Return a quote file with zeros in place of its options: the bytes of ``part``, hashed before they are parsed.

    Raises ``MissingError`` (3) where the file is not there, ``GateError`` 21 where its size or these bytes differ.
    """
    path = safe_path(folder, entry.path)
    data = bytearray(entry.size)
    view = memoryview(data)
    try:
        with path.open("rb", buffering=0) as file:
            size = os.fstat(file.fileno()).st_size
            if size == entry.size:
                _fill(file, view[: part.head])
                file.seek(entry.size - part.tail)
                _fill(file, view[entry.size - part.tail :])
    except OSError as error:
        raise MissingError(f"expected {path}, which the manifest lists, was: {error.strerror}") from error
    digest = sha256(view[: part.head])
    digest.update(view[entry.size - part.tail :])
    if size != entry.size or digest.hexdigest() != part.sha256:
        raise GateError(
            f"{path}: expected {entry.size} bytes whose first {part.head} and last {part.tail} have the SHA-256 of "
            f"{LINEAR_FILE} ({part.sha256}), was {digest.hexdigest()}, {size} bytes; the data differ from what was "
            "built: restore the file or build anew",
            exit_code=21,
        )
    return data


def _fill(file: RawIOBase, view: memoryview) -> None:
    """Read into all of ``view``; a file that ends earlier leaves zeros, which its digest shows."""
    while len(view) and (count := file.readinto(view)):
        view = view[count:]


def parts_to_table(parts: Mapping[str, LinearPart]) -> pa.Table:
    """Return the parts by path as a table of ``LINEAR_SCHEMA``, sorted by path."""
    rows = [{"path": path, "head": p.head, "tail": p.tail, "sha256": p.sha256} for path, p in sorted(parts.items())]
    return pa.Table.from_pylist(rows, LINEAR_SCHEMA)


def parts_from_table(table: pa.Table, files: Mapping[str, FileEntry], where: str) -> dict[str, LinearPart]:
    """Return the parts by path.

    Raises ``DataError`` (4) naming ``where`` if a path is not among ``files`` or its parts do not fit into it.
    """
    if not table.schema.equals(LINEAR_SCHEMA):
        raise DataError(f"{where}: expected the columns {', '.join(LINEAR_SCHEMA.names)}, was {table.schema.names}")
    parts: dict[str, LinearPart] = {}
    for row in table.to_pylist():
        path, part = row["path"], LinearPart(row["head"], row["tail"], row["sha256"])
        size = files[path].size if path in files else 0
        if path in parts or min(part.head, part.tail) < len(MAGIC) or part.head + part.tail > size:
            raise DataError(
                f"{where}, {path!r:.200}: expected each file of the manifest once, with a part inside its {size} "
                f"bytes, was {part.head} and {part.tail}; build the data set again"
            )
        parts[path] = part
    return parts
