"""A data set written whole or not at all.  [S1.8, audit 9.4]

Everything goes into a hidden folder beside the target, is flushed, and takes the target's name in one rename.  A kill
leaves that hidden folder, which the next writer of the same target recognises (its lock is free) and removes; a full
disk or an exception leaves nothing.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from backtest.data.format import manifest
from backtest.data.format.atomic_write import refusing_half, write_synced
from backtest.data.format.dataset import (
    DATASET_FILE,
    GRID_FILE,
    INSTRUMENTS_FILE,
    REGISTRATION_FILE,
    SourceNote,
    about_content,
    quote_path,
)
from backtest.data.format.funding_intervals import FUNDING_FILE, IntervalSteps, steps_to_table
from backtest.data.format.manifest import FileEntry
from backtest.data.format.quote_file import LINEAR_FILE, LinearPart, parts_to_table, quote_bytes_in_parts
from backtest.data.format.schema import GRID_SCHEMA, instruments_to_table
from backtest.data.format.validate import canonical_rows
from backtest.file_lock import try_lock
from engine.errors import DataError, UsageError
from engine.ledger.durable import sync_folder
from engine.ledger.format.canonical_json import canonical
from engine.records import Instruments, IntArray, Kind

SCRATCH: Final = ".scratch"

DaySpan = tuple[int, int] | None
"""Times of the first and last row of a file, ns UTC; None where it has no rows or no times."""


@dataclass(frozen=True, slots=True)
class EncodedDay:
    """The quote file of one (underlying, UTC day), checked and encoded; ``span_ns`` None where it has no rows.

    ``linear`` is the part of it without options; None where it has no options.
    """

    underlying: str
    path: str
    data: bytes
    rows: int
    span_ns: DaySpan
    linear: LinearPart | None


class DatasetWriter:
    """Collects the files of one data set and gives it its name at the end.

    Use it in a ``with`` block: leaving the block without :meth:`finish` removes what was written.  The order is
    ``set_instruments``, then any number of ``write_day``, ``set_grid`` (``grid_ns`` 0 only), ``add_file``, ``finish``.
    """

    def __init__(self, target: Path, name: str, grid_ns: int, synthetic: bool, sources: Sequence[SourceNote]) -> None:
        self._target = target.absolute()
        self._about = (name, synthetic, grid_ns, tuple(sources))
        self._instruments: Instruments | None = None
        self._files: dict[str, FileEntry] = {}
        self._grids: dict[str, IntArray] = {}
        self._linear: dict[str, LinearPart] = {}
        self._underlyings: set[str] = set()
        self._finished = False
        if target.exists() and not (target.is_dir() and (_is_dataset(target) or not any(target.iterdir()))):
            raise UsageError(f"expected no file, an empty folder or a data set at {target}, was something else")
        with refusing_half(self._target):
            self._target.parent.mkdir(parents=True, exist_ok=True)
            _remove_left_behind(self._target)
            # Beside the target: a rename is atomic within one file system only.
            self._folder = self._target.with_name(f".{self._target.name}.{os.getpid()}.building")
            self._folder.mkdir()
            self._lock = _locked(self._folder)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.abort()

    def set_instruments(self, instruments: Instruments) -> None:
        """Set the instruments, hence the codes of all rows."""
        self._instruments = instruments
        self._parquet(INSTRUMENTS_FILE, instruments_to_table(instruments), "instruments", "")

    def set_funding_steps(self, steps: Mapping[str, IntervalSteps]) -> None:
        """Set the funding intervals by time of the instruments, by name, whose interval changes; none: no file."""
        if steps:
            self._parquet(FUNDING_FILE, steps_to_table(steps), "funding intervals", "")

    def set_grid(self, underlying: str, times_ns: IntArray) -> None:
        """Set the snapshot times of ``underlying``, ns UTC, shape (T,), for a data set with ``grid_ns`` 0.

        Raises ``DataError`` (4) if they are empty or do not ascend, or the data set has a regular grid.
        """
        # two grids of one data set would contradict each other
        if self._about[2] or len(times_ns) == 0 or (np.diff(times_ns) <= 0).any():
            raise DataError(f"grid of {underlying}: expected ascending times in a data set with grid_ns 0")
        self._grids[underlying] = np.asarray(times_ns, dtype=np.int64)

    def write_day(self, underlying: str, day: int, table: pa.Table, source: str, licence: str) -> None:
        """Write one (underlying, UTC day): rows of `quote_schema` in any order, NaN or null for what is not there.

        Raises ``DataError`` (4) for rows out of schema, range or unit (see :func:`validate.canonical_rows`) and
        ``WriteError`` (5) where the disk refuses.
        """
        if self._instruments is None:
            raise DataError("expected set_instruments before write_day: rows refer to codes")
        self.add_day(encoded_day(self._instruments, underlying, day, table), source, licence)

    def add_day(self, day: EncodedDay, source: str, licence: str) -> None:
        """Write one day that :func:`encoded_day` made with the instruments of this data set, here or elsewhere."""
        self._store(day.path, day.data, day.rows, day.span_ns, source, licence)
        self._underlyings.add(day.underlying)
        if day.linear is not None:
            self._linear[day.path] = day.linear

    def add_file(
        self, path: str, data: bytes, source: str, licence: str, rows: int | None = None, span_ns: DaySpan = None
    ) -> None:
        """Add a file of the caller's own, for example the planted truth of a synthetic market."""
        self._store(path, data, rows, span_ns, source, licence)

    def add_registration(self, text: str) -> None:
        """Add the plan the data set was made for, so that the engine can be run on it alone."""
        self._store(REGISTRATION_FILE, text.encode("utf-8"), None, None, "registration", "")

    def set_sources(self, sources: Sequence[SourceNote]) -> None:
        """Replace the notes of the sources, by ones that say what was found in them."""
        name, synthetic, grid_ns, _ = self._about
        self._about = (name, synthetic, grid_ns, tuple(sources))

    def finish(self) -> Path:
        """Write manifest and description, flush, rename; return the target.

        A target that already holds a data set with the same hash is left as it is; with another hash it is refused with
        ``UsageError`` (2), never overwritten.  Raises ``DataError`` (4) if instruments or snapshot times were not set.
        """
        name, synthetic, grid_ns, sources = self._about
        if self._instruments is None:
            raise DataError("expected set_instruments before finish")
        if not grid_ns:
            self._write_grid()
        if self._linear:
            self._parquet(LINEAR_FILE, parts_to_table(self._linear), "parts of quote files", "")
        about = about_content(name, synthetic, grid_ns, sorted(self._underlyings), sources)
        self._store(DATASET_FILE, canonical(about), None, None, "description", "")
        content = manifest.content_of(name, list(self._files.values()))
        with self._guarded():
            if self.scratch().exists():
                shutil.rmtree(self.scratch())
            write_synced(self._folder / manifest.MANIFEST_FILE, canonical(content))
            # names of new files are durable only once their folder is flushed
            for folder in {path.parent for path in self._folder.rglob("*")}:
                sync_folder(folder)
        # building the same data set twice is no error: the bytes are compared by hash
        if _is_dataset(self._target):
            existing = manifest.hash_of(manifest.load(self._target)[0])
            self.abort()
            if existing != manifest.hash_of(content):
                raise UsageError(
                    f"{self._target}: expected no other data set there, was {existing}; remove it or choose another "
                    "folder"
                )
            return self._target
        with self._guarded():
            # the rename is the one step that makes the data set appear
            self._folder.rename(self._target)
            sync_folder(self._target.parent)
        self._finished = True
        self.abort()
        return self._target

    def scratch(self) -> Path:
        """Return the path of a folder for the caller's own temporary files; it is gone after ``finish``."""
        return self._folder / SCRATCH

    def abort(self) -> None:
        """Remove what was written so far; nothing happens after :meth:`finish`.

        May be called again: where days are written by threads, one that fails takes the folder away while others still
        write, and their ``mkdir`` brings it back.  The last call, when all have ended, is what leaves nothing behind.
        """
        if not self._finished:
            shutil.rmtree(self._folder, ignore_errors=True)
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def _write_grid(self) -> None:
        lacking = sorted(self._underlyings - {"FX"} - set(self._grids))
        if lacking:
            raise DataError(f"expected set_grid for {lacking}: the data set has no regular grid")
        names = sorted(self._grids)
        table = pa.table(
            [
                pa.array([name for name in names for _ in self._grids[name]], pa.string()),
                pa.array(np.concatenate([self._grids[name] for name in names]), pa.int64()),
            ],
            GRID_SCHEMA,
        )
        self._parquet(GRID_FILE, table, "grid", "")

    def _parquet(self, path: str, table: pa.Table, source: str, licence: str) -> None:
        sink = pa.BufferOutputStream()
        pq.write_table(table, sink, compression="zstd")
        self._store(path, sink.getvalue().to_pybytes(), table.num_rows, None, source, licence)

    def _store(self, path: str, data: bytes, rows: int | None, span_ns: DaySpan, source: str, licence: str) -> None:
        if path in self._files:
            raise DataError(f"{path}: expected each file once in a data set, was written twice")
        with self._guarded():
            place = manifest.safe_path(self._folder, path)
            place.parent.mkdir(parents=True, exist_ok=True)
            write_synced(place, data)
        low, high = (None, None) if span_ns is None else (span_ns[0] // 1_000, span_ns[1] // 1_000)
        self._files[path] = FileEntry(path, sha256(data).hexdigest(), len(data), rows, low, high, source, licence)

    @contextlib.contextmanager
    def _guarded(self) -> Iterator[None]:
        """Leave nothing behind where the block fails; an ``OSError`` becomes a ``WriteError``."""
        try:
            with refusing_half(self._target):
                yield
        except BaseException:
            self.abort()
            raise


def encoded_day(instruments: Instruments, underlying: str, day: int, table: pa.Table) -> EncodedDay:
    """Return the quote file of rows of `quote_schema` in any order, whose codes are those of ``instruments``.

    Raises ``DataError`` (4) for rows out of schema, range or unit and for instruments of another underlying.
    """
    path = quote_path(underlying, day)
    table = canonical_rows(table, day, len(instruments), path)
    present = np.zeros(len(instruments), dtype=bool)
    present[table.column("code").to_numpy()] = True
    codes = np.flatnonzero(present)
    stray = [instruments.name[code] for code in codes if instruments.underlying[code] != underlying]
    if stray:
        raise DataError(f"{path}: expected instruments of {underlying}, was {stray[:5]}")
    times = table.column("t_ns").to_numpy()
    span = (int(times.min()), int(times.max())) if len(times) else None
    data, linear = quote_bytes_in_parts(table, instruments.kind == Kind.OPTION)
    return EncodedDay(underlying, path, data, table.num_rows, span, linear)


def _is_dataset(folder: Path) -> bool:
    return (folder / manifest.MANIFEST_FILE).is_file()


def _locked(folder: Path) -> int:
    """Return a handle that holds the lock of ``folder`` until it is closed; -1 where another writer holds it."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        if try_lock(handle):
            return handle
    except OSError:
        os.close(handle)
        raise
    os.close(handle)
    return -1


def _remove_left_behind(target: Path) -> None:
    """Remove the hidden folders of writers of ``target`` that were killed: no process holds their lock."""
    for folder in target.parent.glob(f".{target.name}.*.building"):
        handle = _locked(folder)
        if handle >= 0:
            shutil.rmtree(folder, ignore_errors=True)
            os.close(handle)
