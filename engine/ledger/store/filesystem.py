"""Where a live ledger may lie: a recent SQLite, a file system whose locks and shared memory hold.  [audit 6.2]"""

from __future__ import annotations

import sqlite3
from os.path import realpath
from pathlib import Path
from typing import Final

from engine.errors import GateError, WriteError

OLDEST_SQLITE: Final = (3, 37, 0)
"""The first with STRICT tables."""

# fmt: off
NETWORK: Final = frozenset((
    "nfs", "nfs4", "cifs", "smb", "smb2", "smb3", "smbfs", "ncpfs", "9p", "afs", "ceph", "glusterfs", "lustre",
    "beegfs", "gpfs", "ocfs2", "orangefs", "pvfs2", "davfs", "virtiofs", "vboxsf", "prl_fs", "drvfs",
    "fuse.sshfs", "fuse.glusterfs", "fuse.ceph", "fuse.s3fs", "fuse.rclone", "fuse.davfs2", "fuse.gcsfuse",
))
# fmt: on
MOUNTS: Final = Path("/proc/self/mountinfo")


def check_place(path: Path) -> None:
    """Refuse an old SQLite (``GateError`` 23) and a network file system (``WriteError`` 5).

    Write-ahead logging needs shared memory between the processes that use a file.  Where the system does not list its
    mounts, nothing is known and nothing refused.
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
    """Return the type of the file system ``path`` lies on, after the text of mountinfo; "" where no mount holds it."""
    place = Path(realpath(path))  # a loop of links is refused by whoever opens it
    best, kind = -1, ""
    for line in mounts.splitlines():
        before, _, after = line.partition(" - ")
        fields = before.split(" ")
        if len(fields) < 5 or not after:
            continue
        mount = Path(fields[4].replace("\\040", " ").replace("\\011", "\t").replace("\\134", "\\"))
        if place.is_relative_to(mount) and len(mount.parts) >= best:
            best, kind = len(mount.parts), after.split(" ")[0]
    return kind
