"""Times of outside files as int64 nanoseconds UTC: ISO 8601 text, datetimes, and whole stamps of a unit.  [S1.5]"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any, Final

import numpy as np
import pandas as pd

from backtest.data.adapters import cells
from engine.errors import DataError
from engine.records import IntArray
from engine.units import NS_PER_MS, NS_PER_SECOND, NS_PER_US

# 2008-01-10 and 2100-01-01
_LOW_S: Final = 1_200_000_000
_HIGH_S: Final = 4_102_444_800
_STAMP: Final = re.compile(r"\s*\d+(?:\.\d*)?(?:[eE]\+?\d\d?)?\s*\Z", re.ASCII)
_YEAR: Final = re.compile(r"\s*\d{4}", re.ASCII)
_TICKS_PER_SECOND: Final = {"s": NS_PER_SECOND, "ms": NS_PER_MS, "us": NS_PER_US, "ns": 1}
UNITS: Final = ("text", *_TICKS_PER_SECOND)
"""What a plan may say of the times of a file: ISO 8601 text, or whole stamps of a unit."""


def time_ns(labels: pd.Series, unit: str, where: str) -> IntArray:
    """Return times of a unit of `UNITS`, shape (n,), as int64 ns UTC, shape (n,); raises as `utc_ns`, `epoch_ns`."""
    return utc_ns(labels, where) if unit == "text" else epoch_ns(labels, unit, where)


def utc_ns(labels: pd.Series, where: str) -> IntArray:
    """Return text or datetime labels, shape (n,), as int64 ns UTC, shape (n,); labels without a zone are UTC.

    Raises ``DataError`` naming ``where`` if a label is empty or no ISO 8601 time.
    """
    place = f"{where}, column {labels.name}"
    # pandas reads a number as nanoseconds, so that a year or a stamp of another unit would become 1970
    if labels.dtype.kind not in "M" and not all(isinstance(label, str | datetime) for label in labels.dropna()):
        row = next(at for at, label in enumerate(labels) if not (_is_empty(label) or isinstance(label, str | datetime)))
        raise DataError(
            f"{where}, row {cells.row_of(labels, row)}, column {labels.name}: expected a time as ISO 8601 text, was "
            f"{str(labels.iloc[row])!r}"
        )
    try:
        times = pd.to_datetime(labels, utc=True, format="ISO8601" if labels.dtype.kind not in "M" else None)
        empty = times.isna()
        found = times.dt.as_unit("ns").astype("int64").to_numpy().astype(np.int64)
    except (ValueError, TypeError, OverflowError, AttributeError) as error:
        times = pd.to_datetime(labels, utc=True, format="ISO8601", errors="coerce")
        # a year beyond 2262 is a time, and none in nanoseconds
        beyond = times.dt.as_unit("s").astype("int64").abs() > np.iinfo(np.int64).max // NS_PER_SECOND
        no_time = np.flatnonzero(times.isna() | beyond)
        row = int(no_time[0]) if len(no_time) else 0
        # NumPy's stamp: pandas refuses to print its own beyond the year 9999, which one with a zone becomes.
        one = labels.iloc[row : row + 1]
        label = str(one.to_numpy("datetime64[s]" if labels.dtype.kind == "M" else None)[0])
        raise DataError(
            f"{where}, row {cells.row_of(labels, row)}, column {labels.name}: expected a time as ISO 8601 text, was "
            f"{label!r}"
        ) from error
    if empty.any():
        row = cells.row_of(labels, int(np.argmax(empty.to_numpy())))
        raise DataError(f"{place}: expected a time in every row, {int(empty.sum())} were empty, the first in row {row}")
    return found


def epoch_ns(stamps: pd.Series, unit: str, where: str) -> IntArray:
    """Return whole stamps of ``unit`` (s, ms, us, ns), shape (n,), as int64 ns UTC, shape (n,).  [S1.5]

    Whole floats below 2**53 and texts of whole numbers are stamps too.  Raises ``DataError`` naming ``where`` if they
    are no whole numbers or outside 2008 to 2100: a change of unit (ms to us) is then an error and no time in another
    century.
    """
    column = str(stamps.name)
    values = cells.wholes(stamps.to_frame(column), column, where)
    scale = _TICKS_PER_SECOND[unit]
    low, high = _LOW_S * NS_PER_SECOND // scale, _HIGH_S * NS_PER_SECOND // scale
    outside = np.flatnonzero((values < low) | (values > high))
    if len(outside):
        raise DataError(
            f"{where}, row {cells.row_of(stamps, int(outside[0]))}, column {column}: expected a stamp in {unit} from "
            f"2008 to 2100, was {values[outside[0]]} ({len(outside)} such rows); is the unit another?"
        )
    return values * scale


def label_form(labels: pd.Series, where: str) -> str:
    """Return the form of times, by the first label: ``text``, or the unit of whole stamps, s, ms, us or ns.

    The unit is the one that puts the label into 2008 to 2100; these ranges do not touch.  Raises ``DataError`` naming
    ``where`` and the row if no unit does.
    """
    first = next((at for at, label in enumerate(labels) if not _is_empty(label)), None)
    if first is None:
        return "ms"  # a column without any label, which no form accepts
    label = labels.iloc[first]
    if labels.dtype.kind == "M" or isinstance(label, datetime) or (isinstance(label, str) and not _STAMP.match(label)):
        if isinstance(label, str) and not _YEAR.match(label):
            raise DataError(
                f"{where}, row {cells.row_of(labels, first)}, column {labels.name}: expected a time as ISO 8601 text "
                f"or a whole stamp, was {label!r}; repair the file"
            )
        return "text"
    column = str(labels.name)
    (stamp,) = cells.wholes(labels.iloc[first : first + 1].to_frame(column), column, where).tolist()
    for unit, scale in _TICKS_PER_SECOND.items():
        if _LOW_S * NS_PER_SECOND <= stamp * scale <= _HIGH_S * NS_PER_SECOND:
            return unit
    raise DataError(
        f"{where}, row {cells.row_of(labels, first)}, column {column}: expected a stamp in s, ms, us or ns from 2008 "
        f"to 2100, was {stamp}; repair the file"
    )


def label_ns(labels: pd.Series, where: str, form: str = "") -> IntArray:
    """Return times of any form, shape (n,), as int64 ns UTC, shape (n,): ISO 8601 text, datetimes, or whole stamps.

    All are of ``form``, by default that of the first (`label_form`); a file that is read in parts gives each the form
    of its first part.  Raises ``DataError`` naming ``where`` and the row for a label of another form, and for what is
    no time.

    Examples
    --------
    >>> label_ns(pd.Series([1704067200000, 1704070800000]), "f.csv").tolist()
    [1704067200000000000, 1704070800000000000]
    >>> label_ns(pd.Series(["2024-01-01 00:00:00"]), "f.csv").tolist()
    [1704067200000000000]
    """
    form = form or label_form(labels, where)
    return utc_ns(labels, where) if form == "text" else epoch_ns(labels, form, where)


def _is_empty(label: Any) -> bool:
    # pandas answers for a list with an array
    return not isinstance(label, list | dict) and bool(pd.isna(label))
