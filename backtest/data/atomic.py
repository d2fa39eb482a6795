"""Files that are there whole or not at all.

Bytes go to a temporary file beside the target, are flushed to the disk, and take the target's name in one rename.  A
kill before the rename leaves the old file as it was (beside it a dot file that nobody reads); a full disk leaves no
trace.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from engine.errors import WriteError


def write_whole(path: Path, data: bytes) -> None:
    """Make ``path`` hold exactly ``data``, durably; folders above it are created.  Raises ``WriteError`` (5)."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.writing")
    with refusing_half(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            write_synced(temporary, data)
            temporary.replace(path)
        except BaseException:
            with contextlib.suppress(OSError):
                temporary.unlink()
            raise
        sync_folder(path.parent)


def write_synced(path: Path, data: bytes) -> None:
    """Write ``data`` to ``path`` and flush it to the disk; raises ``OSError``."""
    with path.open("wb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())


def sync_folder(path: Path) -> None:
    """Flush a folder's entries, so that a rename inside it survives a power loss."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextlib.contextmanager
def refusing_half(path: Path) -> Iterator[None]:
    """Turn an ``OSError`` of the block (disk full, permission, read-only) into a ``WriteError`` about ``path``."""
    try:
        yield
    except OSError as error:
        raise WriteError(
            f"expected to write {path}, was refused: {error.strerror or error} (nothing half-written was left); "
            f"make room or choose another place"
        ) from error
