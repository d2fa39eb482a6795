"""Files as one archive whose bytes follow from theirs alone: sorted, stored, without the time or the machine."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Final

from backtest.audit.bundle.layout import MOST_BYTES, MOST_FILES, check_name
from backtest.data.format.atomic_write import write_whole
from engine.errors import UsageError

EPOCH: Final = (1980, 1, 1, 0, 0, 0)
"""The first time a zip can say: it says nothing."""
MODE: Final = 0o100644
UNIX: Final = 3


def archive(files: Mapping[str, bytes]) -> bytes:
    """Return the zip of ``files``: names sorted by their bytes, stored, 1980-01-01, mode 0644, creator system 3.

    The same files give the same bytes on every machine.  Raises ``UsageError`` (2) for more than a bundle may hold.
    """
    total = sum(map(len, files.values()))
    if len(files) > MOST_FILES or total > MOST_BYTES:
        raise UsageError(
            f"bundle: expected at most {MOST_FILES} files and {MOST_BYTES} bytes, was {len(files)} and {total}"
        )
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED, allowZip64=False) as target:
        for name in sorted(files, key=str.encode):
            check_name(name)
            entry = zipfile.ZipInfo(name, EPOCH)
            entry.create_system, entry.external_attr = UNIX, MODE << 16
            target.writestr(entry, files[name])
    return buffer.getvalue()


def write_archive(path: Path, files: Mapping[str, bytes]) -> str:
    """Write the archive, whole or not at all, and return its SHA-256."""
    data = archive(files)
    write_whole(path, data)
    return sha256(data).hexdigest()
