"""MLflow's own process: what it shows is what `tracking.sync` shows, and nothing that befalls it harms a run.

Rules: [S8.7, audit 13.4].
"""

from __future__ import annotations

import os
import signal
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest

from backtest import journal, tracker
from backtest.tracker import Tracker
from tests.backtest.test_tracking import written

pytestmark = pytest.mark.slow


def tags(runs: Path) -> dict[str, str]:
    """The tags of the one run in the store, read without MLflow."""
    with closing(sqlite3.connect(runs / "mlflow.db")) as base:
        assert base.execute("SELECT count(*) FROM runs").fetchall() == [(1,)]
        return dict(base.execute("SELECT key, value FROM tags").fetchall())


def test_a_new_store_is_made_while_the_run_goes_on_and_holds_its_journal(tmp_path: Path) -> None:
    served = Tracker(tmp_path, None)
    served.prepare()
    path = written(tmp_path)

    assert served.sync(path) == ""
    assert tags(tmp_path)["cme.synced"] == journal.read(path).head


def test_a_tracker_that_is_killed_costs_a_warning_and_is_caught_up_later(tmp_path: Path) -> None:
    """Killed before the journal, and while it makes the store: the command goes on, and the next run shows its own."""
    served = Tracker(tmp_path, None)
    served.prepare()
    assert served._syncer is not None
    os.kill(served._syncer.pid, signal.SIGKILL)
    served._syncer.wait()
    path = written(tmp_path)

    assert "cme track sync" in served.sync(path)
    assert journal.read(path).exit_code == 0
    assert Tracker(tmp_path, None).sync(path) == ""
    assert tags(tmp_path)["cme.synced"] == journal.read(path).head


def test_a_tracker_that_hangs_is_waited_for_so_long_and_no_longer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tracker, "PATIENCE_S", 0.5)
    monkeypatch.setattr(tracker, "DOOR", "import time; time.sleep(600)")
    served, began = Tracker(tmp_path, "http://127.0.0.1:9"), time.monotonic()
    warning = served.sync(written(tmp_path))

    assert "timed out" in warning
    assert time.monotonic() - began < 60
    assert served._syncer is not None
    assert served._syncer.poll() is None  # it goes on: it might be migrating
    served._syncer.kill()
    served._syncer.communicate()


def test_without_a_process_to_spare_this_one_tries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it says is what `sync_after` says: here, that the server is down."""

    def refused(*_args: object, **_options: object) -> None:
        raise BlockingIOError("no process")

    monkeypatch.setattr(tracker.subprocess, "Popen", refused)
    assert "within 3 s" in Tracker(tmp_path, "http://127.0.0.1:9").sync(written(tmp_path))


def test_a_server_that_is_down_is_named_in_the_warning(tmp_path: Path) -> None:
    served = Tracker(tmp_path, "http://127.0.0.1:9")
    served.prepare()
    assert "expected MLflow's store at http://127.0.0.1:9 within 3 s" in served.sync(written(tmp_path))
