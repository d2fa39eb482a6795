"""Keeps the finished parts of a run below its output folder, so that a run that was killed is resumed.  [S8.5]

    runs/.work/<stamp>/<key>.piece      SHA-256 of key and body, a line end, the body in plain form

The stamp is of everything all tasks depend on (code, plan, data, versions), the key of one task and its arguments.
A file that does not carry its own hash counts as absent and is computed again.  Removed when the run ends; deleting
``runs/.work`` at any time costs time and nothing else.
"""

from __future__ import annotations

import contextlib
import shutil
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from backtest.data.format.atomic_write import write_whole

WORK = ".work"


@dataclass(frozen=True, slots=True)
class TaskCache:
    """The kept parts under one stamp; ``folder`` None keeps nothing."""

    folder: Path | None

    def read(self, key: str) -> bytes | None:
        """Return the body kept under ``key``; None where there is none, or it is damaged or another's."""
        if self.folder is None:
            return None
        try:
            digest, _, body = self._path(self.folder, key).read_bytes().partition(b"\n")
        except OSError:
            return None
        return body if digest == _digest(key, body) else None

    def count(self) -> int:
        """Return how many are there, whole or not."""
        return 0 if self.folder is None else len(list(self.folder.glob("*.piece")))

    def keep(self, key: str, body: bytes) -> None:
        """Keep ``body`` under ``key``, whole or not at all.  Raises ``WriteError`` (5)."""
        if self.folder is not None:
            write_whole(self._path(self.folder, key), _digest(key, body) + b"\n" + body)

    def remove(self) -> None:
        """Remove all of them, and the folder above where nothing else is in it."""
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)
            with contextlib.suppress(OSError):
                self.folder.parent.rmdir()

    @staticmethod
    def _path(folder: Path, key: str) -> Path:
        return folder / f"{key}.piece"


def _digest(key: str, body: bytes) -> bytes:
    return sha256(key.encode("ascii") + b"\n" + body).hexdigest().encode("ascii")
