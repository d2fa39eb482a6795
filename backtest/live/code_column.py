"""Puts other codes into a quote file and keeps the bytes of every other column.

A listing moves the codes of all names behind it, so each join codes every day anew.  Of a Parquet file that changes the
chunks of one column, and in the footer their sizes and bounds and the offsets behind them; to decode and encode every
column costs several times as much.  [docs/decisions/0730]

    <MAGIC>  group: <channel> <t_ns> <code> <bid> ...  group: ...  <footer> <its length> <MAGIC>
                                      taken from a file that has this column alone
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from backtest.data.format.quote_file import COMPRESSION, MAGIC, LinearPart
from backtest.data.format.schema import QUOTE_SCHEMA
from backtest.live.thrift_compact import Struct, items, read_struct, write_struct

_CODE: Final = "code"
_TRAILER: Final = 4 + len(MAGIC)
"""Bytes behind the footer: its length, and ``MAGIC``."""

# Numbers of fields, from parquet.thrift of the Parquet format.
_GROUPS, _CREATED_BY = 4, 6  # of the file
_CHUNKS, _GROUP_SIZE, _GROUP_ROWS, _GROUP_OFFSET, _GROUP_COMPRESSED = 1, 2, 3, 5, 6  # of a row group
_CHUNK_OFFSET, _META = 2, 3  # of a column chunk
_PATH, _SIZE, _COMPRESSED, _DATA, _DICTIONARY, _STATISTICS, _ENCODINGS, _LEVELS = 3, 6, 7, 9, 11, 12, 13, 16
_KNOWN_OF_CHUNK: Final = {_CHUNK_OFFSET, _META}
_KNOWN_OF_META: Final = {1, 2, _PATH, 4, 5, _SIZE, _COMPRESSED, _DATA, _DICTIONARY, _STATISTICS, _ENCODINGS, _LEVELS}
"""Others (page indexes, Bloom filters) have offsets or bounds of their own."""


def with_codes(data: bytes, codes: pa.Array, linear: LinearPart | None) -> tuple[bytes, LinearPart | None] | None:
    """Return the quote file ``data`` with other codes, and its part without options: as if the whole were encoded.

    ``codes``, ``[rows]``, are int32 in the order of the file; they are to sort as its own do, or the file is out of
    order.  ``linear`` is the part without options of ``data``, None where it has no options.  None where the file has
    another form than those this version writes: then only to encode it whole gives the bytes of this version.
    """
    try:
        footer, end = _footer(data)
        groups = items(footer, _GROUPS)
        alone = _codes_alone(codes, [group[_GROUP_ROWS][1] for group in groups])
        theirs, _ = _footer(alone)
    except (ValueError, IndexError, KeyError):
        return None
    if footer[_CREATED_BY] != theirs[_CREATED_BY] or not all(map(_of_known_form, groups)):
        return None
    parts, done, moved, head = [], 0, 0, 0 if linear is None else linear.head
    for group, other in zip(groups, items(theirs, _GROUPS), strict=True):
        in_head = linear is not None and group[_GROUP_OFFSET][1] < linear.head
        start, stop, taken, longer = _exchange(group, items(other, _CHUNKS)[0], moved)
        parts += [data[done:start], alone[taken.start : taken.stop]]
        done, moved = stop, moved + longer
        head += longer if in_head else 0
    written = write_struct(footer)
    whole = b"".join([*parts, data[done:end], written, len(written).to_bytes(4, "little"), MAGIC])
    if linear is None:
        return whole, None
    tail = len(written) + _TRAILER
    return whole, LinearPart(head, tail, sha256(whole[:head] + whole[-tail:]).hexdigest())


def _footer(data: bytes) -> tuple[Struct, int]:
    """Return the footer of a Parquet file and where it begins."""
    start = len(data) - _TRAILER - int.from_bytes(data[-_TRAILER : -len(MAGIC)], "little")
    return read_struct(data, start)[0], start


def _codes_alone(codes: pa.Array, rows: Sequence[int]) -> bytes:
    """Return a Parquet file with the column of codes alone, in row groups of ``rows``, as a quote file has it."""
    schema, sink, at = pa.schema([QUOTE_SCHEMA.field(_CODE)]), pa.BufferOutputStream(), 0
    with pq.ParquetWriter(sink, schema, compression=COMPRESSION) as writer:
        for count in rows:
            writer.write_table(pa.table([codes.slice(at, count)], schema), row_group_size=count)
            at += count
    return bytes(sink.getvalue().to_pybytes())


def _of_known_form(group: Struct) -> bool:
    """Return whether each offset and bound of a row group is one that `_exchange` moves."""
    chunks = items(group, _CHUNKS)
    return all(set(chunk) <= _KNOWN_OF_CHUNK and set(chunk[_META][1]) <= _KNOWN_OF_META for chunk in chunks)


def _exchange(group: Struct, chunk: Struct, moved: int) -> tuple[int, int, range, int]:
    """Put ``chunk`` in place of the codes in the footer's entry of a row group that begins ``moved`` bytes later.

    Return where the old chunk begins and ends, where the new one lies in its file, and how many bytes longer it is.
    """
    chunks = items(group, _CHUNKS)
    place = next(at for at, one in enumerate(chunks) if items(one[_META][1], _PATH) == [_CODE.encode()])
    old, new = _span(chunks[place]), _span(chunk)
    longer = len(new) - len(old)
    for one in chunks[:place]:
        _move(one, moved)
    for one in chunks[place + 1 :]:
        _move(one, moved + longer)
    size = chunk[_META][1][_SIZE][1] - chunks[place][_META][1][_SIZE][1]
    _move(chunk, old.start + moved - new.start)
    chunks[place] = chunk
    _add(group, _GROUP_OFFSET, moved)
    _add(group, _GROUP_COMPRESSED, longer)
    _add(group, _GROUP_SIZE, size)
    return old.start, old.stop, new, longer


def _span(chunk: Struct) -> range:
    meta: Struct = chunk[_META][1]
    start: int = meta[_DICTIONARY if _DICTIONARY in meta else _DATA][1]
    return range(start, start + meta[_COMPRESSED][1])


def _move(chunk: Struct, by: int) -> None:
    for number in {_DATA, _DICTIONARY} & set(chunk[_META][1]):
        _add(chunk[_META][1], number, by)


def _add(fields: Struct, number: int, more: int) -> None:
    kind, value = fields[number]
    fields[number] = (kind, value + more)
