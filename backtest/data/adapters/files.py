"""Finds and reads the files of a source; whatever is wrong with one is a ``DataError`` that names it.  [S8.2]"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from backtest import limits
from backtest.data.adapters import cells
from backtest.data.adapters.archives import opened
from backtest.data.adapters.base import SourceSpec
from engine.errors import DataError, MissingError, UsageError
from engine.records import IntArray
from engine.units import NS_PER_HOUR, NS_PER_MS, NS_PER_SECOND, NS_PER_US

ROWS_AT_A_TIME: Final = 500_000
"""Rows of a long CSV file in memory at once."""

BAR_NS: Final = {
    "1s": NS_PER_SECOND,
    "1m": 60 * NS_PER_SECOND,
    "3m": 180 * NS_PER_SECOND,
    "5m": 300 * NS_PER_SECOND,
    "15m": 900 * NS_PER_SECOND,
    "30m": 1800 * NS_PER_SECOND,
    "1h": NS_PER_HOUR,
    "2h": 2 * NS_PER_HOUR,
    "4h": 4 * NS_PER_HOUR,
    "6h": 6 * NS_PER_HOUR,
    "8h": 8 * NS_PER_HOUR,
    "12h": 12 * NS_PER_HOUR,
    "1d": 24 * NS_PER_HOUR,
}
"""Lengths of bars by the name the venues give them."""

_COMMON: Final = frozenset({"label_shift_ns", "grid"})  # read by the build, allowed everywhere
# 2008-01-10 and 2100-01-01
_LOW_S: Final = 1_200_000_000
_HIGH_S: Final = 4_102_444_800
_STAMP: Final = re.compile(r"\s*\d+(?:\.0*)?(?:[eE]\+?\d\d?)?\s*", re.ASCII)
_TICKS_PER_SECOND: Final = {"s": NS_PER_SECOND, "ms": NS_PER_MS, "us": NS_PER_US, "ns": 1}


def matching(root: Path, spec: SourceSpec) -> list[Path]:
    """Return the files of ``spec.path`` under ``root``, sorted by name.

    Raises ``MissingError`` if no file matches and ``UsageError`` if the pattern leaves the data folder.
    """
    # a registration comes from anybody, and must not read outside the folder it is given
    if Path(spec.path).is_absolute() or ".." in Path(spec.path).parts:
        raise UsageError(f"source {spec.adapter}: expected a path inside the data folder, was {spec.path!r}")
    try:
        paths = sorted(path for path in root.glob(spec.path) if path.is_file())
    except (ValueError, NotImplementedError, IndexError, RecursionError, OSError, re.error) as problem:
        raise UsageError(
            f"source {spec.adapter}: expected a pattern of file names such as 2024/*.csv, was {spec.path!r}: {problem}"
        ) from problem
    if not paths:
        raise MissingError(f"source {spec.adapter}: expected files at {spec.path!r} under {root}, found none")
    return paths


def shown(root: Path, path: Path) -> str:
    """Return the path relative to the data folder, with slashes: so messages and the manifest name it."""
    return path.relative_to(root).as_posix()


def check_options(spec: SourceSpec, required: Iterable[str], optional: Iterable[str] = ()) -> None:
    """Raise ``UsageError`` if an option is missing or unknown: no option has a silent default.  [S8.1]"""
    required, optional = set(required), set(optional)
    options = set(spec.options) - _COMMON
    if missing := required - options:
        raise UsageError(f"source {spec.adapter} ({spec.path}): options missing: {', '.join(sorted(missing))}")
    if unknown := options - required - optional:
        allowed = ", ".join(sorted(required | optional | _COMMON))
        raise UsageError(
            f"source {spec.adapter} ({spec.path}): unknown options {', '.join(sorted(unknown))}; allowed: {allowed}"
        )


def check_fit(spec: SourceSpec, fits: bool, key: str, needed: str) -> None:
    """Raise ``UsageError`` (2) if the option ``key`` is given and does not fit the source, which lacks ``needed``."""
    if key in spec.options and not fits:
        raise UsageError(
            f"source {spec.adapter} ({spec.path}): expected option {key} for {needed} only, was given for another; "
            f"leave it out"
        )


def text(spec: SourceSpec, key: str, allowed: Iterable[str] = ()) -> str:
    """Return the text option ``key``, one of ``allowed`` if there are any.

    Raises ``UsageError`` that names source and option if it is missing, no text or not allowed.
    """
    value, choice = spec.options.get(key), tuple(allowed)
    if not isinstance(value, str) or (choice and value not in choice):
        wanted = f"one of {', '.join(choice)}" if choice else "a text"
        raise UsageError(f"source {spec.adapter} ({spec.path}): expected option {key} = {wanted}, was {value!r}")
    return value


def texts(spec: SourceSpec, key: str) -> tuple[str, ...]:
    """Return the option ``key``, a list of texts; raises ``UsageError`` if it is missing, empty or no such list."""
    value = spec.options.get(key)
    if not isinstance(value, list | tuple) or not value or not all(isinstance(item, str) for item in value):
        raise UsageError(f"source {spec.adapter} ({spec.path}): expected option {key} = a list of texts, was {value!r}")
    return tuple(value)


def flag(spec: SourceSpec, key: str) -> bool:
    """Return the option ``key``; raises ``UsageError`` if it is not true or false."""
    value = spec.options.get(key)
    if not isinstance(value, bool):
        raise UsageError(f"source {spec.adapter} ({spec.path}): expected option {key} = true or false, was {value!r}")
    return value


def whole(spec: SourceSpec, key: str) -> int:
    """Return the option ``key``, a whole number >= 0 (nanoseconds if the key ends in ``_ns``).

    Raises ``UsageError`` if it is missing, negative or no whole number.
    """
    value = spec.options.get(key)
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise UsageError(f"source {spec.adapter} ({spec.path}): expected option {key} = an integer >= 0, was {value!r}")
    return value


def bar_ns(spec: SourceSpec, key: str = "bar") -> int:
    """Return the length of a bar in ns, from an option such as ``bar = "1h"``; raises ``UsageError`` for others."""
    return BAR_NS[text(spec, key, BAR_NS)]


def need(frame: pd.DataFrame, columns: Iterable[str], where: str) -> None:
    """Raise ``DataError`` naming the columns that ``frame`` lacks."""
    if missing := [name for name in columns if name not in frame.columns]:
        raise DataError(f"{where}: expected the columns {', '.join(missing)}; columns were {', '.join(frame.columns)}")


def utc_ns(labels: pd.Series, where: str) -> IntArray:
    """Return text or datetime labels, shape (n,), as int64 ns UTC, shape (n,); labels without a zone are UTC.

    Raises ``DataError`` naming ``where`` if a label is empty or no ISO 8601 time.
    """
    place = f"{where}, column {labels.name}"
    # pandas reads a number as nanoseconds, so that a year or a stamp of another unit would become 1970
    if labels.dtype.kind not in "M" and not all(isinstance(label, str | datetime) for label in labels.dropna()):
        first = next(label for label in labels.dropna() if not isinstance(label, str | datetime))
        raise DataError(f"{place}: expected times as ISO 8601 text, was {str(first)!r}")
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
            f"{where}, row {row + 1}, column {labels.name}: expected a time as ISO 8601 text, was {label!r}"
        ) from error
    if empty.any():
        row = int(np.argmax(empty.to_numpy())) + 1
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
    if len(values) and not (low <= int(values.min()) and int(values.max()) <= high):
        raise DataError(
            f"{where}, column {column}: expected stamps in {unit} between 2008 and 2100, "
            f"was {int(values.min())} to {int(values.max())}"
        )
    return values * scale


def label_ns(labels: pd.Series, where: str) -> IntArray:
    """Return times of any form, shape (n,), as int64 ns UTC, shape (n,): ISO 8601 text, datetimes, or whole stamps.

    The unit of stamps is the one, of s, ms, us and ns, that puts all of them into 2008 to 2100; these ranges do not
    touch.  Raises ``DataError`` naming ``where`` if no unit does or a label is no time.
    """
    first = next((label for label in labels if isinstance(label, list | dict) or not pd.isna(label)), None)
    if (
        labels.dtype.kind == "M"
        or (isinstance(first, str) and not _STAMP.fullmatch(first))
        or isinstance(first, datetime)
    ):
        return utc_ns(labels, where)
    column = str(labels.name)
    values = cells.wholes(labels.to_frame(column), column, where)
    for scale in _TICKS_PER_SECOND.values():
        if np.all((values >= _LOW_S * NS_PER_SECOND // scale) & (values <= _HIGH_S * NS_PER_SECOND // scale)):
            return values * scale
    raise DataError(
        f"{where}, column {column}: expected stamps of one unit, s, ms, us or ns, between 2008 and 2100, "
        f"was {int(values.min())} to {int(values.max())}"
    )


def read_member(path: Path, where: str) -> bytes:
    """Return the bytes of a plain file, of a ``.gz``, or of the only member of a ``.zip``.

    Raises ``DataError`` naming ``where`` if the file is damaged, encrypted, has several members, or unpacks beyond
    `limits.FILE_UNPACKED_BYTES` or `limits.FILE_EXPANSION`.
    """
    with opened(path, where) as stream:
        # one byte more than allowed shows that there is more, without unpacking it
        data = stream.read(limits.FILE_UNPACKED_BYTES + 1)
    if len(data) > limits.FILE_UNPACKED_BYTES:
        raise DataError(f"{where}: expected at most {limits.FILE_UNPACKED_BYTES} bytes unpacked, was more")
    return data


def csv_parts(path: Path, where: str, **options: object) -> Iterator[pd.DataFrame]:
    """Yield a CSV file (plain, ``.gz`` or single-member ``.zip``) in parts of ``ROWS_AT_A_TIME`` rows.

    ``options`` go to ``pandas.read_csv``; a number is the double nearest to its text.  Raises ``DataError`` naming
    ``where`` if the file is damaged, empty or no CSV, a row has more cells than the header, two columns have one name,
    or there are more columns or longer rows than `backtest.limits` allows.
    """
    reading = {"chunksize": ROWS_AT_A_TIME, "low_memory": False, **options}
    try:
        with opened(path, where, cells=True) as stream:
            for frame in pd.read_csv(stream, **reading):  # type: ignore[call-overload]
                check_header(frame, where)
                if frame.empty:  # pandas gives a header without rows as one part, and no other part is empty
                    raise pd.errors.EmptyDataError
                yield frame
    except pd.errors.EmptyDataError as error:
        raise DataError(f"{where}: expected rows, was empty") from error
    except (ValueError, OverflowError) as error:
        raise DataError(f"{where}: expected a CSV file: {str(error)!r}") from error


def check_header(frame: pd.DataFrame, where: str) -> None:
    """Refuse what pandas accepts in silence: cells beyond the header shift all columns, a name twice gets a number.

    Raises ``DataError`` naming ``where``.
    """
    if not isinstance(frame.index, pd.RangeIndex):
        raise DataError(f"{where}: expected as many cells in each row as the header has, was more: columns would shift")
    seen = {str(name) for name in frame.columns}
    repeated = [name for name in seen if (parts := name.rpartition("."))[2].isdigit() and parts[0] in seen]
    if repeated or len(seen) < len(frame.columns):
        raise DataError(f"{where}: expected each column once, was twice: {repeated[:3]!r:.200}")
