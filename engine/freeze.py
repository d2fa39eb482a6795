"""The tree hash: one hash over every file of a source tree, read from disk.  [audit 9.1]"""

from __future__ import annotations

import hashlib
import stat
import unicodedata
from collections.abc import Iterator
from pathlib import Path

from engine.errors import GateError
from engine.ledger.format.canonical_json import tagged_hash

SEALED_FAMILIES = ("core", "venue", "covenants")
"""Families are sealed apart, so that adding one later breaks no freeze.  [spec README "Records"]"""


def engine_root() -> Path:
    """Return the folder of the engine that is running."""
    return Path(__file__).resolve().parent


def tree_listing(root: Path, *, leave_out: tuple[str, ...] = ()) -> bytes:
    """Return one line ``<sha256> <mode> <size> <path>`` for each file below ``root``, sorted by the bytes of the path.

    Modes are 100644 and 100755; ``__pycache__`` folders and ``*.pyc`` files are left out, and so are the top-level
    folders in ``leave_out``.  Empty for an empty folder.  Raises `GateError` (exit 20) for a symlink, a device, or a
    name that is not NFC, ``OSError`` if a file cannot be read.
    """
    lines = []
    for path, name in _files(root, leave_out):
        content = path.read_bytes()
        mode = "100755" if path.stat().st_mode & stat.S_IXUSR else "100644"
        lines.append((name.encode(), f"{hashlib.sha256(content).hexdigest()} {mode} {len(content)} {name}\n".encode()))
    return b"".join(line for _, line in sorted(lines))


def tree_hash(root: Path, *, leave_out: tuple[str, ...] = ()) -> str:
    """Return ``H("tree", listing)`` of the folder ``root``, 64 hex characters; see `tree_listing`.

    Raises `GateError` (exit 20) as `tree_listing`.
    """
    return tagged_hash("tree", tree_listing(root, leave_out=leave_out))


def engine_hash() -> str:
    """Return the tree hash of the engine's core family: every file of ``engine/`` outside the other families."""
    return tree_hash(engine_root(), leave_out=SEALED_FAMILIES[1:])


def _files(root: Path, leave_out: tuple[str, ...]) -> Iterator[tuple[Path, str]]:
    pending = [root]
    while pending:
        for path in pending.pop().iterdir():
            name = path.relative_to(root).as_posix()
            if path.name == "__pycache__" or path.suffix == ".pyc" or name in leave_out:
                continue
            if path.is_symlink() or not (path.is_dir() or path.is_file()):
                raise GateError(f"{path}: expected a regular file or folder, was a link or device; remove it")
            # File systems normalise names differently, so the listing of another form would depend on the machine.
            if unicodedata.normalize("NFC", name) != name:
                raise GateError(f"{path}: expected a name in Unicode NFC; rename it")
            if path.is_dir():
                pending.append(path)
            else:
                yield path, name
