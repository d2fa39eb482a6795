"""Reading a frozen record from a TOML table, field by field, with no defaults."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

T = TypeVar("T")


class SpecError(ValueError):
    """A table that cannot be accepted; the message names file and key, what was expected and what was found."""


def read_record(record: type[T], table: object, where: str) -> T:
    """Return ``record`` filled from ``table``; every field must be there and nothing else.

    Decimals are written as strings (``"0.05"``) or integers, as in every registration [audit 2.2].  Raises
    ``SpecError`` for a missing or unknown key and for a value of another type.
    """
    if not isinstance(table, Mapping):
        raise SpecError(f"{where}: expected a table, was {table!r}")
    hints = get_type_hints(record)
    names = [f.name for f in fields(record)]  # type: ignore[arg-type]
    unknown = sorted(set(table) - set(names))
    if unknown:
        raise SpecError(f"{where}: unknown key {unknown[0]!r}; allowed are {', '.join(names)}")
    missing = [name for name in names if name not in table]
    if missing:
        raise SpecError(f"{where}: missing key {missing[0]!r}; expected {', '.join(names)}")
    return record(**{name: _read(hints[name], table[name], f"{where}.{name}") for name in names})


def _read(hint: Any, value: object, where: str) -> Any:
    if is_dataclass(hint):
        return read_record(hint, value, where)  # type: ignore[arg-type]
    if get_origin(hint) is tuple:
        return _read_tuple(get_args(hint), value, where)
    if isinstance(hint, type) is False and get_origin(hint) is not None:
        item = get_args(hint)[1]
        if not isinstance(value, Mapping):
            raise SpecError(f"{where}: expected a table, was {value!r}")
        return {str(key): _read(item, entry, f"{where}.{key}") for key, entry in value.items()}
    if hint is float:
        return _read_decimal(value, where)
    if isinstance(value, bool) is not (hint is bool) or not isinstance(value, hint):
        raise SpecError(f"{where}: expected {hint.__name__}, was {value!r}")
    return value


def _read_tuple(items: tuple[Any, ...], value: object, where: str) -> tuple[Any, ...]:
    if not isinstance(value, list | tuple):
        raise SpecError(f"{where}: expected a list, was {value!r}")
    kinds = [items[0]] * len(value) if items[-1] is Ellipsis else list(items)
    if len(kinds) != len(value):
        raise SpecError(f"{where}: expected {len(kinds)} values, was {value!r}")
    return tuple(_read(kind, entry, f"{where}[{n}]") for n, (kind, entry) in enumerate(zip(kinds, value, strict=True)))


def _read_decimal(value: object, where: str) -> float:
    if isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool)):
        try:
            number = Decimal(value)
        except InvalidOperation:
            number = Decimal("NaN")
        if number.is_finite():
            return float(number)
    raise SpecError(f'{where}: expected a decimal written as a string, such as "0.05", was {value!r}')
