"""Published files of real events: read by name below the data folder, refused with file and column.  [risk.md 21]"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from zipfile import BadZipFile

import pandas as pd

from engine.errors import DataError, MissingError, UsageError


@dataclass
class SourceFiles:
    """The files of one folder below a data root; ``digests`` collects the SHA-256 of each file that was read."""

    root: Path | None
    folder: str
    digests: dict[str, str] = field(default_factory=dict)

    def path(self, name: str) -> Path:
        """Return a file's path and note its digest.

        Raises `UsageError` (2) where no data root is given, `MissingError` (3) for a file that cannot be read.
        """
        if self.root is None:
            raise UsageError(f"{self.folder}: expected the folder of market data: give --data DIR or set CME_DATA")
        path = self.root / self.folder / name
        try:
            self.digests[f"{self.folder}/{name}"] = sha256(path.read_bytes()).hexdigest()
        except OSError as problem:
            raise MissingError(f"expected {path}, was: {problem.strerror or problem}; check --data") from problem
        return path

    def table(self, name: str, numbers: Sequence[str] = (), texts: Sequence[str] = ()) -> pd.DataFrame:
        """Return columns of a CSV file (plain, gzip, zip) or a parquet file: ``numbers`` float64, ``texts`` as written.

        Raises as `path`, and `DataError` (4) for a missing column or a number that is none or not finite, with its row.
        """
        path = self.path(name)
        try:
            frame = _frame(path)
        except (ValueError, OSError, EOFError, BadZipFile, ImportError) as problem:
            raise DataError(f"{path}: expected a table, was: {problem}") from problem
        missing = [column for column in (*numbers, *texts) if column not in frame.columns]
        if missing:
            raise DataError(f"{path}: expected the columns {missing}, was {list(frame.columns)}")
        return pd.DataFrame({c: _numbers(path, frame[c]) for c in numbers} | {c: frame[c] for c in texts})


def of_file(root: Path | None, file: str) -> tuple[SourceFiles, str]:
    """Return the folder and the name of ``FOLDER/NAME`` below a data root."""
    folder, name = file.split("/")
    return SourceFiles(root, folder), name


def in_order(times: pd.Series, where: str) -> None:
    """Raise `DataError` (4) unless times rise: prices must not go back in time."""
    for line in range(1, len(times)):
        if not times.iloc[line - 1] < times.iloc[line]:
            raise DataError(
                f"{where}: row {line}: expected a time after {times.iloc[line - 1]}, was {times.iloc[line]}: prices "
                "must not go back in time"
            )


def _frame(path: Path) -> pd.DataFrame:
    """Return every cell as text; a parquet file's index is dropped."""
    if path.suffix == ".parquet":
        return pd.read_parquet(path).reset_index(drop=True).astype(str)
    if path.suffix == ".feather":
        return pd.read_feather(path).astype(str)
    return pd.read_csv(path, dtype=str, keep_default_na=False)


def _numbers(path: Path, column: pd.Series) -> list[float]:
    values = []
    # Line 1 of the file is its head.
    for line, text in enumerate(column, 2):
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise DataError(f"{path}: line {line}, {column.name}: expected a finite number, was {text!r}")
        values.append(value)
    return values


def total(column: pd.Series) -> float:
    """Return the sum of a column of floats, rounded once."""
    return math.fsum(column.tolist())
