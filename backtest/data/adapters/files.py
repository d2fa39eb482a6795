"""Finds and reads the files of a source; whatever is wrong with one is a ``DataError`` that names it.  [S8.2]"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import pandas as pd

from backtest import limits
from backtest.data.adapters import cells
from backtest.data.adapters.archives import opened
from backtest.data.adapters.base import SourceSpec
from backtest.data.adapters.upstream_sums import REPLACED, SUFFIX, check_upstream
from engine.errors import DataError, MissingError, UsageError
from engine.units import NS_PER_HOUR, NS_PER_SECOND

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

NAME_COLUMNS: Final = (
    "symbol", "Symbol", "coin", "pair", "ticker", "instId", "inst_id", "instrument", "instrument_name", "currency",
    "exchange", "contract", "type", "option_type", "underlying_name", "futures_instrument_name", "prompt_contract",
    "next_contract", "baseAsset", "quoteAsset", "interval", "timeframe",
)  # fmt: skip
"""Columns of names: read as text, so that 007 stays 007 in each part of a file, whatever else the part holds."""

_COMMON: Final = frozenset({"label_shift_ns", "grid"})  # read by the build, allowed everywhere


def matching(root: Path, spec: SourceSpec) -> list[Path]:
    """Return the files of ``spec.path`` under ``root``, sorted by name.

    Each is compared with the sum that its publisher laid beside it (`upstream_sums`).  Raises ``MissingError`` if no
    file matches, ``UsageError`` if the pattern leaves the data folder, ``DataError`` (21) for a file that is another.
    """
    # a registration comes from anybody, and must not read outside the folder it is given
    if Path(spec.path).is_absolute() or ".." in Path(spec.path).parts:
        raise UsageError(f"source {spec.adapter}: expected a path inside the data folder, was {spec.path!r}")
    try:
        found = sorted(path for path in root.glob(spec.path) if path.is_file())
    except (ValueError, NotImplementedError, IndexError, RecursionError, OSError, re.error) as problem:
        raise UsageError(
            f"source {spec.adapter}: expected a pattern of file names such as 2024/*.csv, was {spec.path!r}: {problem}"
        ) from problem
    paths = [path for path in found if path.name != REPLACED and not path.name.endswith(SUFFIX)]
    if not paths:
        raise MissingError(f"source {spec.adapter}: expected files at {spec.path!r} under {root}, found none")
    for path in paths:
        check_upstream(path, shown(root, path))
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


def read_json(path: Path, where: str) -> Any:
    """Return the value of a JSON file: plain, ``.gz``, or the only member of a ``.zip``.

    Raises ``DataError`` naming ``where`` if the file is damaged, encrypted, has several members, unpacks beyond
    `limits.JSON_BYTES` or `limits.FILE_EXPANSION`, or is no JSON.
    """
    with opened(path, where) as stream:
        # one byte more than allowed shows that there is more, without unpacking it
        data = stream.read(limits.JSON_BYTES + 1)
    if len(data) > limits.JSON_BYTES:
        raise DataError(f"{where}: expected at most {limits.JSON_BYTES} bytes of JSON, was more: cut the file")
    return cells.json_value(data, where)


def csv_parts(path: Path, where: str, **options: object) -> Iterator[pd.DataFrame]:
    """Yield a CSV file (plain, ``.gz`` or single-member ``.zip``) in parts of ``ROWS_AT_A_TIME`` rows.

    ``options`` go to ``pandas.read_csv``; a number is the double nearest to its text.  The index plus 1 is the row of
    the file (`cells.row_of`).  Raises ``DataError`` naming ``where`` if the file is damaged, empty or no CSV, a row has
    more cells than the header, two columns have one name, or there are more columns or longer rows than
    `backtest.limits` allows.
    """
    reading = {"chunksize": ROWS_AT_A_TIME, "low_memory": False, "dtype": dict.fromkeys(NAME_COLUMNS, str), **options}
    try:
        with opened(path, where, cells=True) as stream:
            for frame in pd.read_csv(stream, **reading):  # type: ignore[call-overload]
                check_header(frame, where)
                if frame.empty:  # pandas gives a header without rows as one part, and no other part is empty
                    raise pd.errors.EmptyDataError
                if "header" not in options:
                    frame.index += 1
                yield frame
    except pd.errors.EmptyDataError as error:
        raise DataError(f"{where}: expected rows, was empty") from error
    except (ValueError, OverflowError) as error:
        raise DataError(f"{where}{_parse_problem(error)}; repair the file") from error


def _parse_problem(error: Exception) -> str:
    """Return what pandas met in a file, in the words of a person who has the file before him."""
    if match := re.search(r"Expected (\d+) fields in line (\d+), saw (\d+)", str(error)):
        return f", row {match[2]}: expected at most {match[1]} cells as in the rows before, was {match[3]}"
    if isinstance(error, UnicodeDecodeError):
        return f": expected UTF-8 text, was the byte {error.object[error.start]:#04x}"
    return f": expected a CSV file, was: {error}"


def check_header(frame: pd.DataFrame, where: str) -> None:
    """Refuse what pandas accepts in silence: cells beyond the header shift all columns, a name twice gets a number.

    Raises ``DataError`` naming ``where``.
    """
    if not isinstance(frame.index, pd.RangeIndex):
        raise DataError(
            f"{where}: expected as many cells in each row as the header has, was more in the row below it: columns "
            "would shift; repair the file"
        )
    seen = {str(name) for name in frame.columns}
    repeated = [name for name in seen if (parts := name.rpartition("."))[2].isdigit() and parts[0] in seen]
    if repeated or len(seen) < len(frame.columns):
        raise DataError(f"{where}: expected each column once, was twice: {repeated[:3]!r:.200}; name each by itself")
