"""Copies an untrusted bundle, a zip or a folder, into a private folder before anything reads it.

Refused with code 3, before a byte is written: names that climb, are absolute, unknown or twice there; links and
devices; compressed, encrypted or overlong entries; an archive whose declared sizes do not fit its own length.  A bundle
is stored, never compressed, so what comes out is never larger than what was given.
"""

from __future__ import annotations

import os
import shutil
import stat
import struct
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final

from backtest.audit.bundle.layout import MOST_BYTES, MOST_FILES, check_name
from engine.errors import MissingError

_END: Final = struct.Struct("<4s4H2LH")
_FLAGS: Final = 0x0800  # UTF-8 names; ASCII ones stand without it
_PIECE: Final = 2**20
_BROKEN: Final = (
    zipfile.BadZipFile,
    zipfile.LargeZipFile,
    NotImplementedError,
    RuntimeError,
    EOFError,
    ValueError,
    OverflowError,
    struct.error,
)
"""What the zip library raises on archives that are none."""


def unpack(source: Path, target: Path) -> None:
    """Copy the bundle ``source`` into the new folder ``target``; ``source`` is only read.

    Raises ``MissingError`` (3) for whatever is not a bundle, and then ``target`` holds no file.
    """
    try:
        if source.is_dir():
            _copy(source, target)
        else:
            _extract(source, target)
    except _BROKEN as error:
        shutil.rmtree(target, ignore_errors=True)
        raise MissingError(f"{source}: expected a bundle, was a broken archive: {error}") from error
    except OSError as error:
        shutil.rmtree(target, ignore_errors=True)
        raise MissingError(f"{source}: expected a readable bundle, was: {error.strerror or error}") from error
    except MissingError:
        shutil.rmtree(target, ignore_errors=True)
        raise


def _extract(source: Path, target: Path) -> None:
    with _regular(source) as stream:
        _check_end(source, stream)
        with zipfile.ZipFile(stream) as bundle:
            entries = bundle.infolist()
            _check_entries(source, entries)
            target.mkdir(parents=True)
            for entry in entries:
                with bundle.open(entry) as data:
                    _write(target / entry.filename, data, entry.file_size)


@contextmanager
def _regular(path: Path) -> Iterator[BinaryIO]:
    # A pipe without a writer must not block.
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    with os.fdopen(handle, "rb") as stream:
        if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
            raise MissingError(f"{path}: expected a bundle, was no regular file")
        yield stream


def _check_end(source: Path, stream: BinaryIO) -> None:
    """Refuse an archive by its last 22 bytes, before the library reads a directory of any size into memory."""
    size = os.fstat(stream.fileno()).st_size
    # Headers and names of the entries come on top of their contents.
    if not _END.size <= size <= MOST_BYTES + 2**20:
        raise MissingError(f"{source}: expected a bundle of {_END.size} to {MOST_BYTES} bytes, was {size}")
    stream.seek(size - _END.size)
    sign, disk, first, here, count, length, start, comment = _END.unpack(stream.read(_END.size))
    # Nothing before, between or after the entries, so that every reader sees the same ones.
    whole = start + length + _END.size == size and not (disk or first or comment) and here == count
    if sign != b"PK\x05\x06" or not whole or count > MOST_FILES or length > count * 512:
        raise MissingError(
            f"{source}: expected one plain zip of at most {MOST_FILES} entries and nothing around it, was another file"
        )
    stream.seek(0)


def _check_entries(source: Path, entries: list[zipfile.ZipInfo]) -> None:
    names = [entry.orig_filename for entry in entries]
    # Of two entries of one name readers take different ones; a zero byte ends a name for some.
    if len(set(names)) != len(names) or names != [entry.filename for entry in entries]:
        raise MissingError(f"{source}: expected every name once and as it is, was a name twice or with a zero byte")
    for entry in entries:
        check_name(entry.filename)
        kind = stat.S_IFMT(entry.external_attr >> 16)
        plain = kind in (0, stat.S_IFREG) and entry.compress_type == zipfile.ZIP_STORED
        if not plain or entry.file_size != entry.compress_size or entry.flag_bits & ~_FLAGS:
            raise MissingError(
                f"{source}: {entry.filename}: expected a regular file, stored and not encrypted, was another entry"
            )
    # Overlapping entries let a small archive unpack to more than its size.
    if sum(entry.file_size for entry in entries) > source.stat().st_size:
        raise MissingError(f"{source}: expected entries that fit into the archive, was more: entries overlap")


def _copy(source: Path, target: Path) -> None:
    entries = list(_walk(source))
    # All names before the first byte is written.
    for _, name, _ in entries:
        check_name(name)
    if sum(size for _, _, size in entries) > MOST_BYTES:
        raise MissingError(f"{source}: expected at most {MOST_BYTES} bytes, was more")
    target.mkdir(parents=True)
    for path, name, size in entries:
        with _regular(path) as data:
            _write(target / name, data, size)


def _walk(source: Path) -> Iterator[tuple[Path, str, int]]:
    """Yield (path, name, size) of each file, links followed nowhere."""
    count, pending = 0, [source]
    while pending:
        for entry in sorted(os.scandir(pending.pop()), key=lambda item: item.name):
            path, facts = Path(entry.path), entry.stat(follow_symlinks=False)
            count += 1
            if count > MOST_FILES or not (stat.S_ISREG(facts.st_mode) or stat.S_ISDIR(facts.st_mode)):
                raise MissingError(
                    f"{path}: expected at most {MOST_FILES} regular files and folders, was more or a link"
                )
            if stat.S_ISDIR(facts.st_mode):
                pending.append(path)
            else:
                yield path, path.relative_to(source).as_posix(), facts.st_size


def _write(path: Path, data: object, size: int) -> None:
    """Write exactly ``size`` bytes of the stream ``data``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    left = size
    # x: an entry must not replace a file that another one wrote.
    with path.open("xb") as out:
        # One byte more than is left, so that a longer entry is seen.
        while piece := data.read(min(_PIECE, left + 1)):  # type: ignore[attr-defined]  # a binary stream of either kind
            left -= len(piece)
            if left < 0:
                raise MissingError(f"{path.name}: expected {size} bytes, was more")
            out.write(piece)
    if left:
        raise MissingError(f"{path.name}: expected {size} bytes, was {size - left}")
