"""Writes files whole or not at all; after the call returns they survive a power loss.  [audit 6.3]

open(temporary beside the target), write*, fsync, rename(temporary, target), fsync(folder)
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from pathlib import Path

from engine.errors import WriteError


def write_whole(path: Path, chunks: Iterable[bytes]) -> None:
    """Replace the file ``path`` by the concatenation of ``chunks``.

    A kill before the rename leaves the old file as it was, and beside it a dot file that nothing reads.  Raises
    ``WriteError`` (5) if the disk refuses, and whatever ``chunks`` raises; then the old file is still there.
    """
    # With the process number: two writers of one file must not share a temporary file.
    temporary = path.with_name(f".{path.name}.{os.getpid()}.writing")
    try:
        with temporary.open("wb") as stream:
            stream.writelines(chunks)
            stream.flush()
            os.fsync(stream.fileno())
        # fsync before the rename: the other order can leave an empty file under the final name after a power loss.
        temporary.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        _forget(temporary)
        raise WriteError(
            f"expected to write {path}, was refused: {error.strerror or error} (nothing half-written was left); "
            "make room or choose another place"
        ) from error
    # An interrupt must not leave the temporary file either.
    except BaseException:
        _forget(temporary)
        raise


def make_folder(path: Path) -> None:
    """Make a folder and its parents unless they exist.  Raises ``WriteError`` (5) if the disk refuses."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WriteError(
            f"expected to make the folder {path}, was refused: {error.strerror or error}; choose another place"
        ) from error


def sync_folder(path: Path) -> None:
    """Flush a folder's entries, so that a new or renamed file in it survives a power loss.

    Raises ``OSError`` if the folder cannot be opened or flushed.
    """
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _forget(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink()
