"""How much an Arrow, Feather or Parquet file becomes in memory, by its own metadata, before anything is unpacked.

A compressed buffer of an Arrow file begins with the number of bytes that it becomes; the reader takes that much memory
at once.  The metadata of a record batch is a flatbuffer (Message.fbs of the Arrow format, version 1.0), of which this
module reads the few fields that it needs.  [S8.2]
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

_MAGIC: Final = b"ARROW1"
_FIRST_MESSAGE: Final = 8  # the magic, padded
_DICTIONARY_BATCH, _RECORD_BATCH = 2, 3  # members of the union MessageHeader
# Positions of fields in their tables
_HEADER_TYPE, _HEADER = 1, 2
_DICTIONARY_DATA = 1
_ROWS, _NODES, _BUFFERS, _COMPRESSION = 0, 1, 2, 3
_PAIR: Final = struct.Struct("<qq")  # a FieldNode is length and nulls, a Buffer offset and length
_PACKED: Final = struct.Struct("<q")


@dataclass(frozen=True, slots=True)
class TableSize:
    """Rows, cells (entries of nested lists among them) and bytes of a table when it is unpacked."""

    rows: int
    cells: int
    bytes: int


def parquet_size(path: Path) -> TableSize:
    """Return the size that a Parquet file states in its footer; raises what pyarrow raises for a damaged one."""
    with pq.ParquetFile(path) as file:
        metadata = file.metadata
        groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
        columns = [group.column(number) for group in groups for number in range(group.num_columns)]
        # a run of equal values is stored once, so the cells may be many and the bytes few
        cells = max(sum(column.num_values for column in columns), metadata.num_rows * metadata.num_columns)
        return TableSize(metadata.num_rows, cells, sum(column.total_uncompressed_size for column in columns))


def feather_size(path: Path) -> TableSize:
    """Return the size of an Arrow or Feather file; of the first version of Feather, never packed, its bytes alone.

    Raises ``ValueError`` or ``struct.error`` for metadata that is none, and what pyarrow raises for a damaged file.
    """
    with pa.OSFile(str(path)) as file:
        size = file.size()
        if file.read(len(_MAGIC)) != _MAGIC:
            return TableSize(0, 0, size)
        file.seek(_FIRST_MESSAGE)
        rows = cells = unpacked = 0
        # the messages of the file are those of a stream, up to its end marker
        for message in pa.ipc.MessageReader.open_stream(file):
            batch = _record_batch(message.metadata.to_pybytes())
            if batch is not None:
                rows += batch.rows if batch.of_table else 0
                cells += batch.cells
                unpacked += batch.unpacked(message.body)
        return TableSize(rows, cells, unpacked)


@dataclass(frozen=True, slots=True)
class _Batch:
    rows: int
    cells: int
    buffers: tuple[tuple[int, int], ...]
    packed: bool
    of_table: bool  # False: of a dictionary

    def unpacked(self, body: pa.Buffer | None) -> int:
        """Return the bytes of the buffers when unpacked."""
        total = 0
        for offset, length in self.buffers:
            unpacked = length
            if self.packed and length >= _PACKED.size and body is not None:
                (unpacked,) = _PACKED.unpack(body.slice(offset, _PACKED.size).to_pybytes())
            # -1: a buffer that is stored as it is
            total += max(unpacked, length)
        return total


def _record_batch(data: bytes) -> _Batch | None:
    """Return what the metadata of a message says of its batch; None for a schema."""
    root = _offset(data, 0)
    type_at, header_at = _field(data, root, _HEADER_TYPE), _field(data, root, _HEADER)
    kind = data[type_at] if type_at else 0
    if kind not in (_DICTIONARY_BATCH, _RECORD_BATCH) or not header_at:
        return None
    batch = _offset(data, header_at)
    if kind == _DICTIONARY_BATCH:
        data_at = _field(data, batch, _DICTIONARY_DATA)
        if not data_at:
            return None
        batch = _offset(data, data_at)
    rows_at = _field(data, batch, _ROWS)
    rows = struct.unpack_from("<q", data, rows_at)[0] if rows_at else 0
    cells = sum(length for length, _ in _pairs(data, batch, _NODES))
    packed = bool(_field(data, batch, _COMPRESSION))
    return _Batch(rows, cells, tuple(_pairs(data, batch, _BUFFERS)), packed, kind == _RECORD_BATCH)


def _offset(data: bytes, at: int) -> int:
    return int(at + struct.unpack_from("<I", data, at)[0])


def _field(data: bytes, table: int, number: int) -> int:
    """Return where field ``number`` of the table at ``table`` lies, 0 where it is absent."""
    vtable = table - struct.unpack_from("<i", data, table)[0]
    entry = 4 + 2 * number
    if vtable < 0 or entry + 2 > struct.unpack_from("<H", data, vtable)[0]:
        return 0
    offset = struct.unpack_from("<H", data, vtable + entry)[0]
    return int(table + offset) if offset else 0


def _pairs(data: bytes, table: int, number: int) -> list[tuple[int, int]]:
    """Return a vector of pairs of 64-bit integers."""
    at = _field(data, table, number)
    if not at:
        return []
    vector = _offset(data, at)
    (count,) = struct.unpack_from("<I", data, vector)
    if vector + 4 + count * _PAIR.size > len(data):
        raise ValueError("a list in the metadata is longer than the metadata")
    return [_PAIR.unpack_from(data, vector + 4 + n * _PAIR.size) for n in range(count)]
