"""Opens a source file, packed or not, as bytes that are bounded while they are read.  [S8.2]

A file may come from anybody: an archive that grows a thousandfold, a header of a million columns and a cell of 200 MB
are refused after the first blocks, before a parser takes memory for them.
"""

from __future__ import annotations

import gzip
import lzma
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from io import BufferedReader, RawIOBase
from pathlib import Path
from typing import IO, Any, BinaryIO, Final, cast

from backtest import limits
from engine.errors import DataError, MissingError

_BLOCK: Final = 2**18  # bytes that are looked at together


@contextmanager
def opened(path: Path, where: str, *, cells: bool = False) -> Iterator[BinaryIO]:
    """Yield the bytes of a plain file, of a ``.gz``, or of the only member of a ``.zip``, bounded while they are read.

    With ``cells`` the bytes are those of a CSV file, whose columns and cells are bounded as well.  Whatever is wrong
    with the file or the archive is a ``DataError`` naming ``where``, also inside the block.

    Examples
    --------
    >>> import tempfile
    >>> folder = tempfile.TemporaryDirectory()
    >>> path = Path(folder.name) / "a.csv.gz"
    >>> _ = path.write_bytes(gzip.compress(b"a,b\\n1,2\\n"))
    >>> with opened(path, "a.csv.gz", cells=True) as stream:
    ...     stream.read()
    b'a,b\\n1,2\\n'
    >>> folder.cleanup()
    """
    try:
        with _unpacked(path, where) as stream:
            yield BufferedReader(BoundedStream(stream, path, where, cells=cells), _BLOCK)
    except (gzip.BadGzipFile, zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError) as error:
        raise DataError(f"{where}: expected a whole compressed file, was: {error}; fetch it again") from error
    except NotImplementedError as error:
        raise DataError(f"{where}: expected an archive stored or deflated, was: {error}; pack it again") from error
    except RuntimeError as error:
        # zipfile has no error of its own for a password
        if "encrypted" not in str(error) and "password" not in str(error):
            raise
        raise DataError(f"{where}: expected an archive without a password, was encrypted: unpack it") from error
    except OSError as error:
        raise MissingError(f"{where}: expected a readable file, was: {error.strerror or error}") from error


def lines(stream: BinaryIO, where: str) -> Iterator[tuple[str, int, bytes]]:
    """Yield place (``where`` and the line), number from 1, and bytes of each line of a file of JSON lines.

    Raises ``DataError`` naming the line if it has more than `limits.JSON_LINE_BYTES` bytes, without reading its end.
    """
    # a longer line shows that it is longer, without being in memory
    for number, line in enumerate(iter(partial(stream.readline, limits.JSON_LINE_BYTES + 1), b""), 1):
        place = f"{where}, line {number}"
        if len(line) > limits.JSON_LINE_BYTES:
            raise DataError(
                f"{place}: expected a line of at most {limits.JSON_LINE_BYTES} bytes, was more: take it out"
            )
        yield place, number, line


class BoundedStream(RawIOBase):
    """Bytes of a file as they come; raises ``DataError`` as soon as a limit of `backtest.limits` is passed."""

    def __init__(self, stream: IO[bytes], path: Path, where: str, *, cells: bool) -> None:
        super().__init__()
        self._stream, self._where, self._cells = stream, where, cells
        # Of a plain file nothing grows: 0 switches the check off.
        self._packed = path.stat().st_size if path.suffix in (".gz", ".zip") else 0
        self._read, self._line, self._cell, self._number = 0, 0, 0, 1
        self._columns: int | None = 0 if cells else None  # None: the header is over

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill ``buffer`` and return the number of bytes; raises ``DataError`` if they pass a limit."""
        view = memoryview(buffer).cast("B")
        data = self._stream.read(len(view))
        view[: len(data)] = data
        self._read += len(data)
        # A small archive may grow more: a short file of equal rows packs a thousandfold.
        if self._packed and self._read > max(limits.FILE_EXPANSION_FROM, limits.FILE_EXPANSION * self._packed):
            raise DataError(
                f"{self._where}: expected an archive that grows at most {limits.FILE_EXPANSION} times when unpacked, "
                f"was {self._packed} bytes that become more than {self._read}"
            )
        if self._cells:
            self._count(data)
        return len(data)

    def _count(self, data: bytes) -> None:
        """Follow the length of the line and the columns of the first line across blocks."""
        if self._columns is not None:
            head, ended, _ = data.partition(b"\n")
            self._columns += head.count(b",")
            if self._columns >= limits.CSV_COLUMNS:
                raise DataError(f"{self._where}: expected at most {limits.CSV_COLUMNS} columns, was more")
            self._columns = None if ended else self._columns
        first = data.find(b"\n")
        if self._line + (len(data) if first < 0 else first) > limits.CSV_LINE_BYTES:
            raise DataError(
                f"{self._where}, row {self._number}: expected a row of at most {limits.CSV_LINE_BYTES} bytes, was "
                f"longer: repair the row"
            )
        self._number += data.count(b"\n")
        self._line = self._line + len(data) if first < 0 else len(data) - 1 - data.rfind(b"\n")


@contextmanager
def _unpacked(path: Path, where: str) -> Iterator[IO[bytes]]:
    if path.suffix == ".gz":
        with gzip.open(path, "rb") as stream:
            yield cast(IO[bytes], stream)
    elif path.suffix != ".zip":
        with path.open("rb") as plain:
            yield plain
    else:
        with zipfile.ZipFile(path) as archive, archive.open(_only_name(archive, where)) as member:
            yield member


def only_member(path: Path, where: str) -> str:
    """Return the name of the only member of a ``.zip``; raises ``DataError`` naming ``where`` for any other file."""
    try:
        with zipfile.ZipFile(path) as archive:
            return _only_name(archive, where)
    except (zipfile.BadZipFile, EOFError) as error:
        raise DataError(f"{where}: expected a whole compressed file, was: {error}; fetch it again") from error


def _only_name(archive: zipfile.ZipFile, where: str) -> str:
    names = archive.namelist()
    # which of several members is meant would be a guess
    if len(names) != 1:
        raise DataError(
            f"{where}: expected one member in the archive, was {len(names)}: {', '.join(names[:5])}; pack "
            "each file by itself"
        )
    return names[0]
