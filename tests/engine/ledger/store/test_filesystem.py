"""Where a live ledger may lie.  [audit 6.2]"""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from engine.errors import CmeError
from engine.ledger.store import filesystem
from tests.helpers.ledgers import store


def test_old_sqlite_and_network_file_systems_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """STRICT needs 3.37; write-ahead logging needs memory shared between the writers.  [audit 6.2]"""
    mounts = tmp_path / "mountinfo"
    line = f"36 35 98:0 / {tmp_path} rw,noatime master:1 - nfs4 server:/export rw\n"
    mounts.write_text("22 1 8:1 / / rw - ext4 /dev/vda rw\n" + line)
    assert tuple(filesystem.filesystem(p, mounts.read_text()) for p in (tmp_path / "a", Path("/"))) == ("nfs4", "ext4")
    monkeypatch.setattr(filesystem, "MOUNTS", mounts)
    with pytest.raises(CmeError, match="nfs4") as network:
        store(tmp_path)
    assert network.value.exit_code == 5
    monkeypatch.setattr(filesystem, "MOUNTS", tmp_path / "absent")
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 36, 0))
    with pytest.raises(CmeError, match=r"3\.37") as old:
        store(tmp_path)
    assert old.value.exit_code == 23
