"""A live store whose file or mark was put there by someone else: our codes, places, and nothing appended.  [audit 6]"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine.errors import CmeError
from engine.ledger.chain import append, open_ledger, row_hash
from engine.ledger.store.live_store import open_store
from engine.ledger.store.tables import TABLE
from tests.helpers.ledgers import genesis, signal, signals, store


def refused(code: int, act: Callable[..., Any], *arguments: Any) -> str:
    """Return the message of the refusal with exit code ``code``."""
    with pytest.raises(CmeError) as error:
        act(*arguments)
    assert code == error.value.exit_code, error.value
    return str(error.value)


def overwritten(path: Path, seq: int, body: bytes) -> None:
    """Put ``body`` and its hash in the place of a row, the triggers as before."""
    base = sqlite3.connect(path)
    for name in ("no_update", "no_delete", "chain"):
        base.execute(f"DROP TRIGGER {name}")
    base.execute("UPDATE ledger SET row=?, row_hash=? WHERE seq=?", (body, row_hash(body), seq))
    for statement in TABLE[1:]:
        base.execute(statement)
    base.commit()
    base.close()


@pytest.mark.parametrize("body", [b"[]", b"null", b"{}", b'"x"', b'{"kind":[],"ledger_id":"x","recorded_at_us":"y"}'])
def test_a_last_row_that_hashes_and_is_none_is_refused_by_its_place(tmp_path: Path, body: bytes) -> None:
    """Whoever owns the file can make any bytes hash right; what reads them says where, and appends nothing (10)."""
    with store(tmp_path) as live_store:
        live_store.append("signal", signals(2))
        path = live_store.path
    overwritten(path, 2, body)
    (tmp_path / "marks" / "highwater.json").unlink()

    with store(tmp_path) as again:
        message = refused(10, again.append, "signal", [signal(7)])
        refused(10, again.tail)

    assert f"{path}: row 2" in message


def test_the_last_row_of_another_ledger_is_refused(tmp_path: Path) -> None:
    """A row that holds, of another genesis, in the place of the last one (12)."""
    with store(tmp_path) as live_store:
        live_store.append("signal", signals(1))
        path = live_store.path
    other = append(open_ledger(genesis(study="another"))[0], "signal", signals(1)).lines[0]
    overwritten(path, 1, other[7:-80])
    (tmp_path / "marks" / "highwater.json").unlink()

    with store(tmp_path) as again:
        refused(12, again.append, "signal", [signal(7)])


def test_a_mark_that_is_a_pipe_or_a_loop_of_links_is_refused(tmp_path: Path) -> None:
    """Neither waits for a writer nor ends in a traceback (3); a loop in the ledger's place cannot be opened (5)."""
    with store(tmp_path) as live_store:
        path = live_store.path
    mark = tmp_path / "marks" / "highwater.json"
    mark.unlink()
    os.mkfifo(mark)
    with store(tmp_path) as again:
        refused(3, again.append, "signal", [signal(7)])
    mark.unlink()
    mark.symlink_to(mark)
    with store(tmp_path) as again:
        refused(3, again.append, "signal", [signal(7)])
    path.unlink()
    path.symlink_to(path)
    refused(5, store, tmp_path)


def test_a_mark_in_a_place_that_cannot_be_made_is_a_refusal(tmp_path: Path) -> None:
    """A folder below a file: code 5 and its path, and no ledger begun."""
    (tmp_path / "file").write_text("")
    message = refused(5, open_store, tmp_path / "ledger.db", genesis(), tmp_path / "file" / "marks" / "m.json")

    assert str(tmp_path / "file" / "marks") in message
    assert not (tmp_path / "ledger.db").exists()


def test_a_ledger_behind_its_mark_is_told_with_both_files(tmp_path: Path) -> None:
    """Whoever has several ledgers must see which of them, and which mark (41)."""
    with store(tmp_path) as live_store:
        live_store.append("signal", signals(1))
        path = live_store.path
    for left in tmp_path.glob("ledger.db*"):
        left.unlink()
    message = refused(41, store, tmp_path)

    assert f"{path}: expected" in message
    assert f"mark {tmp_path / 'marks' / 'highwater.json'}, was empty" in message
