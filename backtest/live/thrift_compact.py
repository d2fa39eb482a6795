"""Reads and writes structs of Thrift's compact protocol, the form of a Parquet footer.

A struct is read without its schema, so that a field of a later version of Parquet is kept as it is.
Source: thrift-compact-protocol.md of Apache Thrift.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

Struct = dict[int, tuple[int, Any]]
"""Field number -> (type, value), in the order of writing; the value of a list is (type of its items, items)."""

TRUE, FALSE, BYTE, I16, I32, I64, BINARY, LIST, STRUCT = 1, 2, 3, 4, 5, 6, 8, 9, 12
_INTEGERS: Final = (I16, I32, I64)
_LONG: Final = 15
"""A list of so many items or more, and a step of more field numbers, has a number of its own."""


def read_struct(data: bytes, at: int = 0) -> tuple[Struct, int]:
    """Return the struct in ``data`` at ``at`` and the place behind it.

    Raises ``ValueError`` for a type that no footer of a quote file has, and ``IndexError`` where ``data`` ends early.
    """
    fields: Struct = {}
    number = 0
    while head := data[at]:
        at += 1
        if head >> 4:
            number += head >> 4
        else:
            number, at = _integer(data, at)
        kind = head & 0x0F
        value, at = _value(data, at, kind)
        fields[number] = (kind, value)
    return fields, at + 1


def write_struct(fields: Struct) -> bytes:
    """Return the bytes of a struct; the inverse of `read_struct`.

    >>> data = bytes([0x15, 0x04, 0x19, 0x28, 0x01, 0x61, 0x01, 0x62, 0x11, 0x00])
    >>> fields, end = read_struct(data)
    >>> fields
    {1: (5, 2), 2: (9, (8, [b'a', b'b'])), 3: (1, True)}
    >>> (write_struct(fields) == data, end)
    (True, 10)
    """
    return b"".join(_struct(fields))


def items(fields: Struct, number: int) -> list[Any]:
    """Return the items of a list field."""
    found: list[Any] = fields[number][1][1]
    return found


def _struct(fields: Struct) -> Iterator[bytes]:
    before = 0
    for number, (kind, value) in fields.items():
        step = number - before
        yield bytes([step << 4 | kind]) if 0 < step <= _LONG else bytes([kind]) + _zigzag(number)
        yield from _written(kind, value)
        before = number
    yield b"\0"


def _written(kind: int, value: Any) -> Iterator[bytes]:
    if kind == BYTE:
        yield bytes([value])
    elif kind in _INTEGERS:
        yield _zigzag(value)
    elif kind == BINARY:
        yield _varint(len(value)) + value
    elif kind == LIST:
        of, found = value
        yield bytes([len(found) << 4 | of]) if len(found) < _LONG else bytes([_LONG << 4 | of]) + _varint(len(found))
        for item in found:
            yield from _written(of, item)
    elif kind == STRUCT:
        yield from _struct(value)


def _value(data: bytes, at: int, kind: int) -> tuple[Any, int]:
    if kind in (TRUE, FALSE):  # of a field: the type is the value
        return kind == TRUE, at
    if kind == BYTE:
        return data[at], at + 1
    if kind in _INTEGERS:
        return _integer(data, at)
    if kind == BINARY:
        length, at = _count(data, at)
        return data[at : at + length], at + length
    if kind == STRUCT:
        return read_struct(data, at)
    if kind == LIST:
        return _list(data, at)
    raise ValueError(f"expected a type of a Parquet footer at byte {at}, was {kind}")


def _list(data: bytes, at: int) -> tuple[tuple[int, list[Any]], int]:
    of, length = data[at] & 0x0F, data[at] >> 4
    at += 1
    if length == _LONG:
        length, at = _count(data, at)
    if of in (TRUE, FALSE):
        raise ValueError(f"expected no list of booleans at byte {at}, was one")
    found = []
    for _ in range(length):
        item, at = _value(data, at, of)
        found.append(item)
    return (of, found), at


def _count(data: bytes, at: int) -> tuple[int, int]:
    total = shift = 0
    while True:
        byte = data[at]
        total |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return total, at


def _integer(data: bytes, at: int) -> tuple[int, int]:
    coded, at = _count(data, at)
    return coded >> 1 ^ -(coded & 1), at


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def _zigzag(number: int) -> bytes:
    return _varint(number << 1 ^ number >> 63)
