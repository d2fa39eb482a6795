"""Where MLflow keeps the artifacts: below the folder of runs, one copy of them, and nothing in the current folder.

Rules: [audit 13.2, 13.4].
"""

from __future__ import annotations

import shutil
import sqlite3
import warnings
from contextlib import closing
from itertools import count
from pathlib import Path

import pytest

from backtest.tracking import audit, journal, mlflow_sync
from backtest.tracking.artifact_location import displaced, expected_location
from backtest.tracking.store import database_of, store_of
from engine.errors import TrackingError
from tests.backtest.tracking.test_mlflow_sync import written

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of MLflow's own dependencies, while they are imported
    from mlflow.tracking import MlflowClient

pytestmark = pytest.mark.filterwarnings("ignore")

UIDS = tuple(f"{n}{n}{n}{n}{n}{n}{n}{n}-1111-4111-8111-111111111111" for n in range(1, 5))


@pytest.fixture
def first(tmp_path: Path, template: bytes) -> Path:
    """A folder of runs with one synced journal."""
    runs = tmp_path / "first"
    runs.mkdir()
    (runs / "mlflow.db").write_bytes(template)
    mlflow_sync.sync(runs, [written(runs, uid=UIDS[0])], None)
    return runs


@pytest.fixture(autouse=True)
def _fresh() -> None:
    """MLflow remembers in a process where a run's artifacts are; a store is copied between two commands."""
    forget()


def forget() -> None:
    from mlflow.tracking._tracking_service import utils

    utils._artifact_repos_cache.clear()


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def addresses(runs: Path) -> list[str]:
    with closing(sqlite3.connect(runs / "mlflow.db")) as base:
        texts = base.execute("SELECT artifact_uri FROM runs UNION SELECT artifact_location FROM experiments")
        return [text for (text,) in texts if "/mlruns/" not in text]  # of the experiment Default, which nobody uses


def test_artifacts_of_a_run_added_to_a_copy_lie_in_the_copy(first: Path) -> None:
    """The original is not touched, every address is of the copy, and the audit of the copy is content."""
    second = first.with_name("second copy")
    shutil.copytree(first, second)
    before = files(first)
    forget()
    new = written(second, "two", workers="3", uid=UIDS[1])
    assert any("cme track sync" in sentence for sentence in audit.audit(second, None).differing)

    assert mlflow_sync.sync(second, [new, second / "one" / "journal.jsonl"], None) == 2

    assert files(first) == before
    assert all(text.startswith((second / "mlartifacts").as_uri()) for text in addresses(second))
    client = MlflowClient(tracking_uri=store_of(second, None))
    experiment = client.get_experiment_by_name("cme/demo/exploratory")
    for run in client.search_runs([experiment.experiment_id]):
        assert {entry.path for entry in client.list_artifacts(run.info.run_id)} >= {"artifacts.sha256"}
    assert audit.audit(second, None) == audit.Differences((), (), ())


def test_a_folder_of_runs_that_was_moved_is_synced_where_it_is(first: Path) -> None:
    moved = first.rename(first.with_name("moved"))
    forget()
    mlflow_sync.sync(moved, [written(moved, "two", uid=UIDS[1])], None)

    assert not first.exists()
    assert audit.audit(moved, None) == audit.Differences((), (), ())


def test_a_copy_of_the_database_alone_gets_its_artifacts_from_the_journals(first: Path) -> None:
    second = first.with_name("second")
    shutil.copytree(first, second, ignore=shutil.ignore_patterns("mlartifacts"))
    before = files(first)
    forget()
    mlflow_sync.sync(second, [second / "one" / "journal.jsonl"], None)

    assert files(first) == before
    assert files(second / "mlartifacts").keys() == files(first / "mlartifacts").keys()


def test_a_location_that_somebody_chose_is_refused_with_what_to_do(first: Path) -> None:
    with closing(sqlite3.connect(first / "mlflow.db")) as base, base:
        base.execute("UPDATE experiments SET artifact_location = '/elsewhere/files' WHERE name LIKE 'cme/%'")
    with pytest.raises(TrackingError, match=r"/elsewhere/files: remove .*mlflow.db and sync again"):
        mlflow_sync.sync(first, [written(first, "two", uid=UIDS[1])], None)
    assert addresses(first).count("/elsewhere/files") == 1


def test_a_bucket_stays_where_it_is(first: Path) -> None:
    with closing(sqlite3.connect(first / "mlflow.db")) as base, base:
        base.execute("UPDATE experiments SET artifact_location = 's3://bucket/files' WHERE name LIKE 'cme/%'")
    assert displaced(first / "mlflow.db", str(expected_location(first, None))) == {}


@pytest.mark.parametrize("absolute", [False, True])
def test_a_named_database_leaves_nothing_in_the_current_folder(
    tmp_path: Path, template: bytes, monkeypatch: pytest.MonkeyPatch, absolute: bool
) -> None:
    """Its artifacts lie beside it, for a relative address too."""
    store, current = tmp_path / "store", tmp_path / "current"
    store.mkdir()
    current.mkdir()
    (store / "mine.db").write_bytes(template)
    monkeypatch.chdir(current)
    address = f"sqlite:///{store / 'mine.db'}" if absolute else "sqlite:///../store/mine.db"
    mlflow_sync.sync(tmp_path / "runs", [written(tmp_path / "runs", uid=UIDS[0])], address)

    assert list(current.iterdir()) == []
    assert sorted(path.name for path in store.iterdir()) == ["mine.db", "mlartifacts"]
    assert audit.audit(tmp_path / "runs", address) == audit.Differences((), (), ())


def test_addresses_are_read_as_sqlalchemy_reads_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from sqlalchemy.engine import make_url

    monkeypatch.chdir(tmp_path)
    for address in ("sqlite:///a.db", "sqlite:////b/c d.db", "sqlite+pysqlite:///x/y.db?timeout=3"):
        assert database_of(tmp_path, address) == (tmp_path / str(make_url(address).database)).resolve()
        assert make_url(store_of(tmp_path, address)).query == make_url(address).query
    for address in ("http://127.0.0.1:5000", "sqlite://", "postgresql://host/base"):
        assert database_of(tmp_path, address) is None
        assert store_of(tmp_path, address) == address


def test_repeats_of_one_run_share_one_copy_of_its_artifacts(first: Path) -> None:
    """The second and third name the first by a tag; the audit reads its files; other bytes are a copy of their own."""
    contents = (("two", "{}"), ("three", "{}"), ("other", "[]"))
    paths = [later(first, name, uid, text) for (name, text), uid in zip(contents, UIDS[1:], strict=True)]
    mlflow_sync.sync(first, paths, None)
    mlflow_sync.sync(first, paths, None)

    kept = [name for name in files(first / "mlartifacts") if name.endswith("fitted.json")]
    assert len(kept) == 2
    client = MlflowClient(tracking_uri=store_of(first, None))
    experiment = client.get_experiment_by_name("cme/demo/exploratory")
    tags = {run.data.tags["cme.run_uid"]: run.data.tags for run in client.search_runs([experiment.experiment_id])}
    assert [tags[uid].get("cme.artifacts_of") for uid in UIDS] == [None, UIDS[0], UIDS[0], None]
    assert audit.audit(first, None) == audit.Differences((), (), ())

    shutil.rmtree(next((first / "mlartifacts").glob("*/artifacts/folds")))
    assert audit.audit(first, None).differing


def later(runs: Path, name: str, uid: str, content: str) -> Path:
    """A journal that began an hour after the others."""
    ticks = count(1_764_550_800_000_000, 1_000_000)
    run = journal.start(runs / name, "demo", "exploratory", "run", lambda: next(ticks), uid)
    (runs / name / "folds").mkdir()
    (runs / name / "folds" / "fitted.json").write_text(content)
    run.artifact("folds/fitted.json")
    run.end(0)
    return run.path
