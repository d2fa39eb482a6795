"""Opens the canonical data set on disk; every file is hashed before it is parsed.  [S1.8, audit 9.4]

DIR/manifest.json dataset.json instruments.parquet [grid.parquet] [funding_intervals.parquet] [linear_parts.parquet]
    quotes/<UNDERLYING>/<YYYY-MM-DD>.parquet
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from backtest.data.format import manifest
from backtest.data.format.funding_intervals import FUNDING_FILE, IntervalSteps, instruments_by_day, steps_from_table
from backtest.data.format.manifest import FileEntry
from backtest.data.format.quote_file import LINEAR_FILE, LinearPart, parts_from_table, read_linear
from backtest.data.format.schema import FX, GRID_SCHEMA, instruments_from_table
from engine.errors import DataError, MissingError, UsageError
from engine.records import Instruments, IntArray

DATASET_FILE: Final = "dataset.json"
DATASET_SCHEMA: Final = "cme-dataset/1"
INSTRUMENTS_FILE: Final = "instruments.parquet"
GRID_FILE: Final = "grid.parquet"
REGISTRATION_FILE: Final = "registration.toml"
"""The plan a data set was made for, if it was made for one."""
_KEYS: Final = {"schema", "name", "synthetic", "grid_ns", "underlyings", "sources"}


SYNTHETIC: Final = "synthetic"
"""The adapter of a source that was generated."""
UNVERIFIED: Final = "; unverified: "
"""Stands in ``verified`` between the sample and the formats that no sample showed."""


@dataclass(frozen=True, slots=True)
class SourceNote:
    """Where a data set comes from: the source, its adapter, the sample it was verified on, and notes for a reader."""

    name: str
    adapter: str
    verified: str
    notes: tuple[str, ...]

    @property
    def unverified(self) -> str:
        """What of the adapter's formats met no real sample, in words; empty if all did or the source is synthetic."""
        if not self.verified:
            return "" if self.adapter == SYNTHETIC else "it has met no real sample"
        return self.verified.partition(UNVERIFIED)[2]


@dataclass(frozen=True, slots=True)
class Dataset:
    """An opened data set.  Files are read, and their hashes checked, when a panel needs them.

    ``grid_ns`` 0: the grid is the data set's own snapshot times.  ``underlyings`` excludes ``FX``.  ``funding_steps``
    has, by code, the instruments whose funding interval changes; that of ``instruments`` is their last.
    ``instruments_since`` are the instruments with the interval of their day, each from a UTC day on.  ``linear_parts``
    has, by path, the parts without options of the quote files that have such parts.
    """

    path: Path
    name: str
    synthetic: bool
    grid_ns: int
    underlyings: tuple[str, ...]
    sources: tuple[SourceNote, ...]
    instruments: Instruments
    funding_steps: Mapping[int, IntervalSteps]
    instruments_since: tuple[tuple[int, Instruments], ...]
    grids: Mapping[str, IntArray]
    linear_parts: Mapping[str, LinearPart]
    manifest: Mapping[str, object]
    files: Mapping[str, FileEntry]
    dataset_hash: str

    def days(self, underlying: str) -> list[int]:
        """Return the UTC days (since 1970-01-01) of which there is a quote file, ascending."""
        prefix = f"quotes/{underlying}/"
        return sorted(day_of(path) for path in self.files if path.startswith(prefix))

    def instruments_on(self, day: int) -> Instruments:
        """Return the instruments with the funding intervals in force at the end of a UTC day since 1970-01-01."""
        return next(table for since, table in reversed(self.instruments_since) if since <= max(day, 0))

    @property
    def day_span(self) -> tuple[int, int] | None:
        """The first and the last UTC day of which any underlying has a quote file; None where there is none."""
        days = [day for underlying in self.underlyings for day in self.days(underlying)]
        return (min(days), max(days)) if days else None

    def grid(self, underlying: str, from_ns: int, to_ns: int, grid_ns: int | None = None) -> IntArray:
        """Return the grid times in [from, to), ns UTC, shape (T,): multiples of the step, or snapshot times.  [S1.3]

        ``grid_ns`` (0: the snapshot times) replaces the data set's own step.  Raises ``UsageError`` (2) if
        ``underlying`` has no snapshot times.
        """
        step = self.grid_ns if grid_ns is None else grid_ns
        if step > 0:
            return np.arange(-(-from_ns // step) * step, to_ns, step, dtype=np.int64)
        times = self.grids.get(underlying)
        if times is None:
            raise UsageError(f"{self.path}: expected an underlying of {self.underlyings}, was {underlying!r}")
        return times[np.searchsorted(times, from_ns) : np.searchsorted(times, to_ns)]

    def read(self, relative: str) -> bytes:
        """Return the bytes of a listed file, hashed before use.  Raises ``MissingError`` (3), ``GateError`` 21."""
        entry = self.files.get(relative)
        if entry is None:
            raise MissingError(f"{self.path}: expected {relative!r} in the manifest, was not listed")
        return manifest.read_checked(self.path, entry)

    def read_linear(self, relative: str) -> bytes | bytearray:
        """Return the bytes of a quote file for a reader of its linear instruments, hashed before use.

        Where the file has a part without options, there are zeros in place of all others; else it is the whole file,
        options too.  Raises as `read` does.
        """
        part = self.linear_parts.get(relative)
        return self.read(relative) if part is None else read_linear(self.path, self.files[relative], part)


def open_dataset(path: Path) -> Dataset:
    """Return the data set in folder ``path``, its manifest, ``dataset.json``, instruments and grid checked.

    Parameters
    ----------
    path : Path
        The folder of a data set.

    Returns
    -------
    Dataset
        Quote files are read, and their hashes checked, when a panel needs them.

    Raises
    ------
    MissingError
        If a file is missing or of an unknown version (3).
    GateError
        If the bytes of a file differ from the manifest (21).
    DataError
        If a file is not in form (4).

    Examples
    --------
    >>> import tempfile
    >>> from backtest.data.format.schema import instruments_from_frame
    >>> from backtest.data.format.writer import DatasetWriter
    >>> from backtest.data.adapters.instruments import Feed, spot, table
    >>> temporary = tempfile.TemporaryDirectory()
    >>> with DatasetWriter(Path(temporary.name) / "set", "example", 10**9, synthetic=True, sources=[]) as writer:
    ...     writer.set_instruments(instruments_from_frame(table([spot("okx", "BTC", "USDT", Feed.BOOK)])))
    ...     folder = writer.finish()
    >>> dataset = open_dataset(folder)
    >>> dataset.name, dataset.instruments.name, dataset.grid_ns
    ('example', ('okx:BTCUSDT',), 1000000000)
    >>> temporary.cleanup()
    """
    content, files = manifest.load(path)
    about = _about(path, files)
    # the hash covers both files, so a difference is a fault of the writer and not of the disk
    if about["name"] != content["name"]:
        raise DataError(
            f"{path}: expected one name in manifest and dataset.json, was {content['name']!r}, {about['name']!r}"
        )
    instruments = instruments_from_table(_table(path, files, INSTRUMENTS_FILE), f"{path / INSTRUMENTS_FILE}")
    steps = {}
    if FUNDING_FILE in files:
        steps = steps_from_table(_table(path, files, FUNDING_FILE), instruments, f"{path / FUNDING_FILE}")
    linear = {}
    if LINEAR_FILE in files:
        linear = parts_from_table(_table(path, files, LINEAR_FILE), files, f"{path / LINEAR_FILE}")
    grids = {} if about["grid_ns"] else _grids(_table(path, files, GRID_FILE), path / GRID_FILE)
    return Dataset(
        path=path,
        name=about["name"],
        synthetic=about["synthetic"],
        grid_ns=about["grid_ns"],
        underlyings=tuple(about["underlyings"]),
        sources=tuple(SourceNote(**{**item, "notes": tuple(item["notes"])}) for item in about["sources"]),
        instruments=instruments,
        funding_steps=steps,
        instruments_since=instruments_by_day(instruments, steps),
        grids=grids,
        linear_parts=linear,
        manifest=content,
        files=files,
        dataset_hash=manifest.hash_of(content),
    )


def about_content(
    name: str, synthetic: bool, grid_ns: int, underlyings: Sequence[str], sources: Sequence[SourceNote]
) -> dict[str, object]:
    """Return the content of ``dataset.json``."""
    return {
        "schema": DATASET_SCHEMA,
        "name": name,
        "synthetic": synthetic,
        "grid_ns": grid_ns,
        "underlyings": sorted(set(underlyings) - {FX}),
        "sources": [{**asdict(source), "notes": list(source.notes)} for source in sources],
    }


def quote_path(underlying: str, day: int) -> str:
    """Return the path of the quote file of one (underlying, day) inside a data set."""
    return f"quotes/{underlying}/{np.datetime64(day, 'D')}.parquet"


def day_of(path: str) -> int:
    """Return the day (since 1970-01-01) of a quote file's path; inverse of :func:`quote_path`.

    Raises ``DataError`` (4) if the name of the file is no day.
    """
    try:
        return int(np.datetime64(Path(path).stem, "D").astype(np.int64))
    except ValueError as error:
        raise DataError(f"expected a quote file YYYY-MM-DD.parquet, was {path!r}") from error


def parse_parquet(data: bytes | bytearray, where: object) -> pq.ParquetFile:
    """Return the Parquet file in ``data``; raises ``DataError`` (4) if it is truncated or no Parquet."""
    try:
        return pq.ParquetFile(pa.BufferReader(data))
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{where}: expected a whole Parquet file, was: {error}") from error


def _table(path: Path, files: Mapping[str, FileEntry], name: str) -> pa.Table:
    if name not in files:
        raise MissingError(f"{path}: expected {name} in the manifest, was not listed")
    return parse_parquet(manifest.read_checked(path, files[name]), path / name).read()


def _about(path: Path, files: Mapping[str, FileEntry]) -> dict:  # type: ignore[type-arg]  # checked just below
    if DATASET_FILE not in files:
        raise MissingError(f"{path}: expected {DATASET_FILE} in the manifest, was not listed")
    about = manifest.parse_object(manifest.read_checked(path, files[DATASET_FILE]), path / DATASET_FILE)
    if about.get("schema") != DATASET_SCHEMA:
        raise MissingError(f"{path / DATASET_FILE}: expected schema {DATASET_SCHEMA!r}, was {about.get('schema')!r}")
    # exact types: True passes as an int, and a grid step of one nanosecond would follow
    types = {"name": str, "synthetic": bool, "grid_ns": int, "underlyings": list, "sources": list}
    if set(about) != _KEYS or any(type(about[key]) is not kind for key, kind in types.items()):
        raise DataError(f"{path / DATASET_FILE}: expected the fields {', '.join(sorted(_KEYS))}, was {sorted(about)}")
    return about


def _grids(table: pa.Table, where: Path) -> dict[str, IntArray]:
    if not table.schema.equals(GRID_SCHEMA):
        raise DataError(f"{where}: expected the columns underlying, t_ns, was {table.schema.names}")
    names = np.array(table.column("underlying").to_pylist(), dtype=object)
    times = table.column("t_ns").to_numpy()
    grids: dict[str, IntArray] = {}
    for name in sorted(set(names)):
        grid = np.ascontiguousarray(times[names == name])
        if (np.diff(grid) <= 0).any():
            raise DataError(f"{where}: expected ascending grid times of {name}")
        # Shared by every reader of the data set.
        grid.setflags(write=False)
        grids[name] = grid
    return grids
