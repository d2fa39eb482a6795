"""MLflow shows what the journals say, whatever happens to it.

Rules: [S8.7, audit 13.3].
"""

from __future__ import annotations

import fcntl
import json
import socket
import sqlite3
import sys
import warnings
from contextlib import closing
from itertools import count
from pathlib import Path

import pytest
from click.testing import CliRunner

from backtest.commands.track import track
from backtest.tracking import audit, journal, mlflow_sync, store
from backtest.tracking.events import is_metric_key
from backtest.tracking.store import store_of
from engine.errors import TrackingError
from tests.helpers.ledgers import cases

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of MLflow's own dependencies, while they are imported
    from mlflow.tracking import MlflowClient

pytestmark = pytest.mark.filterwarnings("ignore")


def clock():
    ticks = count(1_764_547_200_000_000, 1_000_000)
    return lambda: next(ticks)


def written(runs: Path, name: str = "one", exit_code: int | None = 0, workers: str = "2", uid: str = "") -> Path:
    folder = runs / name
    run = journal.start(folder, "demo", "exploratory", "run", clock(), uid)
    run.tag("dataset_hash", "ab" * 32)
    run.param("workers", workers)
    run.param("plan", "x" * 600)
    run.metric("h1/net_sharpe", 1.25)
    run.metric("h1/psr", float("nan"))
    run.metric("equity", 10, step=0)
    run.metric("equity", 12, step=1)
    (folder / "folds").mkdir()
    (folder / "folds" / "fitted.json").write_text("{}")
    run.artifact("folds/fitted.json")
    if exit_code is not None:
        run.end(exit_code)
    else:
        run._lines.sync()
    return run.path


@pytest.fixture
def runs(tmp_path, template) -> Path:
    (tmp_path / "mlflow.db").write_bytes(template)
    return tmp_path


def stored(runs: Path) -> MlflowClient:
    return MlflowClient(tracking_uri=store_of(runs, None))


def only_run(runs: Path):
    client = stored(runs)
    experiment = client.get_experiment_by_name("cme/demo/exploratory")
    (run,) = client.search_runs([experiment.experiment_id], run_view_type=3)
    return run


def test_a_journal_becomes_one_run_with_everything_it_says(runs):
    """The mapping of audit 13.2: params, finite and other metrics, tags, artifacts, status and times."""
    path = written(runs)
    assert mlflow_sync.sync(runs, [path], None) == 1
    run, record = only_run(runs), journal.read(path)
    assert run.info.status == "FINISHED"
    assert (run.info.start_time, run.info.end_time) == (record.start_us // 1000, record.end_us // 1000)
    assert run.data.params["workers"] == "2"
    assert run.data.params["plan"].startswith("sha256:")
    assert run.data.metrics == {"h1/net_sharpe": 1.25, "equity": 12.0}
    assert run.data.tags["cme.nonfinite.h1/psr"] == "nan"
    assert run.data.tags["cme.synced"] == record.head
    assert run.data.tags["cme.exit"] == "0"
    client = stored(runs)
    assert [m.value for m in client.get_metric_history(run.info.run_id, "equity")] == [10.0, 12.0]
    assert [a.path for a in client.list_artifacts(run.info.run_id, "folds")] == ["folds/fitted.json"]
    assert {a.path for a in client.list_artifacts(run.info.run_id)} == {"folds", "params.json", "artifacts.sha256"}


def test_syncing_again_changes_nothing(runs):
    """One run, one point a metric, the same tags: idempotent."""
    path = written(runs)
    mlflow_sync.sync(runs, [path], None)
    before = only_run(runs).to_dictionary()
    mlflow_sync.sync(runs, [path], None)
    assert only_run(runs).to_dictionary() == before
    assert len(stored(runs).get_metric_history(before["info"]["run_id"], "equity")) == 2


def test_a_deleted_run_comes_back(runs):
    """It is found by its tag although it is deleted, and no second run is made."""
    path = written(runs)
    mlflow_sync.sync(runs, [path], None)
    stored(runs).delete_run(only_run(runs).info.run_id)
    mlflow_sync.sync(runs, [path], None)
    assert only_run(runs).info.lifecycle_stage == "active"


def test_a_changed_parameter_is_reported_and_left_alone(runs):
    """A conflict is exit code 50; MLflow keeps what it had and is not marked as synced."""
    first = written(runs, "one", workers="2", uid="6b2f2a0e-0f3c-4c57-9d0e-2f4f4a1d8f11")
    mlflow_sync.sync(runs, [first], None)
    second = written(runs, "two", workers="4", uid="6b2f2a0e-0f3c-4c57-9d0e-2f4f4a1d8f11")
    with pytest.raises(TrackingError, match="workers"):
        mlflow_sync.sync(runs, [second], None)
    assert only_run(runs).data.params["workers"] == "2"
    assert only_run(runs).data.tags["cme.synced"] == journal.read(first).head


def test_a_killed_run_is_shown_as_killed_and_a_failed_one_as_failed(runs):
    """Without an end the run was killed; MLflow would show it as running for ever."""
    mlflow_sync.sync(runs, [written(runs, exit_code=None)], None)
    assert only_run(runs).info.status == "KILLED"
    other = written(runs, "two", exit_code=4)
    mlflow_sync.sync(runs, [other], None)
    states = [run.info.status for run in stored(runs).search_runs([only_experiment(runs)])]
    assert sorted(states) == ["FAILED", "KILLED"]


def only_experiment(runs: Path) -> str:
    return stored(runs).get_experiment_by_name("cme/demo/exploratory").experiment_id


def test_a_file_that_changed_since_is_not_uploaded(runs):
    """The journal's hash is what was promised; the rest of the run is synced, the command says 50."""
    path = written(runs)
    (path.parent / "folds" / "fitted.json").write_text("[]")
    with pytest.raises(TrackingError, match=r"fitted\.json"):
        mlflow_sync.sync(runs, [path], None)
    assert "cme.synced" not in only_run(runs).data.tags


def test_an_artifact_deleted_from_the_store_is_noticed_and_uploaded_again(runs):
    """MLflow does not notice; reading back does."""
    path = written(runs)
    mlflow_sync.sync(runs, [path], None)
    (file,) = (runs / "mlartifacts").rglob("fitted.json")
    file.unlink()
    mlflow_sync.sync(runs, [path], None)
    assert list((runs / "mlartifacts").rglob("fitted.json")) == [file]


@pytest.mark.parametrize("listening", [False, True], ids=["down", "silent"])
def test_a_server_that_does_not_answer_costs_seconds_and_no_exit_code(tmp_path, listening, monkeypatch):
    """A closed port, and one that takes connections and says nothing: a warning that names what catches up.

    MLflow, which would wait for minutes, is not even imported; what is waited for is bounded by WAIT_S.
    """
    path = written(tmp_path)
    monkeypatch.setitem(sys.modules, "mlflow.tracking", None)  # an import would be another error
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        if listening:
            server.listen()
        address = f"http://127.0.0.1:{server.getsockname()[1]}"
        warning = mlflow_sync.sync_after(tmp_path, path, address)
    assert "within 3 s" in warning
    assert "cme track sync" in warning
    assert journal.read(path).exit_code == 0


@pytest.mark.parametrize("address", ["nonsense", "/a/folder", "file:///a/folder"])
def test_an_address_that_is_no_store_says_what_one_is(tmp_path, address):
    with pytest.raises(TrackingError, match="http://HOST:PORT or sqlite:///PATH"):
        mlflow_sync.sync(tmp_path, [], address)


def test_a_locked_database_costs_seconds_and_is_caught_up_later(runs):
    """Another process holds the store: a warning now, everything there afterwards."""
    path = written(runs)
    with closing(sqlite3.connect(runs / "mlflow.db")) as other:
        other.execute("BEGIN EXCLUSIVE")
        assert "within 3 s, was: database is locked" in mlflow_sync.sync_after(runs, path, None)
        other.rollback()
    assert mlflow_sync.sync_after(runs, path, None) == ""
    assert only_run(runs).data.tags["cme.synced"] == journal.read(path).head


def test_the_audit_lists_what_has_no_counterpart(runs):
    """A journal that was never synced, and a run whose journal is gone."""
    first, second = written(runs, "one"), written(runs, "two")
    uid = journal.read(first).run_uid
    mlflow_sync.sync(runs, [first], None)
    first.unlink()
    found = audit.audit(runs, None)
    assert found.unsynced == (str(second),)
    assert found.without_journal == (uid,)


@pytest.mark.parametrize("harm", ["deleted", "twice", "metric", "status"])
def test_the_audit_reads_back_what_was_synced(runs, harm):
    """A synced run that is deleted, there twice, changed or reopened since is named; the tag alone is no proof."""
    path = written(runs)
    mlflow_sync.sync(runs, [path], None)
    run, client = only_run(runs), stored(runs)
    assert audit.audit(runs, None) == audit.Differences((), (), ())
    if harm == "deleted":
        client.delete_run(run.info.run_id)
    elif harm == "twice":
        tags = {"cme.run_uid": journal.read(path).run_uid}
        client.create_run(run.info.experiment_id, tags=tags)
    elif harm == "metric":
        client.log_metric(run.info.run_id, "h1/net_sharpe", 9.0)
    else:
        client.update_run(run.info.run_id, status="RUNNING")
    (told,) = audit.audit(runs, None).differing
    assert {"deleted": "deleted", "twice": "2 times", "metric": "h1/net_sharpe", "status": "RUNNING"}[harm] in told


def test_an_artifact_that_a_killed_sync_left_cut_short_is_uploaded_again(runs):
    path = written(runs)
    mlflow_sync.sync(runs, [path], None)
    (file,) = (runs / "mlartifacts").rglob("fitted.json")
    file.write_bytes(b"{")
    mlflow_sync.sync(runs, [path], None)
    assert file.read_bytes() == b"{}"


def test_a_journal_is_brought_up_by_one_process_at_a_time(runs, monkeypatch):
    """Else both would find no run and make one each: that left behind by a command, and `cme track sync`."""
    path = written(runs)
    monkeypatch.setattr(store, "WAIT_S", 0.1)
    with path.open("rb") as other:
        fcntl.flock(other.fileno(), fcntl.LOCK_EX)
        with pytest.raises(TrackingError, match="another process"):
            mlflow_sync.sync(runs, [path], None)
    mlflow_sync.sync(runs, [path], None)
    assert only_run(runs).data.tags["cme.synced"] == journal.read(path).head


def test_the_caller_s_mlflow_variables_are_ignored_and_kept(runs, monkeypatch):
    """A tracking address in the environment is somebody else's."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    mlflow_sync.sync(runs, [written(runs)], None)
    import os

    assert os.environ["MLFLOW_TRACKING_URI"] == "http://127.0.0.1:9"
    assert "MLFLOW_DISABLE_TELEMETRY" not in os.environ


def test_the_commands_sync_and_audit(runs):
    """`track sync` then `track audit`: a document and a sentence each; differences are exit code 50."""
    written(runs)
    asked = ["audit", "--out", str(runs), "--json"]
    before = CliRunner().invoke(track, asked)
    assert before.exit_code == 50
    assert len(json.loads(before.stdout)["unsynced"]) == 1
    synced = CliRunner().invoke(track, ["sync", "--out", str(runs), "--json"])
    assert json.loads(synced.stdout)["synced"] == 1
    after = CliRunner().invoke(track, asked)
    assert after.exit_code == 0
    assert json.loads(after.stdout) == {"unsynced": [], "without_journal": [], "differing": [], "orphans": []}


def test_metric_keys_follow_the_contract():
    """The vectors of audit 13.2."""
    for case in cases("mlflow_keys"):
        assert is_metric_key(case["metric_key"]) == case["allowed_by_contract"], case
