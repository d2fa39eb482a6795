"""The requirements of a live ledger: a recent SQLite and a local file system.  [audit 6.2]"""

from __future__ import annotations

import sqlite3
from os.path import realpath
from pathlib import Path
from typing import Final

from engine.errors import GateError, WriteError

OLDEST_SQLITE: Final = (3, 37, 0)
"""The first version with STRICT tables."""

# fmt: off
NETWORK: Final = frozenset((
    "nfs", "nfs4", "cifs", "smb", "smb2", "smb3", "smbfs", "ncpfs", "9p", "afs", "ceph", "glusterfs", "lustre",
    "beegfs", "gpfs", "ocfs2", "orangefs", "pvfs2", "davfs", "virtiofs", "vboxsf", "prl_fs", "drvfs",
    "fuse.sshfs", "fuse.glusterfs", "fuse.ceph", "fuse.s3fs", "fuse.rclone", "fuse.davfs2", "fuse.gcsfuse",
))
# fmt: on
MOUNTS: Final = Path("/proc/self/mountinfo")


def check_place(path: Path) -> None:
    """Check that a live ledger can be kept in ``path``.

    Write-ahead logging needs shared memory between the processes that use a file.  On a system that does not list its
    mounts the file system is not checked.  Raises ``GateError`` (23) if SQLite is older than ``OLDEST_SQLITE``, and
    ``WriteError`` (5) if ``path`` is on a network file system.
    """
    if sqlite3.sqlite_version_info < OLDEST_SQLITE:
        raise GateError(
            f"expected SQLite {'.'.join(map(str, OLDEST_SQLITE))} or newer, was {sqlite3.sqlite_version}: use a "
            "Python that was built with a newer one",
            exit_code=23,
        )
    kind = filesystem(path, MOUNTS.read_text(encoding="utf-8", errors="replace")) if MOUNTS.exists() else ""
    if kind in NETWORK:
        raise WriteError(
            f"{path}: expected a local file system, was {kind}: keep the live ledger on a local disk "
            "and export it from there"
        )


def filesystem(path: Path, mounts: str) -> str:
    """Return the type of the file system of ``path`` by the text of mountinfo; "" if no mount contains it."""
    # realpath and not resolve(strict=True): a loop of links is refused where the file is opened, with its own message.
    place = Path(realpath(path))
    best, kind = -1, ""
    for line in mounts.splitlines():
        before, _, after = line.partition(" - ")
        fields = before.split(" ")
        if len(fields) < 5 or not after:
            continue
        # The kernel writes blanks, tabs and backslashes of a mount point as octal escapes.
        mount = Path(fields[4].replace("\\040", " ").replace("\\011", "\t").replace("\\134", "\\"))
        # ">=": a later mount on the same folder hides the earlier one.
        if place.is_relative_to(mount) and len(mount.parts) >= best:
            best, kind = len(mount.parts), after.split(" ")[0]
    return kind
