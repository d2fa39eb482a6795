"""Checks of arguments that a caller may get wrong: one message, with the parameter's name first.  [audit 8.3]

A function that states shapes and ranges in its docstring calls these first, so that a wrong array or number is refused
where it enters and not found later as a wrong result.  The checks read types, shapes and bounds; no element is read,
except for the order of an axis.  A record of columns checks itself with the last two, where it is made.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Sized
from dataclasses import fields
from decimal import Decimal
from fractions import Fraction
from functools import cache
from math import isfinite
from numbers import Integral, Real
from typing import Any, Final

import numpy as np

from engine.errors import DataError, UsageError

RealNumber = int | float | Decimal | Fraction

_ACCEPTED: Final[dict[type, tuple[type, ...]]] = {
    # numpy's scalars are registered with these classes; Decimal is not, so that a decimal is no float by accident
    int: (Integral,),
    float: (Real,),
    Decimal: (Decimal,),
    Fraction: (Fraction, int),
}

_COLUMN_TYPES: Final[dict[str, type]] = {
    "FloatArray": np.float64,
    "IntArray": np.int64,
    "CodeArray": np.int32,
    "ByteArray": np.uint8,
    "BoolArray": np.bool_,
    "SideArray": np.int8,
}
"""The dtype of each alias of :mod:`engine.records`, by the text of an annotation."""


def require_array(name: str, value: object, dtype: Any, shape: tuple[int | str, ...]) -> None:
    """Refuse anything but an array of ``dtype`` and ``shape``.

    Parameters
    ----------
    name : str
        The parameter's name, for the message.
    value : object
        The argument.
    dtype : type
        The exact dtype, for example ``np.int64``.
    shape : tuple
        An integer for each axis of fixed length, a letter for each axis of any length: ``("n", 2)``.

    Raises
    ------
    UsageError
        If ``value`` is no array, or of another dtype, number of axes or fixed length.

    Examples
    --------
    >>> require_array("returns", np.zeros(3, dtype=np.int64), np.int64, ("n",))
    >>> require_array("returns", np.zeros(3), np.int64, ("n",))
    Traceback (most recent call last):
    engine.errors.UsageError: returns: expected int64 of shape (n,), was float64 of shape (3,)
    """
    if (
        isinstance(value, np.ndarray)
        and value.dtype == dtype
        and value.ndim == len(shape)
        and all(isinstance(want, str) or want == have for want, have in zip(shape, value.shape, strict=True))
    ):
        return
    was = f"{value.dtype} of shape {value.shape}" if isinstance(value, np.ndarray) else type(value).__name__
    raise UsageError(f"{name}: expected {np.dtype(dtype)} of shape {_shape_text(shape)}, was {was}")


def require_number(
    name: str,
    value: object,
    kind: type[RealNumber],
    *,
    at_least: RealNumber | None = None,
    above: RealNumber | None = None,
    at_most: RealNumber | None = None,
    below: RealNumber | None = None,
) -> None:
    """Refuse anything but a finite number of ``kind`` within the bounds; NaN and infinity are refused always.

    Parameters
    ----------
    name : str
        The parameter's name, for the message.
    value : object
        The argument.
    kind : type
        ``int`` (numpy's integers too), ``float`` (any real number), ``Decimal`` or ``Fraction``; never a bool.
    at_least, above, at_most, below : number, optional
        The bounds.

    Raises
    ------
    UsageError
        If ``value`` is of another kind, not finite, or outside a bound.

    Examples
    --------
    >>> require_number("draws", 0, int, at_least=1)
    Traceback (most recent call last):
    engine.errors.UsageError: draws: expected int, at least 1, was 0
    """
    bounds = (("at least", at_least), ("above", above), ("at most", at_most), ("below", below))
    # a decimal NaN raises in a comparison, so that finiteness is asked first
    if isinstance(value, _ACCEPTED[kind]) and not isinstance(value, bool) and _is_finite(value):
        number: Any = value
        if (
            (at_least is None or number >= at_least)
            and (above is None or number > above)
            and (at_most is None or number <= at_most)
            and (below is None or number < below)
        ):
            return
    limits = [f"{word} {bound}" for word, bound in bounds if bound is not None]
    words = ", ".join([kind.__name__, *(limits or ["finite"])]) if kind is not int else ", ".join(["int", *limits])
    shown = value if isinstance(value, _ACCEPTED[kind]) else f"{value!r} ({type(value).__name__})"
    raise UsageError(f"{name}: expected {words}, was {shown}")


def _is_finite(value: Any) -> bool:
    # `isfinite` makes a float of it, and a decimal of 1e400 would be infinite.
    return bool(value.is_finite()) if isinstance(value, Decimal) else isfinite(value)


def require_numbers(
    name: str,
    values: Sequence[object],
    kind: type[RealNumber],
    *,
    shortest: int = 0,
    at_least: RealNumber | None = None,
    at_most: RealNumber | None = None,
) -> None:
    """Refuse a sequence that is too short, or of which an entry is no finite number of ``kind`` within the bounds.

    Raises ``UsageError`` that begins with ``name`` and, for an entry, its place; every entry is read.

    >>> require_numbers("trials", [1.0, float("nan")], float, shortest=1)
    Traceback (most recent call last):
    engine.errors.UsageError: trials[1]: expected float, finite, was nan
    """
    if len(values) < shortest:
        raise UsageError(
            f"{name}: expected at least {shortest} {'entry' if shortest == 1 else 'entries'}, was {len(values)} entries"
        )
    for row, value in enumerate(values):
        require_number(f"{name}[{row}]", value, kind, at_least=at_least, at_most=at_most)


def require_finite(name: str, values: Any) -> None:
    """Refuse an array of floats, any shape, in which a value is NaN or infinite.

    Raises ``UsageError`` that begins with ``name`` and holds the first such value and its place.
    """
    bad = np.argwhere(~np.isfinite(values))
    if len(bad):
        place = tuple(bad[0].tolist())
        raise UsageError(f"{name}: expected finite values, was {values[place]} at {place}")


def require_instance(name: str, value: object, kind: type) -> None:
    """Refuse anything but a record of ``kind``.

    Raises ``UsageError`` that begins with ``name`` and holds the type of ``value``.
    """
    if not isinstance(value, kind):
        raise UsageError(f"{name}: expected {kind.__name__}, was {type(value).__name__}")


def require_length(name: str, value: Sized, length: int, of: str) -> None:
    """Refuse a sequence that is not ``length`` entries long, as many as ``of``, the words for the message, has.

    Raises ``UsageError`` that begins with ``name``.

    >>> require_length("block", [0, 0], 3, "values")
    Traceback (most recent call last):
    engine.errors.UsageError: block: expected 3 entries, as many as values, was 2
    """
    if len(value) != length:
        raise UsageError(f"{name}: expected {length} entries, as many as {of}, was {len(value)}")


def require_columns(record: Any, shape: tuple[int, ...], other: Mapping[str, tuple[int, ...]] | None = None) -> None:
    """Refuse a record of columns in which a field is of another dtype or shape than its annotation and ``shape`` say.

    Parameters
    ----------
    record : dataclass
        Fields annotated ``FloatArray``, ``IntArray``, ``CodeArray``, ``ByteArray``, ``BoolArray``, ``SideArray``, one
        of them or None, a mapping from text to ``FloatArray``, or ``tuple[str, ...]`` are checked; of a tuple the
        length only.
    shape : tuple of int
        The shape that is expected of every field.
    other : mapping, optional
        Shapes of the fields that have another one.

    Raises
    ------
    DataError
        If a field is no array, or of another dtype or shape; the message begins with ``Record.field``.

    Examples
    --------
    >>> from dataclasses import make_dataclass
    >>> Marks = make_dataclass("Marks", [("t_ns", "IntArray"), ("mark", "FloatArray")])
    >>> require_columns(Marks(np.zeros(2, dtype=np.int64), np.zeros(3)), (2,))
    Traceback (most recent call last):
    engine.errors.DataError: Marks.mark: expected float64 of shape (2,), was float64 of shape (3,)
    """
    columns = _columns_of(type(record))  # type: ignore[arg-type]  # a class is hashable; the checker doubts type[Any]
    for field, kind, dtype in columns:
        value, want = getattr(record, field), shape if other is None else other.get(field, shape)
        if kind == "array":
            if not (isinstance(value, np.ndarray) and value.dtype == dtype and value.shape == want):
                _refuse_column(record, field, value, dtype, want)
        elif kind == "texts":
            if not (isinstance(value, tuple) and len(value) == want[0]):
                was = f"{len(value)} entries" if isinstance(value, tuple) else type(value).__name__
                raise DataError(f"{type(record).__name__}.{field}: expected a tuple of {want[0]} texts, was {was}")
        elif kind == "optional":
            good = isinstance(value, np.ndarray) and value.dtype == dtype and value.shape == want
            if not (good or value is None):
                _refuse_column(record, field, value, dtype, want)
        else:
            for key, column in value.items():
                if not (isinstance(column, np.ndarray) and column.dtype == dtype and column.shape == want):
                    _refuse_column(record, f"{field}[{key!r}]", column, dtype, want)


@cache
def _columns_of(kind: Any) -> tuple[tuple[str, str, np.dtype[Any]], ...]:
    """Return name, kind of column and dtype of the fields of a record that are columns, by their annotations.

    Kept by type: a replay makes some forty records a block, and reading annotations costs more than checking arrays.
    """
    columns: list[tuple[str, str, np.dtype[Any]]] = []
    for field in fields(kind):
        text = str(field.type)
        plain = text.removesuffix(" | None")
        if plain in _COLUMN_TYPES:
            columns.append((field.name, "array" if plain == text else "optional", np.dtype(_COLUMN_TYPES[plain])))
        elif text == "tuple[str, ...]":
            columns.append((field.name, "texts", np.dtype(object)))
        elif text.endswith("[str, FloatArray]"):
            columns.append((field.name, "mapping", np.dtype(np.float64)))
    return tuple(columns)


def _refuse_column(record: object, field: str, value: object, dtype: np.dtype[Any], shape: tuple[int, ...]) -> None:
    was = f"{value.dtype} of shape {value.shape}" if isinstance(value, np.ndarray) else type(value).__name__
    raise DataError(f"{type(record).__name__}.{field}: expected {dtype} of shape {shape}, was {was}")


def require_ascending(name: str, axis: Any) -> None:
    """Refuse an axis, shape (n,), whose values do not strictly ascend; an empty one ascends.

    Raises ``DataError`` that begins with ``name`` and holds the first two values out of order.
    """
    back = np.flatnonzero(axis[1:] <= axis[:-1])
    if len(back):
        raise DataError(f"{name}: expected strictly ascending values, was {axis[back[0]]} before {axis[back[0] + 1]}")


def require_codes(name: str, codes: Any, count: int) -> None:
    """Refuse ascending codes, shape (n,), that are not all row numbers of a table of ``count`` rows.

    Raises ``DataError`` that begins with ``name`` and holds the least and the greatest code.
    """
    # They ascend, so the first and the last decide.
    if len(codes) and not (codes[0] >= 0 and codes[-1] < count):
        raise DataError(f"{name}: expected codes from 0 to {count - 1}, was {codes[0]} to {codes[-1]}")


def _shape_text(shape: tuple[int | str, ...]) -> str:
    """Return a shape as Python writes it, letters without quotes."""
    return f"({', '.join(str(axis) for axis in shape)}{',' if len(shape) == 1 else ''})"
