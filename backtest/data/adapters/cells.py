"""Typed access to the values of outside files: numbers, whole numbers and texts of a table or of a message.  [S8.2]

Every adapter reads a value by one of these functions, so that a text, a null or a missing key where a number belongs
ends as one ``DataError`` that names file, row, field, what was expected and what was found.  Decision 0420.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from engine.errors import MOST_SHOWN, DataError
from engine.records import BoolArray, FloatArray, IntArray

NameArray = NDArray[np.object_]

_NUMBER: Final = re.compile(r"\s*[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?\s*", re.ASCII)
_WHOLE: Final = re.compile(r"\s*[+-]?\d{1,25}(?:\.0*)?\s*", re.ASCII)
_LONGEST_NUMBER: Final = 400
_EXACT: Final = 2.0**53
"""Whole numbers beyond lose digits as floats."""


def numbers(frame: pd.DataFrame, column: str, where: str, *, empty: bool = True) -> FloatArray:
    """Return a column as float64, shape (n,); an empty cell (null) is NaN.

    Numbers written as texts are read, with exponents; separators of thousands, percent signs and words are not.
    Raises ``DataError`` (4) naming ``where``, row (`row_of`) and column if the column is missing, a cell is no
    finite number or, where ``empty`` is False, a cell is empty.
    """
    values = _column(frame, column, where)
    kind = values.dtype.kind
    if kind in "iu":
        return values.to_numpy(dtype=np.float64)
    if kind == "f":
        found = values.to_numpy(dtype=np.float64)
    else:
        found = np.empty(len(values), dtype=np.float64)
        for at, value in enumerate(values.tolist()):
            number = _float(value)
            if number is None:
                raise _wrong(frame, at, column, where, "a number", value)
            found[at] = number
    _refuse(frame, np.isinf(found), column, where, "a finite number")
    if not empty:
        _refuse(frame, np.isnan(found), column, where, "a number")
    return found


def positives(frame: pd.DataFrame, column: str, where: str) -> FloatArray:
    """Return prices, shape (n,), as :func:`numbers` does, with NaN where they are zero or less: no quote."""
    found = numbers(frame, column, where)
    return np.where(found > 0, found, np.nan)


def sizes(frame: pd.DataFrame, column: str, price: FloatArray, where: str) -> FloatArray:
    """Return the sizes of one side of a book, shape (n,), as :func:`numbers` does: 0 stays 0, an empty cell is NaN.

    NaN where ``price``, shape (n,), is NaN: a side that is not there has no size.  A size of 0 is a price without
    depth, which S1.4 makes unusable; read as unknown it would be traded at the fallback.  Raises ``DataError`` (4)
    naming ``where``, row and column if a size is negative.
    """
    found = numbers(frame, column, where)
    _refuse(frame, found < 0, column, where, "a size of 0 or more")
    return np.where(np.isnan(price), np.nan, found)


def wholes(frame: pd.DataFrame, column: str, where: str) -> IntArray:
    """Return a column of whole numbers as int64, shape (n,): integers, whole floats below 2**53, texts of either.

    Raises ``DataError`` (4) naming ``where``, row and column for any other cell, an empty one among them.
    """
    values = _column(frame, column, where)
    kind = values.dtype.kind
    if kind == "i":
        return values.to_numpy(dtype=np.int64)
    if kind == "f":
        floats = values.to_numpy(dtype=np.float64)
        _refuse(frame, ~((np.abs(floats) < _EXACT) & (floats == np.trunc(floats))), column, where, "a whole number")
        return floats.astype(np.int64)
    found = np.empty(len(values), dtype=np.int64)
    for at, value in enumerate(values.tolist()):
        number = _int(value)
        if number is None:
            raise _wrong(frame, at, column, where, "a whole number", value)
        found[at] = number
    return found


def names(frame: pd.DataFrame, column: str, where: str) -> NameArray:
    """Return a column of texts, shape (n,), dtype object.

    Raises ``DataError`` (4) naming ``where``, row and column for a cell that is empty or no text; a number that stands
    where a name belongs is its text.
    """
    values = _column(frame, column, where).tolist()
    for at, value in enumerate(values):
        if not isinstance(value, str):
            if isinstance(value, bool) or not isinstance(value, int):
                raise _wrong(frame, at, column, where, "a text", value)
            values[at] = str(value)
    return np.array([*values, None], dtype=object)[:-1]


def json_value(text: bytes | str, where: str) -> Any:
    """Return the value of a JSON text; raise ``DataError`` (4) naming ``where`` if it is none."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{where}: expected JSON, was {_shown(text)} ({_shown(error, plain=True)})") from error


def item(message: object, key: str, where: str) -> Any:
    """Return ``message[key]`` of a JSON object; raise ``DataError`` (4) if it is no object or lacks the key."""
    if not isinstance(message, Mapping):
        raise DataError(f"{where}: expected an object with {key}, was {_shown(message)}")
    if key not in message:
        present = ", ".join(_shown(name, plain=True) for name in list(message)[:20])
        raise DataError(f"{where}, field {key}: expected a value, was missing; fields were {present[:MOST_SHOWN]}")
    return message[key]


def number(message: object, key: str, where: str) -> float:
    """Return the finite number ``message[key]``, written as number or text; raise ``DataError`` (4) for others.

    Examples
    --------
    >>> number({"px": "8e3"}, "px", "book.json"), number({"px": 8000}, "px", "book.json")
    (8000.0, 8000.0)
    """
    value = item(message, key, where)
    return _finite(value, f"{where}, field {key}")


def whole(message: object, key: str, where: str) -> int:
    """Return the whole number ``message[key]``, written as number or text; raise ``DataError`` (4) for others."""
    value = item(message, key, where)
    found = _int(value)
    if found is None:
        raise DataError(f"{where}, field {key}: expected a whole number, was {_shown(value)}")
    return found


def text(message: object, key: str, where: str) -> str:
    """Return the text ``message[key]``; raise ``DataError`` (4) for another value or none."""
    value = item(message, key, where)
    if not isinstance(value, str):
        raise DataError(f"{where}, field {key}: expected a text, was {_shown(value)}")
    return value


def levels(message: object, key: str, where: str) -> list[tuple[float, float]]:
    """Return the list ``message[key]`` of ``[price, amount, ...]`` as pairs of floats; [] for an empty side.

    Raises ``DataError`` (4) naming ``where``, the field and the level if one is no such list.
    """
    return pairs(item(message, key, where), f"{where}, field {key}")


def pairs(value: object, where: str) -> list[tuple[float, float]]:
    """Return a list of ``[price, amount, ...]`` as pairs of floats; raise ``DataError`` (4) for another value."""
    if not isinstance(value, list):
        raise DataError(f"{where}: expected a list of [price, amount], was {_shown(value)}")
    found = []
    for at, level in enumerate(value):
        place = f"{where}, level {at + 1}"
        if not isinstance(level, list) or len(level) < 2:
            raise DataError(f"{place}: expected [price, amount], was {_shown(level)}")
        found.append((_finite(level[0], f"{place}, price"), _finite(level[1], f"{place}, amount")))
    return found


def row_of(frame: pd.DataFrame | pd.Series, at: int) -> int:
    """Return the row of the file at place ``at`` of a part of it or of a selection of its rows, as an editor counts.

    Of a CSV file with a header the header is row 1; blank lines are not counted.
    """
    label = frame.index[at]
    # the index of a part of a file goes on from the part before
    return int(label) + 1 if isinstance(label, int | np.integer) else at + 1


def _finite(value: object, where: str) -> float:
    found = _float(value)
    if found is None or not math.isfinite(found):
        raise DataError(f"{where}: expected a finite number, was {_shown(value)}")
    return found


def _column(frame: pd.DataFrame, column: str, where: str) -> pd.Series:
    if column not in frame.columns:
        present = ", ".join(str(name) for name in frame.columns[:50])
        raise DataError(f"{where}: expected the column {column}; columns were {present[:MOST_SHOWN]}")
    return frame[column]


def _float(value: object) -> float | None:
    """Return the number, NaN for an empty cell, None for anything else."""
    if value is None or value is pd.NA or value == "":
        return math.nan
    if isinstance(value, str):
        if len(value) > _LONGEST_NUMBER or _NUMBER.fullmatch(value) is None:
            return None
        return float(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value)
    except OverflowError:
        return None


def _int(value: object) -> int | None:
    if isinstance(value, str) and _WHOLE.fullmatch(value):
        value = int(value.partition(".")[0])
    elif isinstance(value, str) and len(value) <= _LONGEST_NUMBER and _NUMBER.fullmatch(value):
        value = float(value)
    if isinstance(value, float):
        value = int(value) if abs(value) < _EXACT and value == math.trunc(value) else None
    if isinstance(value, bool) or not isinstance(value, int) or not -(2**63) <= value < 2**63:
        return None
    return value


def _refuse(frame: pd.DataFrame, bad: BoolArray, column: str, where: str, expected: str) -> None:
    if bad.any():
        at = int(np.argmax(bad))
        raise _wrong(frame, at, column, where, expected, frame[column].iloc[at])


def _wrong(frame: pd.DataFrame, at: int, column: str, where: str, expected: str, value: object) -> DataError:
    row = row_of(frame, at)
    return DataError(f"{where}, row {row}, column {column}: expected {expected}, was {_shown(value)}; repair the file")


def _shown(value: object, *, plain: bool = False) -> str:
    """Return a value for a message: control characters escaped, at most 200 characters."""
    if value is None or value is pd.NA or (isinstance(value, float) and math.isnan(value)):
        return "empty"
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, int) and value.bit_length() > 4 * MOST_SHOWN:
        return f"an integer of {value.bit_length()} bits"
    written = str(value) if plain else repr(value[: MOST_SHOWN + 1] if isinstance(value, str | bytes) else value)
    written = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in written)
    return written if len(written) <= MOST_SHOWN else f"{written[:MOST_SHOWN]}..."
