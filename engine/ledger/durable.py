"""Files that are there whole or not at all, and survive a power loss once this returns.  [audit 6.3]

open(temporary beside the target), write*, fsync, rename(temporary, target), fsync(folder)
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from pathlib import Path

from engine.errors import WriteError


def write_whole(path: Path, chunks: Iterable[bytes]) -> None:
    """Make ``path`` hold exactly the concatenation of ``chunks``; raises ``WriteError`` (5), leaving what was there.

    A kill before the rename leaves the old file as it was, and beside it a dot file that nobody reads.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.writing")
    try:
        with temporary.open("wb") as stream:
            stream.writelines(chunks)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        _forget(temporary)
        raise WriteError(
            f"expected to write {path}, was refused: {error.strerror or error} (nothing half-written was left); "
            "make room or choose another place"
        ) from error
    except BaseException:
        _forget(temporary)
        raise


def make_folder(path: Path) -> None:
    """Make a folder and those above it where they are not there yet; raises ``WriteError`` (5)."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WriteError(
            f"expected to make the folder {path}, was refused: {error.strerror or error}; choose another place"
        ) from error


def sync_folder(path: Path) -> None:
    """Flush a folder's entries, so that a new or renamed file in it survives a power loss."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _forget(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink()
