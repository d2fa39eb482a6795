"""Files that are there whole or not at all.

One file is written as the ledgers write theirs, `engine.ledger.durable`; here are the folders above it, and the words
of every message about a disk that refuses.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from engine.errors import WriteError
from engine.ledger import durable


def write_whole(path: Path, data: bytes) -> None:
    """Make ``path`` hold exactly ``data``, durably; folders above it are created.  Raises ``WriteError`` (5)."""
    with refusing_half(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    durable.write_whole(path, [data])


def write_synced(path: Path, data: bytes) -> None:
    """Write ``data`` to ``path`` and flush it to the disk; raises ``OSError``."""
    with path.open("wb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())


def write_folder(target: Path, files: Mapping[str, bytes]) -> Path:
    """Return the folder ``target``, holding exactly ``files`` by relative name; one that was there is replaced.

    The files are written beside it first, so that a failure leaves nothing half-written.  Raises ``WriteError`` (5).
    """
    with refusing_half(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        beside = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
        try:
            for name, data in files.items():
                (beside / name).parent.mkdir(parents=True, exist_ok=True)
                (beside / name).write_bytes(data)
            if target.exists():
                shutil.rmtree(target)
            # Mkdtemp makes a folder that only its owner can read.
            beside.chmod(0o755)
            beside.rename(target)
        finally:
            shutil.rmtree(beside, ignore_errors=True)
    return target


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
